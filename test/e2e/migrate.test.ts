// A migration in the middle of a switch that holds requests: no request runs while its program does, and
// whatever becomes of it, the requests that waited are answered by one release or the other.

import { once } from 'node:events';
import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { receiptOf } from '../support/hold-app.ts';
import { getOf, heldCount, openHoldScene, type HoldScene } from '../support/hold-scene.ts';
import { temporaryDirectory } from './turnout-process.ts';
import { isAlive } from '../support/is-alive.ts';

t.setTimeout(180_000);

const SWITCH = { to: 'green', hold: '60s', migrate: 'widen' };

interface Bench {
  readonly scene: HoldScene;
  readonly dir: string;
  /** Resolves with the content of a file of the program, as soon as there is one. */
  readonly written: (name: string) => Promise<string>;
}

/** Starts everything with a migration whose program is `script`; `$0` is a directory for its files. */
async function open(t: Test, script: string, args: readonly string[] = []): Promise<Bench> {
  const dir = temporaryDirectory(t);
  const file = join(dir, 'turnout.yaml');
  const gate = { name: 'widen', kind: 'command', at: 'hold', command: ['sh', '-c', script, dir] };
  writeFileSync(file, JSON.stringify({ services: [{ rollout: { gates: [gate] } }] }));
  const scene = await openHoldScene(t, ['--config', file, '--workers', '2', ...args]);
  return { scene, dir, written: async (name) => written(join(dir, name)) };
}

/** Resolves with the content of a file as soon as it has any. */
async function written(path: string): Promise<string> {
  const stop = new AbortController();
  const watcher = watch(join(path, '..'), { signal: stop.signal });
  watcher.on('error', () => {});
  try {
    for (;;) {
      const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
      if (text.endsWith('\n')) return text.trim();
      await once(watcher, 'change');
    }
  } finally {
    watcher.close();
  }
}

/** Tells the test that it runs, and waits for a line of it. */
const UNTIL_TOLD = 'read _ <"$0/go"';
const BEGIN = 'mkfifo "$0/go"; echo $$ >"$0/pid.new"; mv "$0/pid.new" "$0/pid"';

await t.test('requests wait for the migration, and the new release answers them', async (t) => {
  const env = 'echo "$TURNOUT_AT $TURNOUT_SERVICE $TURNOUT_COLOR $TURNOUT_FROM_COLOR" >"$0/env"';
  const { scene, dir, written } = await open(t, `${env}; ${BEGIN}; ${UNTIL_TOLD}`);
  const { admin, journal, send, waiting } = scene;
  const switching = admin.post('/v1/switch', SWITCH);
  await written('pid');
  t.equal(await written('env'), 'hold default green blue');
  const held = [await send(getOf('/a')), await send(getOf('/b')), await send(getOf('/c'))];
  await waiting(3);
  t.strictSame(journal.activities, [], 'nothing runs beside it');
  const { json } = await admin.get('/v1/status');
  t.match(json, {
    services: [{ active: 'blue', held: { waitsFor: { what: /: migration widen$/ } } }],
  });
  writeFileSync(join(dir, 'go'), '\n');
  t.match(await switching, { status: 200, json: { to: 'green', changed: true } });
  for (const [at, path] of ['/a', '/b', '/c'].entries()) {
    t.equal((await held[at]!.response()).body, receiptOf('green', 'GET', path));
  }
});

await t.test('one that fails switches nothing, and the old release answers', async (t) => {
  const { scene, dir, written } = await open(
    t,
    `${BEGIN}; ${UNTIL_TOLD}; echo 'no such table' >&2; exit 3`,
  );
  const { admin, send, waiting } = scene;
  const switching = admin.post('/v1/switch', SWITCH);
  await written('pid');
  const held = await send(getOf('/a'));
  await waiting(1);
  writeFileSync(join(dir, 'go'), '\n');
  const detail = 'exit code 3: no such table';
  t.match(await switching, { status: 409, json: { code: 'gate-failed', gate: 'widen', detail } });
  t.equal((await held.response()).body, receiptOf('blue', 'GET', '/a'));
  t.equal(await heldCount(admin), -1);
});

await t.test('a rollback calls it off and ends its program', async (t) => {
  const { scene, written } = await open(t, `${BEGIN}; sleep 600`);
  const { admin, change, send, waiting } = scene;
  await change('/v1/switch', { to: 'green', bake: '0s', guard: 'off' });
  await scene.running.line((line) => line.includes('"to":"green"'));
  const switching = admin.post('/v1/switch', { ...SWITCH, to: 'blue' });
  const pid = Number(await written('pid'));
  const held = await send(getOf('/a'));
  await waiting(1);
  t.match(await change('/v1/rollback', {}), { json: { to: 'blue' } });
  t.match(await switching, { status: 409, json: { code: 'called-off' } });
  t.match((await held.response()).body, /^(?:blue|green) GET \/a /);
  while (isAlive(pid)) await admin.get('/livez');
});

await t.test(
  'after a kill in the middle nothing is switched, and its program is ended',
  async (t) => {
    const state = ['--state', temporaryDirectory(t)];
    const { scene, dir, written } = await open(t, `${BEGIN}; sleep 600`, state);
    const switching = scene.admin.post('/v1/switch', SWITCH);
    switching.catch(() => {});
    const pid = Number(await written('pid'));
    scene.running.process.kill('SIGKILL');
    await scene.running.ended;
    t.ok(isAlive(pid), 'it is left behind');
    const again = await openHoldScene(t, ['--config', join(dir, 'turnout.yaml'), ...state]);
    while (isAlive(pid)) await again.admin.get('/livez');
    t.equal(await heldCount(again.admin), -1);
    t.match((await (await again.send(getOf('/a'))).response()).body, /^blue/);
  },
);
