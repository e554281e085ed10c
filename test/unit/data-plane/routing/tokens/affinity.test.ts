// What the policy of a service makes of its cookie: names, how long a session lasts, the field.

import t from 'tap';
import { SLICES_PER_WINDOW } from '../../../../../src/contract/session-sightings.ts';
import type { SameSite } from '../../../../../src/contract/service-policy.ts';
import { Affinity, COOKIE } from '../../../../../src/data-plane/routing/tokens/affinity.ts';
import { SessionToken } from '../../../../../src/data-plane/routing/tokens/session-token.ts';
import { testPolicy, type PolicyPatch } from '../../../../support/policy.ts';

const NOW_S = 1_700_000_000;
const DAY_S = 86_400;

function affinityOf(patch: PolicyPatch['affinity'] = {}): Affinity {
  const policy = testPolicy({ affinity: { mode: 'drain', ...patch } });
  return new Affinity({ name: 'shop', policy }, 'edge');
}

function tokenOf(issuedS: number, seenS: number): SessionToken {
  return Object.assign(new SessionToken(), { issuedS, seenS });
}

/** Returns what a cookie of each name carries, over plain HTTP and over TLS. */
function kindsOf(affinity: Affinity, names: readonly string[]): (readonly [string, string])[] {
  const kindOf = (name: string, isSecure: boolean): string => {
    const bytes = Buffer.from(`x${name}=`, 'latin1');
    const kind = affinity.cookieKind(bytes, 1, 1 + name.length, isSecure);
    return Object.entries(COOKIE).find(([, value]) => value === kind)![0];
  };
  return names.map((name) => [kindOf(name, false), kindOf(name, true)]);
}

await t.test('the mode says whether there are sessions, and whether they stay', async (t) => {
  const modes = (['off', 'drain', 'strict'] as const).map((mode) => {
    const { isOn, isStrict } = affinityOf({ mode });
    return { isOn, isStrict };
  });
  t.strictSame(modes, [
    { isOn: false, isStrict: false },
    { isOn: true, isStrict: false },
    { isOn: true, isStrict: true },
  ]);
});

await t.test('over TLS the names have a prefix that only a secure origin can set', async (t) => {
  const names = ['sid', '__Host-sid', '__Secure-sid', 'sid-~preview', '__Host-sid-~preview'];
  t.strictSame(kindsOf(affinityOf({ cookieName: 'sid' }), names), [
    ['session', 'other'],
    ['other', 'session'],
    ['other', 'other'],
    ['preview', 'other'],
    ['other', 'preview'],
  ]);
});

await t.test('a cookie of one path cannot have the prefix for all paths', async (t) => {
  const names = ['sid', '__Host-sid', '__Secure-sid', 'sid-~preview', '__Host-sid-~preview'];
  t.strictSame(kindsOf(affinityOf({ cookieName: 'sid', cookiePath: '/shop' }), names), [
    ['session', 'other'],
    ['other', 'other'],
    ['other', 'session'],
    ['preview', 'other'],
    ['other', 'preview'],
  ]);
});

await t.test('without a name of its own a service has the one of the instance', async (t) => {
  const affinity = affinityOf({ cookieName: '' });
  const names = ['turnout-edge-shop', 'turnout-edge', 'turnout-edge-shop-~preview'];
  t.strictSame(kindsOf(affinity, names), [
    ['session', 'other'],
    ['other', 'other'],
    ['preview', 'other'],
  ]);
  t.match(affinity.field('T', 'cookie'), /^Set-Cookie: turnout-edge-shop=T; /);
  t.match(affinity.field('T', 'secure-cookie'), /^Set-Cookie: __Host-turnout-edge-shop=T; /);
});

await t.test('the session names of earlier versions still count for the service', async (t) => {
  const former = ['turnout', 'turnout-shop', 'turnout-shop-preview', 'turnout-blog'];
  t.strictSame(kindsOf(affinityOf({ cookieName: '' }), former), [
    ['session', 'other'],
    ['session', 'other'],
    ['other', 'other'],
    ['other', 'other'],
  ]);
  const secure = ['__Host-turnout', '__Host-turnout-shop', '__Host-turnout-preview'];
  t.strictSame(kindsOf(affinityOf({ cookieName: '' }), secure), [
    ['other', 'session'],
    ['other', 'session'],
    ['other', 'other'],
  ]);
  t.strictSame(
    kindsOf(affinityOf({ cookieName: 'sid' }), [...former, ...secure]).flat(),
    Array.from({ length: 14 }, () => 'other'),
    'a name that is set was so before',
  );
});

for (const [sameSite, attribute] of Object.entries({
  lax: 'Lax',
  strict: 'Strict',
  none: 'None',
})) {
  await t.test(`a cookie is SameSite=${attribute} by ${sameSite}`, async (t) => {
    const affinity = affinityOf({ cookieName: 'sid', sameSite: sameSite as SameSite });
    t.equal(
      affinity.field('T', 'cookie'),
      `Set-Cookie: sid=T; Path=/; HttpOnly; SameSite=${attribute}\r\n`,
    );
    t.equal(
      affinity.field('T', 'secure-cookie'),
      `Set-Cookie: __Host-sid=T; Path=/; HttpOnly; SameSite=${attribute}; Secure\r\n`,
    );
  });
}

await t.test('the field sets a cookie, a secure one, or is one of ours', async (t) => {
  const affinity = affinityOf();
  t.equal(
    affinity.field('T', 'cookie'),
    'Set-Cookie: turnout=T; Path=/; HttpOnly; SameSite=Lax\r\n',
  );
  t.equal(
    affinity.field('T', 'secure-cookie'),
    'Set-Cookie: __Host-turnout=T; Path=/; HttpOnly; SameSite=Lax; Secure\r\n',
  );
  t.equal(affinity.field('T', 'field'), 'X-Turnout-Session: T\r\n');
});

await t.test('the cookie is for the path of the service', async (t) => {
  const affinity = affinityOf({ cookieName: 'sid', cookiePath: '/shop' });
  t.match(affinity.field('T', 'cookie'), /^Set-Cookie: sid=T; Path=\/shop; /);
  t.match(affinity.field('T', 'secure-cookie'), /^Set-Cookie: __Secure-sid=T; Path=\/shop; /);
});

function refreshOf(idleMs: number): number {
  return affinityOf({ idleMs }).refreshS;
}

await t.test('a token is made anew after a tenth of the idle time, at most a minute', async (t) => {
  t.strictSame(
    [1_000, 9_000, 10_000, 300_000, 600_000, 1_800_000].map(refreshOf),
    [0, 0, 1, 30, 60, 60],
  );
});

await t.test('a token is stale once it was seen longer ago than that', async (t) => {
  const affinity = affinityOf({ idleMs: 300_000 });
  const isStale = (agoS: number): boolean =>
    affinity.isStale(tokenOf(NOW_S - 1_000, NOW_S - agoS), NOW_S);
  t.strictSame([-5, 0, 30, 31, 1_000].map(isStale), [false, false, false, true, true]);
});

await t.test('a session ends when it was idle for its time and the refresh', async (t) => {
  const affinity = affinityOf({ idleMs: 300_000 });
  const hasEnded = (agoS: number): boolean =>
    affinity.hasEnded(tokenOf(NOW_S - 5_000, NOW_S - agoS), NOW_S);
  t.strictSame([0, 300, 330, 331, 4_000].map(hasEnded), [false, false, false, true, true]);
});

await t.test('a session ends when its life is over, however lately it was seen', async (t) => {
  const affinity = affinityOf({ lifeMs: 3_600_000 });
  const hasEnded = (ageS: number): boolean =>
    affinity.hasEnded(tokenOf(NOW_S - ageS, NOW_S), NOW_S);
  t.strictSame([0, 3_600, 3_601].map(hasEnded), [false, false, true]);
});

await t.test('times between two seconds count as the later one', async (t) => {
  const affinity = affinityOf({ idleMs: 1_500, lifeMs: 2_500 });
  const idle = (agoS: number): boolean =>
    affinity.hasEnded(tokenOf(NOW_S - 2, NOW_S - agoS), NOW_S);
  t.strictSame([2, 3].map(idle), [false, true]);
  t.equal(affinity.hasEnded(tokenOf(NOW_S - 3, NOW_S), NOW_S), false);
  t.equal(affinity.hasEnded(tokenOf(NOW_S - 4, NOW_S), NOW_S), true);
});

await t.test('a clock set back by a day is borne, more is not believed', async (t) => {
  const affinity = affinityOf();
  const hasEnded = (aheadS: number): boolean =>
    affinity.hasEnded(tokenOf(NOW_S, NOW_S + aheadS), NOW_S);
  t.strictSame([1, DAY_S, DAY_S + 1].map(hasEnded), [false, false, true]);
});

await t.test('slices of the session counts cover the idle time', async (t) => {
  for (const idleMs of [1_000, 60_000, 1_800_000, 604_800_000]) {
    const { sliceS } = affinityOf({ idleMs });
    t.ok(sliceS >= 1 && Number.isInteger(sliceS));
    t.ok(sliceS * SLICES_PER_WINDOW * 1_000 >= idleMs, `${idleMs} ms`);
  }
});
