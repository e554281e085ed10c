// What a start finds: nothing, a copy alone, files put back from a backup, files that another user has
// put there. What is used is told, and nothing newer is overwritten.

import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { STORE_COPY_DELAY_MS } from '../../../../../src/control-plane/base/control-limits.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { mountOverlay, mountSmallDisk, skipWithoutMount } from '../../../../support/small-disk.ts';
import { commit } from '../../support/commit.ts';
import { TestLog } from '../../support/fixtures.ts';
import { writeAndKill } from '../../support/killed-store.ts';
import { notes } from '../../support/notes.ts';
import { SERVICE } from '../../support/stored.ts';

async function change(store: Store, epoch: number): Promise<void> {
  const services = [{ ...SERVICE, active: 'green' } as const];
  await commit(store, { epoch, services });
}

/** Returns a directory whose state has `epoch`, closed in order. */
async function left(t: Test, epoch: number): Promise<string> {
  const dir = join(t.testdir({ state: {} }), 'state');
  await write(dir, epoch);
  return dir;
}

async function write(dir: string, epoch: number): Promise<void> {
  const store = openSqliteStore(dir, new TestLog());
  if (store.state.epoch === 0) {
    await commit(store, { epoch: 1 });
  }
  await change(store, epoch);
  await store.close();
}

async function look(dir: string) {
  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  try {
    const { epoch, services } = store.state;
    const { warning } = store;
    return { epoch, active: services.get('default')?.active, warning, lines: log.lines };
  } finally {
    await store.close();
  }
}

await t.test(
  'a first start says in one line that it found nothing, and where it looked',
  async (t) => {
    const dir = join(t.testdir(), 'state');
    const { epoch, warning, lines } = await look(dir);
    t.equal(epoch, 0);
    t.equal(warning, undefined);
    t.match(lines, [
      {
        level: 'info',
        message: `no state was found (looked for ${dir}/turnout.db and ${dir}/turnout.db.good): the configuration is used`,
      },
    ]);
    t.equal(lines.length, 1);
  },
);

await t.test('a start that finds its state says nothing', async (t) => {
  t.match(await look(await left(t, 2)), { epoch: 2, warning: undefined, lines: [] });
});

for (const [what, harm] of [
  ['missing', (path: string) => rmSync(path)],
  ['empty', (path: string) => writeFileSync(path, '')],
] as const) {
  await t.test(`where the file is ${what}, the good copy is used and told`, async (t) => {
    const dir = await left(t, 2);
    harm(join(dir, 'turnout.db'));
    const told = `state file ${dir}/turnout.db was ${what}; the last good copy is used, check that`;
    const found = await look(dir);
    t.match(found, { epoch: 2, active: 'green', warning: told });
    t.match(found.lines, [{ level: 'error', fields: { warning: told } }]);
    t.match(await look(dir), { epoch: 2, warning: undefined, lines: [] }, 'and that once');
  });

  await t.test(`a copy that was used because the file is ${what} stays`, async (t) => {
    const dir = await left(t, 2);
    const path = join(dir, 'turnout.db');
    harm(path);
    const killed = await writeAndKill(dir, 1);
    t.ok(killed[1] > 2);
    rmSync(`${path}-wal`);
    harm(path);
    t.match(await look(dir), { epoch: 2, active: 'green' }, 'it is there once more');
  });

  await t.test(`where the file is ${what}, a journal that was left is not applied`, async (t) => {
    const dir = join(t.testdir({ state: {} }), 'state');
    await writeAndKill(dir, 30);
    const { epoch } = await look(copyOf(dir, 'whole'));
    harm(join(dir, 'turnout.db'));
    t.match(await look(dir), {
      epoch: 0,
      warning: `was ${what}, and its journal alone was kept as `,
    });
    t.ok(readdirSync(dir).some((name) => /^turnout\.db\.stray-.*-wal$/.test(name)));
    t.ok(epoch > 0, 'it had something');
  });
}

function copyOf(dir: string, name: string): string {
  const copy = join(dir, '..', name);
  cpSync(dir, copy, { recursive: true });
  return copy;
}

await t.test('a copy that is newer than the file is kept and told', async (t) => {
  const dir = await left(t, 2);
  const path = join(dir, 'turnout.db');
  copyFileSync(path, `${path}.backup`);
  await write(dir, 7);
  renameSync(`${path}.backup`, path);
  const found = await look(dir);
  t.match(found, {
    epoch: 2,
    warning:
      /has generation 2, but its copy had 7, so an older file was put in its place; it is used/,
  });
  const [kept = ''] = readdirSync(dir).filter((name) => name.startsWith('turnout.db.newer-7-'));
  t.match(found.warning, kept);
  t.match(found.lines, [{ level: 'error' }]);
  t.match(await look(dir), { epoch: 2, warning: undefined }, 'that once');
  renameSync(join(dir, kept), path);
  t.match(await look(dir), { epoch: 7, warning: undefined }, 'it is a whole state file');
});

await t.test('a newer copy is not overwritten by one that is made while we run', async (t) => {
  const dir = await left(t, 2);
  const path = join(dir, 'turnout.db');
  const newer = copyOf(dir, 'newer');
  await write(newer, 9);
  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  copyFileSync(join(newer, 'turnout.db'), `${path}.good`);
  await change(store, 3);
  await store.close();
  t.match(log.lines, [{ level: 'error', message: /has generation 3, but its copy had 9/ }]);
  t.ok(readdirSync(dir).some((name) => name.startsWith('turnout.db.newer-9-')));
});

await t.test('the file alone has everything, some seconds after the last change', async (t) => {
  const dir = await left(t, 2);
  const store = openSqliteStore(dir, new TestLog());
  await change(store, 3);
  await store.close();
  const path = join(dir, 'turnout.db');
  const alone = join(dir, '..', 'alone');
  mkdirSync(alone);
  for (const file of [path, `${path}.good`]) {
    copyFileSync(file, join(alone, 'turnout.db'));
    t.match(await look(alone), { epoch: 3, warning: undefined, active: 'green' });
    rmSync(alone, { recursive: true });
    mkdirSync(alone);
  }
});

await t.test('some seconds after the last write, no journal is left to be applied', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const dir = await left(t, 2);
  const store = openSqliteStore(dir, new TestLog());
  t.teardown(async () => store.close());
  await store.note(notes(), { mayBeLost: true });
  const size = (): number => statSync(join(dir, 'turnout.db-wal')).size;
  t.ok(size() > 0);
  mock.timers.tick(STORE_COPY_DELAY_MS);
  t.equal(size(), 0);
});

await t.test('a file that another user could have written is not believed', async (t) => {
  const dir = await left(t, 2);
  for (const name of ['turnout.db', 'turnout.db.good', 'turnout.db-wal']) {
    const path = join(dir, name);
    if (name.endsWith('-wal')) writeFileSync(path, '');
    chmodSync(path, 0o666);
    t.throws(() => openSqliteStore(dir, new TestLog()), {
      name: 'StartError',
      message: `every user may write ${path} (mode 666): make sure that its content is right`,
    });
    chmodSync(path, 0o660);
  }
  t.match(await look(dir), { epoch: 2 }, 'its group may be one of its own');
});

const skip = skipWithoutMount();
const skipAsUser = process.getuid?.() === 0 ? false : 'needs root to give files away';

await t.test('a file or link of another user is not believed', { skip: skipAsUser }, async (t) => {
  const dir = await left(t, 2);
  chownSync(dir, 0, 0);
  const path = join(dir, 'turnout.db');
  chownSync(path, 65_534, 65_534);
  const belongs = { name: 'StartError', message: `${path} belongs to the user 65534` };
  t.throws(() => openSqliteStore(dir, new TestLog()), belongs);
  chownSync(dir, 65_534, 65_534);
  t.match(await look(dir), { epoch: 2 }, 'the owner of the directory may do so');
});

await t.test('a directory in which every user may write is told', async (t) => {
  const dir = await left(t, 2);
  chmodSync(dir, 0o777);
  t.match(await look(dir), {
    epoch: 2,
    lines: [
      { level: 'warn', message: `every user may write in the state directory ${dir} (mode 777)` },
    ],
  });
});

await t.test('a state directory of an image is used through its overlay', { skip }, async (t) => {
  const lower = await left(t, 2);
  const disk = mountSmallDisk(t, 8_192);
  const merged = mountOverlay(t, lower, disk.path);
  const log = new TestLog();
  const store = openSqliteStore(merged, log);
  await change(store, 3);
  await store.note(notes(), { mayBeLost: true });
  t.equal(store.fault, undefined, 'the file of the upper layer is ours');
  await store.close();
  t.strictSame(log.lines, []);
  t.match(await look(merged), { epoch: 3 });
  t.match(await look(lower), { epoch: 2 });
});
