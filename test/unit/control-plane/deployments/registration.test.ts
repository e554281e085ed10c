// Which releases may come to a color, which drains may be ended, and what is told if not.

import t from 'tap';
import type {
  ServiceState,
  StoredDrain,
} from '../../../../src/control-plane/store/service-state.ts';
import { asWritten } from '../../../../src/control-plane/deployments/address-use.ts';
import {
  eviction,
  parseTargets,
  registration,
  type Registration,
  type World,
} from '../../../../src/control-plane/deployments/registration.ts';
import { splitBegun } from '../../../../src/control-plane/deployments/split-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';

const NOW_MS = 1_000_000;

/** A color without a deployment. */
const NOTHING = { deployment: 0, configured: '' };

const LOCKED = { deployment: 7, reason: '', actor: '', atMs: 1, epoch: 2 };

/** Returns a drain of the deployment `number`, whose sessions may stay. */
function drain(number: number, changes: Partial<StoredDrain> = {}): StoredDrain {
  return {
    deployment: number,
    startedAtMs: 1_000,
    sessionsUntilMs: NOW_MS + 1,
    endsAtMs: NOW_MS + 2,
    longLived: 'spread',
    ...changes,
  };
}

const OVER = { sessionsUntilMs: NOW_MS };

/** Returns a service on which deployments, of the release `vN` at port 300N each, drain. */
function draining(...drains: readonly StoredDrain[]): ServiceState {
  const left = drains.map((one) => deployment(one.deployment, { servedSince: 1 }));
  return serviceState({ deployments: [...SERVICE.deployments, ...left], draining: drains });
}

function at(...ports: readonly number[]): string[] {
  return ports.map((port) => `http://127.0.0.1:${port}`);
}

/** Returns the states that a registration on green, at port 3009, changes; undefined: none. */
function registered(
  states: ServiceState | readonly ServiceState[],
  changes: Partial<Registration> = {},
  world: Partial<World> = {},
): Record<string, ServiceState> | undefined {
  const all = [states].flat();
  const wanted: Registration = {
    color: 'green',
    release: 'v9',
    urls: at(3009),
    metadata: {},
    evict: false,
    unlock: false,
    ...changes,
  };
  const after = registration(all[0]!, wanted, {
    services: new Map(all.map((one) => [one.name, one])),
    nextDeployment: 20,
    placesOf: asWritten,
    allow: [],
    policyOf: () => testPolicy(),
    actor: 'ann',
    nowMs: NOW_MS,
    ...world,
  });
  return after && Object.fromEntries(after.states.map((one) => [one.name, one]));
}

await t.test('a release comes to the idle color as a new deployment', async (t) => {
  const metadata = { digest: 'sha256:1' };
  const after = registered(SERVICE, { urls: at(3009, 3010), metadata })!['default']!;
  t.match(after, { active: 'blue', blue: SERVICE.blue, green: { deployment: 20 } });
  t.strictSame(after.deployments.at(-1), {
    number: 20,
    color: 'green',
    release: 'v9',
    urls: at(3009, 3010),
    metadata,
    actor: 'ann',
    atMs: NOW_MS,
    servedSince: 0,
    previewSeries: 0,
    takenOver: undefined,
  });
  t.equal(after.deployments.length, 3, 'what was there before is kept');
});

await t.test('a release that is there already changes nothing, on either color', async (t) => {
  t.equal(registered(SERVICE, { release: 'v2', urls: at(3002) }), undefined);
  t.equal(registered(SERVICE, { color: 'blue', release: 'v1', urls: at(3001) }), undefined);
  const two = deployment(2, { color: 'green', urls: at(3002, 3012) });
  const state = serviceState({ deployments: [SERVICE.deployments[0]!, two] });
  t.equal(registered(state, { release: 'v2', urls: at(3012, 3002) }), undefined, 'in any order');
});

await t.test('with another name, address or metadata it is another deployment', async (t) => {
  for (const changes of [
    { release: 'v3', urls: at(3002) },
    { release: 'v2', urls: at(3002, 3003) },
    { release: 'v2', urls: at(3002), metadata: { digest: 'other' } },
  ]) {
    t.match(registered(SERVICE, changes)?.['default'], { green: { deployment: 20 } });
  }
});

await t.test('what was there in the same place is that no more', async (t) => {
  const after = registered(SERVICE, { release: 'v3', urls: at(3002) })!['default']!;
  t.match(after.deployments[1], {
    number: 2,
    takenOver: { service: 'default', deployment: 20, release: 'v3' },
  });
  const again = registered(SERVICE, { release: 'v2', urls: at(3002, 3003) })!['default']!;
  t.equal(again.deployments[1]!.takenOver, undefined, 'unless it is the same release');
});

await t.test('targets are told in normal form, or all that is wrong with them', async (t) => {
  const parsed = parseTargets(['http://LOCALHOST:3009', 'unix:/run/app.sock']);
  t.strictSame(
    parsed.map(({ url }) => url),
    ['http://localhost:3009', 'unix:/run/app.sock'],
  );
  t.throws(() => parseTargets(['ftp://x:1', 'http://ok:1', 'http://x/path', 'http://OK:1']), {
    code: 'target-invalid',
    status: 400,
    message: /ftp:\/\/x:1: .*; http:\/\/x\/path: .*; expected each target once$/,
    members: { faults: { length: 3 } },
  });
});

await t.test('the color that gets the traffic is refused, and the other is named', async (t) => {
  t.throws(() => registered(SERVICE, { color: 'blue' }), {
    code: 'color-active',
    status: 409,
    message: 'default: blue gets the traffic; register on green, then switch',
  });
});

await t.test('an address that gets the traffic of another release is refused', async (t) => {
  for (const evict of [false, true]) {
    t.throws(() => registered(SERVICE, { urls: at(3009, 3001), evict }), {
      code: 'address-in-use',
      status: 409,
      message: 'http://127.0.0.1:3001 gets the traffic of v1 (deployment 1): use other addresses',
    });
  }
});

await t.test('an address that drains is refused, with the way out', async (t) => {
  for (const one of [drain(3), drain(3, OVER)]) {
    t.throws(() => registered(draining(one), { urls: at(3009, 3003) }), {
      code: 'address-in-use',
      status: 409,
      message:
        'http://127.0.0.1:3003 is still drained by v3 (deployment 3): ' +
        'wait until it has ended, use other addresses, or say "evict": true to take them over',
      members: { uses: [{ service: 'default', deployment: 3, use: 'draining' }] },
    });
  }
});

await t.test('with evict, what drains at the address ends, and is that no more', async (t) => {
  const before = draining(drain(3), drain(4));
  const after = registered(before, { urls: at(3003), evict: true })!['default']!;
  t.match(after.draining[0], { deployment: 3, sessionsUntilMs: NOW_MS, longLived: 'cut' });
  t.equal(after.draining[1], before.draining[1], 'those elsewhere stay');
  t.match(after.deployments[2]?.takenOver, { deployment: 20, release: 'v9' });
  t.equal(after.deployments[3]?.takenOver, undefined);
  t.match(after.green, { deployment: 20 });
  t.match(
    registered(after, { release: 'v10', urls: at(3003), evict: true })?.['default']?.green,
    { deployment: 20 },
    'and does not stand in the way again',
  );
});

await t.test('the same release may come where it drains: its sessions stay', async (t) => {
  const before = draining(drain(3));
  const after = registered(before, { release: 'v3', urls: at(3003) })!['default']!;
  t.strictSame(after.draining, before.draining);
  t.equal(after.deployments[2]!.takenOver, undefined);
});

await t.test('an address of another service is refused alike, and its owner named', async (t) => {
  const shop = serviceState({ name: 'shop' });
  const blog = { ...draining(drain(3)), name: 'blog' };
  const own = serviceState({ deployments: [deployment(1, { urls: at(3100) })], green: NOTHING });
  for (const [urls, message] of [
    [at(3001), /gets the traffic of v1 \(deployment 1\) of shop/],
    [at(3002), /is registered for v2 \(deployment 2\) of shop/],
    [at(3003), /is still drained by v3 \(deployment 3\) of blog/],
  ] as const) {
    t.throws(() => registered([own, shop, blog], { urls }), { code: 'address-in-use', message });
  }
});

await t.test('an eviction reaches into another service, but not to what is active', async (t) => {
  const own = serviceState({ deployments: [deployment(11)], blue: { ...NOTHING, deployment: 11 } });
  const free = { ...own, green: NOTHING };
  const shop = { ...draining(drain(3)), name: 'shop' };
  t.throws(() => registered([free, shop], { urls: at(3001), evict: true }), {
    code: 'address-in-use',
    message: /: use other addresses$/,
  });
  const after = registered([free, shop], { urls: at(3002, 3003), evict: true })!;
  t.match(after['default'], { green: { deployment: 20 } });
  t.match(after['shop'], {
    green: { deployment: 2 },
    draining: [{ deployment: 3, sessionsUntilMs: NOW_MS, longLived: 'cut' }],
  });
  const by = { service: 'default', deployment: 20, release: 'v9' };
  t.strictSame(
    after['shop']!.deployments.map(({ takenOver }) => takenOver),
    [undefined, by, by],
  );
});

await t.test('an eviction reaches only into services that the caller may change', async (t) => {
  const own = serviceState({ deployments: [deployment(11)], blue: { ...NOTHING, deployment: 11 } });
  const states = [
    { ...own, green: NOTHING },
    { ...draining(drain(3)), name: 'shop' },
  ];
  const wanted = { urls: at(3002), evict: true };
  t.throws(() => registered(states, { ...wanted, evictIn: ['default'] }), {
    code: 'address-in-use',
    message: /of shop: use other addresses$/,
  });
  t.ok(registered(states, { ...wanted, evictIn: ['default', 'shop'] }));
});

await t.test('several services may stand before one release', async (t) => {
  const shop = serviceState({ name: 'shop' });
  const own = { ...serviceState({ deployments: [deployment(11)] }), green: NOTHING };
  const blue = { ...own, blue: { ...NOTHING, deployment: 11 } };
  const after = registered([blue, shop], { release: 'v1', urls: at(3001) })!;
  t.match(after['default'], { green: { deployment: 20 } });
  t.equal(after['shop'], undefined, 'the other one is left alone');
});

await t.test(
  'releases without a name share what is in use, and take over what is not',
  async (t) => {
    const unnamed = (number: number, port: number) =>
      deployment(number, { release: '', urls: at(port) });
    const deployments = [unnamed(1, 3001), unnamed(2, 3002), unnamed(3, 3003)];
    const shop = serviceState({ name: 'shop', deployments });
    const own = { ...serviceState({ deployments: [deployment(11)] }), green: NOTHING };
    const blue = { ...own, blue: { ...NOTHING, deployment: 11 } };
    for (const port of [3001, 3002]) {
      const after = registered([blue, shop], { release: '', urls: at(port) })!;
      t.equal(after['shop'], undefined, 'the active and the idle one are the same app');
    }
    const after = registered([blue, shop], { release: '', urls: at(3003) })!;
    t.match(after['shop']!.deployments[2]?.takenOver, { deployment: 20 });
    const left = { ...shop, draining: [drain(3)] };
    t.throws(() => registered([blue, left], { release: '', urls: at(3003) }), {
      code: 'address-in-use',
    });
  },
);

function placesOf(url: string): ReadonlySet<string> {
  return new Set([url.replace('localhost', '127.0.0.1')]);
}

await t.test('the same place under another spelling is the same place', async (t) => {
  t.throws(() => registered(SERVICE, { urls: ['http://localhost:3001'] }, { placesOf }), {
    code: 'address-in-use',
    message: /^http:\/\/127\.0\.0\.1:3001 gets the traffic of v1/,
  });
});

await t.test('a release that is locked out stays so, unless it is unlocked', async (t) => {
  const lockOuts = ['v9', 'v8'].map((release) => ({ ...LOCKED, release }));
  const state = serviceState({ lockOuts });
  t.strictSame(registered(state)!['default']!.lockOuts, lockOuts, 'wherever it is registered');
  t.strictSame(registered(state, { unlock: true })!['default']!.lockOuts, [lockOuts[1]]);
  const there = registered(state)!['default']!;
  const unlocked = registered(there, { unlock: true })!['default']!;
  t.strictSame(unlocked, { ...there, lockOuts: [lockOuts[1]] }, 'also where it is there already');
  t.equal(registered(unlocked, { unlock: true }), undefined);
});

await t.test('an eviction means one deployment or all that drain', async (t) => {
  const one = draining(drain(3), drain(4), drain(5, OVER));
  const world = { nowMs: NOW_MS, policyOf: () => testPolicy() };
  const untilOf = (number: number | undefined) =>
    eviction(one, number, world)?.draining.map((each) => each.sessionsUntilMs);
  t.same(untilOf(4), [NOW_MS + 1, NOW_MS, NOW_MS]);
  t.same(untilOf(undefined), [NOW_MS, NOW_MS, NOW_MS]);
});

await t.test('an eviction of what has no session any more closes its connections', async (t) => {
  const world = { nowMs: NOW_MS, policyOf: () => testPolicy() };
  const after = eviction(draining(drain(5, OVER)), 5, world);
  t.match(after?.draining, [{ deployment: 5, longLived: 'cut' }]);
});

await t.test('an eviction of what ends as soon already changes nothing', async (t) => {
  const world = { nowMs: NOW_MS, policyOf: () => testPolicy() };
  const one = draining({ ...drain(5, OVER), longLived: 'cut' });
  t.equal(eviction(one, 5, world), undefined);
  t.equal(eviction(one, undefined, world), undefined);
  t.equal(eviction(SERVICE, undefined, world), undefined);
});

await t.test('an eviction of a deployment that does not drain is refused', async (t) => {
  const world = { nowMs: NOW_MS, policyOf: () => testPolicy() };
  t.throws(() => eviction(draining(drain(3), drain(4)), 9, world), {
    code: 'drain-unknown',
    status: 404,
    message: 'expected one of: 3, 4',
    members: { deployments: [3, 4] },
  });
  t.throws(() => eviction(SERVICE, 9, world), {
    code: 'drain-unknown',
    message: 'none drains',
    members: { deployments: [] },
  });
});

const SPLIT = splitBegun({
  share: 1_000,
  ramp: undefined,
  sessions: 'new',
  by: 'session',
  epoch: 9,
  nowMs: NOW_MS,
})(SERVICE);

await t.test('a color to which a rollout shifts sessions takes no other release', async (t) => {
  for (const changes of [{}, { evict: true }, { release: 'v2' }]) {
    t.throws(() => registered(SPLIT, changes), {
      code: 'rollout-running',
      message: /v2 \(deployment 2\) on green/u,
    });
  }
  t.equal(registered(SPLIT, { release: 'v2', urls: at(3002) }), undefined, 'it is there');
  const over = { ...SPLIT, split: undefined };
  t.match(registered(over), { default: { green: { deployment: 20 } } });
});

await t.test('the address of a canary is not to be had, not even by eviction', async (t) => {
  const bank = serviceState({ name: 'bank', blue: NOTHING, green: NOTHING, deployments: [] });
  for (const evict of [false, true]) {
    t.throws(() => registered([bank, SPLIT], { urls: at(3002), evict }), {
      code: 'address-in-use',
      message: /gets a share of the traffic of v2 \(deployment 2\) of default/u,
    });
  }
});
