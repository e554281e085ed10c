// The state directory of a real process goes wrong: full, read-only, held by another one. The change
// is refused with the cause, traffic stays as it was, and all is well when the cause is gone.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { mountSmallDisk, skipWithoutMount } from '../support/small-disk.ts';
import {
  startTurnout,
  temporaryDirectory,
  turnout,
  type Running,
  type User,
} from './turnout-process.ts';

const skip = skipWithoutMount();
const VERSION = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;

async function open(t: Test, state: string, user: User = {}) {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const args = [
    '--blue',
    blue.url,
    '--green',
    green.url,
    '--health-kind',
    'none',
    '--state',
    state,
  ];
  const running = await startTurnout(t, args, {}, user);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return { args, running, admin };
}

async function served({ proxy }: Running): Promise<string> {
  return (await fetch(`http://${proxy}/`, { headers: { connection: 'close' } })).text();
}

await t.test('a full disk refuses changes, and only as long as it is full', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 2_048);
  const state = join(disk.path, 'state');
  const { running, admin } = await open(t, state);
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  disk.fill();
  for (const [path, body] of [
    ['/v1/switch', { to: 'blue' }],
    ['/v1/rollback', {}],
    ['/v1/maintenance', { on: true }],
    ['/v1/tokens', { name: 'ci', role: 'read' }],
  ] as const) {
    const { status, json } = await admin.post(path, body);
    t.match(
      { status, json },
      {
        status: 503,
        json: { code: 'store-failed', detail: `the disk of ${state} is full: free some space` },
      },
      path,
    );
  }
  t.equal(await served(running), 'green', 'traffic stays as it was');
  t.match((await admin.get('/v1/status')).json, { generation: 2, services: [{ active: 'green' }] });
  disk.empty();
  const { status, json } = await admin.post('/v1/switch', { to: 'blue' });
  t.match({ status, json }, { status: 200, json: { to: 'blue', changed: true } });
  t.equal(await served(running), 'blue');
  const { json: audit } = await admin.get('/v1/audit?verify=true');
  t.match(audit['chain'], { state: /^ok$/ });
  const entries = audit['entries'] as readonly { readonly code: string }[];
  const failed = entries.filter(({ code }) => code === 'store-failed');
  t.equal(failed.length, 4, 'what was refused meanwhile is in the audit log now');
});

await t.test('a Turnout whose disk is full can still start, and serves', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 2_048);
  const state = join(disk.path, 'state');
  const { args, running, admin } = await open(t, state);
  await admin.post('/v1/switch', { to: 'green' });
  running.process.kill('SIGKILL');
  await running.ended;
  disk.fill();
  const again = await startTurnout(t, args);
  t.equal(await served(again), 'green');
  const fresh = new AdminClient(again.admin);
  t.teardown(() => fresh.close());
  t.equal((await fresh.post('/v1/switch', { to: 'blue' })).status, 503);
  disk.empty();
  t.equal((await fresh.post('/v1/switch', { to: 'blue' })).status, 200);
});

await t.test('a read-only state directory ends the start with what to do', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 2_048);
  const state = join(disk.path, 'state');
  const { running, args } = await open(t, state);
  running.process.kill('SIGTERM');
  await running.ended;
  disk.makeReadOnly();
  for (const [dir, place] of [
    [state, state],
    [join(disk.path, 'new', 'deep'), disk.path],
  ] as const) {
    const { code, err } = await turnout([
      'run',
      '--admin',
      '0',
      '--listen',
      '0',
      ...args,
      '--state',
      dir,
    ]);
    t.equal(code, 1);
    t.match(
      err,
      `the state directory ${dir} cannot be used: ${place} is on a read-only file system`,
    );
  }
});

/** A user that is not root: permissions hold for it. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const skipAsUser = process.getuid?.() === 0 ? false : 'needs root to become somebody else';

await t.test(
  'a directory that became read-only while we run does no harm',
  { skip: skipAsUser },
  async (t) => {
    const dir = temporaryDirectory(t);
    chmodSync(dir, 0o755);
    const state = join(dir, 'state');
    mkdirSync(state);
    chownSync(state, NOBODY.uid, NOBODY.gid);
    const { args, running, admin } = await open(t, state, NOBODY);
    await admin.post('/v1/switch', { to: 'green' });
    chownSync(state, 0, 0);
    chmodSync(state, 0o555);
    // The files are open already; what needs the directory is the spare copy alone.
    t.equal((await admin.post('/v1/switch', { to: 'blue' })).status, 200);
    t.equal(await served(running), 'blue');
    await running.line((line) => line.includes('the copy of the state file was not renewed'));
    running.process.kill('SIGTERM');
    t.equal(await running.ended, 0);
    const again = await turnout(['run', '--admin', '0', '--listen', '0', ...args], {}, NOBODY);
    t.equal(again.code, 1);
    t.match(
      again.err,
      `${state} cannot be written (EACCES): make it writable for the user ${NOBODY.uid}`,
    );
    chmodSync(state, 0o777);
    const mended = await startTurnout(t, args, {}, NOBODY);
    t.equal(await served(mended), 'blue', 'the change was not lost');
  },
);

await t.test('a second process is told who holds the directory', async (t) => {
  const state = temporaryDirectory(t);
  const { running, args } = await open(t, state);
  const second = await turnout(['run', '--admin', '0', '--listen', '0', ...args]);
  t.equal(second.code, 1);
  const who = new RegExp(
    `in use by process ${running.process.pid} \\(turnout ${VERSION}, since 2\\d{3}-.*Z\\): stop that`,
  );
  t.match(second.err, who);
  t.equal(await served(running), 'blue', 'and the first one serves on');
  running.process.kill('SIGTERM');
  await running.ended;
  t.notOk(existsSync(join(state, 'turnout.holder')), 'who leaves in order takes the note along');
});

await t.test('a state file that is deleted while we run loses no change', async (t) => {
  const state = temporaryDirectory(t);
  const { running, args, admin } = await open(t, state);
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  for (const name of readdirSync(state)) rmSync(join(state, name), { recursive: true });
  const told = await running.line((line) => line.includes('changes are refused'));
  t.match(told, `the state file ${state}/turnout.db is gone (deleted or moved): restart, then`);
  const refused = await admin.post('/v1/switch', { to: 'blue' });
  t.match(refused, { status: 503, json: { code: 'store-failed', detail: /turnout\.db is gone/ } });
  t.match((await admin.post('/v1/freeze', { reason: 'sale' })).json, { code: 'store-failed' });
  t.match(await admin.get('/readyz'), { status: 200, json: { warning: /changes are refused/ } });
  t.match((await admin.get('/v1/status')).json, { state: { warning: /turnout\.db is gone/ } });
  t.equal(await served(running), 'green', 'traffic goes on');
  const second = await turnout(['run', '--admin', '0', '--listen', '0', ...args]);
  t.equal(second.code, 1);
  t.match(second.err, `in use by process ${running.process.pid}`);
  running.process.kill('SIGTERM');
  t.equal(await running.ended, 0);
  const again = await startTurnout(t, args);
  t.equal(await served(again), 'green', 'the copy that was made of it is used');
  const fresh = new AdminClient(again.admin);
  t.teardown(() => fresh.close());
  t.match((await fresh.get('/v1/status')).json, {
    state: { warning: /turnout\.db was missing; the last good copy is used/ },
  });
  t.equal((await fresh.post('/v1/switch', { to: 'blue' })).status, 200);
});

await t.test('a state directory that is moved away and back is used again', async (t) => {
  const state = join(temporaryDirectory(t), 'state');
  const { running, args, admin } = await open(t, state);
  renameSync(state, `${state}.old`);
  const refused = await admin.post('/v1/switch', { to: 'green' });
  t.match(refused, { status: 503, json: { detail: /state is gone .*: put it back as it was/ } });
  const second = await turnout(['run', '--admin', '0', '--listen', '0', ...args]);
  t.equal(second.code, 1, 'a second process would begin anew at the old place');
  t.match(second.err, /in use by another process/);
  rmSync(state, { recursive: true });
  renameSync(`${state}.old`, state);
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  t.equal(await served(running), 'green');
  t.strictSame((await admin.get('/readyz')).json, { status: 'ok', warning: null });
});

await t.test('a note that a killed process left behind decides nothing', async (t) => {
  const state = temporaryDirectory(t);
  const { running, args } = await open(t, state);
  running.process.kill('SIGKILL');
  await running.ended;
  t.ok(existsSync(join(state, 'turnout.holder')));
  const again = await startTurnout(t, args);
  t.equal(await served(again), 'blue');
});

await t.test('a file that another program has locked is told as such', async (t) => {
  const state = temporaryDirectory(t);
  const { running, args } = await open(t, state);
  running.process.kill('SIGKILL');
  await running.ended;
  const locking = `
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(${JSON.stringify(join(state, 'turnout.db'))});
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    console.log('locked');
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['-e', locking], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const { code, err } = await turnout(['run', '--admin', '0', '--listen', '0', ...args]);
  t.equal(code, 1);
  t.match(err, /in use by process \d+ .*, which does not run here: perhaps in another container/);
  child.kill('SIGKILL');
  await once(child, 'close');
  t.equal(await served(await startTurnout(t, args)), 'blue');
});

await t.test('a state file of a newer version is refused and left alone', async (t) => {
  const state = temporaryDirectory(t);
  const { running, args } = await open(t, state);
  running.process.kill('SIGTERM');
  await running.ended;
  const database = new DatabaseSync(join(state, 'turnout.db'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  const { code, err } = await turnout(['run', '--admin', '0', '--listen', '0', ...args]);
  t.equal(code, 1);
  t.match(err, /has schema 99, this version knows up to \d+: it was written by a newer Turnout/);
});

await t.test('a damaged state file is set aside, and status says so', async (t) => {
  const state = temporaryDirectory(t);
  const { running, args, admin } = await open(t, state);
  await admin.post('/v1/switch', { to: 'green' });
  const made = await admin.post('/v1/tokens', { name: 'ci', role: 'switch' });
  running.process.kill('SIGTERM');
  await running.ended;
  writeFileSync(join(state, 'turnout.db'), 'damaged '.repeat(1_000));
  const again = await startTurnout(t, args);
  const fresh = new AdminClient(again.admin);
  t.teardown(() => fresh.close());
  t.match((await fresh.get('/v1/status')).json, {
    services: [{ active: 'green' }],
    state: { warning: /set aside as .*turnout\.db\.damaged-.*the last good copy is used/ },
  });
  t.equal(await served(again), 'green');
  const headers = { authorization: `Bearer ${String(made.json['token'])}` };
  t.equal((await fresh.post('/v1/switch', {}, headers)).status, 200, 'its tokens are there too');
  const { json } = await fresh.get('/v1/audit?verify=true');
  t.match(json['chain'], { state: /^ok$/ });
  t.match(JSON.stringify(json['entries']), /the state file was damaged/);
});
