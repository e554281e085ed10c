import { mock } from 'node:test';
import { restartClock } from '../../../../src/base/clock.ts';
import t, { type Test } from 'tap';
import {
  HASHES_AT_ONCE,
  HASHES_WAITING_MAX,
  TOKEN_DEAD_LIFE_MS,
  TOKEN_PROVEN_MS,
  TOKEN_TOUCH_EVERY_MS,
  TOKENS_MAX,
  TOKENS_PROVEN_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { SecretHasher } from '../../../../src/control-plane/access/secret-hash.ts';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { StoredToken } from '../../../../src/control-plane/store/store.ts';
import {
  digestOf,
  newToken,
  parseToken,
  printToken,
} from '../../../../src/control-plane/access/token-text.ts';
import { Tokens, type WantedToken } from '../../../../src/control-plane/access/tokens.ts';
import { shortDir, TestLog } from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { notes } from '../support/notes.ts';

function wanted(changes: Partial<WantedToken> = {}): WantedToken {
  return { name: 'ci', role: 'switch', services: [], lifeMs: undefined, ...changes };
}

function open() {
  const store = new MemoryStore();
  const tokens = new Tokens(store);
  const create = async (changes: Partial<WantedToken> = {}) =>
    tokens.create(wanted(changes), () => notes());
  return { store, tokens, create };
}

/** Lets a test set the time of day. */
function setTime(t: Test): void {
  mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 });
  restartClock();
  t.teardown(() => mock.timers.reset());
}

await t.test('a token is made of a prefix, an id and a secret', async (t) => {
  const seen = new Set<string>();
  for (let index = 0; index < 200; index++) {
    const made = newToken();
    const text = printToken(made);
    t.match(text, /^turnout_[0-9a-v]{12}_[\w-]{43}$/);
    t.strictSame(parseToken(text), made);
    seen.add(made.secret);
  }
  t.equal(seen.size, 200);
});

await t.test('what is no token is none', async (t) => {
  const { id, secret } = newToken();
  const bad = [
    '',
    'turnout_',
    `${id}_${secret}`,
    `turnout_${id}`,
    `turnout_${id}_${secret}x`,
    `turnout_${id}_${secret.slice(1)}`,
    `turnout_${id.toUpperCase()}A_${secret}`,
    `TURNOUT_${id}_${secret}`,
    `turnout_${id}_${secret} `,
    `turnout_${id}_${secret}\n`,
    `turnout_${'a'.repeat(100_000)}_${secret}`,
  ];
  for (const text of bad) t.equal(parseToken(text), undefined, text.slice(0, 30));
});

await t.test('of a secret only a salted hash with its parameters is kept', async (t) => {
  const hasher = new SecretHasher();
  const [one, two] = [await hasher.hash('secret'), await hasher.hash('secret')];
  t.match(one, /^scrypt\$16384\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
  t.not(one, two, 'each has its own salt');
  t.equal(await hasher.fits('secret', one), true);
  t.equal(await hasher.fits('secret', two), true);
  t.equal(await hasher.fits('Secret', one), false);
  t.equal(await hasher.fits('', one), false);
  for (const hash of [undefined, '', 'scrypt$1$1$1$a$b', one.slice(0, -1)]) {
    t.equal(await hasher.fits('secret', hash), false, String(hash));
  }
});

await t.test('a hash of other parameters is compared with those', async (t) => {
  // Of "secret" with N = 1024, r = 4, p = 2 and a salt of sixteen zeros, by another implementation
  // (OpenSSL: openssl kdf -keylen 32 -kdfopt pass:secret -kdfopt hexsalt:00… -kdfopt n:1024 … SCRYPT).
  const hash = 'scrypt$1024$4$2$AAAAAAAAAAAAAAAAAAAAAA$WyR24mTjbigRAcKf39Mqz6f2X-beR1tXxg8IlvGoZwk';
  t.equal(await new SecretHasher().fits('secret', hash), true);
});

await t.test('an unknown id takes as long as a wrong secret', async (t) => {
  const hasher = new SecretHasher();
  const hash = await hasher.hash('secret');
  const time = async (known: string | undefined): Promise<number> => {
    const times: number[] = [];
    for (let index = 0; index < 7; index++) {
      // Time on a core, all threads together: what else runs on the machine is not in it.
      const before = process.cpuUsage();
      await hasher.fits('wrong', known);
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1_000);
    }
    return times.toSorted((a, b) => a - b)[3]!;
  };
  const [known, unknown] = [await time(hash), await time(undefined)];
  // A hash takes tens of milliseconds; without one it would be a thousandth of that.
  t.ok(unknown > known / 4, `${unknown.toFixed(1)} ms against ${known.toFixed(1)} ms`);
});

await t.test('a few are hashed at once, some wait, the others are told to come back', async (t) => {
  const hasher = new SecretHasher();
  const asked = HASHES_AT_ONCE + HASHES_WAITING_MAX + 5;
  const all = await Promise.allSettled(Array.from({ length: asked }, async () => hasher.hash('x')));
  const refused = all.filter(({ status }) => status === 'rejected');
  t.equal(refused.length, 5);
  t.match(refused[0], { reason: { code: 'busy' } });
  t.match(await hasher.hash('x'), /^scrypt/, 'and then it goes on');
});

await t.test('a token proves its name, role and services', async (t) => {
  const { tokens, create } = open();
  const { text, token } = await create({ role: 'read', services: ['shop'] });
  t.match(token, { name: 'ci', role: 'read', services: ['shop'], revokedAtMs: undefined });
  t.match(await tokens.prove(text), { kind: 'proven', token: { id: token.id } });
  t.match(await tokens.prove(text), { kind: 'proven' }, 'again');
  t.notMatch(JSON.stringify(tokens.all), text.slice(-43), 'nobody else knows it');
});

await t.test('what is wrong proves nothing, and does not tell what is wrong', async (t) => {
  const { tokens, create } = open();
  const { text } = await create();
  const other = printToken(newToken());
  const swapped = `${text.slice(0, -43)}${other.slice(-43)}`;
  for (const wrong of [other, swapped, `${text}x`, text.slice(0, -1), '', 'x']) {
    t.same(await tokens.prove(wrong), { kind: 'unknown' });
  }
  t.match(await tokens.prove(text), { kind: 'proven' });
});

await t.test(
  'a revoked token proves nothing from now on, also when it was proven before',
  async (t) => {
    const { tokens, create, store } = open();
    const { text, token } = await create();
    await tokens.prove(text);
    t.equal(tokens.isProven(text, Date.now()), true);
    await tokens.revoke('ci', () => notes());
    t.equal(tokens.isProven(text, Date.now()), false);
    t.match(await tokens.prove(text), { kind: 'over', why: /^was revoked at 2/ });
    t.match(store.tokens.all(), [{ id: token.id, revokedAtMs: Number }]);
    t.equal(tokens.hasGood(Date.now()), false);
    await t.rejects(
      tokens.revoke('ci', () => notes()),
      { code: 'token-unknown' },
      'by name',
    );
    t.match(await tokens.revoke(token.id, () => notes()), { revokedAtMs: Number }, 'by id, again');
  },
);

await t.test('a token that is revoked again was revoked when it was at first', async (t) => {
  setTime(t);
  const { tokens, create, store } = open();
  const { token } = await create();
  const { revokedAtMs } = await tokens.revoke('ci', () => notes());
  mock.timers.tick(1_000);
  t.equal((await tokens.revoke(token.id, () => notes())).revokedAtMs, revokedAtMs);
  t.match(store.tokens.all(), [{ revokedAtMs }]);
});

await t.test('what the store does not take has not happened', async (t) => {
  const { tokens, create, store } = open();
  const { text } = await create();
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  await t.rejects(create({ name: 'lost' }), /the disk is full/);
  t.same(
    tokens.all.map(({ name }) => name),
    ['ci'],
    'nobody can use a token that a restart would not know',
  );
  await t.rejects(
    tokens.revoke('ci', () => notes()),
    /the disk is full/,
  );
  t.match(await tokens.prove(text), { kind: 'proven' }, 'nobody believes that it is over');
});

await t.test('a token ends at its time, also when it was proven just before', async (t) => {
  setTime(t);
  const { tokens, create } = open();
  const { text } = await create({ lifeMs: 1_000 });
  t.match(await tokens.prove(text), { kind: 'proven' });
  t.equal(tokens.hasGood(Date.now()), true);
  mock.timers.tick(1_000);
  t.match(await tokens.prove(text), { kind: 'over', why: /^has expired at / });
  t.equal(tokens.hasGood(Date.now()), false);
});

await t.test('names are for one token at a time, and none of the reserved ones', async (t) => {
  const { tokens, create } = open();
  await create();
  await t.rejects(create(), { code: 'token-name-taken', message: /revoke it first/ });
  const own = ['loopback', 'unix', 'shell', 'turnout', 'nobody', 'failover', 'file', 'SIGHUP'];
  for (const name of [...own, 'cert', 'Loopback', 'FAILOVER', 'sighup']) {
    await t.rejects(create({ name }), { code: 'token-name-taken' }, name);
  }
  await tokens.revoke('ci', () => notes());
  await t.resolves(create(), 'once it is free');
  const both = await Promise.allSettled([create({ name: 'b' }), create({ name: 'b' })]);
  t.same(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
});

await t.test('a proof is remembered for a while, as a digest, and not for ever', async (t) => {
  setTime(t);
  const { tokens, create } = open();
  const { text } = await create();
  await tokens.prove(text);
  mock.timers.tick(TOKEN_PROVEN_MS - 1);
  t.equal(tokens.isProven(text, Date.now()), true);
  mock.timers.tick(1);
  t.equal(tokens.isProven(text, Date.now()), false);
  await tokens.prove(text);
  mock.timers.setTime(Date.now() - 3_600_000);
  t.equal(tokens.isProven(text, Date.now()), false, 'nor when the clock was set back');
  t.not(digestOf(text), text);
});

await t.test('when it was used last is stored now and then', async (t) => {
  setTime(t);
  const { tokens, create, store } = open();
  const { text } = await create();
  const stored = (): number | undefined => store.tokens.all()[0]?.lastUsedAtMs;
  t.equal(stored(), undefined);
  await tokens.prove(text);
  const first = stored();
  t.equal(first, Date.now());
  mock.timers.tick(TOKEN_TOUCH_EVERY_MS - 1);
  await tokens.prove(text);
  t.equal(stored(), first);
  mock.timers.tick(1);
  await tokens.prove(text);
  t.equal(stored(), Date.now());
  store.tokens.touch = () => {
    throw new Error('the disk is full');
  };
  mock.timers.tick(TOKEN_TOUCH_EVERY_MS);
  t.match(await tokens.prove(text), { kind: 'proven' }, 'and a full disk locks nobody out');
});

await t.test('tokens survive a restart, their secrets are nowhere in the file', async (t) => {
  const dir = shortDir(t);
  const store = openSqliteStore(dir, new TestLog());
  const before = new Tokens(store);
  const { text, token } = await before.create(
    wanted({ services: ['a', 'b'], lifeMs: 60_000 }),
    () => notes(),
  );
  await before.create(wanted({ name: 'gone' }), () => notes());
  await before.revoke('gone', () => notes());
  await store.close();

  const again = openSqliteStore(dir, new TestLog());
  const tokens = new Tokens(again);
  t.match(
    tokens.all.find(({ id }) => id === token.id),
    { ...token },
  );
  t.match(await tokens.prove(text), { kind: 'proven', token: { services: ['a', 'b'] } });
  t.match(
    tokens.all.find(({ name }) => name === 'gone'),
    { revokedAtMs: Number },
  );
  await again.close();
  const { readFileSync, readdirSync } = await import('node:fs');
  for (const name of readdirSync(dir)) {
    t.notOk(readFileSync(`${dir}/${name}`, 'latin1').includes(text.slice(-43)), name);
  }
});

/** Returns the token with this number; the first one is over already. */
function row(index: number): StoredToken {
  return {
    id: `id${index}`,
    name: `n${index}`,
    role: 'read',
    services: [],
    targets: [],
    hash: '',
    createdAtMs: Date.now(),
    expiresAtMs: index === 0 ? Date.now() : undefined,
    revokedAtMs: undefined,
    lastUsedAtMs: undefined,
  };
}

await t.test('no more tokens than the bound; those that are long over make room', async (t) => {
  setTime(t);
  const store = new MemoryStore();
  for (let index = 0; index < TOKENS_MAX; index++) await store.tokens.add(row(index), notes());
  const tokens = new Tokens(store);
  await t.rejects(
    tokens.create(wanted(), () => notes()),
    { code: 'too-many-tokens' },
  );
  mock.timers.tick(TOKEN_DEAD_LIFE_MS + 1);
  await tokens.create(wanted(), () => notes());
  t.equal(tokens.all.length, TOKENS_MAX);
  t.equal(store.tokens.all().length, TOKENS_MAX, 'in the store as well');
  t.ok(TOKENS_PROVEN_MAX >= TOKENS_MAX, 'a proof of each can be remembered');
});

await t.test('tokens are listed in the order in which they were made', async (t) => {
  setTime(t);
  const { store, create } = open();
  for (const name of ['zoe', 'ann', 'bob']) {
    await create({ name });
    mock.timers.tick(1);
  }
  t.same(
    store.tokens.all().map(({ name }) => name),
    ['zoe', 'ann', 'bob'],
  );
});

await t.test('a token that is over is listed for a month, also in the store', async (t) => {
  setTime(t);
  const { tokens, store, create } = open();
  await create({ name: 'revoked' });
  await tokens.revoke('revoked', () => notes());
  await create({ name: 'expired', lifeMs: 1 });
  const listed = async (name: string): Promise<readonly string[][]> => {
    await create({ name });
    return [tokens.all, store.tokens.all()].map((all) =>
      all.map((one) => one.name).filter((one) => one === 'revoked' || one === 'expired'),
    );
  };
  mock.timers.tick(TOKEN_DEAD_LIFE_MS);
  t.match(await listed('a'), [{ length: 2 }, { length: 2 }]);
  mock.timers.tick(1);
  t.same(await listed('b'), [['expired'], ['expired']]);
  mock.timers.tick(1);
  t.same(await listed('c'), [[], []]);
});

await t.test('what was stored wrongly grants nothing', async (t) => {
  const store = new MemoryStore();
  const tokens = new Tokens(store);
  const { token } = await tokens.create(wanted({ services: ['shop'] }), () => notes());
  store.database.exec(`UPDATE tokens SET services = 'x'`);
  const [read] = new Tokens(store).all;
  t.match(read, { id: token.id, services: [''] }, 'a list that cannot be read is not "all"');
  store.database.exec(`PRAGMA ignore_check_constraints = ON; UPDATE tokens SET role = 'root'`);
  t.equal(new Tokens(store).all[0]!.role, 'read', 'nor is an unknown role a mighty one');
});
