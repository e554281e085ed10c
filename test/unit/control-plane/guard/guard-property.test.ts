// What holds for the guard whatever is counted: its numbers stay numbers, its state is plain JSON, and it
// it does not matter how often its verdict is asked for.

import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import { DURATION_EDGES_MS } from '../../../../src/contract/counters.ts';
import { guardView } from '../../../../src/control-plane/guard/guard-view.ts';
import {
  beginSegment,
  evidenceOf,
  gapIn,
  lookAt,
  newGuard,
  verdictOf,
  type GuardState,
} from '../../../../src/control-plane/guard/guard.ts';
import type {
  Counts,
  Look,
  Segment,
  SideCounts,
} from '../../../../src/control-plane/guard/guard-types.ts';
import { counts, look, plan, steadyBaseline, WITH_LATENCY } from '../../../support/guard-looks.ts';
import { Random } from '../../../support/random.ts';

const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
t.comment(`TURNOUT_TEST_SEED=${SEED}`);
const RUNS = { seed: SEED, numRuns: 150 };

const BUCKETS = DURATION_EDGES_MS.length + 1;
const LASTS_MS = 20_000;

/** From nothing to more than a process will ever count. */
const count = fc.oneof(
  fc.constant(0),
  fc.nat({ max: 5 }),
  fc.nat({ max: 1_000 }),
  fc.integer({ min: 0, max: 2 ** 47 }),
);

const someCounts: fc.Arbitrary<Counts> = fc
  .record({
    good: count,
    bad: count,
    durations: fc.array(count, { minLength: BUCKETS, maxLength: BUCKETS }),
  })
  .map(({ good, bad, durations }) => ({ judged: good + bad, bad, durations }));

const side: fc.Arbitrary<SideCounts> = fc.record({ all: someCounts, split: someCounts });

const someLook: fc.Arbitrary<Look> = fc.record({
  elapsedMs: fc.oneof(fc.constant(1_000), fc.nat({ max: 12_000 })),
  old: side,
  new: side,
  share: fc.nat({ max: 10_000 }),
  clients: fc.record({ seen: fc.nat({ max: 50 }), bad: fc.nat({ max: 50 }) }),
  isPaused: fc.boolean(),
});

type Event =
  | { readonly kind: 'look'; readonly look: Look }
  | { readonly kind: 'gap'; readonly elapsedMs: number }
  | { readonly kind: 'segment'; readonly segment: Segment };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 20, arbitrary: someLook.map((one) => ({ kind: 'look' as const, look: one })) },
  {
    weight: 1,
    arbitrary: fc.nat().map((elapsedMs) => ({ kind: 'gap' as const, elapsedMs })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom<Segment>(
        { kind: 'step', lastsMs: LASTS_MS },
        { kind: 'bake', lastsMs: LASTS_MS, baseline: undefined },
      )
      .map((segment) => ({ kind: 'segment' as const, segment })),
  },
);

const history = fc.array(event, { maxLength: 80 });

const BASELINES = [
  undefined,
  steadyBaseline(
    counts(10, 0, [
      [5, 9],
      [9, 1],
    ]),
  ),
  steadyBaseline(counts(1_000_000_000, 1_000_000_000, [[17, 1_000_000_000]])),
];

function start(baseline: number): GuardState {
  const settings = {
    ...WITH_LATENCY,
    latency: { ...WITH_LATENCY.latency, p99Ms: 500, graceMs: 5_000 },
  };
  const times = { shiftMs: LASTS_MS, bakeMs: LASTS_MS };
  return newGuard(plan({ settings, baseline: BASELINES[baseline], ...times }), {
    kind: 'step',
    lastsMs: LASTS_MS,
  });
}

function afterEvent(state: GuardState, one: Event): GuardState {
  switch (one.kind) {
    case 'look':
      return lookAt(state, one.look);
    case 'gap':
      return gapIn(state, { elapsedMs: one.elapsedMs, reason: 'restarted' });
    case 'segment':
      return beginSegment(state, one.segment);
    default:
      return one satisfies never;
  }
}

/** Every number in `value`. */
function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

function isSound(value: unknown): boolean {
  return numbersIn(value).every((one) => Number.isFinite(one) && one >= 0);
}

/** A member that is undefined is none, wherever it stood. */
function isAlike(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)));
}

await t.test('no number is ever negative, infinite or none at all', async () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 }), history, (baseline, events) => {
      let state = start(baseline);
      for (const one of events) {
        state = afterEvent(state, one);
        if (!isSound(state) || !isSound(guardView(state))) return false;
      }
      return true;
    }),
    RUNS,
  );
});

await t.test('a guard that was stored at any moment goes on as if it had not been', async () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 }), history, fc.nat(), (baseline, events, cut) => {
      let [kept, stored] = [start(baseline), start(baseline)];
      for (const [index, one] of events.entries()) {
        kept = afterEvent(kept, one);
        if (index === cut % events.length)
          stored = JSON.parse(JSON.stringify(stored)) as GuardState;
        stored = afterEvent(stored, one);
      }
      return isAlike(stored, kept) && isAlike(guardView(stored), guardView(kept));
    }),
    RUNS,
  );
});

await t.test('looking at a verdict changes nothing, and a state is never written to', async () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 }), history, (baseline, events) => {
      let state = start(baseline);
      for (const one of events) {
        const before = JSON.stringify(state);
        verdictOf(state);
        guardView(state);
        const next = afterEvent(state, one);
        if (JSON.stringify(state) !== before) return false;
        if (JSON.stringify(afterEvent(state, one)) !== JSON.stringify(next)) return false;
        state = next;
      }
      return true;
    }),
    RUNS,
  );
});

await t.test('looks within a second give the same as one look at its end', async () => {
  const parts = fc.array(fc.tuple(fc.nat({ max: 50 }), fc.nat({ max: 5 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.array(parts, { minLength: 1, maxLength: 20 }), (seconds) => {
      let [often, seldom] = [start(1), start(1)];
      for (const second of seconds) {
        // 800 ms in the parts, and the rest with the last one: no tick is whole before.
        const partMs = Math.floor(800 / second.length);
        let judged = 0;
        let failed = 0;
        for (const [index, [good, bad]] of second.entries()) {
          const isLast = index === second.length - 1;
          const elapsedMs = isLast ? 1_000 - partMs * index : partMs;
          const part = counts(good + bad, bad, [[5, good + bad]]);
          often = lookAt(often, look({ elapsedMs, old: part, new: part }));
          judged += good + bad;
          failed += bad;
        }
        const whole = counts(judged, failed, [[5, judged]]);
        seldom = lookAt(seldom, look({ old: whole, new: whole }));
      }
      return JSON.stringify(often) === JSON.stringify(seldom);
    }),
    RUNS,
  );
});

await t.test('what can not be true is a gap, and no evidence', async (t) => {
  const good = counts(10, 1);
  const wrong: readonly Counts[] = [
    { ...good, bad: 11 },
    { ...good, judged: -1, bad: -1 },
    { ...good, judged: Number.NaN },
    { ...good, judged: Infinity },
    { ...good, judged: 10.5 },
    { ...good, durations: good.durations.slice(1) },
    { ...good, durations: good.durations.map(() => -1) },
  ];
  for (const counted of wrong) {
    for (const next of [look({ old: counted, new: good }), look({ old: good, new: counted })]) {
      const before = lookAt(start(1), look({ old: good, new: good }));
      const state = lookAt(before, next);
      t.match(verdictOf(state), { kind: 'blind', reason: 'the counters can not be true' });
      t.equal(evidenceOf(state), evidenceOf(before));
      t.equal(guardView(state).segment.observedMs, 1_000);
    }
  }
  for (const elapsedMs of [-1, Number.NaN]) {
    const state = lookAt(start(1), look({ elapsedMs, old: good, new: good }));
    t.match(verdictOf(state), { kind: 'blind', reason: 'the clock went back' });
    t.ok(isSound(state));
  }
});

/** Errors of the old release at 2 %, of the new one at 4 %: just what a ratio of 2 tolerates. */
function evidenceOfTolerated(random: Random): number {
  let state = newGuard(plan({ shiftMs: 60_000, bakeMs: undefined }), STEP_OF_A_MINUTE);
  for (let second = 0; second < 60; second++) {
    const old = counts(20, drawn({ trials: 20, rate: 0.02 }, random));
    const fresh = counts(20, drawn({ trials: 20, rate: 0.04 }, random));
    state = lookAt(state, look({ old, new: fresh }));
  }
  return evidenceOf(state);
}

const STEP_OF_A_MINUTE = { kind: 'step', lastsMs: 60_000 } as const;

function drawn(
  { trials, rate }: { readonly trials: number; readonly rate: number },
  random: Random,
): number {
  return Array.from({ length: trials }, () => random.fraction()).filter((one) => one < rate).length;
}

await t.test(
  'the mean evidence against a release that is just tolerated is at most 1',
  async (t) => {
    const random = new Random(7);
    const evidences = Array.from({ length: 300 }, () => evidenceOfTolerated(random));
    const mean = evidences.reduce((sum, one) => sum + one, 0) / evidences.length;
    t.ok(mean <= 1, `${mean}`);
  },
);
