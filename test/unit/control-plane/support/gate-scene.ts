// What a gate is asked with in tests: one service that goes from blue to green, and targets on real sockets.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { GateContext, GateParts } from '../../../../src/control-plane/gates/asked-gate.ts';
import { signedPost } from '../../../../src/control-plane/notifications/signed-post.ts';
import { targetConnector } from '../../../../src/control-plane/targets/target-connection.ts';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import type { LiveEndpoint } from '../../../../src/contract/table.ts';

export function gateContext(changes: Partial<GateContext> = {}): GateContext {
  return {
    rollout: 'r-7',
    attempt: 'r-7.smoke.1',
    gate: 'smoke',
    at: 'before',
    stage: 'testing',
    share: 0,
    subjects: [
      {
        service: 'shop',
        from: { deployment: 1, release: 'v41', color: 'blue' },
        to: {
          deployment: 2,
          release: 'v42',
          color: 'green',
          targets: ['http://a:1', 'http://b:1'],
        },
      },
    ],
    actor: 'ci',
    reason: 'build $(touch /tmp/x)',
    ...changes,
  };
}

export function endpointOf(port: number): LiveEndpoint {
  const authority = `127.0.0.1:${port}`;
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  return { slot: 0, deployment: 2, url: `http://${authority}`, address, authority };
}

export function gateParts(
  endpoints: readonly LiveEndpoint[] = [],
  changes: Partial<GateParts> = {},
): GateParts {
  const outside = { isOurs: () => false, dns: { addresses: async () => ['127.0.0.1'] } };
  return {
    ...outside,
    endpointsOf: (service, deployment) => (service === 'shop' && deployment === 2 ? endpoints : []),
    mayConnect: () => true,
    connect: targetConnector(new TargetTls({ upstreams: [] })),
    hostOf: () => 'shop.example',
    shadows: { gate: () => ({ ask: async () => ({ verdict: 'later', detail: 'shadow' }) }) },
    post: signedPost(outside),
    environment: { PATH: process.env['PATH'], TURNOUT_TOKEN: 'secret', LC_ALL: 'C' },
    ...changes,
  };
}

/** Serves on a free port; resolves with it. */
export async function serve(t: Test, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A port that says what `talk` does once it has heard something. */
export async function talk(t: Test, talk: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => talk(socket));
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A signal that nothing aborts. */
export const NEVER = new AbortController().signal;
