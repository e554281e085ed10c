// The sentences of the guard: why a release fails, or why nothing can be said, with the numbers.

import { countText } from '../../base/count-text.ts';
import { spanText } from '../../base/span-text.ts';
import type { ClientCounts, GuardPlan } from './guard-types.ts';
import type { Tally } from './likelihood.ts';
import { passEvidence, toleratedRate, type Signal } from './signal.ts';

export interface Failing {
  readonly names: GuardPlan['names'];
  /** Of the whole rollout. */
  readonly evidence: number;
  readonly clients: ClientCounts;
  /** The one that adds most to it. */
  readonly signal: Signal;
  readonly phase: 'shift' | 'bake';
}

/**
 * Returns why a release fails: `errors: 5.1 % of 1,512 on v42, 0.1 % of 60,120 on v41 before it;
 * tolerated 1 %; evidence 1,204 : 1 after 15 s; 61 clients`. Counts are those since the evidence began to
 * grow, not of hours that were well.
 */
export function failText({ names, evidence, clients, signal, phase }: Failing): string {
  const { rule, rise } = signal;
  const parts = [
    `${rule.name}: ${rateText(rise.new)} on ${names.new}${oldText(signal, names, phase)}`,
    `tolerated ${percentText(toleratedRate(signal))}`,
    `evidence ${evidenceText(evidence)} : 1 after ${spanText(rise.elapsedMs)}`,
  ];
  if (rule.edge === undefined) parts.push(countText(numberText(clients.bad), 'client'));
  return parts.join('; ');
}

/** Returns why a segment ended without a verdict: which signal had too little to show. */
export function inconclusiveText(
  { new: name }: GuardPlan['names'],
  { signals }: { readonly signals: readonly Signal[] },
): string {
  const least = signals.toSorted((one, other) => passEvidence(one) - passEvidence(other))[0]!;
  const { judged, bad } = least.segment.new;
  return (
    `${least.rule.name}: ${numberText(bad)} of ${countText(numberText(judged), 'request')} on ${name} ` +
    `prove neither that it is worse than tolerated nor that it is not`
  );
}

function oldText(
  { rule, ratioBet, rise }: Signal,
  names: GuardPlan['names'],
  phase: Failing['phase'],
): string {
  if (phase === 'shift' && ratioBet !== undefined)
    return `, ${rateText(rise.old)} on ${names.old} beside it`;
  if (rule.normal !== undefined) return `, ${rateText(rule.normal)} on ${names.old} before it`;
  // A bound of its own is compared with nothing anyway.
  return rule.edge === undefined ? ', nothing to compare with' : '';
}

/** Returns `5.1 % of 1,512`. */
function rateText({ judged, bad }: Tally): string {
  return `${judged === 0 ? '0 %' : percentText(bad / judged)} of ${numberText(judged)}`;
}

/** Returns a fraction as people read it: two digits that count, `0.12 %`, `5.1 %`, `23 %`. */
export function percentText(fraction: number): string {
  return `${Number((fraction * 100).toPrecision(2))} %`;
}

/** Returns evidence as people read it: `0.31`, `1,204`, `1e+18`. */
function evidenceText(evidence: number): string {
  if (evidence >= 1e15) return evidence.toExponential(0);
  return evidence >= 10
    ? numberText(Math.floor(evidence))
    : String(Number(evidence.toPrecision(2)));
}

/** Returns a whole number with its thousands: `60,120`. */
function numberText(value: number): string {
  return value.toLocaleString('en-US');
}
