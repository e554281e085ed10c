// A new process takes over from the one that runs, under load: no request fails, no connection is
// refused or reset, and a switch right after it holds for everybody. If the new one does not come
// up, the old one serves on.

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, get, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

/** The long form is 100; a few show the same in every run. */
const UPGRADES = Number(process.env['TURNOUT_UPGRADES'] ?? 5);
const CLIENTS = 8;

interface Scene {
  readonly running: Running;
  readonly port: number;
  /** Calls the admin API of whichever process is in charge. */
  call(path: string, body: object): Promise<{ readonly status: number; readonly body: unknown }>;
}

interface Answer {
  readonly pid: number;
  readonly detail: string;
}

async function open(t: Test, args: readonly string[] = []): Promise<Scene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const colors = ['--blue', blue.url, '--green', green.url];
  const health = ['--health-interval', '100ms', '--health-rise', '1', '--affinity-mode', 'off'];
  const running = await startTurnout(t, ['--workers', '2', ...colors, ...health, ...args]);
  const port = Number(running.proxy.split(':').at(-1));
  const pids = new Set<number>();
  t.teardown(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return {
    running,
    port,
    async call(path, body) {
      const answer = await post(running.admin, path, body);
      const { pid } = answer.body as Answer;
      if (path === '/v1/upgrade' && answer.status === 200) pids.add(pid);
      return answer;
    },
  };
}

async function post(
  admin: string,
  path: string,
  body: object,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const [host, port] = admin.split(':');
  const sent = request({
    host,
    port: Number(port),
    path,
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  sent.end(JSON.stringify(body));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return { status: Number(answer.statusCode), body: JSON.parse(text) as unknown };
}

/** Requests for ever, on kept and on new connections; counts every failure by its code. */
class Load {
  readonly failures: Record<string, number> = {};
  answered = 0;
  #isOver = false;
  readonly #all: Promise<unknown>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

  constructor(port: number) {
    const clients = Array.from({ length: 2 * CLIENTS }, (_, index) => index);
    this.#all = Promise.all(
      clients.map(async (index) => this.#client(port, index % 2 === 0 ? this.#agent : false)),
    );
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
    this.#agent.destroy();
  }

  async #client(port: number, agent: Agent | false): Promise<void> {
    while (!this.#isOver) {
      const outcome = await colorAt(port, agent).catch(codeOf);
      if (outcome === 'blue' || outcome === 'green') this.answered++;
      else this.failures[outcome] = (this.failures[outcome] ?? 0) + 1;
    }
  }
}

async function colorAt(port: number, agent: Agent | false): Promise<string> {
  const sent = get({ host: '127.0.0.1', port, path: '/', agent });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return answer.statusCode === 200 ? text : `status ${answer.statusCode}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`expected ${what}`);
    await delay(20);
  }
}

/** A switch needs healthy targets, which a new process has to ask first. */
async function switchTo(scene: Scene, to: string): Promise<void> {
  await until(async () => {
    const { status } = await scene.call('/v1/switch', { to });
    return status === 200;
  }, `a switch to ${to}`);
}

await t.test(`${UPGRADES} upgrades under load fail no request`, async (t) => {
  const scene = await open(t, ['--stop-deadline', '5s']);
  const load = new Load(scene.port);
  const pids = new Set([scene.running.process.pid]);
  for (let upgrade = 0; upgrade < UPGRADES; upgrade++) {
    const { status, body } = await scene.call('/v1/upgrade', {});
    t.equal(status, 200, JSON.stringify(body));
    pids.add((body as Answer).pid);
    // The old process still finishes what it has: the switch holds for that, too.
    const to = upgrade % 2 === 0 ? 'green' : 'blue';
    await switchTo(scene, to);
    const colors = await Promise.all(
      Array.from({ length: 20 }, async () => colorAt(scene.port, false)),
    );
    t.strictSame([...new Set(colors)], [to]);
  }
  await load.end();
  t.strictSame(load.failures, {});
  t.ok(load.answered > 100, `${load.answered} answers`);
  t.equal(pids.size, UPGRADES + 1, 'each is a process of its own');
  // Its output stays open: the processes after it write there, too.
  const first = scene.running.process;
  if (first.exitCode === null) await once(first, 'exit');
  t.equal(first.exitCode, 0, 'the first has ended in order');
});

await t.test('a program that does not come up leaves the old one in charge', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'turnout.yaml');
  writeFileSync(file, 'stop: { deadline: 5s }\n');
  const scene = await open(t, ['--config', file]);
  await switchTo(scene, 'green');
  writeFileSync(file, 'stop: { deadline: never }\n');
  const { status, body } = await scene.call('/v1/upgrade', {});
  t.equal(status, 500);
  t.match(body, { code: 'upgrade-failed', detail: /configuration has 1 fault/ });
  t.equal(await colorAt(scene.port, false), 'green', 'it serves on');
  await switchTo(scene, 'blue');
  writeFileSync(file, 'stop: { deadline: 5s }\n');
  t.equal((await scene.call('/v1/upgrade', {})).status, 200, 'and can be upgraded later');
  t.equal(await colorAt(scene.port, false), 'blue');
});

await t.test('two upgrades at once: one of them is told to wait', async (t) => {
  const scene = await open(t, ['--stop-deadline', '5s']);
  const answers = await Promise.all([scene.call('/v1/upgrade', {}), scene.call('/v1/upgrade', {})]);
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  t.equal(statuses[0], 200);
  t.equal(statuses[1], 503);
});

await t.test('systemd hands over its sockets, and hears who is in charge', async (t) => {
  const directory = temporaryDirectory(t);
  const heard = join(directory, 'heard');
  const notify = join(directory, 'systemd-notify');
  writeFileSync(notify, `#!/bin/sh\necho "$@" >> ${heard}\n`, { mode: 0o755 });
  const scene = await openWithEnvironment(t, {
    NOTIFY_SOCKET: join(directory, 'socket'),
    PATH: `${directory}:${process.env['PATH'] ?? ''}`,
  });
  await until(() => lines(heard).length > 0, 'a word to systemd');
  t.match(lines(heard)[0], `READY=1 MAINPID=${scene.running.process.pid}`);
  const { body } = await scene.call('/v1/upgrade', {});
  await until(() => lines(heard).length > 1, 'a second word');
  t.match(lines(heard)[1], `MAINPID=${(body as Answer).pid}`);
});

async function openWithEnvironment(
  t: Test,
  environment: Readonly<Record<string, string>>,
): Promise<Scene> {
  const app = await openColoredApp(t, 'blue');
  const running = await startTurnout(t, ['--blue', app.url, '--stop-deadline', '5s'], environment);
  const pids: number[] = [];
  t.teardown(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return {
    running,
    port: Number(running.proxy.split(':').at(-1)),
    async call(path, body) {
      const answer = await post(running.admin, path, body);
      if (answer.status === 200) pids.push((answer.body as Answer).pid);
      return answer;
    },
  };
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n');
  } catch {
    return []; // Nobody has written yet.
  }
}
