// A configuration and what is stored → what follows: the same for a start, a restart, an upgrade and
// a reload.

import t from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { Hold } from '../../../../src/contract/table.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import {
  deploymentOf,
  type ReleaseSchema,
  type ServiceState,
} from '../../../../src/control-plane/store/service-state.ts';
import type { FollowParts } from '../../../../src/control-plane/deployments/follow-config.ts';
import { splitBegun } from '../../../../src/control-plane/deployments/split-edit.ts';
import { follow, followed, storedAfter, type Stored } from '../support/begun.ts';
import { NOTHING_STORED, target } from '../support/fixtures.ts';
import { deployment } from '../support/stored.ts';
import { after, FIRST, made } from '../support/followed-configs.ts';

const NOW_MS = 2_000;

/** Returns the only state that follows from `config`. */
function stateOf(
  config: ServiceConfig,
  stored: Stored,
  parts: Partial<FollowParts> = {},
): ServiceState {
  const found = followed([config], stored, { nowMs: NOW_MS, ...parts });
  return storedAfter(stored, found).services.get(config.name)!;
}

await t.test('the same configuration changes nothing, and is no decision', async (t) => {
  const shop = made(['s1', 4001], ['s2', 4002], { name: 'shop' });
  const found = followed([FIRST, shop], after([FIRST, shop]));
  t.match(found, { states: { length: 0 }, records: { length: 0 }, toAsk: { length: 0 } });
  t.strictSame([found.isSilent, found.nextDeployment], [true, 5]);
});

await t.test('a color takes what is configured for it; the other one keeps its own', async (t) => {
  const stored = after();
  for (const [config, release, urls] of [
    [made(['v1', 3001], ['v3', 3002]), 'v3', [3002]],
    [made(['v1', 3001], ['v2', 3012]), 'v2', [3012]],
  ] as const) {
    const state = stateOf(config, stored);
    t.match(state, { active: 'blue', blue: { deployment: 1 }, green: { deployment: 3 } });
    t.match(deploymentOf(state, 3), {
      release,
      urls: urls.map((port) => target(port).url),
      servedSince: 0,
      actor: 'configuration',
    });
    t.equal(followed([config], stored).isSilent, false);
  }
});

await t.test(
  'other targets of an idle release with one in common are the same deployment',
  async (t) => {
    const state = stateOf(made(['v1', 3001], ['v2', 3012, 3002]), after());
    t.match(state, { green: { deployment: 2 }, deployments: { length: 2 } });
    t.strictSame(deploymentOf(state, 2)!.urls, [target(3012).url, target(3002).url]);
  },
);

await t.test('an idle color that loses its targets is empty', async (t) => {
  const state = stateOf(made(['v1', 3001], ['']), after());
  t.equal(state.green.deployment, 0);
  t.ok(deploymentOf(state, 2), 'what it had is kept');
});

await t.test('an active color that would be empty is refused', async (t) => {
  const stored = after();
  const found = follow([made([''])], stored);
  t.match(found.refusals, [
    {
      service: 'default',
      color: 'blue',
      error: { code: 'no-targets', message: /^default: blue gets the traffic and would have no/ },
    },
  ]);
  t.strictSame(found.states, [], 'and all is as it was');
});

await t.test('what operators registered stays until its color is configured anew', async (t) => {
  const stored = after([FIRST], (state) => ({
    ...state,
    active: 'green',
    green: { ...state.green, deployment: 9 },
    deployments: [...state.deployments, deployment(9, { color: 'green', servedSince: 4 })],
  }));
  const other = made(['v5', 3005]);
  const state = stateOf(other, stored);
  t.match(state, { active: 'green', green: { deployment: 9 } });
  t.match(deploymentOf(state, state.blue.deployment), { release: 'v5' });
});

await t.test('one whose addresses belong to another release is not scaled', async (t) => {
  const takenOver = { service: 'shop', deployment: 9, release: 'x' };
  const stored = after([made(['v1', 3001], ['v2', 3002, 3012])], (state) => ({
    ...state,
    deployments: state.deployments.map((one) => (one.number === 2 ? { ...one, takenOver } : one)),
  }));
  const state = stateOf(made(['v1', 3001], ['v2', 3012, 3022]), stored);
  t.match(state, { green: { deployment: 3 }, leaving: { length: 0 } });
});

await t.test('what leaves comes back with its times, until these are over', async (t) => {
  const left = { deployment: 1, urls: [target(3011).url], startedAtMs: 1, endsAtMs: NOW_MS };
  const leaving = [{ ...left, longLived: 'linger' as const }];
  const stored = after([FIRST], (state) => ({ ...state, leaving }));
  t.strictSame(stateOf(FIRST, stored, { nowMs: NOW_MS - 1 }).leaving, leaving);
  const found = followed([FIRST], stored, { nowMs: NOW_MS });
  t.strictSame([found.isSilent, found.states[0]!.leaving.length], [true, 0]);
});

/** Returns a service that shares its app with the first one. */
function blog(release: string): ServiceConfig {
  return made([release, 3001], ['', 4002], { name: 'blog' });
}

await t.test('a file that begins to name what runs there brings no other release', async (t) => {
  const stored = after([made(['', 3001], ['', 3002])]);
  const found = followed([made(['v1', 3001], ['v2', 3002])], stored, { nowMs: NOW_MS });
  const state = storedAfter(stored, found).services.get('default')!;
  t.match(state, { blue: { deployment: 1 }, green: { deployment: 2 }, draining: { length: 0 } });
  t.match(
    state.deployments.map(({ release }) => release),
    ['v1', 'v2'],
  );
  t.strictSame([found.toAsk, found.records, found.refusals], [[], [], []]);
  const shared = after([made(['', 3001]), blog('')]);
  const both = followed([made(['v1', 3001]), blog('v1')], shared, { nowMs: NOW_MS });
  t.match(both, { refusals: { length: 0 }, nextDeployment: shared.nextDeployment });
});

await t.test('other targets of the active release with one in common are a scaling', async (t) => {
  const stored = after([made(['v1', 3001, 3011])]);
  const config = made(['v1', 3011, 3021]);
  const found = followed([config], stored, { nowMs: NOW_MS });
  const state = storedAfter(stored, found).services.get('default')!;
  t.match(state, { blue: { deployment: 1 }, draining: { length: 0 }, lastSwitch: undefined });
  t.match(deploymentOf(state, 1), {
    urls: [target(3011).url, target(3021).url],
    servedSince: 1,
  });
  t.match(state.leaving, [{ deployment: 1, urls: [target(3001).url] }], 'what goes is drained');
  t.strictSame(found.records, [], 'it is no switch');
  t.strictSame(found.toAsk, [], 'what comes gets traffic once it has answered a check');
});

await t.test(
  'a whole replacement is a deployment that takes the place of the active one',
  async (t) => {
    for (const config of [made(['v9', 3009]), made(['v1', 3009]), made(['v9', 3009, 3019])]) {
      const stored = after();
      const found = followed([config], stored, { nowMs: NOW_MS });
      const state = storedAfter(stored, found).services.get('default')!;
      t.match(state, {
        active: 'blue',
        activeSinceMs: NOW_MS,
        blue: { deployment: 3 },
        draining: [{ deployment: 1, startedAtMs: NOW_MS }],
        lastSwitch: { from: 1, outcome: 'switched', actor: 'configuration' },
      });
      t.equal(deploymentOf(state, 3)!.servedSince, 2);
      t.match(found.records, [
        { epoch: 2, service: 'default', from: 'blue', to: 'blue', deployment: 3, left: 1 },
      ]);
      t.match(found.toAsk, [{ deployment: { number: 3 } }]);
    }
  },
);

/** The first configuration, with what each color says of the schema of the data. */
function saying(blue: ReleaseSchema | undefined, green: ReleaseSchema | undefined): ServiceConfig {
  const { blue: active, green: idle } = FIRST;
  return { ...FIRST, blue: { ...active, schema: blue }, green: { ...idle, schema: green } };
}

const TEN: ReleaseSchema = { provides: 10, requires: [10, 11] };
const TWELVE: ReleaseSchema = { provides: 12, requires: [10, 12] };

await t.test('a configured release brings its schema as a registered one does', async (t) => {
  const config = saying(TEN, TWELVE);
  const state = after([config]).services.get('default')!;
  t.equal(state.schema, 10, 'the one that serves has brought it, the idle one has not');
  t.strictSame([deploymentOf(state, 1)!.schema, deploymentOf(state, 2)!.schema], [TEN, TWELVE]);
  t.equal(followed([config], after([config])).isSilent, true);
  const replaced = stateOf(made(['v9', 3009], ['v2', 3002]), after([config]));
  t.match(replaced, { schema: 10, blue: { deployment: 3 } }, 'what says nothing fits');
});

await t.test('a schema that a file begins to state makes no other deployment', async (t) => {
  const state = stateOf(saying(TEN, TWELVE), after());
  t.match(state, { schema: 10, blue: { deployment: 1 }, green: { deployment: 2 } });
  t.match(state.deployments, [{ schema: TEN }, { schema: TWELVE }]);
  const silent = stateOf(FIRST, after([saying(TEN, TWELVE)]));
  t.match(silent.deployments, [{ schema: TEN }, { schema: TWELVE }], 'silence takes nothing back');
  const scaled = made(['v1', 3001, 3011]);
  const more = { ...scaled, blue: { ...scaled.blue, schema: TEN } };
  t.match(stateOf(more, after()), { schema: 10, blue: { deployment: 1 } });
});

await t.test('a file gives no traffic to a release that does not fit the data', async (t) => {
  const stored = after([saying(TWELVE, undefined)]);
  const next = made(['v9', 3009]);
  const old = { ...next, blue: { ...next.blue, schema: TEN } };
  const { refusals, states } = follow([old], stored);
  t.match(refusals, [{ color: 'blue', error: { code: 'schema-incompatible' } }]);
  t.strictSame(states, []);
  const narrow: ReleaseSchema = { provides: 12, requires: [11, 12] };
  const fit = { ...next, blue: { ...next.blue, schema: narrow } };
  t.match(stateOf(fit, stored), { schema: 12, blue: { deployment: 3 } });
});

await t.test('the oldest deployment of all can be replaced, and drains', async (t) => {
  const stored = after([FIRST], (state) => ({
    ...state,
    deployments: [
      ...state.deployments,
      ...Array.from({ length: 18 }, (_, index) => deployment(index + 3)),
    ],
  }));
  const state = stateOf(made(['v9', 3009]), { ...stored, nextDeployment: 21 });
  t.match(state.draining, [{ deployment: 1 }]);
});

function objection(): OperatorError {
  return new OperatorError('target-unhealthy', 'no answer');
}

await t.test('why the active one must stay refuses a replacement, not a scaling', async (t) => {
  const found = follow([made(['v9', 3009])], after(), { objection });
  t.match(found.refusals, [{ color: 'blue', error: { code: 'target-unhealthy' } }]);
  t.strictSame(found.states, []);
  const scaled = follow([made(['v1', 3001, 3011])], after(), { objection });
  t.strictSame(scaled.refusals, []);
  const idle = follow([made(['v1', 3001], ['v9', 3009])], after(), { objection });
  t.strictSame(idle.refusals, [], 'it says nothing of an idle color');
});

await t.test('a release that was fled from does not come back by a file', async (t) => {
  const lockOut = { release: 'v2', deployment: 2, reason: 'bad', actor: 'a', atMs: 1, epoch: 2 };
  const stored = after([FIRST], (state) => ({ ...state, lockOuts: [lockOut] }));
  const found = follow([made(['v2', 3009])], stored);
  t.match(found.refusals, [{ color: 'blue', error: { code: 'release-locked-out' } }]);
  const idle = stateOf(made(['v1', 3001], ['v2', 3012]), stored);
  t.strictSame(idle.lockOuts, [lockOut], 'idle it may be, and is still locked out');
});

await t.test('an address of another release is refused, in any service', async (t) => {
  const shop = made(['s1', 4001], ['s2', 4002], { name: 'shop' });
  const stored = after([FIRST, shop]);
  for (const [green, use] of [
    [['v3', 3001], 'active'],
    [['v3', 4001], 'active'],
    [['v3', 4002], 'idle'],
  ] as const) {
    const found = follow([made(['v1', 3001], green), shop], stored);
    t.match(found.refusals, [{ color: 'green', error: { members: { uses: [{ use }] } } }]);
    t.strictSame(found.states, []);
  }
  const alone = follow([made(['v1', 3001], ['v3', 4001])], stored);
  t.strictSame(alone.refusals, [], 'a service that is configured no more claims no address');
});

await t.test(
  'an address where another release drains is refused until that has ended',
  async (t) => {
    const stored = after([FIRST], (state) => ({
      ...state,
      deployments: [...state.deployments, deployment(9)],
      draining: [
        {
          deployment: 9,
          startedAtMs: 1,
          sessionsUntilMs: NOW_MS + 1,
          endsAtMs: NOW_MS + 2,
          longLived: 'spread',
        },
      ],
    }));
    const config = made(['v1', 3001], ['v3', 3009]);
    const found = follow([config], stored, { nowMs: NOW_MS });
    t.match(found.refusals, [{ error: { code: 'address-in-use', message: /drained by v9/ } }]);
    const later = follow([config], stored, { nowMs: NOW_MS + 2 });
    t.strictSame(later.refusals, [], 'the reason has gone');
    t.equal(later.states[0]!.draining.length, 0);
  },
);

await t.test('services without names for their releases may share one app', async (t) => {
  const one = made(['', 3001], ['', 3002]);
  const other = made(['', 3001], ['', 3002], { name: 'other' });
  const stored = storedAfter(NOTHING_STORED, followed([one, other]));
  for (const state of stored.services.values()) {
    t.ok(
      state.deployments.every(({ takenOver }) => takenOver === undefined),
      `${state.name} has its addresses`,
    );
  }
  const both = followed([made(['', 3001], ['', 3001], { active: 'green' })]).states[0]!;
  t.ok(
    both.deployments.every(({ takenOver }) => takenOver === undefined),
    'so do both colors',
  );
});

await t.test(
  'what is refused of a new service leaves that color empty, and comes later',
  async (t) => {
    const stored = after();
    const shop = made(['s1', 4001], ['s2', 3001], { name: 'shop' });
    const found = follow([FIRST, shop], stored);
    t.match(found.refusals, [
      { service: 'shop', color: 'green', error: { code: 'address-in-use' } },
    ]);
    const between = storedAfter(stored, found);
    t.match(between.services.get('shop'), { blue: { deployment: 3 }, green: { deployment: 0 } });
    const again = follow([made(['v5', 3005]), shop], between, { nowMs: NOW_MS });
    t.match(again.refusals, [{ service: 'shop' }], 'it drains there now');
    const free = storedAfter(between, again);
    const last = follow([made(['v5', 3005]), shop], free, { nowMs: NOW_MS + 10_000_000 });
    t.strictSame(last.refusals, []);
    t.match(last.states.at(-1), { name: 'shop', green: { deployment: 5 } });
  },
);

await t.test('maintenance and a hold go on until the time of the hold is over', async (t) => {
  const maintenance = { message: 'soon', retryAfterSeconds: 9 };
  const hold: Hold = { methods: 'all', untilMs: NOW_MS + 1, closesLongLived: false };
  const held = (change: Partial<Hold>) =>
    stateOf(
      FIRST,
      after([FIRST], (state) => ({ ...state, maintenance, hold: { ...hold, ...change } })),
    );
  t.match(held({}), { maintenance, hold });
  const closing = { closesLongLived: true };
  t.match(held(closing), { hold: { ...hold, ...closing } }, 'one that closes connections, too');
  t.equal(held({ untilMs: NOW_MS }).hold, undefined, 'its time is over');
});

await t.test('a drain comes back with its times, one that has ended does not', async (t) => {
  const drain = {
    deployment: 2,
    startedAtMs: 1,
    sessionsUntilMs: 2,
    endsAtMs: NOW_MS,
    longLived: 'linger',
  } as const;
  const stored = after([FIRST], (state) => ({ ...state, draining: [drain] }));
  t.strictSame(stateOf(FIRST, stored, { nowMs: NOW_MS - 1 }).draining, [drain]);
  const found = followed([FIRST], stored, { nowMs: NOW_MS });
  t.strictSame([found.isSilent, found.states[0]!.draining.length], [true, 0]);
  t.equal(deploymentOf(found.states[0]!, 2)!.previewSeries, 1, 'nor do links to it');
});

await t.test('what a rollout shifts sessions to stays as it is until that has ended', async (t) => {
  const terms = { share: 1_000, ramp: undefined, sessions: 'new', by: 'session' } as const;
  const stored = after([FIRST], splitBegun({ ...terms, epoch: 2, nowMs: NOW_MS }));
  const others = [
    made(['v1', 3001], ['v3', 3003]),
    made(['v1', 3001], ['v2', 3002, 3012]),
    made(['v1', 3001], ['v2']),
  ];
  for (const config of others) {
    const { refusals, states } = follow([config], stored);
    t.match(refusals, [{ service: 'default', color: 'green', error: { code: 'rollout-running' } }]);
    t.strictSame(states, []);
  }
  const scaled = stateOf(made(['v1', 3001, 3011]), stored);
  t.match(scaled, { split: { deployment: 2 }, deployments: { length: 2 } }, 'the other may grow');
  const gone = stateOf(made(['v9', 3009]), stored);
  t.match(gone, { active: 'blue', split: undefined }, 'another active release ends it');
  t.strictSame(
    gone.draining.map((one) => one.deployment),
    [2, 1],
  );
});
