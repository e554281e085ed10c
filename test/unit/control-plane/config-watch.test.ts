// When a file counts as changed. The looks are the test's own: no time goes by.

import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigWatch } from '../../../src/control-plane/config-watch.ts';
import { shortDir } from './support/fixtures.ts';

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
