// What is durable about a service, as text and back.

import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import {
  parseState,
  printState,
  type ServiceState,
  type StoredDeployment,
} from '../../../../src/control-plane/store/service-state.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import { deployment, serviceState } from '../support/stored.ts';

const PLAIN = { noNullPrototype: true } as const;
const text = fc.string({ unit: 'binary' });
/** The one name that no body of the API brings: the schema leaves it out. */
const metadataName = text.filter((name) => name !== '__proto__');
const count = fc.maxSafeNat();
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const color = fc.constantFrom('blue', 'green');
const longLived = fc.constantFrom('linger', 'spread', 'cut');
const times = { startedAtMs: count, endsAtMs: count, longLived };

const stored = (number: number): fc.Arbitrary<StoredDeployment> =>
  fc.record(
    {
      number: fc.constant(number),
      color,
      release: text,
      urls: fc.array(text, { maxLength: 3 }),
      metadata: fc.dictionary(metadataName, text, { maxKeys: 3, noNullPrototype: true }),
      actor: text,
      atMs: count,
      servedSince: count,
      previewSeries: count,
      takenOver: maybe(fc.record({ service: text, deployment: count, release: text }, PLAIN)),
    },
    PLAIN,
  );
/** One of the deployments 1 to 3. */
const kept = fc.integer({ min: 1, max: 3 });
const onColor = fc.record({ deployment: fc.integer({ min: 0, max: 3 }), configured: text }, PLAIN);
const lockOut = fc.record(
  { release: text, deployment: count, reason: text, actor: text, atMs: count, epoch: count },
  PLAIN,
);
const share = fc.integer({ min: 0, max: 10_000 });
const split = fc.record(
  {
    deployment: kept,
    salt: fc.nat(),
    sinceS: count,
    share,
    ramp: maybe(fc.record({ from: share, startsAtMs: count, endsAtMs: count }, PLAIN)),
    sessions: fc.constantFrom('new', 'all'),
    by: fc.constantFrom('session', 'address', 'request'),
  },
  PLAIN,
);
const anyState: fc.Arbitrary<ServiceState> = fc.record(
  {
    name: text,
    active: color,
    activeSinceMs: count,
    blue: onColor,
    green: onColor,
    deployments: fc.tuple(stored(1), stored(2), stored(3)),
    draining: fc.array(fc.record({ deployment: kept, sessionsUntilMs: count, ...times }, PLAIN), {
      maxLength: 3,
    }),
    leaving: fc.array(
      fc.record({ deployment: kept, urls: fc.array(text, { maxLength: 2 }), ...times }, PLAIN),
      { maxLength: 2 },
    ),
    previewed: fc.array(kept, { maxLength: 2 }),
    lockOuts: fc.array(lockOut, { maxLength: 3 }),
    lastSwitch: maybe(
      fc.record(
        { from: count, outcome: fc.constantFrom('switched', 'rolled-back'), actor: text },
        PLAIN,
      ),
    ),
    split: maybe(split),
    rollout: maybe(fc.record({ id: text, deployment: fc.integer({ min: 1, max: 9 }) }, PLAIN)),
    hold: maybe(
      fc.record(
        {
          methods: fc.constantFrom('all', 'writes'),
          untilMs: count,
          closesLongLived: fc.boolean(),
        },
        PLAIN,
      ),
    ),
    maintenance: maybe(fc.record({ message: text, retryAfterSeconds: fc.nat() }, PLAIN)),
    legacy: fc.array(fc.tuple(count, count), { maxLength: 3 }),
  },
  PLAIN,
);

/** A split leads to the deployment on the idle color; there is none where that has none. */
const state = anyState.map((one): ServiceState => {
  const { deployment: idle } = one[otherColor(one.active)];
  const moved = one.split && idle !== 0 ? { ...one.split, deployment: idle } : undefined;
  return { ...one, split: moved };
});

/** A state in which everything is set. */
const FULL = serviceState({
  deployments: [
    deployment(1, { metadata: { digest: 'd' } }),
    deployment(2, { takenOver: { service: 'bank', deployment: 7, release: 'b1' } }),
  ],
  draining: [
    { deployment: 2, startedAtMs: 1, sessionsUntilMs: 2, endsAtMs: 3, longLived: 'spread' },
  ],
  previewed: [2],
  lockOuts: [
    { release: 'v9', deployment: 9, reason: 'slow', actor: 'loopback', atMs: 5, epoch: 4 },
  ],
  lastSwitch: { from: 2, outcome: 'rolled-back', actor: 'ann' },
  split: {
    deployment: 2,
    salt: 7,
    sinceS: 1,
    share: 2_500,
    ramp: { from: 0, startsAtMs: 1, endsAtMs: 2 },
    sessions: 'new',
    by: 'session',
  },
  hold: { methods: 'writes', untilMs: 9, closesLongLived: false },
  maintenance: { message: 'soon', retryAfterSeconds: 60 },
  legacy: [[1, 2]],
});

await t.test('what is written is read back as it was', async (t) => {
  fc.assert(fc.property(state, (value) => isDeepStrictEqual(parseState(printState(value)), value)));
  t.same(parseState(printState(FULL)), FULL);
});

await t.test('no text makes a reader throw, and what is no state is told', async (t) => {
  const anything = fc.oneof(fc.string(), fc.json());
  fc.assert(fc.property(anything, (garbage) => parseState(garbage) === undefined));
  for (const garbage of ['', '{', 'null', '[]', '{}', '"x"', 'undefined']) {
    t.equal(parseState(garbage), undefined, garbage);
  }
});

await t.test('a state of which any member is missing, odd or unknown is no state', async (t) => {
  const { blue, deployments, draining, maintenance, hold, split } = FULL;
  const [one, two] = deployments;
  const [drain] = draining;
  const { draining: _, ...noDrains } = FULL;
  const odd: readonly (readonly [string, unknown])[] = [
    ['no drains', noDrains],
    ['drains that are no list', { ...FULL, draining: {} }],
    ['a color that is none', { ...FULL, active: 'red' }],
    ['a fate that is none', { ...FULL, draining: [{ ...drain, longLived: 'keep' }] }],
    ['a time as text', { ...FULL, draining: [{ ...drain, endsAtMs: '3' }] }],
    ['no time', { ...FULL, draining: [{ ...drain, endsAtMs: null }] }],
    ['half a deployment number', { ...FULL, deployments: [{ ...one, number: 1.5 }, two] }],
    ['the deployment 0', { ...FULL, deployments: [{ ...one, number: 0 }, two] }],
    ['an address that is none', { ...FULL, deployments: [{ ...one, urls: [1] }, two] }],
    ['metadata that is no text', { ...FULL, deployments: [{ ...one, metadata: { a: 1 } }, two] }],
    ['a color without its configuration', { ...FULL, blue: { deployment: 1 } }],
    ['a color that is null', { ...FULL, blue: null }],
    ['half a lock-out', { ...FULL, lockOuts: [{ reason: 'slow' }] }],
    ['a hold of other methods', { ...FULL, hold: { ...hold, methods: 'reads' } }],
    ['maintenance without a message', { ...FULL, maintenance: { retryAfterSeconds: 1 } }],
    ['a generation without a deployment', { ...FULL, legacy: [[1]] }],
    ['a share of more than all', { ...FULL, split: { ...split, share: 10_001 } }],
    ['a split to the active color', { ...FULL, split: { ...split, deployment: 1 } }],
    ['a split that places houses', { ...FULL, split: { ...split, by: 'house' } }],
    ['one member more', { ...FULL, extra: 1 }],
    ['one member more inside', { ...FULL, maintenance: { ...maintenance, extra: 1 } }],
    ['a deployment on a color that is not kept', { ...FULL, blue: { ...blue, deployment: 9 } }],
    ['a drain of one that is not kept', { ...FULL, draining: [{ ...drain, deployment: 9 }] }],
    ['a preview of one that is not kept', { ...FULL, previewed: [9] }],
  ];
  for (const [what, value] of odd) t.equal(parseState(JSON.stringify(value)), undefined, what);
});

await t.test('a state of before there were rollouts has none', async (t) => {
  const { split: _, rollout: __, ...older } = FULL;
  t.same(parseState(JSON.stringify(older)), { ...FULL, split: undefined, rollout: undefined });
});
