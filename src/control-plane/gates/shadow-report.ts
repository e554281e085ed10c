// Asks whether the new release answers live requests as the old one does: keeps copies of them going
// while it is asked, and weighs what became of those. What a copy is, is known to the workers.

import type { ShadowGateSettings } from '../../config/settings/rollout/rollout-settings.ts';
import type { ShadowedPath } from '../../contract/shadow-rules.ts';
import type { Shadow } from '../../contract/table.ts';
import type { ShadowCounts } from '../memory/shadow-counts.ts';
import type { Gate, GateContext, GateResult, GateSubject } from './asked-gate.ts';
import { newEvidence, withLook, type ShadowEvidence } from './shadow-evidence.ts';
import { resultOf, type ShadowSums } from './shadow-verdict.ts';

/** One block of the bet: the evidence may double once in that time. */
const LOOK_MS = 1_000;
/** Earlier looks would make two blocks of one. */
const LOOK_MS_MIN = 900;
/** Questions that are remembered; there are as many as rollouts that run. */
const TRIALS_MAX = 64;
const SHARES = 10_000;

export interface ShadowReportParts {
  /** Copies of requests: they go on for a while after each call. */
  readonly shadowing: {
    keepOn(service: string, shadow: Shadow): Promise<void>;
    /** Never rejects. */
    end(services: readonly string[]): Promise<void>;
    /** Undefined: the deployment is on no color. */
    counts(service: string, deployment: number): ShadowCounts | undefined;
  };
  /** What workers have told of responses that differ. */
  readonly differences: {
    worst(deployment: number): readonly ShadowedPath[];
    forget(deployment: number): void;
  };
  readonly nowMs: () => number;
}

/** One question, from its first try to its verdict. */
interface Trial {
  evidence: ShadowEvidence;
  lookedAtMs: number;
  /** By service, as they were at the last look. */
  readonly seen: Map<string, ShadowCounts>;
  /** What came since the first. */
  sums: ShadowSums;
}

const NOTHING: ShadowSums = {
  sent: 0,
  same: 0,
  differed: 0,
  failed: 0,
  unpaired: 0,
  dropped: 0,
  liveMs: 0,
  copiedMs: 0,
};

/** What all shadow gates of a process have found out; a gate that is asked again goes on from there. */
export class ShadowReports {
  readonly #parts: ShadowReportParts;
  /** By attempt. */
  readonly #trials = new Map<string, Trial>();

  constructor(parts: ShadowReportParts) {
    this.#parts = parts;
  }

  /** Returns the gate with `settings`. */
  gate(settings: ShadowGateSettings): Gate {
    return { ask: async (context, signal) => this.#ask(settings, context, signal) };
  }

  async #ask(
    settings: ShadowGateSettings,
    context: GateContext,
    signal: AbortSignal,
  ): Promise<GateResult> {
    const { attempt, subjects } = context;
    const services = subjects.map(({ service }) => service);
    try {
      if (signal.aborted) return await this.#over(attempt, services, CANCELLED);
      for (const { service, to } of subjects) {
        await this.#parts.shadowing.keepOn(service, shadowOf(settings, to.deployment));
      }
      const trial = this.#trials.get(attempt) ?? this.#begin(settings, context);
      if (signal.aborted) return await this.#over(attempt, services, CANCELLED);
      const missing = this.#look(trial, settings, subjects);
      if (missing !== undefined) {
        const detail = `nothing to compare: ${missing} has another deployment on its idle color`;
        return await this.#over(attempt, services, { verdict: 'error', detail });
      }
      const worst = subjects.flatMap(({ to }) => this.#parts.differences.worst(to.deployment));
      const result = resultOf({ ...trial, worst }, settings);
      if (result.verdict === 'later') return { ...result, retryAfterMs: LOOK_MS };
      return await this.#over(attempt, services, result);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { verdict: 'error', detail: `requests could not be copied: ${reason}` };
    }
  }

  #begin({ timeoutMs }: ShadowGateSettings, { attempt, subjects }: GateContext): Trial {
    const trial: Trial = {
      evidence: newEvidence(Math.max(1, Math.ceil(timeoutMs / LOOK_MS))),
      lookedAtMs: this.#parts.nowMs(),
      seen: new Map(),
      sums: NOTHING,
    };
    for (const { service, to } of subjects) {
      this.#parts.differences.forget(to.deployment);
      const counts = this.#parts.shadowing.counts(service, to.deployment);
      if (counts !== undefined) trial.seen.set(service, counts);
    }
    const [oldest] = this.#trials.keys();
    if (this.#trials.size >= TRIALS_MAX) this.#trials.delete(oldest!);
    this.#trials.set(attempt, trial);
    return trial;
  }

  /** Takes in what came since the last look. Returns a service that has no such deployment. */
  #look(
    trial: Trial,
    { mismatch }: ShadowGateSettings,
    subjects: readonly GateSubject[],
  ): string | undefined {
    const nowMs = this.#parts.nowMs();
    const isSoon = nowMs - trial.lookedAtMs < LOOK_MS_MIN;
    let came = NOTHING;
    for (const { service, to } of subjects) {
      const now = this.#parts.shadowing.counts(service, to.deployment);
      if (now === undefined) return service;
      if (isSoon) continue;
      const before = trial.seen.get(service);
      trial.seen.set(service, now);
      // Where the counts have begun anew, what came before is in the sums already.
      if (before?.life === now.life) came = added(came, now, before);
    }
    if (isSoon) return undefined;
    trial.lookedAtMs = nowMs;
    trial.sums = added(trial.sums, came, NOTHING);
    const bad = came.differed + came.failed;
    trial.evidence = withLook(trial.evidence, mismatch, { judged: came.same + bad, bad });
    return undefined;
  }

  async #over(
    attempt: string,
    services: readonly string[],
    result: GateResult,
  ): Promise<GateResult> {
    this.#trials.delete(attempt);
    await this.#parts.shadowing.end(services);
    return result;
  }
}

const CANCELLED: GateResult = { verdict: 'later', detail: 'cancelled' };

/** Returns what the workers are told. */
function shadowOf(settings: ShadowGateSettings, deployment: number): Shadow {
  const { share, fields, ignore, ignorePaths, bodyBytesMax, slowerMs } = settings;
  return {
    deployment,
    share: Math.round(share * SHARES),
    fields: fields.map((name) => name.toLowerCase()),
    ignore: ignore.map(({ parts }) => parts),
    ignorePaths,
    bodyBytesMax,
    slowerMs,
  };
}

/** Returns `sums` and what `now` has more than `before`. */
function added(sums: ShadowSums, now: ShadowSums, before: ShadowSums): ShadowSums {
  return {
    sent: sums.sent + now.sent - before.sent,
    same: sums.same + now.same - before.same,
    differed: sums.differed + now.differed - before.differed,
    failed: sums.failed + now.failed - before.failed,
    unpaired: sums.unpaired + now.unpaired - before.unpaired,
    dropped: sums.dropped + now.dropped - before.dropped,
    liveMs: sums.liveMs + now.liveMs - before.liveMs,
    copiedMs: sums.copiedMs + now.copiedMs - before.copiedMs,
  };
}
