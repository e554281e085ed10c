// Turnout as process 1, as in a container: signals reach it although process 1 has no default ones,
// nothing is left behind, and an upgrade is refused, because the container would end with it.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { temporaryDirectory } from './turnout-process.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const NAMESPACE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

const canBeOne = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0;
const options = { skip: canBeOne ? false : 'needs unshare(1) and the right to use it' };

interface ProcessOne {
  readonly admin: AdminClient;
  /** Its pid, seen from outside. */
  readonly pid: number;
  readonly lines: readonly string[];
  readonly ended: Promise<number | null>;
}

async function startAsOne(t: Test, ...args: readonly string[]): Promise<ProcessOne> {
  const app = await openColoredApp(t, 'blue');
  const state = ['--state', temporaryDirectory(t), '--workers', '2'];
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--blue', app.url];
  const command = [process.execPath, MAIN, 'run', ...listen, ...state, ...args];
  const shell = spawn('unshare', [...NAMESPACE, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => shell.kill('SIGKILL'));
  const lines: string[] = [];
  const ready = Promise.withResolvers<string>();
  createInterface({ input: shell.stdout }).on('line', (line) => {
    lines.push(line);
    if (line.includes('"msg":"ready"')) ready.resolve(line);
  });
  const ended = once(shell, 'close').then(([code]) => code as number | null);
  void ended.then((code) => ready.reject(new Error(`expected a start, got exit code ${code}`)));
  const said = JSON.parse(await ready.promise) as { readonly admin: string };
  const admin = new AdminClient(said.admin);
  t.teardown(() => admin.close());
  const [pid] = childrenOf(shell.pid!);
  return { admin, pid: pid!, lines, ended };
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

await t.test('process 1 stops in order on SIGTERM', options, async (t) => {
  const { admin, pid, lines, ended } = await startAsOne(t);
  t.equal((await admin.get('/readyz')).status, 200);
  t.strictSame(childrenOf(pid), [], 'no child, alive or dead');
  process.kill(pid, 'SIGTERM');
  t.equal(await ended, 0);
  t.match(lines.at(-1), '"msg":"stopped"');
});

await t.test('process 1 ends at once on a second signal', options, async (t) => {
  const { admin, pid, ended } = await startAsOne(t, '--stop-ready-delay', '5m');
  process.kill(pid, 'SIGTERM');
  while ((await admin.get('/readyz')).status !== 503);
  process.kill(pid, 'SIGINT');
  t.equal(await ended, 1);
});

await t.test('process 1 cannot be upgraded, says why, and serves on', options, async (t) => {
  const { admin, pid, ended } = await startAsOne(t);
  const { status, json } = await admin.post('/v1/upgrade', {});
  t.equal(status, 501);
  t.match(json, { code: 'upgrade-unavailable', detail: /the container ends with this process/ });
  t.strictSame(childrenOf(pid), [], 'nothing was started');
  t.equal((await admin.get('/readyz')).status, 200);
  t.not((await admin.post('/v1/switch', { to: 'blue' })).json['code'], 'upgrading');
  process.kill(pid, 'SIGTERM');
  t.equal(await ended, 0);
});
