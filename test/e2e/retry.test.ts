// A target that answers 503, or 502 in the middle of a start, between others that serve: with the whole
// program, over TCP and Unix sockets, by several workers.

import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startTurnout, type Running } from './turnout-process.ts';

interface App {
  readonly url: string;
  readonly server: Server;
  /** Requests that were no checks, by method. */
  readonly asked: string[];
}

/** An app that passes its checks and gives every other request `status` with a body of `size` bytes. */
async function openApp(
  t: Test,
  { status, size = 5, path }: { status: number; size?: number; path?: string | undefined },
): Promise<App> {
  const asked: string[] = [];
  const server = createServer((incoming, answer) => {
    incoming.resume();
    if (incoming.url === '/healthz') {
      answer.end();
      return;
    }
    asked.push(incoming.method!);
    answer.writeHead(status, { 'x-from': String(status) });
    answer.end(String(status)[0]!.repeat(size));
  });
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = path === undefined ? (server.address() as AddressInfo) : { port: 0 };
  return { url: path === undefined ? `http://127.0.0.1:${port}` : `unix:${path}`, server, asked };
}

async function start(t: Test, apps: readonly App[], ...more: string[]): Promise<Running> {
  const blue = ['--blue', apps.map(({ url }) => url).join(',')];
  const quick = ['--health-interval', '100ms', '--health-rise', '1', '--ejection-mode', 'off'];
  const log = ['--access-log', 'all'];
  const server = await startTurnout(t, [...blue, ...quick, ...log, ...more]);
  for (const { url } of apps) await server.line((line) => line.includes(`${url} is up`));
  return server;
}

/** Sends a request on a connection of its own; returns status, body and the field of the app. */
async function ask({ proxy }: Running, method: string, body?: string): Promise<string> {
  const asked = request(`http://${proxy}/`, { agent: false, method });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let size = 0;
  for await (const part of response) size += (part as Buffer).length;
  return `${response.statusCode} ${response.headers['x-from'] as string} ${size}`;
}

for (const [status, size, kind] of [
  [503, 5, 'tcp'],
  [502, 300_000, 'unix'],
  [504, 0, 'unix'],
] as const) {
  await t.test(`a GET is asked again after ${status} with ${size} bytes (${kind})`, async (t) => {
    const dir = shortDir(t);
    const path = (name: string): string | undefined =>
      kind === 'unix' ? join(dir, name) : undefined;
    const sick = await openApp(t, { status, size, path: path('a') });
    const sound = await openApp(t, { status: 200, path: path('b') });
    const server = await start(t, [sick, sound], '--retry-mode', 'on', '--workers', '2');
    for (let i = 0; i < 8; i++) t.equal(await ask(server, 'GET'), '200 200 5');
    t.equal(sound.asked.length, 8);
    while (sick.asked.length === 0) t.equal(await ask(server, 'GET'), '200 200 5');
    const line = await server.line((text) => text.includes('"retryReason":"status"'));
    t.match(JSON.parse(line), { status: 200, retries: 1, target: sound.url });
    const text = await (await fetch(`http://${server.admin}/metrics`)).text();
    const counted = /^turnout_retries_total\{.*reason="status"\} (\d+)$/m.exec(text);
    t.equal(Number(counted?.[1]), sick.asked.length);
  });
}

await t.test('a POST is answered by the target that got it', async (t) => {
  const sick = await openApp(t, { status: 503 });
  const sound = await openApp(t, { status: 200 });
  const server = await start(t, [sick, sound], '--retry-mode', 'on');
  let asked = 0;
  while (sick.asked.length === 0) {
    await ask(server, 'POST', 'a=1');
    asked++;
  }
  t.equal(sick.asked.length + sound.asked.length, asked);
});

await t.test(
  'in an outage the targets get a fifth more, and not without the setting',
  async (t) => {
    const apps = [await openApp(t, { status: 503 }), await openApp(t, { status: 503 })];
    const total = (): number => apps.reduce((sum, { asked }) => sum + asked.length, 0);
    const on = await start(t, apps, '--retry-mode', 'on');
    for (let i = 0; i < 100; i++) t.equal(await ask(on, 'GET'), '503 503 5');
    t.ok(total() > 110 && total() <= 130, `${total()}`);
    const before = total();
    const off = await start(t, apps);
    for (let i = 0; i < 50; i++) t.equal(await ask(off, 'GET'), '503 503 5');
    t.equal(total() - before, 50);
  },
);

await t.test('the first answer counts against its target', async (t) => {
  const sick = await openApp(t, { status: 503 });
  const sound = await openApp(t, { status: 200 });
  const server = await start(t, [sick, sound], '--retry-mode', 'on', '--ejection-mode', 'on');
  const said: string[] = [];
  void server
    .line((line) => line.includes(`${sick.url} is ejected`))
    .then((line) => said.push(line));
  while (said.length === 0) t.match(await ask(server, 'GET'), /^(?:200|503) /);
  t.match(said[0], 'requests in a row failed there');
});
