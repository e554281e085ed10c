// Session tokens: what was signed is read back, and nothing else is believed.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { KEY_BYTES, Signer } from '../../../../../src/contract/signing.ts';
import { ProvenTokens } from '../../../../../src/data-plane/routing/tokens/proven-tokens.ts';
import {
  ID_CHARS,
  newSessionId,
  SessionToken,
  sessionToken,
} from '../../../../../src/data-plane/routing/tokens/session-token.ts';
import { RUNS } from '../../../../support/arbitrary-message.ts';
import { legacyToken } from '../../../../support/legacy-token.ts';

const KEY = new Uint8Array(KEY_BYTES).fill(1);
const OTHER_KEY = new Uint8Array(KEY_BYTES).fill(2);
const signer = new Signer({ signing: KEY, accepted: [KEY] });

const SESSION = {
  deployment: 47,
  epoch: 1_300,
  id: 'aZ0-_aZ0-_aZ',
  issuedS: 1_700_000_000,
  seenS: 1_700_000_050,
};
const TOKEN = sessionToken(signer, 'shop', SESSION);
const SIGNATURE = TOKEN.slice(TOKEN.lastIndexOf('.') + 1);
/** The same session before there were deployments. */
const LEGACY = { generation: 47, id: 'aZ0-_aZ0-_aZ', issuedS: 1_700_000_000, seenS: 1_700_000_050 };
const LEGACY_TOKEN = legacyToken(signer, 'shop', LEGACY);

function readIn(text: string): SessionToken {
  const bytes = Buffer.from(`x${text}y`, 'latin1');
  const token = new SessionToken();
  assert.equal(token.read(bytes, 1, 1 + text.length), true);
  return token;
}

type Reading = 'no token' | 'not signed' | 'signed';

/** Reads `text` out of the middle of other bytes; both borders look like parts of a token. */
function readingOf(text: string, by: Signer = signer, service = 'shop'): Reading {
  const bytes = Buffer.from(`0${text}0.a`, 'latin1');
  const token = new SessionToken();
  if (!token.read(bytes, 1, 1 + text.length)) return 'no token';
  return token.isSigned(by, service, new ProvenTokens()) ? 'signed' : 'not signed';
}

/** Returns a token whose claim is written as it stands here, with a signature that fits it. */
function spelled(claim: string): string {
  return `${claim}.${signer.sign(`session of a deployment\nshop\n${claim}`)}`;
}

function legacySpelled(claim: string): string {
  return `${claim}.${signer.sign(`session\nshop\n${claim}`)}`;
}

await t.test('a token is read back as it was made', async () => {
  const seconds = fc.nat(2 ** 40);
  fc.assert(
    fc.property(
      fc.maxSafeNat().filter((number) => number > 0),
      fc.maxSafeNat(),
      fc.tuple(seconds, seconds),
      fc.constantFrom('default', 'shop', 'a'),
      (deployment, epoch, [first, second], service) => {
        const id = newSessionId();
        const times = { issuedS: Math.min(first, second), seenS: Math.max(first, second) };
        const session = { deployment, epoch, id, ...times };
        const text = sessionToken(signer, service, session);
        const token = readIn(text);
        const { issuedS, seenS } = token;
        assert.deepEqual(
          { deployment: token.deployment, epoch: token.epoch, id: token.id, issuedS, seenS },
          session,
        );
        assert.equal(token.isLegacy, false);
        assert.equal(token.legacyGeneration, -1);
        assert.equal(token.isSigned(signer, service, new ProvenTokens()), true);
      },
    ),
    { numRuns: RUNS },
  );
});

await t.test('a token of an earlier version is read by the same object', async () => {
  const seconds = fc.nat(2 ** 40);
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.tuple(seconds, seconds),
      fc.constantFrom('default', 'shop', 'a'),
      (generation, [first, second], service) => {
        const id = newSessionId();
        const times = { issuedS: Math.min(first, second), seenS: Math.max(first, second) };
        const token = readIn(legacyToken(signer, service, { generation, id, ...times }));
        const { issuedS, seenS, deployment, epoch } = token;
        assert.deepEqual(
          { generation: token.legacyGeneration, id: token.id, issuedS, seenS },
          { generation, id, ...times },
        );
        assert.equal(token.isLegacy, true);
        assert.deepEqual([deployment, epoch], [-1, -1]);
        assert.equal(token.isSigned(signer, service, new ProvenTokens()), true);
      },
    ),
    { numRuns: RUNS },
  );
});

await t.test('one object reads one token after the other, in either form', async (t) => {
  const token = new SessionToken();
  const texts = [1, 2].map((deployment) =>
    sessionToken(signer, 'shop', { ...SESSION, deployment }),
  );
  const forged = `${texts[0]!.slice(0, -1)}!`;
  const signed = [texts[0]!, forged, LEGACY_TOKEN, texts[1]!].map((text) => {
    t.equal(token.read(Buffer.from(text), 0, text.length), true);
    const isSigned = token.isSigned(signer, 'shop', new ProvenTokens());
    return isSigned ? [token.deployment, token.legacyGeneration] : 'forged';
  });
  t.strictSame(signed, [[1, -1], 'forged', [-1, 47], [2, -1]]);
});

await t.test('the signature of one form is none for the other', async (t) => {
  const legacyClaim = LEGACY_TOKEN.slice(0, -SIGNATURE.length - 1);
  const claim = TOKEN.slice(0, -SIGNATURE.length - 1);
  t.equal(readingOf(LEGACY_TOKEN), 'signed');
  t.equal(readingOf(legacySpelled(legacyClaim)), 'signed', 'the signature of this test is right');
  t.equal(readingOf(spelled(legacyClaim)), 'not signed');
  t.equal(readingOf(legacySpelled(claim)), 'not signed');
  t.equal(readingOf(`${claim}.${LEGACY_TOKEN.slice(-SIGNATURE.length)}`), 'not signed');
  t.equal(readingOf(`${legacyClaim}.${SIGNATURE}`), 'not signed');
});

await t.test('a token is for a deployment: 0 is none', async (t) => {
  t.equal(readingOf(spelled(`0.1.${SESSION.id}.a.b`)), 'no token');
  t.equal(readingOf(spelled(`1.0.${SESSION.id}.a.b`)), 'signed', 'while an epoch may be');
});

await t.test('a token of another service or another key is not signed', async (t) => {
  const other = new Signer({ signing: OTHER_KEY, accepted: [OTHER_KEY] });
  const both = new Signer({ signing: OTHER_KEY, accepted: [KEY, OTHER_KEY] });
  t.equal(readingOf(TOKEN), 'signed');
  t.equal(readingOf(TOKEN, signer, 'shop2'), 'not signed');
  t.equal(readingOf(TOKEN, signer, 'sho'), 'not signed');
  t.equal(readingOf(TOKEN, other), 'not signed');
  t.equal(readingOf(TOKEN, both), 'signed', 'the previous key still counts');
});

await t.test('what was proven once is believed again, but only as it was', async (t) => {
  const proven = new ProvenTokens();
  const isProven = (text: string, service: string): boolean => {
    const token = new SessionToken();
    assert.equal(token.read(Buffer.from(text, 'latin1'), 0, text.length), true);
    // By no key at all: only what is remembered can be true.
    return token.isSigned(new Signer({ signing: KEY, accepted: [] }), service, proven);
  };
  t.equal(isProven(TOKEN, 'shop'), false);
  const token = new SessionToken();
  token.read(Buffer.from(TOKEN, 'latin1'), 0, TOKEN.length);
  t.equal(token.isSigned(signer, 'shop2', proven), false);
  t.equal(isProven(TOKEN, 'shop2'), false, 'what is not true is not remembered');
  t.equal(token.isSigned(signer, 'shop', proven), true);
  t.equal(isProven(TOKEN, 'shop'), true);
  t.equal(isProven(TOKEN, 'shop2'), false, 'another service');
  t.equal(isProven(TOKEN.replace(/^1b/, '1c'), 'shop'), false, 'another deployment');
  t.equal(isProven(TOKEN.replace(/^1b\.104/, '1b.105'), 'shop'), false, 'another epoch');
  t.equal(isProven(`${TOKEN.slice(0, -1)}!`, 'shop'), false, 'another signature');
});

await t.test('a preview token is not signed as a session', async (t) => {
  const claim = TOKEN.slice(0, -SIGNATURE.length - 1);
  const signature = signer.sign(`preview\nshop\n${claim}`);
  t.equal(readingOf(`${claim}.${signature}`), 'not signed');
});

await t.test('a token with any one byte changed is refused', async (t) => {
  const accepted: string[] = [];
  for (const whole of [TOKEN, LEGACY_TOKEN]) {
    for (let at = 0; at < whole.length; at++) {
      for (let code = 0; code < 256; code++) {
        const char = String.fromCharCode(code);
        if (char === whole[at]) continue;
        const changed = whole.slice(0, at) + char + whole.slice(at + 1);
        if (readingOf(changed) === 'signed') accepted.push(`byte ${code} at ${at}`);
      }
    }
  }
  t.strictSame(accepted, []);
});

await t.test('a token with bytes missing or added anywhere is refused', async (t) => {
  const accepted: string[] = [];
  const attempt = (text: string): void => {
    if (readingOf(text) === 'signed') accepted.push(text);
  };
  for (const whole of [TOKEN, LEGACY_TOKEN]) {
    for (let at = 0; at < whole.length; at++) {
      const [before, after] = [whole.slice(0, at), whole.slice(at)];
      for (const text of [before, after.slice(1), before + after.slice(1)]) attempt(text);
      for (const more of ['0', 'a', '.', ' ', 'A', '=']) attempt(before + more + after);
    }
    for (const more of ['0', 'a', '.', ' ', '=']) attempt(whole + more);
  }
  t.strictSame(accepted, []);
});

await t.test('numbers have one spelling, even under a signature that fits', async (t) => {
  const { id } = SESSION;
  t.equal(readingOf(spelled(`1b.1.${id}.a.b`)), 'signed', 'the signature of this test is right');
  t.equal(readingOf(legacySpelled(`1b.${id}.a.b`)), 'signed', 'and in the earlier form');
  t.equal(readingOf(spelled(`1.0.${id}.0.0`)), 'signed', 'zero is a number');
  const odd = ['01b', '00', '1B', '+1b', '-1', ' 1b', '1b ', '1_b', '', '1.5', '0x1', '\xb9', '{'];
  for (const number of odd) {
    t.equal(readingOf(spelled(`${number}.1.${id}.a.b`)), 'no token', number);
    t.equal(readingOf(spelled(`1b.${number}.${id}.a.b`)), 'no token', number);
    t.equal(readingOf(spelled(`1b.1.${id}.${number}.b`)), 'no token', number);
    t.equal(readingOf(spelled(`1b.1.${id}.a.${number}`)), 'no token', number);
    // With a dot it reads as the form of today, whose signature it has not.
    const first = number === '1.5' ? 'not signed' : 'no token';
    t.equal(readingOf(legacySpelled(`${number}.${id}.a.b`)), first, number);
    t.equal(readingOf(legacySpelled(`1b.${id}.${number}.b`)), 'no token', number);
  }
});

await t.test('a number that cannot be counted exactly is refused', async (t) => {
  const largest = Number.MAX_SAFE_INTEGER.toString(36);
  const next = (BigInt(Number.MAX_SAFE_INTEGER) + 1n).toString(36);
  t.equal(readingOf(spelled(`${largest}.${largest}.${SESSION.id}.a.b`)), 'signed');
  t.equal(readingOf(legacySpelled(`${largest}.${SESSION.id}.a.b`)), 'signed');
  for (const number of [next, 'z'.repeat(11), 'z'.repeat(12), 'z'.repeat(30)]) {
    t.equal(readingOf(spelled(`${number}.1.${SESSION.id}.a.b`)), 'no token', number);
    t.equal(readingOf(spelled(`1.${number}.${SESSION.id}.a.b`)), 'no token', number);
    t.equal(readingOf(legacySpelled(`${number}.${SESSION.id}.a.b`)), 'no token', number);
  }
});

await t.test(
  'an id has its length and no dot; a session is not seen before it began',
  async (t) => {
    for (const [before, sign] of [
      ['1.1', spelled],
      ['1', legacySpelled],
    ] as const) {
      const reading = (rest: string): Reading => readingOf(sign(`${before}.${rest}`));
      t.equal(reading('aaaaaaaaaaaa.a.b'), 'signed', 'the signature of this test is right');
      t.equal(reading('aaaaaaaaaaa.a.b'), 'no token', 'one character short');
      t.equal(reading('aaaaaaaaaaaaa.a.b'), 'no token', 'one too many');
      t.equal(reading('aaaaaa.aaaaa.a.b'), 'no token', 'a dot inside');
      t.equal(reading('aaaaaaaaaaaa-a.b'), 'no token', 'no dot behind it');
      t.equal(reading('aaaaaaaaaaaa.b.a'), 'no token', 'seen before it began');
      t.equal(reading('aaaaaaaaaaaa.a'), 'no token', 'a part is missing');
      t.equal(reading('aaaaaaaaaaaa.a.b.c'), 'no token', 'a part too many');
      t.equal(reading(''), 'no token', 'nothing');
    }
  },
);

await t.test('whatever bytes come, reading them is no error and proves nothing', async () => {
  const byte = fc.nat(255).map((code) => String.fromCharCode(code));
  const part = fc.oneof(
    fc.constantFrom('1', '1b', SESSION.id, 'aaaaaaaaaaaa', '', SIGNATURE, TOKEN, '0'),
    fc.constantFrom(LEGACY_TOKEN, LEGACY_TOKEN.slice(-SIGNATURE.length)),
    fc.string({ unit: byte, maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(...'09azAZ-_.'.split('')), maxLength: 30 }),
  );
  const number = fc.nat(2_000).map((value) => value.toString(36));
  const legacy = fc.tuple(
    number,
    fc.constantFrom(SESSION.id, 'aaaaaaaaaaaa'),
    number,
    number,
    fc.oneof(
      fc.constant(SIGNATURE),
      fc.string({ unit: fc.constantFrom(...'09azAZ-_'.split('')), minLength: 22, maxLength: 22 }),
    ),
  );
  const shaped = fc.tuple(number, legacy).map(([first, parts]) => [first, ...parts]);
  const seen = new Set<Reading>();
  fc.assert(
    fc.property(fc.oneof(fc.array(part, { maxLength: 7 }), shaped, legacy), (parts) => {
      const text = parts.join('.');
      const reading = readingOf(text);
      seen.add(reading);
      return reading !== 'signed' || text === TOKEN || text === LEGACY_TOKEN;
    }),
    { numRuns: 4 * RUNS },
  );
  assert.deepEqual([...seen].toSorted(), ['no token', 'not signed', 'signed']);
});

await t.test('reading does not look beyond its end', async (t) => {
  for (const whole of [TOKEN, LEGACY_TOKEN]) {
    const bytes = Buffer.from(whole, 'latin1');
    for (let end = 0; end < whole.length; end++) {
      const token = new SessionToken();
      t.equal(token.read(bytes, 0, end), false, `cut at ${end}`);
    }
  }
});

await t.test('ids are many and made of characters that any cookie may hold', async (t) => {
  const ids = Array.from({ length: 2_000 }, () => newSessionId());
  t.equal(new Set(ids).size, ids.length, 'no id twice');
  t.ok(ids.every((id) => id.length === ID_CHARS && /^[\w-]+$/.test(id)));
  const tokens = ids.map((id) => readIn(sessionToken(signer, 'shop', { ...SESSION, id })));
  const hashes = new Set(tokens.map(({ idHash }) => idHash));
  t.ok(hashes.size > ids.length - 5, 'hashes tell them apart');
});
