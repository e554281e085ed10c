// What is durable about a service, as text and back.

import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import {
  NO_STATE,
  parseSide,
  parseState,
  printSide,
  printState,
  type ServiceState,
  type StoredDrain,
  type StoredSide,
  type StoredSlot,
} from '../../../../src/control-plane/store/service-state.ts';

const PLAIN = { noNullPrototype: true } as const;
const text = fc.string({ unit: 'binary' });
const urls = fc.array(text, { maxLength: 3 });
const side: fc.Arbitrary<StoredSide> = fc.record({ release: text, urls }, PLAIN);
const slot: fc.Arbitrary<StoredSlot> = fc.record(
  {
    release: text,
    urls,
    hasServed: fc.boolean(),
    configured: text,
    lockedOut: fc.option(
      fc.record(
        { reason: text, actor: text, atMs: fc.maxSafeNat(), generation: fc.maxSafeNat() },
        PLAIN,
      ),
      { nil: undefined },
    ),
  },
  PLAIN,
);
const drain: fc.Arbitrary<StoredDrain> = fc.record(
  {
    release: text,
    urls,
    generation: fc.maxSafeNat(),
    resumed: fc.array(fc.maxSafeNat(), { maxLength: 3 }),
    color: fc.constantFrom('blue', 'green'),
    startedAtMs: fc.maxSafeNat(),
    sessionsUntilMs: fc.maxSafeNat(),
    endsAtMs: fc.maxSafeNat(),
    longLived: fc.constantFrom('linger', 'spread', 'cut'),
  },
  PLAIN,
);
const maintenance = fc.record({ message: text, retryAfterSeconds: fc.nat() }, PLAIN);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const state: fc.Arbitrary<ServiceState> = fc.record(
  {
    blue: maybe(slot),
    green: maybe(slot),
    resumed: fc.array(fc.maxSafeNat(), { maxLength: 3 }),
    draining: fc.array(drain, { maxLength: 4 }),
    maintenance: maybe(maintenance),
  },
  PLAIN,
);

/** A state in which everything is set. */
const FULL: ServiceState = {
  blue: {
    release: 'v1',
    urls: ['http://x:1'],
    hasServed: true,
    configured: '["v1",[]]',
    lockedOut: { reason: 'slow', actor: 'loopback', atMs: 5, generation: 4 },
  },
  green: { release: '', urls: [], hasServed: false, configured: '', lockedOut: undefined },
  resumed: [1],
  draining: [
    {
      release: 'v0',
      urls: ['http://x:2'],
      generation: 3,
      resumed: [2],
      color: 'green',
      startedAtMs: 1,
      sessionsUntilMs: 2,
      endsAtMs: 3,
      longLived: 'spread',
    },
  ],
  maintenance: { message: 'soon', retryAfterSeconds: 60 },
};

await t.test('whatever is written is read back as it was', async (t) => {
  fc.assert(fc.property(state, (value) => isDeepStrictEqual(parseState(printState(value)), value)));
  fc.assert(fc.property(side, (value) => isDeepStrictEqual(parseSide(printSide(value)), value)));
  t.same(parseState(printState(FULL)), FULL);
  t.same(parseState(printState(NO_STATE)), NO_STATE);
});

await t.test('of a side only release and addresses are written', async (t) => {
  t.same(JSON.parse(printSide(FULL.draining[0]!)), { release: 'v0', urls: ['http://x:2'] });
});

await t.test('no text makes a reader throw, and what is no state is told', async (t) => {
  const anything = fc.oneof(fc.string(), fc.json());
  fc.assert(fc.property(anything, (garbage) => parseState(garbage) === undefined));
  fc.assert(fc.property(anything, (garbage) => parseSide(garbage) === undefined));
  for (const garbage of ['', '{', 'null', '[]', '{}', '"x"', 'undefined']) {
    t.equal(parseState(garbage), undefined, garbage);
  }
});

await t.test('a state of which any member is missing, odd or unknown is no state', async (t) => {
  const { blue, draining, maintenance } = FULL;
  const [first] = draining;
  const { configured: _, ...unconfigured } = blue!;
  const odd: readonly (readonly [string, unknown])[] = [
    ['no drains', { blue }],
    ['drains that are no list', { ...FULL, draining: {} }],
    ['a color that is none', { ...FULL, draining: [{ ...first, color: 'red' }] }],
    ['a fate that is none', { ...FULL, draining: [{ ...first, longLived: 'keep' }] }],
    ['half a generation', { ...FULL, draining: [{ ...first, generation: 1.5 }] }],
    ['a time as text', { ...FULL, draining: [{ ...first, endsAtMs: '3' }] }],
    ['no time', { ...FULL, draining: [{ ...first, endsAtMs: null }] }],
    ['an address that is none', { ...FULL, blue: { ...blue, urls: [1] } }],
    ['a slot without its configuration', { ...FULL, blue: unconfigured }],
    ['a slot that is null', { ...FULL, blue: null }],
    ['half a lock-out', { ...FULL, blue: { ...blue, lockedOut: { reason: 'slow' } } }],
    ['a lock-out that is null', { ...FULL, blue: { ...blue, lockedOut: null } }],
    ['a claim as a number', { ...FULL, blue: { ...blue, hasServed: 1 } }],
    ['maintenance without a message', { ...FULL, maintenance: { retryAfterSeconds: 1 } }],
    ['one member more', { ...FULL, extra: 1 }],
    ['one member more inside', { ...FULL, maintenance: { ...maintenance, extra: 1 } }],
  ];
  for (const [what, value] of odd) t.equal(parseState(JSON.stringify(value)), undefined, what);
});
