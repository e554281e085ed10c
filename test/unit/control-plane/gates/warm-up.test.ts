// The warm-up: what is asked how often, connections that are open at once, and targets that fail or hang.

import { once } from 'node:events';
import https from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import t from 'tap';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { warmUp } from '../../../../src/control-plane/gates/warm-up.ts';
import type { WarmupSettings } from '../../../../src/config/settings/rollout/rollout-settings.ts';
import { testRollout } from '../../../support/rollout.ts';
import { targetConnector } from '../../../../src/control-plane/targets/target-connection.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { upstreamTerms } from '../../../support/plane.ts';
import { endpointOf, gateContext, gateParts, NEVER, serve, talk } from '../support/gate-scene.ts';

async function warm(ports: readonly number[], changes: Partial<WarmupSettings>, signal = NEVER) {
  const settings = { ...testRollout().warmup, ...changes };
  return await warmUp(settings, gateParts(ports.map(endpointOf))).ask(gateContext(), signal);
}

await t.test(
  'each path is asked of each target as often as the setting says, some at a time',
  async (t) => {
    const seen: unknown[] = [];
    let running = 0;
    let most = 0;
    const open = async (): Promise<number> =>
      serve(t, (request, response) => {
        seen.push([request.url, request.headers.host, request.headers['x-turnout-release']]);
        most = Math.max(most, ++running);
        setImmediate(() => {
          running--;
          response.writeHead(404).end();
        });
      });
    const port = await open();
    const result = await warm([port, await open()], {
      requests: ['/a?b', '/c'],
      repeat: 3,
      parallel: 2,
    });
    t.same(result, { verdict: 'ok', detail: '12 requests, 0 connections' });
    t.equal(seen.length, 12);
    t.same(seen[0], ['/a?b', 'shop.example', 'v42']);
    t.ok(most <= 4, 'two at a time to each of two targets');
  },
);

await t.test('connections are open at once, and closed afterwards', async (t) => {
  const sockets = new Set<Socket>();
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    closed.push(once(socket, 'close'));
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  t.same(await warm([port], { connections: 5 }), {
    verdict: 'ok',
    detail: '0 requests, 5 connections',
  });
  while (sockets.size < 5) await once(server, 'connection');
  await Promise.all(closed);
});

await t.test('what fails is counted, and the first is told', async (t) => {
  const bad = await serve(t, (_, response) => response.writeHead(503).end());
  t.same(await warm([bad], { requests: ['/x?secret'], repeat: 2, parallel: 1 }), {
    verdict: 'fail',
    detail: `2 requests, 0 connections, 2 failed; GET /x at http://127.0.0.1:${bad}: status 503`,
  });
  t.same(await warm([1], { connections: 1 }), {
    verdict: 'fail',
    detail: '0 requests, 0 connections, 1 failed; http://127.0.0.1:1: connection refused',
  });
  const parts = gateParts([endpointOf(1)], { mayConnect: () => false });
  const settings = { ...testRollout().warmup, requests: ['/'] };
  t.match(await warmUp(settings, parts).ask(gateContext(), NEVER), {
    verdict: 'fail',
    detail: /leads elsewhere/,
  });
});

await t.test('it ends at its time, and at once when it is called off', async (t) => {
  const hangs = await talk(t, () => {});
  t.same(await warm([hangs], { requests: ['/'], withinMs: 50 }), {
    verdict: 'fail',
    detail: 'not done after 50ms: 0 requests, 0 connections',
  });
  const called = new AbortController();
  const calls = await talk(t, () => called.abort());
  t.same(await warm([calls], { requests: ['/'] }, called.signal), {
    verdict: 'error',
    detail: 'called off',
  });
});

await t.test('a target over TLS is warmed by handshakes, too', async (t) => {
  const ca = authority(t);
  const server = https.createServer(pemsOf(ca.sign('app')), (_, response) => response.end());
  let handshakes = 0;
  server.on('secureConnection', () => handshakes++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const endpoint = { ...endpointOf(port), tls: { name: 'localhost', service: 'shop' } };
  const terms = { ...upstreamTerms(pemsOf(ca).cert), service: 'shop' };
  const warmed = { ...testRollout().warmup, requests: ['/'], repeat: 2, connections: 3 };
  const through = async (targetTls: TargetTls) =>
    warmUp(warmed, gateParts([endpoint], { connect: targetConnector(targetTls) })).ask(
      gateContext(),
      NEVER,
    );
  t.same(await through(new TargetTls({ upstreams: [terms] })), {
    verdict: 'ok',
    detail: '2 requests, 3 connections',
  });
  t.equal(handshakes, 5);
  t.match(await through(new TargetTls({ upstreams: [] })), {
    verdict: 'fail',
    detail: /5 failed; .*: its certificate is signed by an authority that is not known/,
  });
});
