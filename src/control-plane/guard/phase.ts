// What is judged through one phase of a rollout: all steps together, or the bake. Errors and latency share
// its evidence. Pure and plain JSON; knows neither the time of a segment nor its verdict.

import type { FrozenBaseline } from './baseline.ts';
import type { GuardPlan } from './guard-types.ts';
import { rulesOf } from './signal-rules.ts';
import {
  afterGap,
  afterTick,
  afterUnjudged,
  inNextSegment,
  newSignal,
  passEvidence,
  signalEvidence,
  type Signal,
  type Tick,
} from './signal.ts';

const TICK_MS = 1_000;

/** Errors are certain to be wrong; slowness may have many causes. */
const ERRORS_WEIGHT = 0.6;
/** What the evidence for a release must reach: 1 in 20 bad releases passes at the most. */
const PASS_MIN = 20;

export interface Phase {
  readonly kind: 'shift' | 'bake';
  /** Of its evidence; those of both phases sum to 1. */
  readonly weight: number;
  /** Errors first. */
  readonly signals: readonly Signal[];
}

/** Returns a phase at its begin, with all of its stakes. */
export function newPhase(
  kind: Phase['kind'],
  { shiftMs, bakeMs, settings }: GuardPlan,
  baseline: FrozenBaseline | undefined,
): Phase {
  const plannedMs = (kind === 'shift' ? shiftMs : bakeMs) ?? 0;
  const isSideBySide = kind === 'shift';
  // Twice: a segment without a clear verdict is extended once by its own length.
  const ticks = Math.ceil((2 * plannedMs) / TICK_MS);
  return {
    kind,
    weight: shiftMs === undefined || bakeMs === undefined ? 1 : 1 / 2,
    signals: rulesOf(settings, baseline, { isSideBySide }).map((rule) =>
      newSignal(rule, { ticks, isSideBySide }),
    ),
  };
}

/** Returns a phase at the begin of one of its segments. */
export function inSegment(phase: Phase): Phase {
  return { ...phase, signals: phase.signals.map(inNextSegment) };
}

/** Returns a phase after one tick; latency is left out while caches are cold. */
export function phaseAfter(
  phase: Phase,
  tick: Tick,
  { isLatencyJudged }: { readonly isLatencyJudged: boolean },
): Phase {
  return {
    ...phase,
    signals: phase.signals.map((signal) =>
      signal.rule.edge === undefined || isLatencyJudged
        ? afterTick(signal, tick)
        : afterUnjudged(signal, tick),
    ),
  };
}

/** Returns a phase after a time in which nothing could be seen. */
export function phaseAfterGap(phase: Phase): Phase {
  return { ...phase, signals: phase.signals.map(afterGap) };
}

/** Tells whether every signal has shown that the release is no worse than tolerated. */
export function hasPassed({ signals }: Phase): boolean {
  return signals.every((signal) => passEvidence(signal) >= PASS_MIN);
}

export interface WeightedSignal {
  readonly signal: Signal;
  readonly phase: Phase['kind'];
  /** Its part of the evidence of the rollout. */
  readonly evidence: number;
}

/** Returns what each signal adds to the evidence of the rollout. */
export function weightedSignals({ kind, weight, signals }: Phase): WeightedSignal[] {
  const edges = signals.length - 1;
  const errorsPart = edges === 0 ? 1 : ERRORS_WEIGHT;
  return signals.map((signal) => {
    const part = signal.rule.edge === undefined ? errorsPart : (1 - errorsPart) / edges;
    return { signal, phase: kind, evidence: weight * part * signalEvidence(signal) };
  });
}
