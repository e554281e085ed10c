// A Turnout that is upgraded: two colored apps, the process that was started, and every process
// that took over from one before it; all of them end with the test.

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { openColoredApp, type ColoredApp } from '../support/colored-app.ts';
import { startTurnout, type Running } from './turnout-process.ts';
import { isAlive } from '../support/is-alive.ts';

/** Far more than anything here takes on a busy machine. */
const WAIT_MS = 60_000;

interface Told {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface UpgradeScene {
  readonly blue: ColoredApp;
  readonly green: ColoredApp;
  readonly running: Running;
  /** Calls the admin API of whichever process is in charge, on a connection of its own. */
  post(path: string, body?: object): Promise<Told>;
  put(path: string, body: object): Promise<Told>;
  get(path: string): Promise<Told>;
  /** Upgrades and resolves with the pid of the process that took over. */
  upgrade(): Promise<number>;
  /** Switches as soon as the targets are healthy, which a new process has to ask first. */
  switchTo(color: string): Promise<void>;
  /** What a new connection is answered. */
  ask(path?: string): Promise<string>;
}

/** Starts Turnout for upgrades: no affinity, targets healthy at once. */
export async function openUpgradeScene(
  t: Test,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<UpgradeScene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const colors = ['--blue', blue.url, '--green', green.url, '--affinity-mode', 'off'];
  const health = ['--health-interval', '100ms', '--health-rise', '1'];
  const flags = [...colors, ...health, '--stop-deadline', '5s', ...args];
  const pids = new Set<number>();
  const running = await startTurnout(t, flags, environment);
  // Before the state directory is removed, which those that are alive still write to.
  t.teardown(() => {
    for (const pid of pids) kill(pid);
  });
  const call = async (method: string, path: string, body: object | undefined): Promise<Told> => {
    const { status, text } = await exchange(running.admin, { method, path, body });
    const json = JSON.parse(text) as Told['json'];
    if (path === '/v1/upgrade' && status === 200) pids.add(Number(json['pid']));
    return { status, json };
  };
  const post = async (path: string, body: object = {}): Promise<Told> => call('POST', path, body);
  return {
    blue,
    green,
    running,
    post,
    put: async (path, body) => call('PUT', path, body),
    get: async (path) => call('GET', path, undefined),
    async upgrade() {
      const { status, json } = await post('/v1/upgrade');
      if (status !== 200) throw new Error(`expected an upgrade, got ${JSON.stringify(json)}`);
      return Number(json['pid']);
    },
    async switchTo(to) {
      await until(async () => (await post('/v1/switch', { to })).status === 200, `switch to ${to}`);
    },
    async ask(path = '/') {
      return (await exchange(running.proxy, { method: 'GET', path, body: undefined })).text;
    },
  };
}

/** Where `host:port` or `unix:/path` is, as Node wants to know it. */
export function placeOf(address: string): { host: string; port: number } | { socketPath: string } {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) };
  const [host = '', port] = address.split(':');
  return { host, port: Number(port) };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: object | undefined;
}

async function exchange(
  address: string,
  { method, path, body }: Asked,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = { host: 'localhost', 'content-type': 'application/json' };
  const sent = request({ ...placeOf(address), path, method, agent: false, headers });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return { status: Number(answer.statusCode), text };
}

/** Asks again and again until `isTrue` says so. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`expected ${what}`);
    await delay(20);
  }
}

/** Ends a process if it is still there. */
export function kill(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL');
}
