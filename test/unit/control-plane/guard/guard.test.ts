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
  restoredGuard,
  verdictOf,
  type GuardState,
} from '../../../../src/control-plane/guard/guard.ts';
import type { GuardPlan, Look, Verdict } from '../../../../src/control-plane/guard/guard-types.ts';
import { counts, look, NO_COUNTS, plan, SETTINGS } from '../../../support/guard-looks.ts';

/** 100 requests a second, 1 of 1,000 bad. */
function normalBaseline() {
  const baseline = new Baseline();
  for (let second = 0; second < 600; second++) {
    baseline.add(1_000, counts(100, second % 10 === 0 ? 1 : 0));
  }
  return baseline.freeze();
}

const BASELINE = normalBaseline();
const LASTS_MS = 300_000;
const BAKE = { kind: 'bake', lastsMs: LASTS_MS, baseline: undefined } as const;
const STEP = { kind: 'step', lastsMs: LASTS_MS } as const;

function inBake(change: Partial<GuardPlan> = {}): GuardState {
  return newGuard(plan({ baseline: BASELINE, ...change }), BAKE);
}

function inStep(change: Partial<GuardPlan> = {}): GuardState {
  const times = { shiftMs: LASTS_MS, bakeMs: undefined };
  return newGuard(plan({ baseline: BASELINE, ...times, ...change }), STEP);
}

/** A look of the bake: the old release has nothing, unless it is given. */
function bakeLook(judged: number, bad: number, change: Partial<Look> = {}): Look {
  return { ...look({ share: 10_000, old: NO_COUNTS, new: counts(judged, bad) }), ...change };
}

const GOOD = bakeLook(100, 0);
const BAD = bakeLook(100, 5);

function after(start: GuardState, next: Look, looks: number): GuardState {
  let state = start;
  for (let index = 0; index < looks; index++) state = lookAt(state, next);
  return state;
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
  const { state, verdict, looks } = untilVerdict(inBake(), BAD);
  t.equal(looks, 12);
  t.strictSame(verdict, {
    kind: 'fail',
    reason:
      'errors: 5 % of 1,200 on v42, 0.1 % of 60,000 on v41 before it; tolerated 1 %; ' +
      'evidence 1,229 : 1 after 12 s; 50 clients',
  });
  t.equal(evidenceOf(state).toPrecision(6), '1229.13');
});

await t.test(
  'a late regression is told by its own counts, not by those of the time before',
  async (t) => {
    const { verdict } = untilVerdict(after(inBake(), GOOD, 200), BAD);
    t.match(verdict, {
      kind: 'fail',
      reason: /^errors: 5 % of 1,[89]00 on v42, .* after 1[89] s; /,
    });
  },
);

await t.test('the view has the numbers of each signal', async (t) => {
  const { state } = untilVerdict(inBake(), BAD);
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

await t.test('a good release passes when the time is over, and not sooner', async (t) => {
  t.match(untilVerdict(inBake(), GOOD), { looks: 300, verdict: { kind: 'pass' } });
});

await t.test('few requests decide nothing: the segment lasts twice as long', async (t) => {
  // 20 requests a minute, 5 % of them bad.
  let state = inBake();
  const lengths: number[] = [];
  for (let second = 1; second <= 600; second++) {
    const judged = second % 3 === 0 ? 1 : 0;
    state = lookAt(state, bakeLook(judged, second % 60 === 0 ? 1 : 0));
    const { verdict, segment } = guardView(state);
    if (second < 600) t.equal(verdict, 'none yet', `after ${second} s`);
    lengths.push(segment.lastsMs);
  }
  t.strictSame([lengths[298], lengths[300]], [LASTS_MS, 2 * LASTS_MS]);
  t.strictSame(verdictOf(state), {
    kind: 'inconclusive',
    reason:
      'errors: 10 of 200 requests on v42 prove neither that it is worse than tolerated nor that it is not',
  });
});

await t.test('an extension ends as soon as there is a verdict', async (t) => {
  const quiet = after(inBake(), bakeLook(0, 0), 299);
  t.match(untilVerdict(quiet, GOOD), { looks: 2, verdict: { kind: 'pass' } });
});

await t.test('without requests there is never a pass', async (t) => {
  t.match(untilVerdict(inBake(), bakeLook(0, 0)), { verdict: { kind: 'inconclusive' } });
});

await t.test('each step has to be passed by its own requests', async (t) => {
  const next = look({ share: 1_000, old: counts(90, 0), new: counts(10, 0) });
  const first = untilVerdict(inStep({ shiftMs: 2 * LASTS_MS }), next);
  t.equal(first.verdict?.kind, 'pass');
  const silence = look({ share: 2_000, old: NO_COUNTS, new: NO_COUNTS });
  t.match(untilVerdict(beginSegment(first.state, STEP), silence), {
    verdict: { kind: 'inconclusive' },
  });
});

await t.test('an old release without a single error can be compared with', async (t) => {
  const next = look({ old: counts(50, 0), new: counts(50, 5) });
  t.match(untilVerdict(inStep(), next), {
    looks: 12,
    verdict: { kind: 'fail', reason: /^errors: 10 % of 600 on v42, 0 % of 600 on v41 beside it; / },
  });
});

await t.test('what hits both releases cancels out side by side', async (t) => {
  const outage = look({ old: counts(50, 25), new: counts(50, 25) });
  t.equal(untilVerdict(inStep(), outage, 299).verdict, undefined);
});

await t.test('what hits both releases in the bake is seen on what still drains', async (t) => {
  const outage = { old: counts(10, 5), new: counts(90, 45) };
  const state = after(
    inBake(),
    look({ share: 10_000, old: counts(10, 0), new: counts(90, 0) }),
    20,
  );
  t.equal(verdictOf(after(state, look({ share: 10_000, ...outage }), 60)), undefined);
  const alone = after(state, look({ share: 10_000, ...outage, old: NO_COUNTS }), 60);
  t.match(verdictOf(alone), { kind: 'fail' }, 'and without it not');
});

await t.test('a step of more than 80 % is compared with what was before', async (t) => {
  const next = look({ share: 9_000, old: counts(10, 0), new: counts(90, 5) });
  const { state, verdict } = untilVerdict(inStep(), next);
  t.equal(guardView(state).comparison, 'before/after');
  t.match(verdict, { kind: 'fail' });
});

await t.test('a step counts only what the split placed', async (t) => {
  const old = { all: counts(1_000, 500), split: counts(50, 0) };
  const fresh = { all: counts(50, 0), split: counts(50, 0) };
  const { state } = untilVerdict(inStep(), { ...GOOD, share: 5_000, old, new: fresh });
  t.match(guardView(state).signals[0]?.old, { judged: 300 * 50, bad: 0 });
});

await t.test('with nothing to compare with, the limit is tolerated, and is said', async (t) => {
  const few = new Baseline();
  few.add(10_000, counts(499, 0));
  const start = inBake({ baseline: few.freeze() });
  const { state, verdict } = untilVerdict(start, BAD);
  t.match(verdict, { kind: 'inconclusive' }, '5 % are tolerated, and no proof of quality');
  t.match(guardView(state), {
    comparison: 'nothing to compare with',
    signals: [{ tolerated: '5 %' }],
    notes: [/too few requests to compare with: 5 % of errors are tolerated/],
  });
  t.match(untilVerdict(start, bakeLook(100, 20)).verdict, {
    kind: 'fail',
    reason: /^errors: 20 % of 1,\d00 on v42, nothing to compare with; tolerated 5 %; /,
  });
});

await t.test('a newer baseline for the bake takes the place of that of the plan', async (t) => {
  const busier = new Baseline();
  busier.add(10_000, counts(10_000, 400));
  const start = newGuard(plan({ baseline: BASELINE }), { ...BAKE, baseline: busier.freeze() });
  t.match(guardView(start).signals[0]?.old, { judged: 10_000, bad: 400 });
  t.equal(untilVerdict(start, BAD, 299).verdict, undefined);
});

await t.test('one client is not enough, where there are many', async (t) => {
  const one = { clients: { seen: 20, bad: 2 } };
  const { state, verdict } = untilVerdict(inBake(), bakeLook(100, 5, one), 40);
  t.equal(verdict, undefined);
  t.ok(evidenceOf(state) > 1_000);
  t.match(guardView(state).notes, [/enough, but 2 clients had one, and 3 are needed/]);
  const third = lookAt(state, bakeLook(100, 5, { clients: { seen: 20, bad: 3 } }));
  t.match(verdictOf(third), { kind: 'fail', reason: /; 3 clients$/ });
});

await t.test('with fewer than 20 clients the rule is off, and that is said', async (t) => {
  const few = bakeLook(100, 5, { clients: { seen: 19, bad: 1 } });
  const { state, looks } = untilVerdict(inBake(), few);
  t.equal(looks, 12);
  t.match(guardView(state), { clients: { needed: 0 }, notes: [/19 clients .* fewer than 20/] });
});

await t.test('a gap is no evidence, and the segment gets as much longer', async (t) => {
  const before = lookAt(inBake(), GOOD);
  const blind = gapIn(before, { elapsedMs: 14_000, reason: 'a worker crashed' });
  t.strictSame(verdictOf(blind), { kind: 'blind', reason: 'a worker crashed' });
  t.equal(evidenceOf(blind), evidenceOf(before));
  t.match(guardView(blind).segment, { observedMs: 1_000, blindMs: 14_000 });
  t.equal(verdictOf(lookAt(blind, GOOD)), undefined, 'the next look sees again');
  t.equal(untilVerdict(lookAt(blind, GOOD), GOOD).looks, 298);
  const late = lookAt(before, { ...GOOD, elapsedMs: 11_000 });
  t.strictSame(verdictOf(late), { kind: 'blind', reason: 'no look for 11 s' });
});

await t.test('in a pause the time stands still, and the guard does not', async (t) => {
  const paused = after(inBake(), { ...GOOD, isPaused: true }, 1_000);
  t.equal(guardView(paused).segment.observedMs, 0);
  t.equal(untilVerdict(paused, GOOD).looks, 300);
  const { verdict, looks } = untilVerdict(paused, { ...BAD, isPaused: true });
  t.match(verdict, { kind: 'fail' });
  t.ok(looks < 30, `after ${looks} s`);
});

await t.test('a release that passed is still guarded while the rollout waits', async (t) => {
  const { state } = untilVerdict(inBake(), GOOD);
  const waiting = after(state, GOOD, 1_000);
  t.match(verdictOf(waiting), { kind: 'pass' });
  t.match(verdictOf(after(waiting, BAD, 30)), { kind: 'fail' });
});

await t.test('an inconclusive release is still guarded while the rollout waits', async (t) => {
  const { state } = untilVerdict(inBake(), bakeLook(0, 0));
  t.match(verdictOf(after(state, BAD, 20)), { kind: 'fail' });
});

await t.test('looks closer than a second are one tick, so a burst counts once', async (t) => {
  const burst = after(inBake(), bakeLook(50, 50, { elapsedMs: 100 }), 9);
  t.equal(evidenceOf(burst).toPrecision(3), '1.00', 'nine looks double it once');
  const lone = lookAt(inBake(), bakeLook(450, 450, { elapsedMs: 900 }));
  t.strictSame(burst.bake, lone.bake);
});

await t.test(
  'the evidence of the steps goes on into the bake, at half of the weight',
  async (t) => {
    const suspect = look({ share: 1_000, old: counts(90, 0), new: counts(10, 1) });
    const state = after(inStep({ bakeMs: LASTS_MS }), suspect, 5);
    const evidence = evidenceOf(state);
    t.ok(evidence > 1 && evidence < 1_000, `evidence ${evidence}`);
    const baking = beginSegment(state, BAKE);
    t.equal(evidenceOf(baking), evidence + 1 / 4, 'half of the stake of the bake is placed');
    t.equal(evidenceOf(beginSegment(baking, BAKE)), evidence + 1 / 4, 'and only once');
  },
);

await t.test('a new step needs no new bet', async (t) => {
  const suspect = look({ share: 1_000, old: counts(90, 0), new: counts(10, 1) });
  const state = after(inStep({ shiftMs: 2 * LASTS_MS }), suspect, 5);
  t.equal(evidenceOf(beginSegment(state, STEP)), evidenceOf(state));
});

await t.test('a fail stays for its segment', async (t) => {
  const { state } = untilVerdict(inBake(), BAD);
  const calm = after(state, GOOD, 290);
  t.ok(evidenceOf(calm) < 1_000);
  t.match(verdictOf(calm), { kind: 'fail' });
  t.equal(
    guardView(calm).segment.observedMs,
    302_000,
    'and a guard that only watches sees its end',
  );
});

await t.test('a stored guard goes on after a gap, and one of another form does not', async (t) => {
  const state = after(inBake(), BAD, 5);
  const stored: unknown = JSON.parse(JSON.stringify(state));
  const gap = { elapsedMs: 7_000, reason: 'restarted' };
  const restored = restoredGuard(stored, gap)!;
  t.strictSame(verdictOf(restored), { kind: 'blind', reason: 'restarted' });
  t.equal(untilVerdict(lookAt(restored, BAD), BAD).looks, 6, 'twelve looks in all');
  for (const other of [undefined, null, 'guard', {}, { ...state, format: 0 }]) {
    t.equal(restoredGuard(other, gap), undefined);
  }
});

await t.test('a floor of nothing leaves the ratio alone', async (t) => {
  const settings = { ...SETTINGS, errors: { ...SETTINGS.errors, floor: 0 } };
  const worse = look({ old: counts(5_000, 5), new: counts(5_000, 25) });
  t.match(untilVerdict(inStep({ settings }), worse).verdict, { kind: 'fail' });
  t.match(untilVerdict(inStep(), worse).verdict, { kind: 'pass' });
});

/** Does not compile once there is a fifth. */
function isOver(verdict: Verdict): boolean {
  switch (verdict.kind) {
    case 'fail':
    case 'pass':
    case 'inconclusive':
      return true;
    case 'blind':
      return false;
    default:
      return verdict satisfies never;
  }
}

await t.test('there are four verdicts, and each of them is reached', async (t) => {
  const reached = [
    untilVerdict(inBake(), BAD).verdict!,
    untilVerdict(inBake(), GOOD).verdict!,
    untilVerdict(inBake(), bakeLook(0, 0)).verdict!,
    verdictOf(gapIn(inBake(), { elapsedMs: 1, reason: 'restarted' }))!,
  ];
  t.strictSame(
    reached.map(({ kind }) => kind),
    ['fail', 'pass', 'inconclusive', 'blind'],
  );
  t.strictSame(reached.map(isOver), [true, true, true, false]);
});
