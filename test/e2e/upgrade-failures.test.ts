// Programs that do not come up: each leaves the old process in charge, and the answer says why. What
// is on the disk is changed by a file that every Turnout of these tests loads before its own.

import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { isAlive } from '../support/is-alive.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';
import { kill, openUpgradeScene, placeOf, until, type UpgradeScene } from './upgrade-scene.ts';

interface Scene extends UpgradeScene {
  /** Makes a program of what is on the disk that runs `code` before anything else. */
  install(code: string): void;
  readonly state: string;
}

async function open(t: Test, args: readonly string[] = []): Promise<Scene> {
  const directory = temporaryDirectory(t);
  const program = join(directory, 'program.mjs');
  const state = join(directory, 'state');
  const install = (code: string): void => {
    // Worker threads load it, too; and the process that is started first is not the one to fail.
    const isNew = 'isMainThread && process.env.TURNOUT_HANDOVER !== undefined';
    writeFileSync(program, `${IMPORTS}\nif (${isNew}) {\n${code}\n}\n`);
  };
  install('');
  const options = { NODE_OPTIONS: `--import=${pathToFileURL(program).href}` };
  const flags = ['--health-kind', 'none', '--state', state, ...args];
  const scene = await openUpgradeScene(t, flags, options);
  return { ...scene, install, state };
}

const IMPORTS = `
import { isMainThread } from 'node:worker_threads';
import { registerHooks } from 'node:module';
function edit(file, change) {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (url.endsWith(file)) loaded.source = change(String(loaded.source));
      return loaded;
    },
  });
}`;

const HANG = 'await new Promise(() => setInterval(() => {}, 1_000));';
const OTHER_SCHEMA = (by: string): string =>
  `edit('/sqlite-schema.ts', (text) =>
    text.replace('SCHEMA_VERSION = STEPS.length', 'SCHEMA_VERSION = STEPS.length ${by}'));`;

/** The upgrade fails for `reason`; everything is as before, and the next one succeeds. */
async function leavesAll(t: Test, scene: Scene, reason: RegExp): Promise<void> {
  const { status, json } = await scene.post('/v1/upgrade');
  t.equal(status, 500);
  t.match(json, { code: 'upgrade-failed', detail: reason });
  await isInCharge(t, scene);
  scene.install('');
  const pid = await scene.upgrade();
  t.not(pid, scene.running.process.pid);
  t.equal(await scene.ask(), 'green', 'what was switched meanwhile is known');
}

async function isInCharge(t: Test, scene: Scene): Promise<void> {
  t.equal(await scene.ask(), 'blue', 'it serves on');
  t.equal((await scene.post('/v1/switch', { to: 'green' })).status, 200, 'and decides');
  t.equal(await scene.ask(), 'green');
  t.strictSame(childrenOf(scene.running.process.pid!), [], 'nothing is left of the new one');
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** Resolves with the pid of the process that is being started. */
async function successorOf(scene: Scene): Promise<number> {
  await until(() => childrenOf(scene.running.process.pid!).length > 0, 'a new process');
  return childrenOf(scene.running.process.pid!)[0]!;
}

await t.test('a faulty configuration', async (t) => {
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  writeFileSync(file, 'client: { requests: 0 }\n');
  const scene = await open(t, ['--config', file]);
  writeFileSync(file, 'client: { requests: many }\n');
  const { status, json } = await scene.post('/v1/upgrade');
  t.equal(status, 500);
  t.match(json, { code: 'upgrade-failed', detail: /the configuration has 1 fault/ });
  await isInCharge(t, scene);
  writeFileSync(file, 'client: { requests: 0 }\n');
  await scene.upgrade();
});

await t.test('an address that cannot be had', async (t) => {
  const scene = await open(t);
  scene.install(`process.argv.push('--preview-listen', '192.0.2.1:1');`);
  await leavesAll(t, scene, /the new process says: .*192\.0\.2\.1:1/);
});

await t.test('a program that crashes', async (t) => {
  const scene = await open(t);
  scene.install(`throw new Error('a broken build');`);
  await leavesAll(t, scene, /the new process ended with exit code 1, see its output/);
});

await t.test('a program that is killed while it starts', async (t) => {
  const scene = await open(t);
  scene.install(HANG);
  const attempt = leavesAll(t, scene, /the new process ended with SIGKILL/);
  const pid = await successorOf(scene);
  t.equal((await scene.post('/v1/switch', { to: 'green' })).json['code'], 'upgrading');
  t.equal(await scene.ask(), 'blue', 'traffic goes on meanwhile');
  kill(pid);
  await attempt;
});

await t.test('a program that hangs', async (t) => {
  const scene = await open(t);
  scene.install(HANG);
  await leavesAll(t, scene, /the new process was not ready within 30 s/);
});

await t.test('an older program that does not know the state', async (t) => {
  const scene = await open(t);
  scene.install(OTHER_SCHEMA('- 1'));
  await leavesAll(t, scene, /the new process says: the state file has schema \d+, this version/);
});

await t.test('a newer program that changes the state and then fails', async (t) => {
  const scene = await open(t);
  scene.install(`${OTHER_SCHEMA('+ 1')}
    edit('/front-door.ts', () => 'throw new Error("a broken build")');`);
  const { status, json } = await scene.post('/v1/upgrade');
  t.equal(status, 500);
  t.match(json, { detail: /a broken build/ });
  t.equal(await scene.ask(), 'blue', 'traffic goes on');
  t.match(await scene.post('/v1/switch', { to: 'green' }), {
    status: 503,
    json: { code: 'frozen', detail: /state file has schema .*traffic goes on/ },
  });
});

await t.test('a stop while the new process starts ends both', async (t) => {
  const scene = await open(t);
  scene.install(HANG);
  const attempt = scene.post('/v1/upgrade');
  const pid = await successorOf(scene);
  scene.running.process.kill('SIGTERM');
  t.match(await attempt, { status: 500, json: { detail: /this process was told to stop/ } });
  t.equal(await scene.running.ended, 0);
  t.notOk(isAlive(pid));
});

await t.test('a new process that is killed right after it took over', async (t) => {
  const scene = await open(t);
  const kept = connect(placeOf(scene.running.proxy) as { port: number });
  t.teardown(() => kept.destroy());
  let text = '';
  kept.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  kept.write('GET /held HTTP/1.1\r\nHost: app.example\r\n\r\n');
  await scene.blue.arrived('/held', 1);
  await scene.post('/v1/switch', { to: 'green' });
  kill(await scene.upgrade());
  scene.blue.release();
  await once(kept, 'close');
  t.match(text, /^HTTP\/1\.1 200 .*blue.*0\r\n\r\n$/s, 'what the old one had is finished');
  const [blue, green] = [scene.blue.url, scene.green.url];
  const again = await startTurnout(t, ['--state', scene.state, '--blue', blue, '--green', green]);
  const ready = again.lines.find((line) => line.includes('"msg":"ready"'))!;
  t.match(JSON.parse(ready), { active: { default: 'green' } }, 'the state is whole');
});
