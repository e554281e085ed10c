// The start of a successor, with small programs in its place: what it is given, what it may say, and
// that nothing is left of one that does not come up.

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { listenerFd } from '../../../../src/base/listener-fd.ts';
import type { HealthReport } from '../../../../src/control-plane/targets/health.ts';
import {
  HANDOVER_VARIABLE,
  type Inheritance,
  type InheritedSockets,
} from '../../../../src/control-plane/listening/inheritance.ts';
import { SUCCESSOR_READY_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { NEVER_ASKED } from '../../../../src/control-plane/targets/looked-up-name.ts';
import { messageOf } from '../../../../src/control-plane/base/problems.ts';
import {
  HANDOVER_PROTOCOL,
  startSuccessor,
  type SuccessorReady,
} from '../../../../src/control-plane/upgrade/successor.ts';
import { isAlive } from '../../../support/is-alive.ts';

const NONE = { address: '', fds: [] };
const NOTHING: Inheritance = { listen: [NONE], preview: NONE, admin: NONE, metrics: NONE };
const HEALTH = [{ url: 'http://127.0.0.1:1', verdict: 'up' }] as unknown as HealthReport[];
const NAMES = [{ deployment: 1, url: 'http://app.test:1', places: [], status: NEVER_ASKED }];
const READY = `process.send({ kind: 'ready', version: '9.9.9' });`;
/** Stays, and ends for no polite word. */
const STAY = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1_000);`;

const TICKETS = { keys: 'c2VjcmV0', sinceMs: 7 };

interface Start {
  readonly sockets?: Inheritance;
  readonly stopAsked?: AbortSignal;
  readonly file?: string;
}

async function start(code: string, options: Start = {}): Promise<SuccessorReady> {
  const { sockets = NOTHING, stopAsked = new AbortController().signal } = options;
  const { file = process.execPath } = options;
  const command = { file, args: ['-e', code], environment: process.env };
  return startSuccessor(
    command,
    { sockets, health: HEALTH, names: NAMES, tickets: TICKETS },
    stopAsked,
  );
}

/** Refuses with `upgrade-failed`, and says that nothing has happened. */
function refused(why: RegExp): { readonly code: string; readonly message: RegExp } {
  const message = new RegExp(`${why.source}; this process serves on, nothing has changed$`);
  return { code: 'upgrade-failed', message };
}

await t.test('a process that says that it is ready is the successor', async (t) => {
  const { child, pid, version, isAlike } = await start(`${READY}${STAY}`);
  t.teardown(() => child.kill('SIGKILL'));
  t.equal(version, '9.9.9');
  t.equal(pid, child.pid);
  t.notOk(isAlike, 'it is of a version that says no number');
  t.ok(isAlive(pid));
});

await t.test('it hears of the targets before anything else', async (t) => {
  const { child, version } = await start(`
    process.once('message', (said) =>
      process.send({ kind: 'ready', version: JSON.stringify(said) }));`);
  t.teardown(() => child.kill('SIGKILL'));
  t.strictSame(JSON.parse(version), {
    kind: 'health',
    reports: HEALTH,
    names: NAMES,
    tickets: TICKETS,
    protocol: HANDOVER_PROTOCOL,
  });
});

await t.test('what is secret comes by the channel alone', async (t) => {
  const { child, version } = await start(`
    const seen = JSON.stringify([process.argv, process.execArgv, process.env]);
    process.once('message', (said) =>
      process.send({ kind: 'ready', version: String(seen.includes(said.tickets.keys)) }));`);
  t.teardown(() => child.kill('SIGKILL'));
  t.equal(version, 'false');
});

interface Listening {
  readonly fd: number;
  readonly port: number;
}

async function listening(t: Test): Promise<Listening> {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  return { fd: listenerFd(server)!, port: (server.address() as AddressInfo).port };
}

/** Returns sockets whose address says their ports. */
function placed(...all: readonly Listening[]): InheritedSockets {
  return { address: all.map(({ port }) => port).join(' '), fds: all.map(({ fd }) => fd) };
}

await t.test('each socket arrives under its name, whatever its number was', async (t) => {
  const [one, two, second, third, preview, admin, metrics] = [
    await listening(t),
    await listening(t),
    await listening(t),
    await listening(t),
    await listening(t),
    await listening(t),
    await listening(t),
  ];
  const sockets: Inheritance = {
    listen: [placed(two, one), placed(second), placed(third)],
    preview: placed(preview),
    admin: placed(admin),
    metrics: placed(metrics),
  };
  const { child, version } = await start(
    `
    const net = require('node:net');
    const given = JSON.parse(process.env.${HANDOVER_VARIABLE});
    const portOf = (fd) => new Promise((resolve) => {
      const server = net.createServer().listen({ fd }, () => resolve(server.address().port));
    });
    (async () => {
      const found = {};
      const { others, ...named } = given;
      const all = [...Object.entries(named), ...others.map((one, at) => ['other ' + at, one])];
      for (const [name, { address, fds }] of all) {
        const ports = [];
        for (const fd of fds) ports.push(await portOf(fd));
        found[name] = { said: address, there: ports.join(' ') };
      }
      process.send({ kind: 'ready', version: JSON.stringify(found) });
    })();`,
    { sockets },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const found = JSON.parse(version) as Record<string, { said: string; there: string }>;
  t.strictSame(Object.keys(found), ['listen', 'preview', 'admin', 'metrics', 'other 0', 'other 1']);
  for (const [name, { said, there }] of Object.entries(found)) t.equal(there, said, name);
});

await t.test('what it says when it fails is told, also when it ends at once', async (t) => {
  const last = `process.send({ kind: 'failed', message: 'no such file' });`;
  const why = refused(/the new process says: no such file/);
  await t.rejects(start(`${last}${STAY}`), why);
  await t.rejects(start(`${last}process.exitCode = 1; process.disconnect();`), why);
});

await t.test('an end without a word is told by its code or signal', async (t) => {
  await t.rejects(start('process.exit(7)'), refused(/the new process ended with exit code 7, .*/));
  await t.rejects(
    start(`process.kill(process.pid, 'SIGKILL')`),
    refused(/the new process ended with SIGKILL, see its output/),
  );
});

/** Says its last word once the process that has started it is gone, and reaped. */
const LATE = `
  const timer = setInterval(() => {
    try {
      process.kill(Number(process.env.BEFORE), 0);
    } catch {
      clearInterval(timer);
      process.send({ kind: 'failed', message: 'too late' }, () => process.exit());
    }
  }, 5);`;

await t.test('a last word that comes after the end is waited for', async (t) => {
  // The channel is open for as long as any process has it, and so tells when no word can come any more.
  const heir = start(`
    const { spawn } = require('node:child_process');
    spawn(process.execPath, ['-e', ${JSON.stringify(LATE)}], {
      stdio: ['ignore', 'ignore', 'ignore', 3],
      env: { NODE_CHANNEL_FD: '3', BEFORE: String(process.pid) },
      detached: true,
    }).once('spawn', () => process.exit(1));`);
  await t.rejects(heir, refused(/the new process says: too late/));
});

await t.test('a program that says nothing is given up', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const starting = start(STAY);
  mock.timers.tick(SUCCESSOR_READY_MS);
  await t.rejects(starting, refused(/the new process was not ready within 30 s/));
});

await t.test('a program that is not there is told', async (t) => {
  const file = '/nowhere/turnout';
  await t.rejects(start('', { file }), refused(/the new process did not start: .*ENOENT/));
});

await t.test('a stop ends it, whether it comes before or meanwhile', async (t) => {
  const why = refused(/this process was told to stop/);
  await t.rejects(start(STAY, { stopAsked: AbortSignal.abort() }), why);
  const stop = new AbortController();
  const starting = start(STAY, { stopAsked: stop.signal });
  stop.abort();
  await t.rejects(starting, why);
});

await t.test('nothing is left of one that failed, by the time that it is told', async (t) => {
  // Its pid is all that it says; it holds what it has, and would not go by itself.
  const failed: unknown = await start(`
    ${STAY}
    process.send({ kind: 'failed', message: 'pid ' + process.pid });`).catch(
    (error: unknown) => error,
  );
  const pid = Number(/pid (\d+)/.exec(messageOf(failed))?.[1]);
  t.ok(pid > 0);
  t.notOk(isAlive(pid));
});
