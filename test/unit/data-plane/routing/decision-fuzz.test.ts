// Whatever a client sends as its cookies: it reaches nothing but the active color, unless it
// brings a token of ours for a deployment that drains now; and nothing it sends is an error.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { previewToken } from '../../../../src/contract/preview-token.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import {
  clientOf,
  Deciding,
  DEPLOYMENT,
  forged,
  LEGACY,
  legacyTokenOf,
  lockedOut,
  NOW_S,
  shop,
  SIGNERS,
  tokenOf,
  type Outcome,
} from '../../../support/deciding.ts';
import { cookiesIn, type TakenCookie } from '../../../support/naive-head.ts';

const { active, idle, draining, over, previewed, past, future } = DEPLOYMENT;
const NAMES = ['turnout', '__Host-turnout', 'turnout-~preview', '__Host-turnout-~preview'];

function isOwn({ name }: TakenCookie): boolean {
  return NAMES.includes(name);
}

/** Tokens that open the deployment that drains. */
const GOOD = [
  tokenOf(draining),
  tokenOf(draining, { seenAgoS: 100 }),
  tokenOf(draining, { by: 'previous' }),
  tokenOf(draining, { epoch: 1 }),
  legacyTokenOf(LEGACY.draining),
];

const SCOPE = { service: 'shop', deployment: idle, previewSeries: 0 } as const;

/** Tokens that are almost right, and open nothing. */
const BAD = [
  forged(GOOD[0]!),
  tokenOf(draining, { by: 'unknown' }),
  tokenOf(draining, { service: 'blog' }),
  tokenOf(draining, { seenAgoS: 10_000 }),
  tokenOf(draining, { ageS: 100_000 }),
  tokenOf(over),
  tokenOf(past),
  tokenOf(future),
  tokenOf(idle),
  tokenOf(previewed),
  tokenOf(0),
  tokenOf(future, { epoch: 99 }),
  tokenOf(active, { epoch: 99 }),
  forged(tokenOf(active, { epoch: 99 })),
  tokenOf(active, { seenAgoS: -100 }),
  forged(tokenOf(active)),
  legacyTokenOf(LEGACY.active),
  legacyTokenOf(LEGACY.over),
  legacyTokenOf(LEGACY.unknown),
  legacyTokenOf(draining),
  forged(legacyTokenOf(LEGACY.draining)),
  legacyTokenOf(LEGACY.draining, { by: 'unknown' }),
  legacyTokenOf(LEGACY.draining, { service: 'blog' }),
  // The claim in one form, with the signature of the other.
  GOOD[0]!.slice(0, -22) + legacyTokenOf(LEGACY.draining).slice(-22),
  tokenOf(active),
  tokenOf(active, { seenAgoS: 100 }),
  forged(tokenOf(active, { seenAgoS: 100 })),
  GOOD[0]!.replace(/^f/, '0f'),
  GOOD[0]!.toUpperCase(),
  // The claim of one with the signature of another.
  GOOD[0]!.slice(0, -22) + GOOD[1]!.slice(-22),
  tokenOf(active).slice(0, -22) + GOOD[0]!.slice(-22),
  previewToken(SIGNERS.unknown, SCOPE, NOW_S + 600),
  previewToken(SIGNERS.previews, { ...SCOPE, previewSeries: 1 }, NOW_S + 600),
  previewToken(SIGNERS.previews, { ...SCOPE, previewSeries: 1 }, 0),
  previewToken(SIGNERS.previews, { ...SCOPE, deployment: past }, 0),
  previewToken(SIGNERS.previews, { ...SCOPE, service: 'blog' }, 0),
  // It is locked out.
  previewToken(SIGNERS.previews, { ...SCOPE, deployment: previewed }, 0),
  previewToken(SIGNERS.previews, SCOPE, NOW_S - 1),
];

const VALUE_BYTE = fc
  .oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
    fc.integer({ min: 0x80, max: 0xff }),
    fc.constant(0x09),
  )
  .map((code) => String.fromCharCode(code));
const BYTES = fc.string({ unit: VALUE_BYTE, maxLength: 60 });

/** A good token with something done to it. */
const BENT = fc
  .tuple(fc.constantFrom(...GOOD), fc.nat(80), fc.string({ unit: VALUE_BYTE, maxLength: 2 }))
  .chain(([token, at, put]) =>
    fc.constantFrom(
      token.slice(0, at),
      token.slice(at),
      token.slice(0, at) + put + token.slice(at + 1),
      token.slice(0, at) + put + token.slice(at),
      `"${token}"`,
      ` ${token}`,
      `${token} `,
      `${token},${token}`,
      token.replaceAll('.', '%2E'),
    ),
  );

/** What was put in may have been a separator. */
function holdsGood(token: string): boolean {
  return token.split(';').some((piece) => GOOD.includes(piece.trim()));
}

function lineOf(token: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const name = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...NAMES) },
    fc.constantFrom('turnout-blog', 'Turnout', 'a', ' turnout ', ''),
  );
  const pair = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(name, token).map((parts) => parts.join('=')) },
    BYTES,
  );
  const separator = fc.constantFrom('; ', ';', ' ;', ';;', ', ', '');
  const pairs = fc
    .array(fc.tuple(pair, separator), { maxLength: 6 })
    .map((parts) => parts.flat().join(''));
  return fc.oneof(
    { weight: 5, arbitrary: pairs.map((value) => `Cookie: ${value}`) },
    { weight: 1, arbitrary: token.map((value) => `X-Turnout-Session: ${value}`) },
    { weight: 1, arbitrary: token.map((value) => `X-Turnout-Preview: ${value}`) },
    fc.constantFrom(
      'X-Forwarded-Proto: https',
      'X-Forwarded-Proto: http',
      'X_Turnout_Session: 1',
      'X-Turnout-Color: blue',
      'X-Deployment-Id: r2',
      'Sec-Fetch-Dest: document',
      'Connection: cookie',
      'Connection: x-turnout-session',
    ),
  );
}

const CLIENT = fc.record({ isProxy: fc.boolean(), hasWaited: fc.boolean() });
const MODE = fc.constantFrom('drain', 'strict', 'off');

function decideOn(
  deciding: Deciding,
  fields: readonly string[],
  client: { readonly isProxy: boolean; readonly hasWaited: boolean },
): Outcome {
  const outcome = deciding.ask(fields, { client: clientOf(client) });
  assert.equal(outcome.verdict, 'forward');
  assert.equal(outcome.refusal, undefined);
  for (const line of outcome.sent.split('\r\n')) {
    if (!/^cookie:/i.test(line)) continue;
    assert.deepEqual(cookiesIn(line.slice(line.indexOf(':') + 1), isOwn), [], line);
  }
  assert.doesNotMatch(outcome.sent, /^x[-_]turnout[-_](session|preview)/im);
  return outcome;
}

/** One worker for each mode, which sees all that comes: nothing may stay from one to the next. */
function workers(): Record<string, Deciding> {
  const modes = ['drain', 'strict', 'off'] as const;
  const service = { previewed: shop().previewed.map(lockedOut) };
  return Object.fromEntries(
    modes.map((mode) => [mode, new Deciding({ affinity: { mode } }, service)]),
  );
}

/** Tells whether a good token stands in `fields` as a whole and in a place that counts. */
function isProven(fields: readonly string[], isProxy: boolean): boolean {
  const proto = fields.find((line) => line.startsWith('X-Forwarded-Proto: '));
  const name = isProxy && proto?.endsWith('https') === true ? '__Host-turnout' : 'turnout';
  return fields.some((line) => {
    const value = line.slice(line.indexOf(':') + 1).replaceAll(/^[ \t]+|[ \t]+$/g, '');
    if (line.startsWith('X-Turnout-Session:')) return GOOD.includes(value);
    if (!line.startsWith('Cookie:')) return false;
    return cookiesIn(value, (cookie) => cookie.name === name).some((cookie) =>
      GOOD.includes(cookie.value),
    );
  });
}

await t.test('nothing but the active color is reached without a good token', async (t) => {
  const deciding = workers();
  const bad = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...BAD) },
    { weight: 3, arbitrary: BENT.filter((token) => !holdsGood(token)) },
    BYTES,
  );
  fc.assert(
    fc.property(fc.array(lineOf(bad), { maxLength: 5 }), CLIENT, MODE, (fields, client, mode) => {
      assert.equal(decideOn(deciding[mode]!, fields, client).to, 'active');
    }),
    { numRuns: 3 * RUNS },
  );
  t.pass(`${3 * RUNS} heads`);
});

await t.test('another color is reached only by a good token in its place', async (t) => {
  const deciding = workers();
  const token = fc.oneof(
    fc.constantFrom(...GOOD),
    fc.constantFrom(...GOOD),
    fc.constantFrom(...BAD),
    BENT,
  );
  let reached = 0;
  fc.assert(
    fc.property(fc.array(lineOf(token), { maxLength: 5 }), CLIENT, MODE, (fields, client, mode) => {
      const { to } = decideOn(deciding[mode]!, fields, client);
      if (to === 'active') return;
      reached++;
      assert.equal(to, 'draining');
      assert.notEqual(mode, 'off');
      assert.ok(isProven(fields, client.isProxy), 'there is a good token');
    }),
    { numRuns: 3 * RUNS },
  );
  t.ok(reached > RUNS / 10, `${reached} times`);
});

await t.test('no bytes at all in a Cookie field are an error', async (t) => {
  const deciding = workers();
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: VALUE_BYTE, maxLength: 200 }).map((value) => `Cookie:${value}`),
        { maxLength: 3 },
      ),
      CLIENT,
      MODE,
      (fields, client, mode) => {
        assert.equal(decideOn(deciding[mode]!, fields, client).to, 'active');
      },
    ),
    { numRuns: RUNS },
  );
  t.pass(`${RUNS} heads`);
});
