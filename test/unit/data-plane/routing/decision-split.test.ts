// Where a request goes while a rollout shifts sessions: each kind of claim by each kind of split, and
// clients without cookies.

import t from 'tap';
import { textHash } from '../../../../src/base/hashes.ts';
import type { Service, Split } from '../../../../src/contract/table.ts';
import { NOWHERE } from '../../../../src/data-plane/routing/table/routed-service.ts';
import { newSessionId } from '../../../../src/data-plane/routing/tokens/session-token.ts';
import { RoutedSplit } from '../../../../src/data-plane/routing/table/split.ts';
import {
  ACTIVE_SLOT,
  clientOf,
  Deciding,
  DEPLOYMENT,
  DRAINING_SLOTS,
  forged,
  lockedOut,
  NOW_S,
  routes,
  shop,
  tokenOf,
  type Outcome,
} from '../../../support/deciding.ts';
import type { PolicyPatch } from '../../../support/policy.ts';

/** Epoch and second in which the split began. */
const EPOCH = 45;
const SINCE_S = NOW_S - 600;
const CANARY_SLOT = 4;

const SPLIT: Split = {
  deployment: DEPLOYMENT.idle,
  salt: 99,
  sinceS: SINCE_S,
  share: 5_000,
  ramp: undefined,
  sessions: 'new',
  by: 'session',
};

const { blue } = shop();
const CANARY = { ...blue, servedSince: EPOCH };

function serviceWith(changes: Partial<Split> = {}): Partial<Service> {
  return { blue: CANARY, split: { ...SPLIT, ...changes } };
}

function deciding(changes: Partial<Split> = {}, policy: PolicyPatch = {}): Deciding {
  return new Deciding(
    { ...policy, affinity: { mode: 'drain', ...policy.affinity } },
    serviceWith(changes),
  );
}

/** Returns an id whose place is under the share of a half, or is not. */
function idWhere(isUnder: boolean): string {
  const split = new RoutedSplit(SPLIT, NOWHERE, true);
  for (;;) {
    const id = newSessionId();
    if (split.takes(textHash(id), 0) === isUnder) return id;
  }
}

const UNDER = idWhere(true);
const OVER = idWhere(false);

/** Tokens of sessions that began before the split, and since. */
const OLD = { ageS: 3_600 } as const;
const YOUNG = { ageS: 60 } as const;

function canaryToken(id: string, details: Parameters<typeof tokenOf>[1] = YOUNG): string {
  return tokenOf(DEPLOYMENT.idle, { epoch: EPOCH, id, ...details });
}

function activeToken(id: string, details: Parameters<typeof tokenOf>[1] = YOUNG): string {
  return tokenOf(DEPLOYMENT.active, { id, ...details });
}

function cookie(token: string): string[] {
  return [`Cookie: turnout=${token}`];
}

function short({ to, reason, hasSession, gives }: Outcome): unknown[] {
  return [to, reason, hasSession, gives === undefined ? '-' : gives.deployment];
}

function asked(token: string, changes: Partial<Split> = {}, policy: PolicyPatch = {}): unknown[] {
  return short(deciding(changes, policy).ask(cookie(token)));
}

await t.test('sessions stay where they are while only new ones are placed', async (t) => {
  const all = { sessions: 'all' } as const;
  const shrinking = {
    ...all,
    share: 0,
    ramp: { from: 10_000, startsAtMs: 0, endsAtMs: NOW_S * 2_000 },
  };
  const { idle: canary, active, draining } = DEPLOYMENT;
  const rows: readonly (readonly [string, unknown[], unknown[]])[] = [
    // Claim of the canary.
    ['canary, new', asked(canaryToken(UNDER)), ['idle', 'split', true, '-']],
    ['canary, over the share', asked(canaryToken(OVER)), ['idle', 'split', true, '-']],
    ['canary, from before', asked(canaryToken(UNDER, OLD)), ['idle', 'session', true, '-']],
    ['canary, all', asked(canaryToken(UNDER), all), ['idle', 'split', true, '-']],
    ['canary, all, over', asked(canaryToken(OVER), all), ['active', 'split', false, active]],
    [
      'canary, stale',
      asked(canaryToken(UNDER, { ageS: 300, seenAgoS: 100 })),
      ['idle', 'split', true, canary],
    ],
    // Claim of the active deployment.
    ['active, new, over', asked(activeToken(OVER)), ['active', 'split', true, '-']],
    ['active, new, under', asked(activeToken(UNDER)), ['active', 'split', true, '-']],
    ['active, from before', asked(activeToken(UNDER, OLD)), ['active', 'active', true, '-']],
    ['active, all, under', asked(activeToken(UNDER, OLD), all), ['idle', 'split', false, canary]],
    ['active, all, over', asked(activeToken(OVER, OLD), all), ['active', 'split', true, '-']],
    [
      'active, on the way back',
      asked(activeToken(UNDER), shrinking),
      ['active', 'split', true, '-'],
    ],
    // Claim of what drains, or has drained.
    ['draining', asked(tokenOf(draining)), ['draining', 'session', true, '-']],
    [
      'gone, under',
      asked(tokenOf(DEPLOYMENT.past, { id: UNDER })),
      ['idle', 'session', false, canary],
    ],
    [
      'gone, over',
      asked(tokenOf(DEPLOYMENT.past, { id: OVER })),
      ['active', 'active', false, active],
    ],
  ];
  for (const [name, found, wanted] of rows) t.strictSame(found, wanted, name);
});

await t.test('a session that moves keeps its id and its age, and moves once', async (t) => {
  const all = deciding({ sessions: 'all' });
  const { gives } = all.ask(cookie(activeToken(UNDER, OLD)));
  t.match(gives, { deployment: DEPLOYMENT.idle, epoch: EPOCH, id: UNDER, issuedS: NOW_S - 3_600 });
  const next = all.ask(cookie(canaryToken(UNDER, OLD)));
  t.strictSame(short(next), ['idle', 'split', true, '-']);
});

await t.test('a claim on the canary must be proven, one that moves there as well', async (t) => {
  for (const [name, token, changes] of [
    ['forged', forged(canaryToken(UNDER)), {}],
    ['of another service', canaryToken(UNDER, { service: 'blog' }), {}],
    ['of an unknown key', canaryToken(UNDER, { by: 'unknown' }), {}],
    ['active, forged, all move', forged(activeToken(UNDER)), { sessions: 'all' }],
  ] as const) {
    const none = deciding({ ...changes, share: 0 }).ask(cookie(token));
    if (changes.sessions === undefined) {
      t.match(none, { to: 'active', reason: 'split', hasSession: false }, name);
      t.not(none.gives!.id, UNDER, name);
    }
    const all = deciding({ ...changes, share: 10_000 }).ask(cookie(token));
    t.match(all, { to: 'idle', gives: { issuedS: NOW_S } }, `${name}: as one that begins`);
    t.not(all.gives!.id, UNDER, name);
  }
  const ours = deciding().ask([
    ...cookie(forged(canaryToken(UNDER))),
    ...cookie(activeToken(OVER)),
  ]);
  t.match(ours, { to: 'active', hasSession: true }, 'a planted cookie does not hide the own one');
});

await t.test('a page load does not move a session of the canary', async (t) => {
  const skew = { skew: { isOn: true } };
  const fields = [...cookie(canaryToken(UNDER)), 'Sec-Fetch-Dest: document'];
  t.strictSame(short(deciding({}, skew).ask(fields)), ['idle', 'split', true, '-']);
  const left = [...cookie(tokenOf(DEPLOYMENT.draining)), 'Sec-Fetch-Dest: document'];
  t.not(deciding({}, skew).ask(left).to, 'draining', 'but one of what drains');
});

await t.test('a canary that is down loses its sessions, unless they are strict', async (t) => {
  const down = (mode: 'drain' | 'strict', token: string | undefined): unknown[] => {
    const one = deciding({ share: 10_000 }, { affinity: { mode } });
    one.setDown([CANARY_SLOT]);
    return short(one.ask(token === undefined ? [] : cookie(token)));
  };
  const { active } = DEPLOYMENT;
  t.strictSame(down('drain', canaryToken(UNDER)), ['active', 'split', false, active]);
  t.strictSame(down('strict', canaryToken(UNDER)), ['idle', 'split', true, '-']);
  for (const mode of ['drain', 'strict'] as const) {
    t.strictSame(down(mode, undefined), ['active', 'split', false, active], 'none begins there');
  }
  const one = deciding({ share: 10_000 });
  one.setDown([ACTIVE_SLOT, ...DRAINING_SLOTS]);
  t.equal(one.ask(cookie(activeToken(OVER))).to, 'active', 'the active one keeps its own');
});

await t.test('a canary that can not be reached hands its request to the active one', async (t) => {
  const { active } = DEPLOYMENT;
  const one = deciding();
  one.ask(cookie(canaryToken(UNDER)));
  t.match(one.moved(), { to: 'active', gives: { deployment: active, id: UNDER } });
  const begins = deciding({ share: 10_000 });
  begins.ask([]);
  t.match(begins.moved(), { to: 'active', gives: undefined }, 'it is placed again');
  const strict = deciding({}, { affinity: { mode: 'strict' } });
  strict.ask(cookie(canaryToken(UNDER)));
  t.equal(strict.moved(), undefined);
});

await t.test('new sessions are placed by their own id, in the share', async (t) => {
  const one = deciding({ share: 2_500 });
  const split = new RoutedSplit({ ...SPLIT, share: 2_500 }, NOWHERE, true);
  let taken = 0;
  for (let count = 0; count < 4_000; count++) {
    const { to, reason, gives } = one.ask([]);
    if (reason !== 'split' || gives === undefined) t.fail('every one begins by the split');
    if ((to === 'idle') !== split.takes(textHash(gives!.id), 0)) t.fail('its id says where');
    if (to === 'idle') taken++;
  }
  t.ok(taken > 830 && taken < 1_170, `${taken} of 4000`);
});

await t.test('a client that keeps its field is as one with a cookie', async (t) => {
  const own = [`X-Turnout-Session: ${canaryToken(UNDER)}`];
  t.strictSame(short(deciding().ask(own)), ['idle', 'split', true, '-']);
  const { gives } = deciding({ share: 10_000 }).ask(['X-Turnout-Session: ']);
  t.match(gives, { by: 'field', deployment: DEPLOYMENT.idle });
});

await t.test('a client that keeps nothing stays where its connection began', async (t) => {
  const one = deciding({ share: 5_000 });
  for (let count = 0; count < 20; count++) {
    const client = clientOf();
    const first = one.ask([], { client });
    const again = Array.from({ length: 5 }, () => one.ask([], { client }));
    if (!again.every(({ to, line }) => to === first.to && line === first.line)) t.fail('it moved');
  }
  const behind = clientOf({ isProxy: true });
  const places = Array.from({ length: 100 }, () => one.ask([], { client: behind }).to);
  t.strictSame([...new Set(places)].toSorted(), ['active', 'idle'], 'a proxy brings many clients');
});

await t.test('a connection of before the split is none that it has placed', async (t) => {
  const one = new Deciding({ affinity: { mode: 'drain' } });
  const client = clientOf();
  one.ask([], { client });
  one.wall.seconds += 10;
  const table = serviceWith({ share: 10_000, sinceS: NOW_S + 5 });
  one.table = routes([{ ...shop(), policy: one.policy, ...table }]);
  t.match(one.ask([], { client }), { to: 'active', reason: 'active' });
  one.wall.seconds += 60;
  t.match(one.ask([], { client }), { to: 'idle', reason: 'split' }, 'for a while only');
});

await t.test('an upgrade without a session is placed and gets none', async (t) => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket'];
  t.strictSame(short(deciding({ share: 10_000 }).ask(upgrade)), ['idle', 'split', false, '-']);
  t.strictSame(short(deciding({ share: 0 }).ask(upgrade)), ['active', 'split', false, '-']);
  const own = [...upgrade, ...cookie(canaryToken(UNDER))];
  t.strictSame(short(deciding({ share: 0 }).ask(own)), ['idle', 'split', true, '-']);
});

await t.test('by address, all of one address go one way', async (t) => {
  const one = deciding({ by: 'address' });
  const places = new Map<number, Set<string>>();
  for (let address = 1; address <= 60; address++) {
    for (let count = 0; count < 5; count++) {
      const client = clientOf({ address: `192.0.2.${address}` });
      const { to } = one.ask([], { client });
      places.set(address, (places.get(address) ?? new Set()).add(to));
    }
  }
  t.ok([...places.values()].every((set) => set.size === 1));
  t.equal(new Set([...places.values()].flatMap((set) => [...set])).size, 2);
  const unknown = Array.from(
    { length: 40 },
    () => one.ask([], { client: clientOf({ address: undefined }) }).to,
  );
  t.equal(new Set(unknown).size, 2, 'a Unix socket has no address: sessions are placed');
});

await t.test('by address, a session stays where it is when its address changes', async (t) => {
  for (const sessions of ['new', 'all'] as const) {
    const one = deciding({ by: 'address', sessions });
    for (let address = 1; address <= 20; address++) {
      const client = clientOf({ address: `192.0.2.${address}` });
      const { to } = one.ask(cookie(canaryToken(OVER)), { client });
      if (to !== 'idle') t.fail(`${sessions}: it moved`);
    }
  }
  t.pass();
});

await t.test('without affinity, each request is placed by itself', async (t) => {
  const one = deciding({ share: 1_000 }, { affinity: { mode: 'off' } });
  const outcomes = Array.from({ length: 1_000 }, () => one.ask(cookie(canaryToken(UNDER))));
  const taken = outcomes.filter(({ to }) => to === 'idle').length;
  t.ok(Math.abs(taken - 100) <= 2, `${taken} of 1000`);
  t.ok(outcomes.every(({ reason, gives }) => reason === 'split' && gives === undefined));
});

await t.test('by request, sessions of the canary do not begin, those of others stay', async (t) => {
  const all = deciding({ share: 10_000, by: 'request' });
  t.strictSame(short(all.ask([])), ['idle', 'split', false, '-']);
  t.strictSame(short(all.ask(cookie(activeToken(OVER)))), ['idle', 'split', false, '-']);
  t.strictSame(short(all.ask(cookie(tokenOf(DEPLOYMENT.draining)))).slice(0, 2), [
    'draining',
    'session',
  ]);
  const none = deciding({ share: 0, by: 'request' });
  t.match(none.ask([]), { to: 'active', reason: 'split', gives: { deployment: 20 } });
});

await t.test('a request that names a release is placed by it, and begins no session', async (t) => {
  const one = deciding({ share: 0 }, { skew: { isOn: true } });
  t.strictSame(short(one.ask(['X-Deployment-Id: r4'])), ['idle', 'release', false, '-']);
  t.strictSame(short(one.ask(['X-Deployment-Id: r3'])), ['active', 'release', false, '-']);
  const own = one.ask([...cookie(canaryToken(UNDER)), 'X-Deployment-Id: r4']);
  t.strictSame(short(own), ['idle', 'release', true, '-']);
  one.setDown([CANARY_SLOT]);
  t.equal(one.ask(['X-Deployment-Id: r4']).to, 'active', 'unless that is down');
});

await t.test('a missing file is looked for at the other release of a rollout', async (t) => {
  const one = deciding({}, { skew: { rescue: ['*'] } });
  const [service] = one.table.services;
  t.equal(one.rescuer(service!.active), 'idle');
  t.equal(one.rescuer(service!.split!.canary), 'active');
  one.setDown([CANARY_SLOT]);
  t.equal(one.rescuer(service!.active), 'draining', 'then at those before');
});

await t.test('a canary that is locked out on its way back keeps its sessions', async (t) => {
  const ramp = { from: 10_000, startsAtMs: 0, endsAtMs: NOW_S * 2_000 };
  const back = { ...serviceWith({ sessions: 'all', share: 0, ramp }), blue: lockedOut(CANARY) };
  const one = new Deciding({ affinity: { mode: 'drain' } }, back);
  t.match(one.ask(cookie(canaryToken(UNDER, OLD))), { to: 'idle', reason: 'split' });
  one.table = routes([
    { ...shop(), policy: one.policy, ...back, split: { ...SPLIT, share: 0, sessions: 'all' } },
  ]);
  const over = one.ask(cookie(canaryToken(UNDER, OLD)));
  t.match(over, { to: 'active', gives: { id: UNDER, deployment: DEPLOYMENT.active } });
});

function role({ sent }: Outcome): string {
  return /x-turnout-role: (.*)\r\n/u.exec(sent)![1]!;
}

await t.test('the app is told what part it plays', async (t) => {
  const one = deciding();
  t.equal(role(one.ask(cookie(canaryToken(UNDER)))), 'canary');
  t.equal(role(one.ask(cookie(activeToken(OVER)))), 'active');
  t.equal(role(one.ask(cookie(tokenOf(DEPLOYMENT.draining)))), 'draining');
  const lie = one.ask([...cookie(activeToken(OVER)), 'X-Turnout-Role: canary']);
  t.equal(role(lie), 'active');
  t.equal(lie.sent.match(/x-turnout-role/giu)!.length, 1, 'what a client says of it is left out');
});

await t.test('after its end, sessions go on without a move or move once', async (t) => {
  // Promoted: the canary is the active one, the other drains.
  const { green } = shop();
  const promoted: Partial<Service> = {
    active: 'blue',
    blue: { ...CANARY, servedSince: EPOCH + 3 },
    green,
  };
  const one = new Deciding({ affinity: { mode: 'drain' } }, promoted);
  t.strictSame(short(one.ask(cookie(canaryToken(UNDER)))), ['idle', 'active', true, '-']);
  // Given up: its sessions drain there, or move with an id that stays.
  const drains = { deployment: CANARY, startedAtMs: 0, endsAtMs: Infinity, longLived: 'spread' };
  for (const [sessionsUntilMs, wanted] of [
    [NOW_S * 1_000 + 60_000, ['idle', 'session', true, '-']],
    [NOW_S * 1_000, ['active', 'active', false, DEPLOYMENT.active]],
  ] as const) {
    const draining = [{ ...drains, sessionsUntilMs }] as Service['draining'];
    const after = new Deciding({ affinity: { mode: 'drain' } }, { blue: CANARY, draining });
    t.strictSame(short(after.ask(cookie(canaryToken(UNDER)))), wanted);
  }
});

await t.test(
  'connections to a canary are opened ahead, and a hold is for what runs there, too',
  async (t) => {
    const hold = { methods: 'all', untilMs: NOW_S * 2_000, closesLongLived: true } as const;
    const { table } = new Deciding({}, { ...serviceWith(), hold });
    const slots = table.activePools().map(({ endpoint }) => endpoint.slot);
    t.strictSame(slots, [ACTIVE_SLOT, CANARY_SLOT]);
    t.ok(table.holds[0]!.blocks.has(CANARY.block));
    t.notOk(new Deciding({}, { hold }).table.holds[0]!.blocks.has(CANARY.block));
  },
);
