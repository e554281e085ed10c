// The guard of one rollout, look by look: what it says when, and why.

import t from 'tap';
import { Baseline } from '../../../../src/control-plane/guard/baseline.ts';
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
import type { Look } from '../../../../src/control-plane/guard/guard-types.ts';
import { counts, look, NO_COUNTS, plan } from '../../../support/guard-looks.ts';

/** 100 requests a second, 1 of 1,000 bad. */
function normalBaseline() {
  const baseline = new Baseline();
  for (let second = 0; second < 600; second++) {
    baseline.add(1_000, counts(100, second % 10 === 0 ? 1 : 0));
  }
  return baseline.freeze();
}

const BAKE = { kind: 'bake', lastsMs: 300_000, baseline: undefined } as const;

const STEP = { kind: 'step', lastsMs: 300_000 } as const;

function inBake(): GuardState {
  return newGuard(plan({ baseline: normalBaseline() }), BAKE);
}

/** Looks until there is a verdict; returns the number of looks as well. */
function untilVerdict(start: GuardState, next: Look, looksMax = 700) {
  let state = start;
  for (let looks = 1; looks <= looksMax; looks++) {
    state = lookAt(state, next);
    const verdict = verdictOf(state);
    if (verdict !== undefined) return { state, verdict, looks };
  }
  return { state, verdict: undefined, looks: looksMax };
}

await t.test('a release with 5 % of errors fails in the bake after 12 s', async (t) => {
  const bad = look({ share: 10_000, old: NO_COUNTS, new: counts(100, 5) });
  const { state, verdict, looks } = untilVerdict(inBake(), bad);
  t.equal(looks, 12);
  t.strictSame(verdict, {
    kind: 'fail',
    reason:
      'errors: 5 % of 1,200 on v42, 0.1 % of 60,000 on v41 before it; tolerated 1 %; ' +
      'evidence 1,229 : 1 after 12 s; 50 clients',
  });
  t.equal(evidenceOf(state).toPrecision(6), '1229.13');
});

await t.test('the view has the numbers of each signal', async (t) => {
  const bad = look({ share: 10_000, old: NO_COUNTS, new: counts(100, 5) });
  const { state } = untilVerdict(inBake(), bad);
  t.match(guardView(state), {
    verdict: 'fail',
    limit: 1_000,
    comparison: 'before/after',
    signals: [
      {
        name: 'errors',
        old: { judged: 60_000, bad: 60 },
        new: { judged: 1_200, bad: 60 },
        tolerated: '2 x, at least 1 %',
      },
    ],
    clients: { seen: 100, bad: 50, needed: 3 },
    notes: [],
  });
});

await t.test('a gap is no evidence, and the segment gets as much longer', async (t) => {
  const well = look({ share: 10_000, old: NO_COUNTS, new: counts(100, 0) });
  const before = lookAt(inBake(), well);
  const blind = gapIn(before, { elapsedMs: 14_000, reason: 'a worker crashed' });
  t.strictSame(verdictOf(blind), { kind: 'blind', reason: 'a worker crashed' });
  t.equal(evidenceOf(blind), evidenceOf(before));
  t.match(guardView(blind).segment, { observedMs: 1_000, blindMs: 14_000 });
  t.equal(verdictOf(lookAt(blind, well)), undefined, 'the next look sees again');
  const late = lookAt(before, { ...well, elapsedMs: 11_000 });
  t.strictSame(verdictOf(late), { kind: 'blind', reason: 'no look for 11 s' });
});

await t.test(
  'the evidence of the steps goes on into the bake, at half of the weight',
  async (t) => {
    const baseline = normalBaseline();
    const start = newGuard(plan({ baseline, shiftMs: 300_000 }), STEP);
    const suspect = look({ share: 1_000, old: counts(90, 0), new: counts(10, 1) });
    let state = start;
    for (let second = 0; second < 5; second++) state = lookAt(state, suspect);
    const evidence = evidenceOf(state);
    t.ok(evidence > 1 && evidence < 1_000, `evidence ${evidence}`);
    const baking = beginSegment(state, BAKE);
    t.equal(evidenceOf(baking), evidence + 1 / 4, 'half of the stake of the bake is placed');
  },
);
