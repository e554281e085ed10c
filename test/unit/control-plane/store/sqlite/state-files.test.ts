// What becomes of the state file while a process has it open: deleted, moved, replaced, emptied, written
// by another program; its journal and its directory too. Nothing is acknowledged that the next start
// would not find.

import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { STORE_LOOK_EVERY_MS } from '../../../../../src/control-plane/base/control-limits.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { commit } from '../../support/commit.ts';
import { TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { SERVICE } from '../../support/stored.ts';

/** Opens a store of epoch 2, which has a copy. */
async function open(t: Test) {
  const parent = mkdtempSync(join(tmpdir(), 'state-files-'));
  const dir = join(parent, 'state');
  const before = openSqliteStore(dir, new TestLog());
  await commit(before, { epoch: 1 });
  await change(before, 2);
  await before.close();
  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  t.teardown(async () => {
    // A copy may be under way: nothing is removed before that has ended.
    await store.close();
    rmSync(parent, { recursive: true, force: true });
  });
  t.strictSame(log.lines, []);
  // The journal has something in it.
  await store.note(notes(), { mayBeLost: true });
  return { dir, path: join(dir, 'turnout.db'), store, log };
}

async function change(store: Store, epoch: number): Promise<void> {
  const services = [{ ...SERVICE, active: 'green' } as const];
  await commit(store, { epoch, services });
}

/** Every kind of write is refused, for the same reason. */
async function checkRefused(t: Test, store: Store, message: RegExp): Promise<void> {
  const refused = { name: 'StoreError', message };
  await t.rejects(async () => change(store, 9), refused, 'a change');
  await t.rejects(async () => store.setFreeze(undefined, notes()), refused, 'a freeze');
  await t.rejects(async () => store.note(notes(), { mayBeLost: true }), refused, 'a note');
  await t.rejects(async () => store.tokens.revoke('id', 1, notes()), refused, 'a token');
  t.match(store.fault, message);
}

type Way = readonly [
  what: string,
  harm: (path: string) => void,
  told: RegExp,
  /** Undefined: there is no way back but a restart. */
  mend: ((path: string) => void) | undefined,
];

/** Another state file, as it could be put in the place of ours. */
function foreignFile(path: string): string {
  const foreign = join(dirname(dirname(path)), 'foreign');
  const bytes = readFileSync(path);
  bytes.fill(7, 24, 28);
  writeFileSync(foreign, bytes);
  return foreign;
}

const WAYS: readonly Way[] = [
  [
    'deleted',
    (path) => rmSync(path),
    /turnout\.db is gone .*restart, then the last good/,
    undefined,
  ],
  [
    'moved',
    (path) => renameSync(path, `${path}.old`),
    /turnout\.db is gone \(deleted or moved\)/,
    (path) => renameSync(`${path}.old`, path),
  ],
  [
    'replaced',
    (path) => {
      copyFileSync(path, `${path}.old`);
      renameSync(`${path}.old`, path);
    },
    /turnout\.db is another file now: put the former one back, or restart to go on/,
    undefined,
  ],
  ['emptied', (path) => truncateSync(path), /turnout\.db was emptied or cut: restart/, undefined],
  [
    'emptied before there is a copy',
    (path) => {
      rmSync(`${path}.good`, { force: true });
      truncateSync(path);
    },
    /turnout\.db was emptied or cut: there is no copy of it yet/,
    undefined,
  ],
  [
    'overwritten',
    (path) => copyFileSync(foreignFile(path), path),
    /turnout\.db was written by another program: restart to go on/,
    undefined,
  ],
  [
    'without its journal',
    (path) => rmSync(`${path}-wal`),
    /journal of the state file, .*turnout\.db-wal is gone .*: restart to go on/,
    undefined,
  ],
  [
    'with the journal of another file',
    (path) => {
      writeFileSync(`${path}-other`, 'x'.repeat(100_000));
      renameSync(`${path}-other`, `${path}-wal`);
    },
    /turnout\.db-wal is another file now/,
    undefined,
  ],
  [
    'with an emptied journal',
    (path) => truncateSync(`${path}-wal`),
    /turnout\.db-wal was emptied or cut/,
    undefined,
  ],
  [
    'without its directory',
    (path) => rmSync(dirname(path), { recursive: true }),
    /the state directory .*state is gone \(deleted or moved\): put it back as it was/,
    undefined,
  ],
  [
    'with its directory moved',
    (path) => renameSync(dirname(path), `${dirname(path)}.old`),
    /the state directory .*state is gone/,
    (path) => renameSync(`${dirname(path)}.old`, dirname(path)),
  ],
  [
    'under a new directory',
    (path) => {
      renameSync(dirname(path), `${dirname(path)}.old`);
      mkdirSync(dirname(path));
    },
    /state is another directory now: put it back/,
    (path) => {
      rmSync(dirname(path), { recursive: true });
      renameSync(`${dirname(path)}.old`, dirname(path));
    },
  ],
  [
    'behind a link to another directory',
    (path) => {
      renameSync(dirname(path), `${dirname(path)}.old`);
      mkdirSync(`${dirname(path)}.new`);
      symlinkSync(`${dirname(path)}.new`, dirname(path));
    },
    /state is another directory now/,
    (path) => {
      rmSync(dirname(path));
      renameSync(`${dirname(path)}.old`, dirname(path));
    },
  ],
];

for (const [what, harm, told, mend] of WAYS) {
  await t.test(`a state file that is ${what} refuses every write, and says so`, async (t) => {
    const { path, store, log } = await open(t);
    t.equal(store.fault, undefined);
    harm(path);
    await checkRefused(t, store, told);
    t.equal(store.state.epoch, 2, 'what is known can be read');
    const errors = log.lines.filter(({ level }) => level === 'error');
    t.equal(errors.length, 1, 'told once');
    t.match(errors[0]?.message, /traffic goes on, changes are refused/);
    if (mend === undefined) return;
    mend(path);
    await change(store, 3);
    t.equal(store.fault, undefined, 'once it is back, changes are taken');
    t.match(log.lines.at(-1), { level: 'info', message: /changes are taken/ });
  });
}

await t.test('it is noticed without a write, too', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const { path, log } = await open(t);
  mock.timers.tick(STORE_LOOK_EVERY_MS);
  t.strictSame(log.lines, []);
  rmSync(path);
  mock.timers.tick(STORE_LOOK_EVERY_MS);
  t.match(log.lines, [{ level: 'error', message: /turnout\.db is gone/ }]);
});

await t.test('what leaves the file as it was is no fault', async (t) => {
  const { dir, path, store } = await open(t);
  for (const file of [path, `${path}-wal`]) utimesSync(file, 1, 1);
  copyFileSync(path, `${path}.backup`);
  rmSync(`${path}.good`, { force: true });
  writeFileSync(join(dir, 'notes.txt'), 'mine');
  await change(store, 3);
  t.equal(store.fault, undefined);
});

for (const [what, harm, epoch, told] of [
  ['deleted', (path: string) => rmSync(path), 3, 'missing'],
  ['deleted with all beside it', (path: string) => emptyDir(dirname(path)), 3, 'missing'],
  ['left without its journal', (path: string) => rmSync(`${path}-wal`), 3, undefined],
  // What it had is gone; the copy is some seconds old.
  // Whether the end of the process writes some pages of it depends on what its journal held.
  ['emptied', (path: string) => truncateSync(path), 2, '(?:damaged|empty)'],
] as const) {
  await t.test(`after a state file was ${what}, the next start goes on`, async (t) => {
    const { dir, path, store } = await open(t);
    await change(store, 3);
    harm(path);
    t.not(store.fault, undefined);
    await store.close();
    const log = new TestLog();
    const again = openSqliteStore(dir, log);
    t.teardown(async () => again.close());
    t.equal(again.state.epoch, epoch);
    t.equal(again.state.services.get('default')?.active, 'green');
    if (told === undefined) return;
    t.match(again.warning, new RegExp(`was ${told}.*; the last good copy is used, check`));
    t.match(log.lines, [{ level: 'error', message: /NOT AS IT WAS LEFT/ }]);
  });
}

function emptyDir(dir: string): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name));
}

await t.test('a close leaves the files alone that have taken the place of ours', async (t) => {
  const { path, store } = await open(t);
  renameSync(dirname(path), `${dirname(path)}.old`);
  mkdirSync(dirname(path));
  const others = ['', '-wal', '.good'].map((suffix) => path + suffix);
  for (const file of others) writeFileSync(file, `other ${file}`);
  t.not(store.fault, undefined);
  await store.close();
  for (const file of others) t.equal(readFileSync(file, 'utf8'), `other ${file}`);
  t.equal(readdirSync(dirname(path)).length, others.length, 'and nothing else is there');
});

await t.test('a second process cannot start where the first has lost its file', async (t) => {
  const { dir, path } = await open(t);
  rmSync(path);
  rmSync(`${path}-wal`);
  t.throws(() => openSqliteStore(dir, new TestLog()), /is in use by .*: stop that, or use another/);
  t.notOk(existsSync(path), 'and it has made no file');
  rmSync(dir, { recursive: true });
  mkdirSync(dir);
  t.throws(() => openSqliteStore(dir, new TestLog()), /is in use by another process/);
});

await t.test('a holder is noted in no file that a link names', async (t) => {
  const dir = join(t.testdir({ state: {}, victim: 'precious' }), 'state');
  symlinkSync('../victim', join(dir, 'turnout.holder'));
  const store = openSqliteStore(dir, new TestLog());
  t.equal(readFileSync(join(dir, '../victim'), 'utf8'), 'precious');
  t.notOk(lstatSync(join(dir, 'turnout.holder')).isSymbolicLink());
  await store.close();
});
