// A program as a gate: exit codes, environment, and programs that hang, flood, fork or can't be started.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CommandGateSettings } from '../../../../src/config/settings/rollout/rollout-settings.ts';
import { commandGate } from '../../../../src/control-plane/gates/command-gate.ts';
import { endLeftovers } from '../../../../src/control-plane/gates/leftover-processes.ts';
import { gateContext, gateParts, NEVER } from '../support/gate-scene.ts';

function gate(...command: readonly [string, ...string[]]) {
  const times = { timeoutMs: 60_000, tryMs: 30_000, onFail: 'stop' } as const;
  const settings: CommandGateSettings = {
    kind: 'command',
    name: 'x',
    at: 'before',
    ...times,
    command,
  };
  return commandGate(settings, gateParts());
}

function shell(script: string, ...args: readonly string[]) {
  return gate('sh', '-c', script, 'sh', ...args);
}

let attempts = 0;
function context() {
  return gateContext({ attempt: `r-7.x.${++attempts}`, rollout: `r-${attempts}` });
}

/** Resolves when there is a file at `path`. */
async function appeared(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const watcher = watch(folder);
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await once(watcher, 'change');
  watcher.close();
  return readFileSync(path, 'utf8').trim();
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that init has yet to collect runs no more.
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resolves when process `pid` runs no more; the system tells of no end of a process that is no child. */
async function ended(pid: number): Promise<void> {
  while (runs(pid)) await new Promise((resolve) => setImmediate(resolve));
}

await t.test('the exit code is the verdict, with the last words', async (t) => {
  for (const [script, expected] of [
    ['exit 0', { verdict: 'ok', detail: 'exit code 0' }],
    ['echo fine; exit 0', { verdict: 'ok', detail: 'exit code 0: fine' }],
    ['echo out; echo bad >&2; exit 1', { verdict: 'fail', detail: 'exit code 1: bad' }],
    ['exit 75', { verdict: 'later', detail: 'exit code 75' }],
    ['exit 255', { verdict: 'fail', detail: 'exit code 255' }],
    ['kill -KILL $$', { verdict: 'fail', detail: 'ended by SIGKILL' }],
    [
      'printf "a\\033[2Jb\\nc" >&2; exit 1',
      { verdict: 'fail', detail: 'exit code 1: a\\u{1b}[2Jb c' },
    ],
  ] as const) {
    t.same(await shell(script).ask(context(), NEVER), expected, script);
  }
});

await t.test('a program that cannot be started says why', async (t) => {
  t.same(await gate('/no/such/program').ask(context(), NEVER), {
    verdict: 'error',
    detail: 'the program is not there',
  });
  t.same(await gate('/etc/passwd').ask(context(), NEVER), {
    verdict: 'error',
    detail: 'the program may not be run',
  });
});

await t.test('no shell reads the arguments', async (t) => {
  const result = await gate('printf', '%s|', '$(id)', ';', '*').ask(context(), NEVER);
  t.same(result, { verdict: 'ok', detail: 'exit code 0: $(id)|;|*|' });
});

await t.test('it is told what moves, and no secret of Turnout', async (t) => {
  const file = join(t.testdir({}), 'env');
  await shell('env > "$1"', file).ask({ ...context(), attempt: 'r-7.env' }, NEVER);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const names = lines.map((line) => line.split('=', 1)[0]!);
  const own = names.filter((name) => !['PWD', '_', 'SHLVL', 'OLDPWD'].includes(name));
  t.same(own.toSorted(), [
    'LC_ALL',
    'PATH',
    'TURNOUT_AT',
    'TURNOUT_ATTEMPT',
    'TURNOUT_COLOR',
    'TURNOUT_DEPLOYMENT',
    'TURNOUT_FROM_COLOR',
    'TURNOUT_FROM_RELEASE',
    'TURNOUT_GATE',
    'TURNOUT_RELEASE',
    'TURNOUT_ROLLOUT',
    'TURNOUT_SERVICE',
    'TURNOUT_SERVICES',
    'TURNOUT_SHARE',
    'TURNOUT_STAGE',
    'TURNOUT_TARGETS',
  ]);
  for (const line of [
    'TURNOUT_RELEASE=v42',
    'TURNOUT_COLOR=green',
    'TURNOUT_TARGETS=http://a:1 http://b:1',
    'TURNOUT_FROM_RELEASE=v41',
    'TURNOUT_ATTEMPT=r-7.env',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

await t.test('it inherits no file of Turnout, and reads nothing', async (t) => {
  const file = openSync(import.meta.filename, 'r');
  const script = 'cat; for f in /proc/$$/fd/*; do echo ${f##*/}; done';
  const { verdict, detail } = await shell(script).ask(context(), NEVER);
  t.equal(verdict, 'ok');
  const open = detail.replace('exit code 0: ', '').split(' ');
  t.same(open.slice(0, 3), ['0', '1', '2']);
  t.notOk(open.includes(String(file)), detail);
  closeSync(file);
});

await t.test('of a flood the end is kept', async (t) => {
  const script = 'head -c 3000000 /dev/zero | tr "\\0" x >&2; echo done >&2; exit 1';
  const { verdict, detail } = await shell(script).ask(context(), NEVER);
  t.equal(verdict, 'fail');
  t.match(detail, /^exit code 1: x{2000,2048}done$/);
});

await t.test('what it leaves behind in its group ends with it', async (t) => {
  const folder = t.testdir({});
  const script = 'sleep 600 & echo $! > "$1/pid"; exit 0';
  t.match(await shell(script, folder).ask(context(), NEVER), { verdict: 'ok' });
  await ended(Number(readFileSync(join(folder, 'pid'), 'utf8')));
});

await t.test('a process that left the group holds nothing up', async (t) => {
  const folder = t.testdir({});
  const script =
    'setsid sh -c "echo \\$\\$ > $1/pid; exec sleep 600" & while ! [ -s $1/pid ]; do :; done';
  t.match(await shell(script, folder).ask(context(), NEVER), { verdict: 'ok' });
  process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
});

await t.test('called off, it ends with its group, and the caller goes on at once', async (t) => {
  const folder = t.testdir({});
  const called = new AbortController();
  const script = 'sleep 600 & echo "$$ $!" > "$1/pids"; wait';
  const asked = shell(script, folder).ask(context(), called.signal);
  const pids = (await appeared(folder, 'pids')).split(' ').map(Number);
  called.abort();
  t.same(await asked, { verdict: 'error', detail: 'called off' });
  for (const pid of pids) await ended(pid);
  t.same(await shell('exit 0').ask(context(), called.signal), {
    verdict: 'error',
    detail: 'called off',
  });
});

await t.test('one program runs at a time for a rollout', async (t) => {
  const folder = t.testdir({});
  const called = new AbortController();
  const asking = context();
  const first = shell(
    'trap "echo end >> $1/log; exit 0" TERM; echo $$ > "$1/pid"; while :; do sleep 0.01; done',
    folder,
  );
  const asked = first.ask(asking, called.signal);
  await appeared(folder, 'pid');
  const second = shell('echo second >> "$1/log"', folder).ask(
    { ...asking, attempt: 'r-7.second' },
    NEVER,
  );
  called.abort();
  await asked;
  t.match(await second, { verdict: 'ok' });
  t.equal(readFileSync(join(folder, 'log'), 'utf8'), 'end\nsecond\n');
});

await t.test(
  'what a killed Turnout left running of a question ends before it is asked again',
  async (t) => {
    const attempt = `r-${process.pid}.left`;
    const env = { PATH: process.env['PATH'], TURNOUT_ATTEMPT: attempt };
    const left = spawn('sleep', ['600'], { env, detached: true, stdio: 'ignore' });
    const other = spawn('sleep', ['600'], {
      env: { ...env, TURNOUT_ATTEMPT: `${attempt}x` },
      stdio: 'ignore',
    });
    await Promise.all([once(left, 'spawn'), once(other, 'spawn')]);
    const gone = once(left, 'exit');
    t.match(await shell('exit 0').ask({ ...context(), attempt }, NEVER), { verdict: 'ok' });
    t.same(await gone, [null, 'SIGKILL']);
    t.equal(other.exitCode ?? other.signalCode, null, 'another question goes on');
    const later = spawn('sleep', ['600'], { env, stdio: 'ignore' });
    await once(later, 'spawn');
    t.match(await shell('exit 0').ask({ ...context(), attempt }, NEVER), { verdict: 'ok' });
    t.equal(later.exitCode ?? later.signalCode, null, 'what this process asks again is its own');
    const end = once(later, 'exit');
    other.kill('SIGKILL');
    await endLeftovers('TURNOUT_ATTEMPT', attempt);
    t.same(await end, [null, 'SIGKILL']);
  },
);
