// What is done beside rollouts: gates are asked, new deployments are warmed up. What comes of it is told
// by an event; all of one rollout ends when that is over, or when the process stops.

import { background, type Log } from '../base/log.ts';
import { messageOf } from '../base/problems.ts';
import type { GateAnswer } from './gate-runs.ts';
import type { RolloutEvent } from './machine.ts';
import type { GateRun, Rollout } from './rollout-record.ts';
import type { Effect } from './transition.ts';

/** What is done beside a rollout. */
export interface Hands {
  /** Asks a gate once. */
  readonly ask: (rollout: Rollout, run: GateRun, signal: AbortSignal) => Promise<GateAnswer>;
  /** Sends requests to the new deployments; resolves with whether all went well. */
  readonly warm: (rollout: Rollout, signal: AbortSignal) => Promise<boolean>;
}

interface BesideParts {
  readonly hands: Hands;
  /** Takes what came of it. */
  readonly take: (id: string, event: RolloutEvent) => Promise<unknown>;
  readonly log: Log;
}

export class Beside {
  readonly #parts: BesideParts;
  /** Ends what is done beside each rollout. */
  readonly #endings = new Map<string, AbortController>();

  constructor(parts: BesideParts) {
    this.#parts = parts;
  }

  run(rollout: Rollout, effects: readonly Effect[]): void {
    const { id } = rollout;
    for (const effect of effects) {
      if (effect.kind === 'cancel') {
        this.cancel(id);
        continue;
      }
      const { signal } = this.#endingOf(id);
      const doing =
        effect.kind === 'warm'
          ? this.#warm(rollout, signal)
          : this.#ask(rollout, effect.attempt, signal);
      background(doing, this.#parts.log, `rollout ${id}: ${effect.kind}`);
    }
  }

  cancel(id: string): void {
    this.#endings.get(id)?.abort();
    this.#endings.delete(id);
  }

  cancelAll(): void {
    for (const id of this.#endings.keys()) this.cancel(id);
  }

  #endingOf(id: string): AbortController {
    const known = this.#endings.get(id) ?? new AbortController();
    this.#endings.set(id, known);
    return known;
  }

  async #warm(rollout: Rollout, signal: AbortSignal): Promise<void> {
    const { hands, take, log } = this.#parts;
    const { id } = rollout;
    let isGood = false;
    try {
      isGood = await hands.warm(rollout, signal);
    } catch (error) {
      log.warn({ err: error, rollout: id }, `${id}: the warm-up failed: ${messageOf(error)}`);
    }
    if (!signal.aborted) await take(id, { kind: 'warmed', isGood });
  }

  async #ask(rollout: Rollout, attempt: string, signal: AbortSignal): Promise<void> {
    const { hands, take } = this.#parts;
    const run = rollout.gates.find((one) => one.attempt === attempt);
    if (run === undefined) return;
    let answer: GateAnswer;
    try {
      answer = await hands.ask(rollout, run, signal);
    } catch (error) {
      answer = { verdict: 'error', detail: messageOf(error) };
    }
    if (!signal.aborted) await take(rollout.id, { kind: 'gate', attempt, answer });
  }
}
