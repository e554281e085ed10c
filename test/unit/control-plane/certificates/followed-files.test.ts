// When files that changed are taken over, and when it is said that they are not. The looks are the
// test's own: no time goes by.

import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  CERTIFICATE_PATIENCE_LOOKS,
  CERTIFICATE_RETRY_LOOKS,
} from '../../../../src/control-plane/base/control-limits.ts';
import { FollowedFiles } from '../../../../src/control-plane/certificates/followed-files.ts';
import { shortDir } from '../support/fixtures.ts';

function isSame(one: string, other: string): boolean {
  return one === other;
}

/** Two files that are right when they say the same. */
async function twins(t: Test, dir = shortDir(t)) {
  const paths = [join(dir, 'a'), join(dir, 'b')];
  const [a = '', b = ''] = paths;
  let reads = 0;
  const rules = { isShut: false };
  const write = (text: string, ...only: readonly string[]): void => {
    for (const path of only.length > 0 ? only : paths) writeFileSync(path, text);
  };
  const followed = await (async () => {
    const read = async (): Promise<string> => {
      reads++;
      const [one, other] = paths.map((path) => readFileSync(path, 'utf8'));
      if (rules.isShut) throw new Error('shut');
      if (one !== other) throw new Error(`${one} is not ${other}`);
      return one!;
    };
    const files = { paths, read, isSame };
    try {
      readFileSync(a);
    } catch {
      write('one');
    }
    return FollowedFiles.open(files);
  })();
  /** Looks until something was found, at most so often. */
  const look = async (times: number): Promise<string[]> => {
    const found: string[] = [];
    for (let i = 0; i < times; i++) {
      const finding = await followed.look(false);
      if (finding !== 'same') found.push(finding);
    }
    return found;
  };
  return { a, b, followed, look, write, rules, reads: () => reads };
}

await t.test('another content is taken over after two looks alike, once', async (t) => {
  const { followed, look, write, reads } = await twins(t);
  t.same(await look(3), []);
  t.equal(reads(), 1, 'what has not changed is not read');
  write('two');
  t.same(await look(1), [], 'it may still be written');
  t.same(await look(1), ['changed']);
  t.equal(followed.current, 'two');
  t.same(await look(5), []);
  t.equal(reads(), 2);
});

await t.test('two files that are replaced one after the other are no fault', async (t) => {
  const { a, b, followed, look, write } = await twins(t);
  write('two', a);
  t.same(await look(CERTIFICATE_PATIENCE_LOOKS), []);
  t.equal(followed.problem, '');
  write('two', b);
  t.same(await look(2), ['changed']);
  t.equal(followed.current, 'two');
});

await t.test('what stays wrong is told once, and once that it is right again', async (t) => {
  const { a, b, followed, look, write } = await twins(t);
  write('two', a);
  t.same(await look(10 * CERTIFICATE_RETRY_LOOKS), ['refused']);
  t.equal(followed.problem, 'two is not one');
  t.equal(followed.current, 'one', 'what was in use stays');
  write('three', b);
  t.same(await look(CERTIFICATE_PATIENCE_LOOKS), [], 'the next try has its time, too');
  t.same(await look(CERTIFICATE_RETRY_LOOKS), ['refused']);
  t.equal(followed.problem, 'two is not three');
  write('one');
  t.same(await look(2), ['mended']);
  t.equal(followed.problem, '');
});

await t.test('a file that is gone is told, and comes back', async (t) => {
  const { a, followed, look, write } = await twins(t);
  rmSync(a);
  t.same(await look(CERTIFICATE_RETRY_LOOKS), ['refused']);
  t.match(followed.problem, /ENOENT/);
  t.equal(followed.current, 'one');
  write('two');
  t.same(await look(2), ['changed']);
});

await t.test('what was wrong without a change of the file is tried again', async (t) => {
  const { followed, look, write, rules } = await twins(t);
  rules.isShut = true;
  write('two');
  t.same(await look(CERTIFICATE_PATIENCE_LOOKS + 2), ['refused']);
  rules.isShut = false;
  t.same(await look(CERTIFICATE_RETRY_LOOKS), ['changed']);
  t.equal(followed.current, 'two');
});

await t.test('an operator who asks does not wait', async (t) => {
  const { a, b, followed, write } = await twins(t);
  t.equal(await followed.look(true), 'same');
  write('two', a);
  t.equal(await followed.look(true), 'refused');
  t.equal(await followed.look(true), 'same', 'it is told once');
  write('two', b);
  t.equal(await followed.look(true), 'changed');
});

await t.test('a directory that Kubernetes exchanges behind a link', async (t) => {
  const dir = shortDir(t);
  for (const [name, text] of [
    ['..1', 'one'],
    ['..2', 'two'],
  ] as const) {
    mkdirSync(join(dir, name));
    for (const file of ['a', 'b']) writeFileSync(join(dir, name, file), text);
  }
  symlinkSync('..1', join(dir, '..data'));
  for (const file of ['a', 'b']) symlinkSync(join('..data', file), join(dir, file));
  const { followed, look } = await twins(t, dir);
  symlinkSync('..2', join(dir, '..data_tmp'));
  renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
  rmSync(join(dir, '..1'), { recursive: true });
  t.same(await look(2), ['changed']);
  t.equal(followed.current, 'two');
});

await t.test('a change between reading and the first look is seen', async (t) => {
  const dir = shortDir(t);
  const path = join(dir, 'f');
  writeFileSync(path, 'one');
  const followed = await FollowedFiles.open({
    paths: [path],
    read: async () => {
      const text = readFileSync(path, 'utf8');
      if (text === 'one') writeFileSync(path, 'other');
      return text;
    },
    isSame,
  });
  t.equal(followed.current, 'one');
  await followed.look(false);
  t.equal(await followed.look(false), 'changed');
  t.equal(followed.current, 'other');
});
