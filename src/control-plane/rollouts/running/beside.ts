// What is done beside rollouts: gates are asked, new deployments are warmed up. What comes of it is told
// by an event; all of one rollout ends when that is over, or when the process stops.

import { setTimeout as sleep } from 'node:timers/promises';
import { ROLLOUT_LOOK_MS } from '../../base/control-limits.ts';
import { background, type Log } from '../../base/log.ts';
import { messageOf, OperatorError } from '../../base/problems.ts';
import type { GateAnswer } from '../machine/gate-runs.ts';
import type { RolloutEvent } from '../machine/machine.ts';
import type { GateRun, Rollout } from '../machine/rollout-record.ts';
import type { Effect } from '../machine/transition.ts';

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
    const { hands, log } = this.#parts;
    const { id } = rollout;
    let isGood = false;
    try {
      isGood = await hands.warm(rollout, signal);
    } catch (error) {
      log.warn({ err: error, rollout: id }, `${id}: the warm-up failed: ${messageOf(error)}`);
    }
    await this.#deliver(id, { kind: 'warmed', isGood }, signal);
  }

  async #ask(rollout: Rollout, attempt: string, signal: AbortSignal): Promise<void> {
    const { hands } = this.#parts;
    const run = rollout.gates.find((one) => one.attempt === attempt);
    if (run === undefined) return;
    let answer: GateAnswer;
    try {
      answer = await hands.ask(rollout, run, signal);
    } catch (error) {
      answer = { verdict: 'error', detail: messageOf(error) };
    }
    await this.#deliver(rollout.id, { kind: 'gate', attempt, answer }, signal);
  }

  /** Has `event` taken, once changes are: an upgrade that fails must not cost what was found out meanwhile. */
  async #deliver(id: string, event: RolloutEvent, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#parts.take(id, event);
        return;
      } catch (error) {
        if (!(error instanceof OperatorError) || !PASSING.has(error.code)) throw error;
        await untilNext(signal);
      }
    }
  }
}

/** Codes of refusals that are over after a while. */
const PASSING: ReadonlySet<string> = new Set(['upgrading', 'busy']);

async function untilNext(signal: AbortSignal): Promise<void> {
  try {
    await sleep(ROLLOUT_LOOK_MS, undefined, { signal, ref: false });
  } catch {
    // Its rollout is over, or the process stops: the loop sees that.
  }
}
