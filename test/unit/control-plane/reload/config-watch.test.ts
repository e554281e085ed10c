// When a file counts as changed. The looks are the test's own: no time goes by.

import { renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { mock } from 'node:test';
import { join } from 'node:path';
import t from 'tap';
import { ConfigWatch } from '../../../../src/control-plane/reload/config-watch.ts';
import { CONFIG_LOOK_EVERY_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { shortDir } from '../support/fixtures.ts';

function watched(path: string) {
  let count = 0;
  const watch = new ConfigWatch(path, () => count++);
  return async (looks: number): Promise<number> => {
    for (let look = 0; look < looks; look++) await watch.look();
    return count;
  };
}

await t.test('a change is told once, after two looks alike', async (t) => {
  const path = join(shortDir(t), 'f.yaml');
  writeFileSync(path, 'one');
  const after = watched(path);
  t.equal(await after(1), 0);
  t.equal(await after(1), 1, 'what is there at first may be newer than what the start has read');
  t.equal(await after(5), 1);
  writeFileSync(path, 'another');
  t.equal(await after(1), 1, 'somebody may still be writing');
  writeFileSync(path, 'another one');
  t.equal(await after(1), 1);
  t.equal(await after(3), 2);
});

await t.test('a file that is gone says nothing; one that comes back does', async (t) => {
  const path = join(shortDir(t), 'f.yaml');
  writeFileSync(path, 'one');
  const after = watched(path);
  await after(2);
  rmSync(path);
  t.equal(await after(5), 1);
  writeFileSync(`${path}.new`, 'two');
  renameSync(`${path}.new`, path);
  t.equal(await after(2), 2);
});

await t.test('a link on the way that leads elsewhere is a change', async (t) => {
  const dir = shortDir(t);
  for (const name of ['one', 'two']) writeFileSync(join(dir, name), 'same');
  const path = join(dir, 'link');
  symlinkSync('one', path);
  const after = watched(path);
  await after(2);
  symlinkSync('two', `${path}.new`);
  renameSync(`${path}.new`, path);
  t.equal(await after(2), 2);
});

await t.test('no path is no file', async (t) => {
  t.equal(await watched('')(3), 0);
});

await t.test('a change is one also where size and time say otherwise', async (t) => {
  const path = join(shortDir(t), 'f.yaml');
  writeFileSync(path, 'one');
  utimesSync(path, 1_000, 1_000);
  const after = watched(path);
  t.equal(await after(2), 1);
  // As an archive does that is unpacked over it.
  writeFileSync(path, 'two');
  utimesSync(path, 1_000, 1_000);
  t.equal(await after(2), 2);
});

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

await t.test('it looks by itself from its start to its end, and keeps no process alive', (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const watch = new ConfigWatch('', () => {});
  let looks = 0;
  watch.look = async () => void looks++;
  mock.timers.tick(10 * CONFIG_LOOK_EVERY_MS);
  t.equal(looks, 0);
  watch.start();
  mock.timers.tick(3 * CONFIG_LOOK_EVERY_MS);
  t.equal(looks, 3);
  watch.stop();
  mock.timers.tick(10 * CONFIG_LOOK_EVERY_MS);
  t.equal(looks, 3);
  mock.timers.reset();
  const before = timers();
  watch.start();
  t.equal(timers(), before);
  watch.stop();
  t.end();
});
