// A real Turnout with skew protection before two apps: release r1 on blue, which is active, and r2
// on green.

import type { Test } from 'tap';
import { startTurnout, type Running } from '../e2e/turnout-process.ts';
import { AdminClient, type AdminAnswer } from './admin-client.ts';
import { responseAt } from './hold-scene.ts';
import { valuesOf, type Message } from './message.ts';
import { connectRaw, type RawPeer } from './raw-peer.ts';
import { openSkewApp, type Answer, type SkewApp } from './skew-app.ts';

export interface SkewScene {
  readonly blue: SkewApp;
  readonly green: SkewApp;
  readonly running: Running;
  readonly admin: AdminClient;
  readonly connect: () => Promise<RawPeer>;
  /** Asks for `target` on a connection of its own. */
  readonly get: (target: string, ...fields: readonly string[]) => Promise<Message>;
  /** The same with any method and a body. */
  readonly ask: (request: AskedRequest) => Promise<Message>;
  readonly change: (path: string, body: object) => Promise<AdminAnswer>;
  /** Puts `release` at `url` on the idle color. */
  readonly register: (color: 'blue' | 'green', release: string, url: string) => Promise<void>;
}

export interface AskedRequest {
  readonly method: string;
  readonly target: string;
  readonly fields?: readonly string[];
  readonly body?: string;
}

export interface SkewOptions {
  readonly blue?: Readonly<Record<string, Answer>>;
  readonly green?: Readonly<Record<string, Answer>>;
  readonly args?: readonly string[];
}

export async function openSkewScene(t: Test, options: SkewOptions = {}): Promise<SkewScene> {
  const blue = await openSkewApp(t, 'blue', options.blue);
  const green = await openSkewApp(t, 'green', options.green);
  const blueArgs = ['--blue', blue.url, '--blue-release', 'r1'];
  const greenArgs = ['--green', green.url, '--green-release', 'r2'];
  const skewArgs = ['--skew-mode', 'on', '--skew-rescue', '/assets/*', '--health-kind', 'none'];
  const args = [...blueArgs, ...greenArgs, ...skewArgs, ...(options.args ?? [])];
  const running = await startTurnout(t, args);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const connect = async (): Promise<RawPeer> => {
    const peer = await connectRaw(Number(running.proxy.split(':')[1]));
    t.teardown(() => peer.socket.destroy());
    return peer;
  };
  const ask = async (request: AskedRequest): Promise<Message> => {
    const peer = await connect();
    peer.send(bytesOf(request));
    const response = await responseAt(peer, { from: 0, method: request.method });
    peer.socket.destroy();
    return response;
  };
  return {
    blue,
    green,
    running,
    admin,
    connect,
    ask,
    get: (target, ...fields) => ask({ method: 'GET', target, fields }),
    async change(path, body) {
      const answer = await admin.post(path, body);
      if (answer.status !== 200) throw new Error(`expected 200, got ${answer.text}`);
      return answer;
    },
    async register(color, release, url) {
      const { status } = await fetch(`http://${running.admin}/v1/releases/${color}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ release, targets: [url] }),
      });
      if (status !== 200) throw new Error(`expected 200 for ${release}, got ${status}`);
    },
  };
}

/** Switches to green after a visit to blue whose session has come back: so blue drains for a while. */
export async function switchAfterVisit({ change, get }: SkewScene): Promise<void> {
  const session = sessionOf(await get('/visit'));
  await get('/visit', session);
  await change('/v1/switch', { to: 'green' });
}

/** Returns the bytes of a request. */
export function bytesOf({ method, target, fields = [], body }: AskedRequest): string {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: shop.test', ...fields, ...length];
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** Returns the line that sends back the session of `response`; empty when it gave none. */
export function sessionOf(response: Message): string {
  const [cookie] = valuesOf(response.fields, 'set-cookie');
  return cookie === undefined ? '' : `Cookie: ${cookie.slice(0, cookie.indexOf(';'))}`;
}

/** Returns the first word of the body: the color. */
export function colorOf({ body }: Message): string {
  return body.slice(0, body.indexOf(' '));
}
