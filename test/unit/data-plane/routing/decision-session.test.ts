// Where a session sends its request, over all kinds of claims and all ways to bring one.

import assert from 'node:assert/strict';
import t from 'tap';
import type { AffinityMode } from '../../../../src/contract/service-policy.ts';
import {
  clientOf,
  Deciding,
  DEPLOYMENT,
  drain,
  forged,
  LEGACY,
  legacyTokenOf,
  NOW_S,
  SERVED_SINCE,
  SESSION_ID,
  shop,
  tokenOf,
  type GivenToken,
  type Outcome,
  type Place,
} from '../../../support/deciding.ts';

const { active, idle, draining, over, previewed, past, future } = DEPLOYMENT;

interface Claim {
  readonly token: string | undefined;
  readonly to: Place;
  /** `kept`: the same session, by a token of the deployment that serves it now. */
  readonly gives: 'new' | 'kept' | 'renewed' | 'nothing';
  /** Unless it is said: when the token is renewed, or good as it is. */
  readonly hasSession?: boolean;
}

const IGNORED = { to: 'active', gives: 'new' } as const;

/** What each kind of claim comes to where sessions are on. */
const CLAIMS: Readonly<Record<string, Claim>> = {
  none: { token: undefined, ...IGNORED },
  'no token': { token: 'x', ...IGNORED },
  'an empty one': { token: '', ...IGNORED },
  active: { token: tokenOf(active), to: 'active', gives: 'nothing' },
  'active, forged': { token: forged(tokenOf(active)), to: 'active', gives: 'nothing' },
  'active, stale': { token: tokenOf(active, { seenAgoS: 61 }), to: 'active', gives: 'renewed' },
  'active, stale, forged': { token: forged(tokenOf(active, { seenAgoS: 61 })), ...IGNORED },
  'active, stale, of another service': {
    token: tokenOf(active, { seenAgoS: 61, service: 'blog' }),
    ...IGNORED,
  },
  draining: { token: tokenOf(draining), to: 'draining', gives: 'nothing' },
  'draining, stale': {
    token: tokenOf(draining, { seenAgoS: 61 }),
    to: 'draining',
    gives: 'renewed',
  },
  'draining, of the previous key': {
    token: tokenOf(draining, { by: 'previous' }),
    to: 'draining',
    gives: 'nothing',
  },
  'draining, stale, of the previous key': {
    token: tokenOf(draining, { seenAgoS: 61, by: 'previous' }),
    to: 'draining',
    gives: 'renewed',
  },
  'draining, idle for as long as may be': {
    token: tokenOf(draining, { seenAgoS: 1_860 }),
    to: 'draining',
    gives: 'renewed',
  },
  'draining, forged': { token: forged(tokenOf(draining)), ...IGNORED },
  'draining, truncated': { token: tokenOf(draining).slice(0, -1), ...IGNORED },
  'draining, of an unknown key': { token: tokenOf(draining, { by: 'unknown' }), ...IGNORED },
  'draining, of another service': { token: tokenOf(draining, { service: 'blog' }), ...IGNORED },
  'draining, idle for too long': { token: tokenOf(draining, { seenAgoS: 1_861 }), ...IGNORED },
  'draining, too old': { token: tokenOf(draining, { ageS: 86_401 }), ...IGNORED },
  'draining, of the far future': { token: tokenOf(draining, { seenAgoS: -86_401 }), ...IGNORED },
  'active, idle for too long': { token: tokenOf(active, { seenAgoS: 1_861 }), ...IGNORED },
  'active, too old': { token: tokenOf(active, { ageS: 86_401 }), ...IGNORED },
  'a drain whose sessions are over': { token: tokenOf(over), to: 'active', gives: 'kept' },
  'a deployment that is gone': { token: tokenOf(past), to: 'active', gives: 'kept' },
  'a deployment that is gone, forged': { token: forged(tokenOf(past)), ...IGNORED },
  'a deployment to come': { token: tokenOf(future), to: 'active', gives: 'kept' },
  'a deployment to come, forged': { token: forged(tokenOf(future)), ...IGNORED },
  'a deployment to come, of a later epoch': {
    token: tokenOf(future, { epoch: 41 }),
    to: 'active',
    gives: 'nothing',
    hasSession: false,
  },
  'a deployment to come, of a later epoch, forged': {
    token: forged(tokenOf(future, { epoch: 41 })),
    ...IGNORED,
  },
  'active, of an earlier epoch': {
    token: tokenOf(active, { epoch: 1 }),
    to: 'active',
    gives: 'nothing',
  },
  'active, of an earlier epoch, stale': {
    token: tokenOf(active, { epoch: 1, seenAgoS: 61 }),
    to: 'active',
    gives: 'renewed',
  },
  'active, of a later epoch': {
    token: tokenOf(active, { epoch: 41 }),
    to: 'active',
    gives: 'nothing',
  },
  'active, of a later epoch, stale': {
    token: tokenOf(active, { epoch: 41, seenAgoS: 61 }),
    to: 'active',
    gives: 'nothing',
  },
  'active, of a later epoch, forged': { token: forged(tokenOf(active, { epoch: 41 })), ...IGNORED },
  'active, of a later epoch, of another service': {
    token: tokenOf(active, { epoch: 41, service: 'blog' }),
    ...IGNORED,
  },
  'active, seen in the future': {
    token: tokenOf(active, { seenAgoS: -1 }),
    to: 'active',
    gives: 'nothing',
  },
  'active, seen in the future, forged': {
    token: forged(tokenOf(active, { seenAgoS: -1 })),
    ...IGNORED,
  },
  'active, seen in the future, of an unknown key': {
    token: tokenOf(active, { seenAgoS: -3_600, by: 'unknown' }),
    ...IGNORED,
  },
  'draining, of a later epoch': {
    token: tokenOf(draining, { epoch: 36, seenAgoS: 61 }),
    to: 'draining',
    gives: 'nothing',
  },
  'draining, seen in the future': {
    token: tokenOf(draining, { seenAgoS: -1 }),
    to: 'draining',
    gives: 'nothing',
  },
  'of an earlier version, active': {
    token: legacyTokenOf(LEGACY.active),
    to: 'active',
    gives: 'kept',
    hasSession: true,
  },
  'of an earlier version, active, forged': {
    token: forged(legacyTokenOf(LEGACY.active)),
    ...IGNORED,
  },
  'of an earlier version, draining': {
    token: legacyTokenOf(LEGACY.draining),
    to: 'draining',
    gives: 'kept',
    hasSession: true,
  },
  'of an earlier version, draining, forged': {
    token: forged(legacyTokenOf(LEGACY.draining)),
    ...IGNORED,
  },
  'of an earlier version, idle for too long': {
    token: legacyTokenOf(LEGACY.draining, { seenAgoS: 1_861 }),
    ...IGNORED,
  },
  'of an earlier version, over': {
    token: legacyTokenOf(LEGACY.over),
    to: 'active',
    gives: 'kept',
  },
  'of an earlier version, unknown': {
    token: legacyTokenOf(LEGACY.unknown),
    to: 'active',
    gives: 'kept',
  },
  'of an earlier version, with the number of the active deployment': {
    token: legacyTokenOf(active),
    to: 'active',
    gives: 'kept',
  },
  'of an earlier version, of another service': {
    token: legacyTokenOf(LEGACY.draining, { service: 'blog' }),
    ...IGNORED,
  },
  'the idle one': { token: tokenOf(idle), to: 'active', gives: 'kept' },
  'the idle one, forged': { token: forged(tokenOf(idle)), ...IGNORED },
  'a previewed one': { token: tokenOf(previewed), to: 'active', gives: 'kept' },
  'the epoch of the active one': {
    token: tokenOf(SERVED_SINCE.active),
    to: 'active',
    gives: 'kept',
  },
  'the epoch of one that drains': {
    token: tokenOf(SERVED_SINCE.draining),
    to: 'active',
    gives: 'kept',
  },
};

interface Carrier {
  readonly isProxy?: boolean;
  readonly fields: (token: string | undefined) => string[];
  /** How the response gives a token. */
  readonly by: GivenToken['by'];
  /** The claim is not looked at. */
  readonly isDeaf?: boolean;
}

function cookie(name: string, token: string | undefined): string[] {
  return token === undefined ? [] : [`Cookie: a=1; ${name}=${token}; b=2`];
}

const HTTPS = 'X-Forwarded-Proto: https';

const CARRIERS: Readonly<Record<string, Carrier>> = {
  'a cookie': { fields: (token) => cookie('turnout', token), by: 'cookie' },
  'a cookie over TLS, as a trusted proxy says': {
    isProxy: true,
    fields: (token) => [HTTPS, ...cookie('__Host-turnout', token)],
    by: 'secure-cookie',
  },
  'a cookie over TLS through two proxies': {
    isProxy: true,
    fields: (token) => ['x-forwarded-proto: HTTPS, http', ...cookie('__Host-turnout', token)],
    by: 'secure-cookie',
  },
  'a cookie, with TLS claimed by an untrusted peer': {
    fields: (token) => [HTTPS, ...cookie('turnout', token)],
    by: 'cookie',
  },
  'a cookie through a trusted proxy without TLS': {
    isProxy: true,
    fields: (token) => ['X-Forwarded-Proto: http', ...cookie('turnout', token)],
    by: 'cookie',
  },
  'a cookie through a trusted proxy that says something else': {
    isProxy: true,
    fields: (token) => ['X-Forwarded-Proto: httpsx', ...cookie('turnout', token)],
    by: 'cookie',
  },
  'a field': { fields: (token) => [`X-Turnout-Session: ${token ?? 'new'}`], by: 'field' },
  'a field in small letters, over TLS': {
    isProxy: true,
    fields: (token) => [HTTPS, `x-turnout-session:${token ?? ''}`],
    by: 'field',
  },
  'the plain cookie over TLS': {
    isProxy: true,
    fields: (token) => [HTTPS, ...cookie('turnout', token)],
    by: 'secure-cookie',
    isDeaf: true,
  },
  'the secure cookie without TLS': {
    fields: (token) => cookie('__Host-turnout', token),
    by: 'cookie',
    isDeaf: true,
  },
  'the secure cookie, with TLS claimed by an untrusted peer': {
    fields: (token) => [HTTPS, ...cookie('__Host-turnout', token)],
    by: 'cookie',
    isDeaf: true,
  },
  'a cookie of another name': {
    fields: (token) => cookie('turnout-blog', token),
    by: 'cookie',
    isDeaf: true,
  },
};

function checkGiven(outcome: Outcome, by: GivenToken['by'], claim: Claim): void {
  const { gives } = outcome;
  if (claim.gives === 'nothing') {
    assert.equal(gives, undefined);
    return;
  }
  const to = claim.to === 'draining' ? 'draining' : 'active';
  const belongsTo = { by, deployment: DEPLOYMENT[to], epoch: SERVED_SINCE[to] };
  if (claim.gives === 'new') {
    const { id } = gives!;
    assert.notEqual(id, SESSION_ID);
    assert.deepEqual(gives, { ...belongsTo, id, issuedS: NOW_S, seenS: NOW_S });
  } else {
    const issuedS = Number.parseInt(claim.token!.split('.').at(-3)!, 36);
    assert.deepEqual(gives, { ...belongsTo, id: SESSION_ID, issuedS, seenS: NOW_S });
  }
}

function check(mode: AffinityMode, carrier: Carrier, claim: Claim): void {
  const deciding = new Deciding({ affinity: { mode } });
  const fields = carrier.fields(claim.token);
  const outcome = deciding.ask(fields, { client: clientOf({ isProxy: carrier.isProxy === true }) });
  assert.equal(outcome.verdict, 'forward');
  assert.equal(outcome.to, claim.to);
  assert.equal(outcome.reason, claim.to === 'draining' ? 'session' : 'active');
  const isOff = mode === 'off';
  if (isOff) assert.equal(outcome.gives, undefined);
  else checkGiven(outcome, carrier.by, claim);
  const hasSession = claim.hasSession ?? (claim.gives === 'renewed' || claim.gives === 'nothing');
  assert.equal(outcome.hasSession, !isOff && hasSession);
  const isCounted = !isOff && claim.gives !== 'new' && claim.token !== undefined;
  assert.deepEqual(deciding.sessionsSeen(), isCounted ? { [claim.to]: 1 } : {});
  const isOurs = carrier.isDeaf !== true || !fields.some((line) => line.includes('turnout-blog'));
  if (isOurs) assert.doesNotMatch(outcome.sent, /turnout=|turnout-session/i);
  if (fields.some((line) => line.startsWith('Cookie'))) assert.match(outcome.sent, /\ba=1; /);
}

for (const mode of ['drain', 'strict'] as const) {
  for (const [by, carrier] of Object.entries(CARRIERS)) {
    await t.test(`mode ${mode}: every kind of claim in ${by}`, async (t) => {
      for (const [name, claim] of Object.entries(CLAIMS)) {
        const deaf = { token: claim.token, ...IGNORED };
        const expected = carrier.isDeaf === true ? deaf : claim;
        t.doesNotThrow(() => check(mode, carrier, expected), name);
      }
    });
  }
}

await t.test(
  'mode off: no claim counts and none is given, but cookies are taken out',
  async (t) => {
    for (const [by, carrier] of Object.entries(CARRIERS)) {
      for (const [name, { token }] of Object.entries(CLAIMS)) {
        const expected = { token, to: 'active', gives: 'nothing' } as const;
        t.doesNotThrow(() => check('off', carrier, expected), `${name}, ${by}`);
      }
    }
  },
);

await t.test('a session goes on as it is when its deployment is active again', async (t) => {
  const { draining: drains, green } = shop();
  const back = { ...drains.at(-1)!.deployment, servedSince: 41 };
  const service = { active: 'blue', blue: back, draining: [drain(green, 600)] } as const;
  const deciding = new Deciding({ affinity: { mode: 'drain' } }, service);
  const ask = (number: number): Outcome => deciding.ask(cookie('turnout', tokenOf(number)));
  t.match(ask(draining), { to: 'draining', reason: 'active', hasSession: true, gives: undefined });
  t.match(ask(active), { to: 'active', reason: 'session', hasSession: true, gives: undefined });
});

await t.test('a session belongs to its deployment, not to what its color has now', async (t) => {
  const { draining: drains } = shop();
  const [first, second] = drains;
  // Green has drained and drains still, under two numbers, beside the one that is active there.
  const service = { draining: [drain(first!.deployment, 300), second!] };
  const deciding = new Deciding({ affinity: { mode: 'drain' } }, service);
  const toOf = (number: number): Place => deciding.ask(cookie('turnout', tokenOf(number))).to;
  t.strictSame([over, active, draining].map(toOf), ['over', 'active', 'draining']);
});
