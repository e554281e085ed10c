// One plane in front of one scripted origin, for tests in which a client or the origin misbehaves.
// In the end the plane must hold nothing: every gauge back at 0, no socket left.

import type { Test } from 'tap';
import type { RoutingTable } from '../../src/contract/table.ts';
import { readResponse, type Message } from './message.ts';
import { openOrigin, type Origin, type OriginScript } from './origin.ts';
import { openTestPlane, type SettingsPatch, type TestPlane } from './plane.ts';
import { connectRaw, type RawPeer } from './raw-peer.ts';
import { becomes, comesToRest } from './shared-counters.ts';

export interface Bench {
  readonly origin: Origin;
  readonly plane: TestPlane;
  /** Opens a client connection; it is cut when the test ends. */
  connect(): Promise<RawPeer>;
  /** Sends `request` on a connection of its own and resolves with the response. */
  ask(request: string): Promise<Message>;
  /** Lets `ms` pass for every timeout of the plane. */
  passTime(ms: number): void;
}

/** Opens origin and plane, runs `body`, and checks that nothing is left behind. */
export async function withBench(
  t: Test,
  options: { readonly script: OriginScript; readonly patch: SettingsPatch },
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const origin = await openOrigin(options.script);
  const plane = await openTestPlane({ blue: [origin.port], green: [] }, options.patch);
  const clients: RawPeer[] = [];
  const connect = async (): Promise<RawPeer> => {
    const client = await connectRaw(plane.port);
    clients.push(client);
    return client;
  };
  try {
    await body({
      origin,
      plane,
      connect,
      ask: async (request) => {
        const client = await connect();
        client.send(request);
        return await responseOf(client, {
          from: 0,
          method: request.slice(0, request.indexOf(' ')),
        });
      },
      passTime: (ms) => {
        plane.plane.wheel.advance(Math.ceil(ms / 100) + 2);
      },
    });
    for (const client of clients) client.socket.destroy();
    await comesToRest(t, plane);
  } finally {
    for (const client of clients) client.socket.destroy();
    await plane.stop();
    await origin.close();
  }
}

/** Gives a script that is written where it is used the type of one. */
export function doing(script: OriginScript): OriginScript {
  return script;
}

/** Fails `t` unless every socket and every listener of this process is closed. */
export async function holdsNoSocket(t: Test): Promise<void> {
  await becomes(() => openSockets().length === 0);
  t.strictSame(openSockets(), [], 'no socket is left');
}

function openSockets(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));
}

/** Resolves with the whole final response that begins at `from`. */
export function responseOf(
  peer: RawPeer,
  context: { readonly from: number; readonly method: string },
): Promise<Message> {
  return peer.until('whole response', () => {
    const response = readResponse(peer.text, context.from, {
      method: context.method,
      hasEnded: peer.ending === 'end',
    });
    return response?.isComplete === true ? response : undefined;
  });
}

/** Makes `table` the one that new requests use. */
export function publish(plane: TestPlane, table: RoutingTable): void {
  plane.plane.obey({ kind: 'prepare', table });
  Atomics.store(plane.memory.pointer, 0, table.version);
}

/** The smallest requests, for tests that look at something else. */
export const GET = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
