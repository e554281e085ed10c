// The series of rollouts, their guard, their gates and what is told of them. Reads what others count.

import {
  LONG_EDGES_SECONDS,
  RUNNING_STAGES,
  RUNNING_STATUSES,
  type RolloutMetrics,
} from '../memory/rollout-tally.ts';
import { family, histogram, type Family } from './prometheus.ts';

export interface RolloutFamilyParts {
  readonly services: readonly { readonly name: string }[];
  readonly rollouts: RolloutMetrics;
  /** Deliveries that were given up, by the name of what was to hear of it. */
  readonly hookFailures: ReadonlyMap<string, number>;
}

/** Returns the series of rollouts; those of a service without one are there, at zero. */
export function rolloutFamilies(parts: RolloutFamilyParts): Family[] {
  const { tally } = parts.rollouts;
  const ends = family('counter', 'turnout_rollouts_total', 'Rollouts that have ended.');
  for (const { count, ...labels } of tally.ends) ends.add(labels, count);
  const took = family(
    'histogram',
    'turnout_rollout_duration_seconds',
    'Time from the start of a rollout to its end.',
  );
  histogram(took, {}, LONG_EDGES_SECONDS, tally.durations);
  const last = family(
    'gauge',
    'turnout_rollout_last_end_timestamp_seconds',
    'When a rollout of a service last ended so while this process ran.',
  );
  for (const { atSeconds, ...labels } of tally.lastEnds.values()) last.add(labels, atSeconds);
  const verdicts = family('counter', 'turnout_guard_verdicts_total', 'Verdicts of the guard.');
  for (const { count, ...labels } of tally.verdicts) verdicts.add(labels, count);
  const results = family('counter', 'turnout_gate_results_total', 'Verdicts of gates.');
  for (const { count, ...labels } of tally.gates) results.add(labels, count);
  const gateTook = family(
    'histogram',
    'turnout_gate_duration_seconds',
    'Time from the first question to a gate to its verdict.',
  );
  for (const [gate, durations] of tally.gateDurations) {
    histogram(gateTook, { gate }, LONG_EDGES_SECONDS, durations);
  }
  const failures = family(
    'counter',
    'turnout_hook_failures_total',
    'Notifications and hooks that were given up after their last try.',
  );
  for (const [hook, count] of parts.hookFailures) failures.add({ hook }, count);
  return [...runningFamilies(parts), ends, took, last, verdicts, results, gateTook, failures];
}

function runningFamilies({ services, rollouts }: RolloutFamilyParts): Family[] {
  const stages = family(
    'gauge',
    'turnout_rollout_stage',
    'Whether the rollout of a service is in a stage, 1 or 0.',
  );
  const statuses = family(
    'gauge',
    'turnout_rollout_status',
    'Whether the rollout of a service goes on or what it waits for, 1 or 0.',
  );
  const shares = family(
    'gauge',
    'turnout_rollout_share',
    'Share of the new release in a rollout, from 0 to 1: as wanted, and as measured.',
  );
  const evidence = family(
    'gauge',
    'turnout_guard_evidence',
    'Evidence of the guard against the new release; 1 says nothing.',
  );
  const blind = family(
    'gauge',
    'turnout_guard_blind',
    'Whether the guard of a rollout can not see what it should judge, 1 or 0.',
  );
  const running = new Map(rollouts.running().map((one) => [one.service, one]));
  for (const { name: service } of services) {
    const rollout = running.get(service);
    for (const stage of RUNNING_STAGES) {
      stages.add({ service, stage }, rollout?.stage === stage ? 1 : 0);
    }
    for (const status of RUNNING_STATUSES) {
      statuses.add({ service, status }, rollout?.status === status ? 1 : 0);
    }
    blind.add({ service }, rollout?.isBlind === true ? 1 : 0);
    if (rollout === undefined) continue;
    const { wanted, measured } = rollout.share;
    shares.add({ service, kind: 'wanted' }, wanted);
    if (measured !== undefined) shares.add({ service, kind: 'measured' }, measured);
    for (const { signal, value } of rollout.evidence) evidence.add({ service, signal }, value);
  }
  return [stages, statuses, shares, evidence, blind];
}
