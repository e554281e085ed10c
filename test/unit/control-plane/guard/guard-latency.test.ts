// Latency in the guard: which edges are judged, when caches are cold, and what the sentences say.

import t from 'tap';
import { DURATION_EDGES_MS } from '../../../../src/contract/counters.ts';
import { guardView } from '../../../../src/control-plane/guard/guard-view.ts';
import {
  beginSegment,
  evidenceOf,
  lookAt,
  newGuard,
  verdictOf,
  type GuardState,
} from '../../../../src/control-plane/guard/guard.ts';
import type { Look } from '../../../../src/control-plane/guard/guard-types.ts';
import {
  counts,
  look,
  NO_COUNTS,
  plan,
  steadyBaseline,
  WITH_LATENCY,
} from '../../../support/guard-looks.ts';

const AT_50_MS = DURATION_EDGES_MS.indexOf(50);
const AT_250_MS = DURATION_EDGES_MS.indexOf(250);

/** 100 requests, `slow` of them in more than 100 ms. */
function second(slow: number, bad = 0) {
  return counts(100, bad, [
    [AT_50_MS, 100 - slow],
    [AT_250_MS, slow],
  ]);
}

/** Normal: 5 % are slower than 50 ms, none than 250 ms. */
const BASELINE = steadyBaseline(second(5));
const LASTS_MS = 300_000;
const BAKE = { kind: 'bake', lastsMs: LASTS_MS, baseline: undefined } as const;
const STEP = { kind: 'step', lastsMs: LASTS_MS } as const;

function inBake(settings = WITH_LATENCY): GuardState {
  return newGuard(plan({ settings, baseline: BASELINE }), BAKE);
}

function inStep(): GuardState {
  const times = { shiftMs: LASTS_MS, bakeMs: undefined };
  return newGuard(plan({ settings: WITH_LATENCY, baseline: BASELINE, ...times }), STEP);
}

function bakeLook(slow: number, bad = 0): Look {
  return look({ share: 10_000, old: NO_COUNTS, new: second(slow, bad) });
}

function at(share: number): Look {
  return look({ share, old: second(5), new: second(5) });
}

function left({ grace }: GuardState): number {
  return grace.leftMs;
}

function names(state: GuardState): string[] {
  return guardView(state).signals.map(({ name }) => name);
}

function after(start: GuardState, next: Look, looks: number): GuardState {
  let state = start;
  for (let index = 0; index < looks; index++) state = lookAt(state, next);
  return state;
}

function looksUntilFail(start: GuardState, next: Look): number {
  let state = start;
  for (let looks = 1; looks <= 600; looks++) {
    state = lookAt(state, next);
    if (verdictOf(state)?.kind === 'fail') return looks;
  }
  return Infinity;
}

await t.test(
  'a slow release fails once the grace is over, and the sentence has the edge',
  async (t) => {
    const looks = looksUntilFail(inBake(), bakeLook(30));
    t.ok(looks > 30 && looks < 50, `after ${looks} s`);
    const { failed } = after(inBake(), bakeLook(30), looks).segment;
    t.match(
      failed,
      /^slower than 50 ms \(p90\): 30 % of 1,\d00 on v42, 5 % of 60,000 on v41 before it; tolerated 1\d %; evidence 1,\d{3} : 1 after 1\d s$/,
    );
  },
);

await t.test('errors are judged within the grace', async (t) => {
  t.ok(looksUntilFail(inBake(), bakeLook(5, 50)) < 15);
});

await t.test('caches that are cold for 20 s cost nothing', async (t) => {
  const warm = after(after(inBake(), bakeLook(90), 20), bakeLook(5), 280);
  t.match(verdictOf(warm), { kind: 'pass' });
  t.match(guardView(after(inBake(), bakeLook(90), 20)).notes, [
    /latency is not judged for another 10 s/,
  ]);
});

await t.test(
  'the grace begins anew when the share doubles, in a step or along a ramp',
  async (t) => {
    const first = after(inStep(), at(1_000), 40);
    t.equal(left(first), 0);
    t.equal(left(lookAt(first, at(1_500))), 0, 'half as much again: no');
    t.equal(left(lookAt(first, at(2_000))), 29_000);
    let ramp = first;
    for (let share = 1_100; share <= 3_900; share += 100) ramp = lookAt(ramp, at(share));
    t.equal(left(ramp), 10_000, 'since 2,000');
    t.equal(left(beginSegment(first, BAKE)), 30_000, 'and once all traffic has moved');
  },
);

await t.test('a bound of its own is judged at the next edge', async (t) => {
  const latency = { ...WITH_LATENCY.latency, mode: 'off', p99Ms: 60, graceMs: 0 } as const;
  const state = inBake({ ...WITH_LATENCY, latency });
  t.match(guardView(state).signals, [
    { name: 'errors' },
    { name: 'slower than 100 ms (p99)', tolerated: '1 %' },
  ]);
  t.ok(looksUntilFail(state, bakeLook(5)) < 30, '5 % are slower');
});

await t.test('latency is not judged without a baseline, or where it is off', async (t) => {
  t.strictSame(names(newGuard(plan({ settings: WITH_LATENCY, baseline: undefined }), BAKE)), [
    'errors',
  ]);
  const latency = { ...WITH_LATENCY.latency, mode: 'off' } as const;
  t.strictSame(names(inBake({ ...WITH_LATENCY, latency })), ['errors']);
});

await t.test('slow requests of one client count: the rule of clients is for errors', async (t) => {
  const lone = { ...bakeLook(90), clients: { seen: 100, bad: 0 } };
  t.ok(looksUntilFail(inBake(), lone) < 50);
});

await t.test('the weights of errors and latency sum to 1', async (t) => {
  const { bake } = inBake();
  t.ok((bake?.signals.length ?? 0) > 2, 'errors and two edges');
  t.ok(Math.abs(evidenceOf(inBake()) - 1 / 2) < 1e-12, 'half of each stake is placed');
});
