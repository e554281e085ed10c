// Which signals a phase judges, and how much each of them tolerates: errors, and being slower than a few
// edges that are chosen from the baseline, before there is anything to judge.

import { DURATION_EDGES_MS } from '../../contract/counters.ts';
import type { FrozenBaseline } from './baseline.ts';
import type { GuardSettings } from './guard-types.ts';
import type { SignalRule } from './signal.ts';

/** Of the requests, how many may be slower than `guard.latency.p99`. */
const P99_ABOVE = 0.01;

/** Returns the rules of one phase, that of errors first. */
export function rulesOf(
  settings: GuardSettings,
  baseline: FrozenBaseline | undefined,
  { isSideBySide }: { readonly isSideBySide: boolean },
): SignalRule[] {
  return [
    errorsRule(settings, baseline, isSideBySide),
    ...edgeRules(settings, baseline),
    ...p99Rule(settings),
  ];
}

function errorsRule(
  { errors }: GuardSettings,
  baseline: FrozenBaseline | undefined,
  isSideBySide: boolean,
): SignalRule {
  const passFloor = errors.floor;
  const rule = { name: 'errors', edge: undefined, passFloor, normal: baseline?.errors };
  const isCompared = isSideBySide || baseline !== undefined;
  return isCompared
    ? { ...rule, floor: errors.floor, ratio: errors.ratio }
    : { ...rule, floor: errors.limit, ratio: undefined };
}

function edgeRules({ latency }: GuardSettings, baseline: FrozenBaseline | undefined): SignalRule[] {
  if (latency.mode === 'off' || baseline === undefined) return [];
  return baseline.edges.map(({ name, edgeMs, floor, ...normal }) => ({
    name: `slower than ${edgeText(edgeMs)} (${name})`,
    edge: DURATION_EDGES_MS.indexOf(edgeMs),
    floor,
    passFloor: floor,
    ratio: latency.ratio,
    normal,
  }));
}

/** A bound beside the comparison: at the next edge, since durations are counted by edges. */
function p99Rule({ latency }: GuardSettings): SignalRule[] {
  const edge = DURATION_EDGES_MS.findIndex((edgeMs) => edgeMs >= latency.p99Ms);
  if (latency.p99Ms <= 0 || edge === -1) return [];
  const name = `slower than ${edgeText(DURATION_EDGES_MS[edge]!)} (p99)`;
  return [
    { name, edge, floor: P99_ABOVE, passFloor: P99_ABOVE, ratio: undefined, normal: undefined },
  ];
}

function edgeText(edgeMs: number): string {
  return edgeMs < 1_000 ? `${edgeMs} ms` : `${edgeMs / 1_000} s`;
}
