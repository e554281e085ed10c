// A real Turnout before two apps with one journal, its admin API, and clients on raw sockets that
// may be kept waiting: nothing here gives up by itself.

import type { Test } from 'tap';
import { startTurnout, type Running } from '../e2e/turnout-process.ts';
import { AdminClient, type AdminAnswer } from './admin-client.ts';
import { Journal, openJournalApp, type JournalApp } from './hold-app.ts';
import { readResponse, type Message } from './message.ts';
import { connectRaw, type RawPeer } from './raw-peer.ts';

export interface HoldScene {
  readonly journal: Journal;
  readonly blue: JournalApp;
  readonly green: JournalApp;
  readonly running: Running;
  readonly admin: AdminClient;
  /** Where traffic comes in. */
  readonly port: number;
  /** Opens a client connection; it is cut when the test ends. */
  readonly connect: () => Promise<RawPeer>;
  /** Sends `request` on a connection of its own; the response is awaited when it is asked for. */
  readonly send: (request: string) => Promise<SentRequest>;
  /** Makes a change, which must succeed. */
  readonly change: (path: string, body: object) => Promise<AdminAnswer>;
  /** Resolves when exactly `count` requests wait. */
  readonly waiting: (count: number) => Promise<void>;
}

export interface SentRequest {
  readonly peer: RawPeer;
  readonly response: () => Promise<Message>;
}

/** Starts everything with blue active; `args` are flags of `turnout run`. */
export async function openHoldScene(t: Test, args: readonly string[] = []): Promise<HoldScene> {
  const journal = new Journal();
  const blue = await openJournalApp(t, 'blue', journal);
  const green = await openJournalApp(t, 'green', journal);
  const health = ['--health-interval', '100ms', '--health-rise', '1'];
  const targets = ['--blue', blue.url, '--green', green.url, '--active', 'blue'];
  const running = await startTurnout(t, [...targets, ...health, '--access-log', 'off', ...args]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await running.line((line) => line.includes(`green ${green.url} is up`));
  const port = Number(running.proxy.split(':')[1]);
  const connect = async (): Promise<RawPeer> => {
    const peer = await connectRaw(port);
    t.teardown(() => peer.socket.destroy());
    return peer;
  };
  return {
    journal,
    blue,
    green,
    running,
    admin,
    port,
    connect,
    async send(request) {
      const peer = await connect();
      peer.send(request);
      const method = request.slice(0, request.indexOf(' '));
      return { peer, response: () => responseAt(peer, { from: 0, method }) };
    },
    async change(path, body) {
      const answer = await admin.post(path, body);
      if (answer.status !== 200) {
        throw new Error(`expected 200 for ${path}, got ${answer.status} ${answer.text}`);
      }
      return answer;
    },
    async waiting(count) {
      while ((await heldCount(admin)) !== count);
    },
  };
}

/** Returns how many requests wait now; -1 when nothing is held. */
export async function heldCount(admin: AdminClient): Promise<number> {
  const { json } = await admin.get('/v1/status');
  const [service] = json['services'] as { readonly held: { readonly requests: number } | null }[];
  return service?.held?.requests ?? -1;
}

/** Switches to green while requests wait, and then ends the hold: a switch does not. */
export async function goOnAtGreen({ change }: Pick<HoldScene, 'change'>): Promise<void> {
  await change('/v1/switch', { to: 'green' });
  await change('/v1/resume', {});
}

/** Returns the bytes of a GET. */
export function getOf(path: string, ...fields: readonly string[]): string {
  return `${['GET ' + path + ' HTTP/1.1', 'Host: shop.test', ...fields].join('\r\n')}\r\n\r\n`;
}

/** Resolves with the whole final response that begins at `from`, however long it takes. */
export async function responseAt(
  peer: RawPeer,
  { from, method }: { readonly from: number; readonly method: string },
): Promise<Message> {
  const found = await peer.watch(() => {
    const response = readResponse(peer.text, from, { method, hasEnded: peer.ending === 'end' });
    if (response?.isComplete === true) return response;
    return peer.ending === undefined ? undefined : 'lost';
  });
  if (found === 'lost') throw new Error(`expected a whole response, ${peer.summary()}`);
  return found;
}

/** Resolves with the next `count` responses to GETs, in the order in which they came. */
export async function responsesOf(peer: RawPeer, count: number): Promise<Message[]> {
  const responses: Message[] = [];
  for (let from = 0; responses.length < count; from = responses.at(-1)!.end) {
    responses.push(await responseAt(peer, { from, method: 'GET' }));
  }
  return responses;
}
