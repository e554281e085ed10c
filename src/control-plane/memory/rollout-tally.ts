// Counts what became of rollouts, of their gates and of the verdicts of the guard, for the metrics; and says
// what the metrics need to know of rollouts that run. Decides nothing.

import type { HistogramTotals } from './totals.ts';

/** Rollouts and gates take from some milliseconds to days. */
export const LONG_EDGES_SECONDS: readonly number[] = [
  ...([0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1_800, 3_600] as const),
  ...([3 * 3_600, 12 * 3_600, 24 * 3_600, 7 * 24 * 3_600] as const),
];

/** Stages in which a rollout is under way. */
export const RUNNING_STAGES = [
  ...(['registered', 'warming', 'testing', 'gated', 'shifting', 'baking', 'draining'] as const),
] as const;
type RunningStage = (typeof RUNNING_STAGES)[number];

/** `waiting`: for a hook, or because the guard could not tell. */
export const RUNNING_STATUSES = [
  ...(['running', 'paused', 'approval', 'waiting', 'blocked'] as const),
] as const;
type RunningStatus = (typeof RUNNING_STATUSES)[number];

/** One service of a rollout that is under way. */
export interface RunningRollout {
  readonly service: string;
  readonly stage: RunningStage;
  readonly status: RunningStatus;
  /** Of the new release, from 0 to 1; `measured`: of the requests of the last minute, undefined where there were none. */
  readonly share: { readonly wanted: number; readonly measured: number | undefined };
  /** Evidence of the guard against the new release; 1 says nothing. */
  readonly evidence: readonly { readonly signal: string; readonly value: number }[];
  /** The guard can't see what it should judge. */
  readonly isBlind: boolean;
}

/** What the metrics are made of; the runner of rollouts has it. */
export interface RolloutMetrics {
  readonly tally: RolloutTally;
  /** Of each service at most one. */
  running(): readonly RunningRollout[];
}

type Named<Name extends string> = Readonly<Record<Name, string>>;
type Counted<Name extends string> = Named<Name> & { count: number };

/** How often something took how long. */
interface Durations extends HistogramTotals {
  readonly buckets: number[];
  sumMs: number;
}

/** Grows while the process lives. Services, gates and causes come from the configuration and from closed lists. */
export class RolloutTally {
  readonly ends: Counted<'service' | 'outcome' | 'cause'>[] = [];
  readonly verdicts: Counted<'service' | 'verdict' | 'mode'>[] = [];
  readonly gates: Counted<'service' | 'gate' | 'verdict'>[] = [];
  /** When a rollout of a service last ended so, in seconds since the epoch. */
  readonly lastEnds = new Map<
    string,
    Named<'service' | 'outcome'> & { readonly atSeconds: number }
  >();
  /** From the start of a rollout to its end. */
  readonly durations: Durations = newDurations();
  readonly gateDurations = new Map<string, Durations>();

  /** A rollout has ended for `service` at `atMs` since the epoch. */
  ended(
    end: Named<'service' | 'outcome' | 'cause'>,
    { tookMs, atMs }: { readonly tookMs: number; readonly atMs: number },
  ): void {
    const { service, outcome, cause } = end;
    add(this.ends, { service, outcome, cause });
    this.lastEnds.set(`${service} ${outcome}`, { service, outcome, atSeconds: atMs / 1_000 });
    observe(this.durations, tookMs);
  }

  /** The guard has come to a verdict. */
  judged({ service, verdict, mode }: Named<'service' | 'verdict' | 'mode'>): void {
    add(this.verdicts, { service, verdict, mode });
  }

  /** A gate has come to its verdict; `tookMs`: from its first question on. */
  asked({ service, gate, verdict }: Named<'service' | 'gate' | 'verdict'>, tookMs: number): void {
    add(this.gates, { service, gate, verdict });
    const known = this.gateDurations.get(gate) ?? newDurations();
    this.gateDurations.set(gate, known);
    observe(known, tookMs);
  }
}

function newDurations(): Durations {
  return { buckets: Array.from({ length: LONG_EDGES_SECONDS.length + 1 }, () => 0), sumMs: 0 };
}

function observe(durations: Durations, tookMs: number): void {
  const found = LONG_EDGES_SECONDS.findIndex((edge) => tookMs <= edge * 1_000);
  durations.buckets[found < 0 ? LONG_EDGES_SECONDS.length : found]! += 1;
  durations.sumMs += tookMs;
}

function add<Name extends string>(rows: Counted<Name>[], named: Named<Name>): void {
  const names = Object.keys(named) as Name[];
  const row = rows.find((one) => names.every((name) => one[name] === named[name]));
  if (row === undefined) rows.push({ ...named, count: 1 });
  else row.count++;
}
