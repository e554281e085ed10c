// The files of ACME: who may read them, what a restart finds, and what becomes of damaged ones.

import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AcmeFiles } from '../../../../src/control-plane/acme/acme-files.ts';
import { readIssued } from '../../../../src/control-plane/acme/issued-certificate.ts';
import { selfSigned } from '../../../../src/control-plane/acme/self-signed.ts';
import { shortDir, TestLog } from '../support/fixtures.ts';
import { CA, DAY_MS, START_MS } from './acme-world.ts';

const LIFE = { notBeforeMs: START_MS, notAfterMs: START_MS + 90 * DAY_MS };

function scene(t: Test) {
  const dir = shortDir(t);
  const log = new TestLog();
  const files = new AcmeFiles(dir, log);
  const folder = join(dir, 'acme');
  mkdirSync(folder, { mode: 0o700 });
  return { dir, folder, log, files, path: (name: string) => join(folder, name) };
}

function record(domain: string) {
  const { chain, key } = selfSigned([domain], LIFE);
  const certificate = { ...readIssued(domain, chain, key), ca: CA, obtainedAtMs: START_MS };
  return { certificate, trouble: undefined };
}

const TROUBLE = {
  ca: CA,
  failures: 3,
  lastTryMs: START_MS,
  nextTryMs: START_MS + 540_000,
  words: 'no such name',
  advice: 'look at the records',
  isRateLimited: false,
};

await t.test('what is written is there after a restart, for its owner alone', async (t) => {
  const before = process.umask(0);
  t.teardown(() => process.umask(before));
  const { dir, folder, files, path, log } = scene(t);
  const found = { ...record('a.test'), trouble: TROUBLE };
  files.writeDomain('a.test', found);
  const account = { ca: CA, key: 'a key', url: `${CA}/1`, email: 'ops@shop.test' };
  files.writeAccount(account);
  const again = new AcmeFiles(dir, log);
  t.strictSame(again.domain('a.test'), found);
  t.strictSame(again.account(CA), account);
  t.equal(again.account('https://other.test/'), undefined);
  t.same(again.domain('b.test'), { certificate: undefined, trouble: undefined });
  t.equal(statSync(folder).mode & 0o777, 0o700);
  const names = readdirSync(folder);
  t.equal(names.length, 2, 'and nothing else');
  for (const name of names) t.equal(statSync(path(name)).mode & 0o777, 0o600, name);
  t.same(log.lines, []);
});

await t.test('where nothing is obtained there is no folder', async (t) => {
  const dir = shortDir(t);
  const files = new AcmeFiles(dir, new TestLog());
  t.equal(files.account(CA), undefined);
  t.same(readdirSync(dir), []);
  files.writeDomain('a.test', record('a.test'));
  t.equal(statSync(join(dir, 'acme')).mode & 0o777, 0o700);
});

await t.test('a domain as long as DNS allows has a file', async (t) => {
  const { files } = scene(t);
  const domain = [...Array.from({ length: 4 }, () => 'x'.repeat(61)), 'test'].join('.');
  files.writeDomain(domain, { certificate: undefined, trouble: TROUBLE });
  t.match(files.domain(domain), { trouble: { failures: 3 } });
});

await t.test('a folder that all may look into is closed', async (t) => {
  const dir = shortDir(t);
  mkdirSync(join(dir, 'acme'));
  chmodSync(join(dir, 'acme'), 0o755);
  t.ok(new AcmeFiles(dir, new TestLog()));
  t.equal(statSync(join(dir, 'acme')).mode & 0o777, 0o700);
});

const whole = JSON.stringify({
  domain: 'a.test',
  certificate: { ...record('a.test').certificate },
});
const other = record('a.test').certificate;
const DAMAGED: Readonly<Record<string, [string, RegExp]>> = {
  empty: ['', /no JSON/],
  'cut off': [whole.slice(0, 900), /no JSON/],
  'no object': ['null', /incomplete/],
  'of another domain': [whole.replace('a.test', 'b.test'), /of another domain/],
  'without its key': [
    JSON.stringify({ domain: 'a.test', certificate: { ...other, key: 1 } }),
    /incomplete/,
  ],
  'with a key of another': [
    JSON.stringify({
      domain: 'a.test',
      certificate: { ...other, key: record('a.test').certificate.key },
    }),
    /for another key/,
  ],
  'with another certificate': [
    JSON.stringify({ domain: 'a.test', certificate: record('b.test').certificate }),
    /not for a\.test/,
  ],
  huge: [' '.repeat(300_000), /more than 262144 bytes/],
};

for (const [name, [content, problem]] of Object.entries(DAMAGED)) {
  await t.test(`a file that is ${name} is set aside, and said so`, async (t) => {
    const { files, path, log } = scene(t);
    writeFileSync(path('a.test.json'), content, { mode: 0o600 });
    t.same(files.domain('a.test'), { certificate: undefined, trouble: undefined });
    t.equal(readFileSync(path('a.test.json.damaged'), 'utf8'), content);
    t.match(log.lines, [{ level: 'warn', message: /set aside.*ordered anew/ }]);
    t.match(log.lines, [{ fields: { problem } }]);
    t.notMatch(JSON.stringify(log.lines), /BEGIN/, 'without a word of what it holds');
    files.domain('a.test');
    t.equal(log.lines.length, 1, 'once');
  });
}

await t.test('a file that every user may write, or that is none, is set aside', async (t) => {
  const { files, path, log } = scene(t);
  files.writeDomain('a.test', record('a.test'));
  chmodSync(path('a.test.json'), 0o666);
  t.equal(files.domain('a.test').certificate, undefined);
  mkdirSync(path('b.test.json'));
  t.equal(files.domain('b.test').certificate, undefined);
  symlinkSync('/dev/zero', path('c.test.json'));
  t.equal(files.domain('c.test').certificate, undefined);
  t.equal(log.lines.length, 3);
});

await t.test('a writer that died half-way leaves the old content', async (t) => {
  const { files, path } = scene(t);
  const found = record('a.test');
  files.writeDomain('a.test', found);
  writeFileSync(`${path('a.test.json')}.writing`, '{"doma');
  t.strictSame(files.domain('a.test'), found);
  files.writeDomain('a.test', { ...found, trouble: TROUBLE });
  t.match(files.domain('a.test'), { trouble: TROUBLE });
});
