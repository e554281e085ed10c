// The guard as people and programs see it: numbers of each signal, and sentences about its limits.

import { countText } from '../../base/count-text.ts';
import { percentText } from './guard-text.ts';
import type { Comparison, GuardView, SignalView } from './guard-types.ts';
import {
  CLIENTS_SEEN_MIN,
  clientsNeeded,
  evidenceOf,
  lengthOf,
  limitOf,
  phaseOf,
  verdictOf,
  type GuardState,
} from './guard.ts';
import { signalEvidence, type Signal } from './signal.ts';

/** Returns what the guard shows now. */
export function guardView(state: GuardState): GuardView {
  const { segment, clients } = state;
  return {
    verdict: verdictOf(state)?.kind ?? 'none yet',
    evidence: evidenceOf(state),
    limit: limitOf(state),
    comparison: comparisonOf(state),
    signals: phaseOf(state).signals.map((signal) => signalView(signal, state)),
    clients: { ...clients, needed: clientsNeeded(state) },
    segment: {
      observedMs: segment.observedMs,
      lastsMs: lengthOf(segment),
      isExtended: segment.isExtended,
      blindMs: segment.blindMs,
    },
    notes: notesOf(state),
  };
}

function comparisonOf(state: GuardState): Comparison {
  const { ratio, normal } = phaseOf(state).signals[0]!.rule;
  if (ratio === undefined) return 'nothing to compare with';
  return normal === undefined ? 'side by side' : state.comparison;
}

function signalView(signal: Signal, { segment }: GuardState): SignalView {
  const { rule, phase } = signal;
  const { floor, ratio, normal } = rule;
  const isBefore = segment.kind === 'bake' && normal !== undefined;
  return {
    name: rule.name,
    old: isBefore ? { judged: normal.judged, bad: normal.bad } : phase.old,
    new: phase.new,
    tolerated:
      ratio === undefined ? percentText(floor) : `${ratio} x, at least ${percentText(floor)}`,
    evidence: signalEvidence(signal),
  };
}

function notesOf(state: GuardState): string[] {
  const { plan, clients, grace } = state;
  const notes: string[] = [];
  if (comparisonOf(state) === 'nothing to compare with') {
    notes.push(
      `the old release had too few requests to compare with: ${percentText(plan.settings.errors.limit)} of errors are tolerated`,
    );
  }
  const needed = clientsNeeded(state);
  if (needed === 0 && plan.settings.clients > 0) {
    notes.push(
      `${countText(clients.seen, 'client')} in the last minute, fewer than ${CLIENTS_SEEN_MIN}: ` +
        `a single client may bring the release down`,
    );
  } else if (clients.bad < needed && evidenceOf(state) >= limitOf(state)) {
    notes.push(
      `the errors would be enough, but ${countText(clients.bad, 'client')} had one, and ${needed} are needed`,
    );
  }
  if (grace.leftMs > 0 && phaseOf(state).signals.length > 1) {
    notes.push(`latency is not judged for another ${Math.ceil(grace.leftMs / 1_000)} s`);
  }
  return notes;
}
