// Two releases that are up, and checks that come too seldom to notice when one of them dies.

import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { AdminClient, type AdminAnswer } from '../support/admin-client.ts';
import { SPOT_ANSWER_KEPT_MS } from '../../src/control-plane/base/control-limits.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startTurnout, type Running } from './turnout-process.ts';

export interface App {
  readonly url: string;
  /** What it answers to health checks. */
  status: number;
  close(): Promise<void>;
}

/** Opens an app that answers with its name; on a socket at `path`, or on a free port. */
export async function openApp(t: Test, name: string, path?: string): Promise<App> {
  const app = { url: `unix:${path}`, status: 200, close };
  const server = createServer((asked, answer) => {
    if (asked.url === '/healthz') answer.statusCode = app.status;
    answer.end(name);
  });
  server.listen(path ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  if (path === undefined) {
    app.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  async function close(): Promise<void> {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
  t.teardown(close);
  return app;
}

/** Asks on a connection of its own. */
export async function ask({ proxy }: Running): Promise<string> {
  const asked = request(`http://${proxy}/`, { agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return `${response.statusCode} ${text}`;
}

/** The first check comes within a fortieth of the interval, the next one after the test. */
export const SELDOM = ['--health-interval', '30s', '--health-rise', '1', '--affinity-mode', 'off'];

export interface Scene {
  readonly running: Running;
  readonly admin: AdminClient;
  readonly v1: App;
  readonly v2: App;
}

/** Blue has v1 and is active, green has v2; both are known to be up. */
export async function open(t: Test, apps: { v1: App; v2: App }, ...args: string[]): Promise<Scene> {
  const { v1, v2 } = apps;
  const targets = ['--blue', v1.url, '--blue-release', 'v1', '--green', v2.url];
  const more = ['--green-release', 'v2', ...SELDOM, ...args];
  const running = await startTurnout(t, [...targets, ...more]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await untilUp(admin);
  return { running, admin, v1, v2 };
}

interface Status {
  readonly services: readonly Readonly<
    Record<
      'blue' | 'green',
      { readonly targets: readonly { readonly health: string; readonly changedAt: string }[] }
    >
  >[];
}

/** Resolves when all targets are up, and that is so long ago that they are asked once more. */
export async function untilUp(admin: AdminClient): Promise<void> {
  for (;;) {
    const { services } = (await admin.get('/v1/status')).json as unknown as Status;
    const targets = services.flatMap(({ blue, green }) => [...blue.targets, ...green.targets]);
    const before = Date.now() - 2 * SPOT_ANSWER_KEPT_MS;
    if (targets.every((one) => one.health === 'up' && Date.parse(one.changedAt) < before)) return;
  }
}

export async function openApps(t: Test, kind: 'tcp' | 'unix'): Promise<{ v1: App; v2: App }> {
  if (kind === 'tcp') return { v1: await openApp(t, 'v1'), v2: await openApp(t, 'v2') };
  const dir = shortDir(t);
  const [one, two] = [join(dir, '1'), join(dir, '2')];
  return { v1: await openApp(t, 'v1', one), v2: await openApp(t, 'v2', two) };
}

export const WHY = {
  tcp: 'asked just now: connection refused',
  unix: 'asked just now: the socket does not exist',
} as const;

export function isRefused(t: Test, answer: AdminAnswer, url: string, why: string): void {
  t.match(answer, { status: 409, json: { code: 'target-unhealthy' } });
  t.match(answer.json['detail'], `${url} is down (${why})`);
  t.match(answer.json['targets'], [{ url, state: 'down', reason: why }]);
}

export const FORCED = { force: true, reason: 'fire drill' };
