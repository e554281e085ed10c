// What the metrics are told of rollouts: how they ended, what gates and guard said, and how those that
// run stand. Counts; decides nothing.

import type { RolloutMetrics, RolloutTally, RunningRollout } from '../../memory/rollout-tally.ts';
import { guardBrief } from './guard-brief.ts';
import { shareOf, statusOf, type Rollout } from '../machine/rollout-record.ts';
import type { Told } from '../machine/transition.ts';

interface RolloutAccountParts {
  readonly tally: RolloutTally;
  readonly all: () => readonly Rollout[];
  /** Of the requests of the last minute, of 100; undefined: there were none. */
  readonly measured: (rollout: Rollout) => number | undefined;
}

export class RolloutAccounts implements RolloutMetrics {
  readonly tally: RolloutTally;
  readonly #parts: RolloutAccountParts;

  constructor(parts: RolloutAccountParts) {
    this.tally = parts.tally;
    this.#parts = parts;
  }

  running(): RunningRollout[] {
    return this.#parts.all().flatMap((rollout) => this.#rowsOf(rollout));
  }

  /** Something was told of a rollout. */
  told(rollout: Rollout, told: readonly Told[]): void {
    for (const { kind, data } of told) {
      if (kind === 'gate.result') this.#asked(rollout, data);
      if (kind === 'guard.verdict') this.#judged(rollout, data);
    }
    const { end, startedAtMs, legs } = rollout;
    if (end === undefined) return;
    const { outcome, cause, atMs } = end;
    const took = { tookMs: Math.max(0, atMs - startedAtMs), atMs };
    for (const { service } of legs) this.tally.ended({ service, outcome, cause }, took);
  }

  #asked({ gates }: Rollout, { gate, of }: Told['data']): void {
    const run = gates.findLast((one) => one.name === gate && one.service === of);
    if (run?.verdict === undefined) return;
    const { service, name, verdict, startedAtMs, endedAtMs = startedAtMs } = run;
    this.tally.asked({ service, gate: name, verdict }, Math.max(0, endedAtMs - startedAtMs));
  }

  #judged({ legs, terms: { guard: mode } }: Rollout, { verdict }: Told['data']): void {
    if (typeof verdict !== 'string') return;
    for (const { service } of legs) this.tally.judged({ service, verdict, mode });
  }

  #rowsOf(rollout: Rollout): RunningRollout[] {
    const { stage, legs } = rollout;
    if (stage === 'done' || stage === 'failed' || stage === 'superseded') return [];
    // A way back over a ramp is still under way.
    const shown = stage === 'rolled-back' ? 'shifting' : stage;
    const status = statusOf(rollout);
    const word = status.kind === 'waiting' && status.for === 'approval' ? 'approval' : status.kind;
    const measured = this.#parts.measured(rollout);
    const guard = guardBrief(rollout);
    return legs.map(({ service }) => ({
      service,
      stage: shown,
      status: word,
      share: {
        wanted: shareOf(rollout) / 10_000,
        measured: measured === undefined ? undefined : measured / 100,
      },
      evidence: (guard?.signals ?? [])
        .filter((signal) => signal.service === service)
        .map(({ name, evidence }) => ({ signal: name, value: evidence })),
      isBlind: guard?.verdict === 'blind',
    }));
  }
}
