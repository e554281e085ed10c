// The keys that sign cookies: made once, kept for their owner alone, replaced in time.

import { restartClock } from '../../../../src/base/clock.ts';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import {
  KEY_BYTES,
  previewSigner,
  Signer,
  type SigningKeys,
} from '../../../../src/contract/signing.ts';
import { KEY_LIFE_MS, KEY_SPREAD_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { StartError } from '../../../../src/control-plane/base/problems.ts';
import { KeyRing } from '../../../../src/control-plane/workers/signing-keys.ts';
import { shortDir, TestLog } from '../support/fixtures.ts';

const START_MS = 1_800_000_000_000;

/** Opens the keys of `dir`, at a time that the test moves; remembers what workers are given. */
function open(t: Test, dir: string) {
  const spread: SigningKeys[] = [];
  const log = new TestLog();
  const ring = new KeyRing(dir, log, (keys) => spread.push(keys));
  t.teardown(() => ring.stop());
  return { ring, log, spread };
}

function standStill(t: Test): void {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START_MS });
  restartClock();
  t.teardown(() => mock.timers.reset());
}

function fileOf(dir: string): string {
  return join(dir, 'signing.keys');
}

await t.test('the first start makes a key, in a file for its owner alone', async (t) => {
  const dir = shortDir(t);
  const before = process.umask(0);
  t.teardown(() => process.umask(before));
  const { ring, spread } = open(t, dir);
  const { signing, accepted } = ring.keys;
  t.equal(signing.length, KEY_BYTES);
  t.same(accepted, [signing]);
  t.equal(statSync(fileOf(dir)).mode & 0o777, 0o600);
  t.same(readdirSync(dir), ['signing.keys'], 'and leaves nothing beside it');
  t.same(spread, [], 'workers are born with it');
});

await t.test('two directories never have the same key', async (t) => {
  const dirs = t.testdir({ a: {}, b: {} });
  const [a, b] = ['a', 'b'].map((name) => open(t, join(dirs, name)).ring.keys.signing);
  t.notSame(a, b);
});

await t.test('a restart goes on with the same keys', async (t) => {
  const dir = shortDir(t);
  const first = open(t, dir).ring.keys;
  const text = readFileSync(fileOf(dir), 'latin1');
  t.same(open(t, dir).ring.keys, first);
  t.equal(readFileSync(fileOf(dir), 'latin1'), text);
});

/** A file as earlier versions wrote it. */
const FORMER = `1800000000000 ${'1f'.repeat(32)} ${'2e'.repeat(32)}\n`;

await t.test('cookies are named after an instance that no other directory has', async (t) => {
  const dirs = t.testdir({ a: {}, b: {} });
  const [a, b] = ['a', 'b'].map((name) => open(t, join(dirs, name)).ring.instance);
  t.match(a, /^[0-9a-z]{6}$/);
  t.match(b, /^[0-9a-z]{6}$/);
  t.not(a, b);
  t.equal(open(t, join(dirs, 'a')).ring.instance, a, 'a restart has the same');
});

await t.test('what has a copy of the file is the same instance, for good', async (t) => {
  const dirs = t.testdir({ a: {}, b: {} });
  standStill(t);
  const [first, second] = ['a', 'b'].map((name) => join(dirs, name));
  const { instance } = open(t, first!).ring;
  writeFileSync(fileOf(second!), readFileSync(fileOf(first!)));
  for (const dir of [first!, second!]) {
    const { ring } = open(t, dir);
    for (let round = 0; round < 3; round++) {
      t.equal(ring.instance, instance);
      ring.start();
      mock.timers.tick(KEY_LIFE_MS);
      mock.timers.tick(KEY_SPREAD_MS);
    }
    t.equal(ring.instance, instance, 'new keys are not a new instance');
    t.equal(open(t, dir).ring.instance, instance, 'nor are they for a restart');
  }
});

await t.test('a file of an earlier version goes on, as one instance for all copies', async (t) => {
  const dirs = t.testdir({ a: { 'signing.keys': FORMER }, b: { 'signing.keys': FORMER } });
  standStill(t);
  const [a, b] = ['a', 'b'].map((name) => open(t, join(dirs, name)).ring);
  t.same(a!.keys, b!.keys);
  t.same(a!.keys.signing, Buffer.from('1f'.repeat(32), 'hex'));
  t.equal(a!.instance, 'mrxtqf', 'it may not change from one version to the next');
  t.equal(b!.instance, a!.instance);
  t.equal(readFileSync(fileOf(join(dirs, 'a')), 'latin1'), FORMER, 'nothing is written for that');
  a!.start();
  mock.timers.tick(KEY_LIFE_MS);
  mock.timers.tick(KEY_SPREAD_MS);
  t.notSame(a!.keys.signing, b!.keys.signing);
  t.equal(a!.instance, b!.instance);
  t.equal(open(t, join(dirs, 'a')).ring.instance, b!.instance, 'now it stands in the file');
});

await t.test('a preview link outlives the keys of sessions, and a restart', async (t) => {
  const dirs = t.testdir({ a: {}, b: { 'signing.keys': FORMER } });
  standStill(t);
  for (const dir of ['a', 'b'].map((name) => join(dirs, name))) {
    const { ring, spread } = open(t, dir);
    const signature = previewSigner(ring.keys).sign('link');
    t.equal(new Signer(ring.keys).isSigned('link', signature), false, 'it has a key of its own');
    ring.start();
    for (let round = 0; round < 3; round++) {
      mock.timers.tick(KEY_LIFE_MS);
      mock.timers.tick(KEY_SPREAD_MS);
    }
    for (const keys of [...spread, ring.keys, open(t, dir).ring.keys]) {
      t.equal(previewSigner(keys).isSigned('link', signature), true);
    }
  }
});

await t.test('a file without a previous key has an instance too', async (t) => {
  const dir = t.testdir({ 'signing.keys': `1 ${'1f'.repeat(32)} \n` });
  const { ring } = open(t, dir);
  t.equal(ring.instance, 'mrxtqf');
  t.equal(ring.keys.accepted.length, 1);
});

await t.test('a damaged file is told with what to do, and is left as it is', async (t) => {
  const dir = shortDir(t);
  open(t, dir);
  const good = readFileSync(fileOf(dir), 'latin1');
  for (const bad of [
    '',
    '\n',
    good.slice(0, -1),
    `x${good}`,
    good.toUpperCase(),
    good.replace(/ \w{6} (\w{64})\n$/, ' abc $1\n'),
    good.replace(/ \w{6} (\w{64})\n$/, '  $1\n'),
    good.replace(/ \w{6} (\w{64})\n$/, ' $1\n'),
    good.replace(/\w\n$/, '\n'),
    good.replace(/\n$/, ' abcdef\n'),
    `${good}x`,
    good.replace(' ', ''),
    `1 ${'0'.repeat(64)} ${'0'.repeat(63)}\n`,
    `x${'0'.repeat(64)} \n`,
  ]) {
    writeFileSync(fileOf(dir), bad);
    t.throws(
      () => open(t, dir),
      new StartError(
        `the signing keys ${fileOf(dir)} are damaged: remove the file and start again; ` +
          'sessions then begin anew',
      ),
      JSON.stringify(bad.slice(0, 20)),
    );
    t.equal(readFileSync(fileOf(dir), 'latin1'), bad);
  }
  rmSync(fileOf(dir));
  t.doesNotThrow(() => open(t, dir));
});

await t.test('keys that another user could have put there are not believed', async (t) => {
  const dir = shortDir(t);
  open(t, dir);
  chmodSync(fileOf(dir), 0o666);
  const told = `every user may write ${fileOf(dir)} (mode 666)`;
  t.throws(() => new KeyRing(dir, new TestLog(), () => {}), { name: 'StartError', message: told });
  chmodSync(fileOf(dir), 0o660);
  t.doesNotThrow(() => open(t, dir), 'its group may be one of its own');
});

await t.test('a file that cannot be read or made is one line', async (t) => {
  const dir = t.testdir({ 'signing.keys': {} });
  t.throws(() => open(t, dir), StartError);
  t.throws(() => open(t, join(dir, 'nowhere')), {
    name: 'StartError',
    message: /^the signing keys .* cannot be used: /,
  });
});

await t.test('what a killed process left half written does not matter', async (t) => {
  const dir = t.testdir({ 'signing.keys.writing': 'half a li' });
  const { ring } = open(t, dir);
  t.same(open(t, dir).ring.keys, ring.keys);
  t.same(readdirSync(dir), ['signing.keys']);
});

await t.test('every worker knows a new key before one of them signs with it', async (t) => {
  const dir = shortDir(t);
  standStill(t);
  const { ring, spread, log } = open(t, dir);
  const { signing: old, previews } = ring.keys;
  ring.start();
  mock.timers.tick(KEY_LIFE_MS - 1);
  t.same(spread, [], 'not before it is old');
  mock.timers.tick(1);
  t.equal(spread.length, 1);
  t.same(spread[0]!.signing, old);
  const [, fresh] = spread[0]!.accepted;
  t.same(spread[0]!.accepted, [old, fresh]);
  t.notSame(fresh, old);
  t.same(ring.keys.signing, old, 'a worker that is born now signs with the old one');

  mock.timers.tick(KEY_SPREAD_MS - 1);
  t.equal(spread.length, 1);
  mock.timers.tick(1);
  t.same(spread[1], { signing: fresh, accepted: [fresh, old], previews });
  t.same(ring.keys, spread[1]);
  t.ok(log.has(/the signing key was replaced/));
  t.equal(statSync(fileOf(dir)).mode & 0o777, 0o600);
  t.same(open(t, dir).ring.keys, ring.keys, 'and a restart knows both');
});

await t.test('what the old key has signed is believed until the next replacement', async (t) => {
  standStill(t);
  const { ring, spread } = open(t, shortDir(t));
  const signature = new Signer(ring.keys).sign('claim');
  const isBelieved = () => new Signer(spread.at(-1)!).isSigned('claim', signature);
  ring.start();
  mock.timers.tick(KEY_LIFE_MS);
  t.equal(isBelieved(), true);
  mock.timers.tick(KEY_SPREAD_MS);
  t.equal(isBelieved(), true);
  t.not(new Signer(ring.keys).sign('claim'), signature);
  mock.timers.tick(KEY_LIFE_MS);
  t.equal(isBelieved(), true);
  t.equal(spread.at(-1)!.accepted.length, 3);
  mock.timers.tick(KEY_SPREAD_MS);
  t.equal(isBelieved(), false);
  t.equal(spread.at(-1)!.accepted.length, 2);
  t.equal(spread.length, 4);
});

await t.test('a key that grew old while nothing ran is replaced at the start', async (t) => {
  const dir = shortDir(t);
  standStill(t);
  const { ring } = open(t, dir);
  mock.timers.setTime(START_MS + 2 * KEY_LIFE_MS);
  const later = open(t, dir);
  later.ring.start();
  mock.timers.tick(1);
  t.match(later.spread, [{ signing: ring.keys.signing, accepted: { length: 2 } }]);
});

await t.test('a key that cannot be stored is never signed with', async (t) => {
  const dir = shortDir(t);
  standStill(t);
  const { ring, spread, log } = open(t, dir);
  const { keys } = ring;
  mkdirSync(`${fileOf(dir)}.writing`);
  ring.start();
  mock.timers.tick(KEY_LIFE_MS);
  mock.timers.tick(KEY_SPREAD_MS);
  t.same(spread[1], keys, 'workers forget it again');
  t.same(ring.keys, keys);
  t.match(log.lines, [{ level: 'error', message: /was not replaced; the old one stays/ }]);
  t.same(open(t, dir).ring.keys, keys);

  rmSync(`${fileOf(dir)}.writing`, { recursive: true });
  mock.timers.tick(1);
  mock.timers.tick(KEY_SPREAD_MS);
  t.notSame(ring.keys.signing, keys.signing, 'and it is tried again');
});

await t.test('after stop no key is replaced, not even one that is known already', async (t) => {
  standStill(t);
  const first = open(t, t.testdir({ first: {} }));
  first.ring.start();
  first.ring.stop();
  mock.timers.tick(2 * KEY_LIFE_MS);
  t.same(first.spread, []);
  first.ring.start();
  mock.timers.tick(1);
  const { keys } = first.ring;
  first.ring.stop();
  mock.timers.tick(KEY_SPREAD_MS);
  t.same([first.spread.length, first.ring.keys], [1, keys]);
});
