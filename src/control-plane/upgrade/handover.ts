// Whether a new process has taken over from this one, as the start and the stop of the daemon need
// to know it: an upgrade that runs while the daemon is stopped is called off.

import { HANDOVER_ANSWER_MS } from '../base/control-limits.ts';
import {
  upgrade,
  type AdminSocket,
  type UpgradeAnswer,
  type UpgradeParts,
} from './process-upgrade.ts';

/** What has to leave operators to the new process. */
interface Door extends AdminSocket {
  stopAccepting(): void;
}

export class Handover {
  readonly #stopAsked = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  readonly #attempts = new Set<Promise<UpgradeAnswer>>();
  #isOver = false;

  /** Resolves when a new process has taken over and this one should stop. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Hands over, and lets the answer to the call out before this process ends. */
  async begin(parts: UpgradeParts, door: Door): Promise<UpgradeAnswer> {
    const attempt = upgrade(parts, door, this.#stopAsked.signal);
    this.#attempts.add(attempt);
    try {
      const answer = await attempt;
      this.#isOver = true;
      door.stopAccepting();
      setTimeout(this.#done.resolve, HANDOVER_ANSWER_MS);
      return answer;
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  /** Calls off an upgrade that runs; resolves with whether a new process is in charge. */
  async settle(): Promise<boolean> {
    this.#stopAsked.abort();
    await Promise.allSettled(this.#attempts);
    if (this.#isOver) await this.done;
    return this.#isOver;
  }
}
