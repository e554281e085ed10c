// A Turnout process between raw clients and a raw target, for tunnels and event streams whose ends
// do what a library never would. Blue is the raw one; green answers every request with `ok`.

import type { Test } from 'tap';
import { startTurnout } from '../e2e/turnout-process.ts';
import { AdminClient } from './admin-client.ts';
import { OK } from './fault-bench.ts';
import { answering, openOrigin, type OriginConnection } from './origin.ts';
import { connectRaw, type Ending, type RawPeer } from './raw-peer.ts';
import { RESTART } from './ws-frames.ts';

/** Both ends of a request or of what has become of it. */
export interface RawPair {
  readonly client: RawPeer;
  readonly target: OriginConnection;
  /** What the client has received behind the head of the answer. */
  readonly received: () => string;
}

export interface RawBench {
  readonly admin: AdminClient;
  /** Sends a request and resolves when the target has it; no response has been sent yet. */
  readonly ask: (request: string) => Promise<RawPair>;
  /** The same, with the head of an answer that has reached the client. */
  readonly answered: (request: string, head: string) => Promise<RawPair>;
  /** Opens a tunnel. */
  readonly open: (protocol: string) => Promise<RawPair>;
  /** Switches to green. */
  readonly change: () => Promise<void>;
  /** Switches to green; resolves when every close that is due at once has been begun. */
  readonly leave: () => Promise<void>;
  /** Has the process stop; resolves when it has begun to close what is open. */
  readonly stop: () => Promise<void>;
}

/** Starts everything; `flags` are settings of Turnout. A switch closes everything at once. */
export async function startRawBench(
  t: Test,
  flags: Readonly<Record<string, string>> = {},
): Promise<RawBench> {
  const arrivals: ((connection: OriginConnection) => void)[] = [];
  const blue = await openOrigin(async (connection) => {
    // Connections that are opened ahead of requests stay silent.
    if ((await connection.nextRequest()) !== undefined) arrivals.shift()?.(connection);
  });
  const green = await openOrigin(answering(OK));
  for (const origin of [blue, green]) t.teardown(() => origin.close());
  const all = {
    ...FLAGS,
    blue: `http://127.0.0.1:${blue.port}`,
    green: `http://127.0.0.1:${green.port}`,
    ...flags,
  };
  const running = await startTurnout(
    t,
    Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]),
  );
  const port = Number(running.proxy.split(':')[1]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());

  const ask = async (request: string): Promise<RawPair> => {
    const { promise, resolve } = Promise.withResolvers<OriginConnection>();
    arrivals.push(resolve);
    const client = await connectRaw(port);
    t.teardown(() => client.socket.destroy());
    client.send(request);
    const received = (): string => client.text.slice(client.text.indexOf('\r\n\r\n') + 4);
    return { client, target: await promise, received };
  };
  const answered = async (request: string, head: string): Promise<RawPair> => {
    const pair = await ask(request);
    pair.target.send(head);
    await until(pair.client, 'head', () => pair.client.text.endsWith('\r\n\r\n'));
    return pair;
  };
  const open = async (protocol: string): Promise<RawPair> =>
    answered(upgrade(protocol), switching(protocol));
  const change = async (): Promise<void> => {
    const answer = await admin.post('/v1/switch', {});
    if (answer.status !== 200) throw new Error(`no switch: ${answer.text}`);
  };
  // All that shall close at once do so in one turn of the worker, this one among them.
  const witness = await open('websocket');
  return {
    admin,
    ask,
    answered,
    open,
    change,
    async leave() {
      await change();
      await until(witness.client, 'goodbye', () => witness.received() === RESTART);
    },
    async stop() {
      running.process.kill('SIGTERM');
      await until(witness.client, 'goodbye', () => witness.received() === RESTART);
    },
  };
}

const FLAGS = {
  'affinity-mode': 'off',
  'drain-long-lived': 'cut',
  'drain-closes-per-second': '0',
  'health-kind': 'none',
} as const;

/** Much longer than any grace of a tunnel, also on a busy machine. */
const WAIT_MS = 30_000;

/** Resolves once `look` is true, which is asked whenever `peer` receives something or ends. */
export async function until(peer: RawPeer, what: string, look: () => boolean): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`no ${what} in ${WAIT_MS} ms; ${peer.summary()}`));
  }, WAIT_MS);
  await Promise.race([peer.watch(() => look() || undefined), late.promise]).finally(() => {
    clearTimeout(timer);
  });
}

/** Resolves with the way in which the other side of `peer` ended. */
export async function ending(peer: RawPeer): Promise<Ending> {
  await until(peer, 'end of the connection', () => peer.ending !== undefined);
  return peer.ending!;
}

/** Returns the head of a 101. */
export function switching(protocol: string): string {
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
}

/** Returns a request for a tunnel. */
export function upgrade(protocol: string): string {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  return `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${key}\r\n`;
}
