// What one connection says about its target, in the counters that health and operators go by. Does not
// know what becomes of the request.

import { wasRefused, type Loss } from './outcome.ts';
import type { ConnectionServices } from './target-services.ts';

export class TargetRecord {
  readonly #tally: ConnectionServices['tally'];
  readonly #slot: number;
  readonly #startedAtMs = performance.now();

  constructor({ tally }: Pick<ConnectionServices, 'tally'>, slot: number) {
    this.#tally = tally;
    this.#slot = slot;
  }

  /** `block`: of the deployment whose request waits; 0: none does. */
  connected(block: number): void {
    this.#tally.connected(block, this.#slot, performance.now() - this.#startedAtMs);
  }

  responded(status: number): void {
    this.#tally.endpointResponded(this.#slot, status);
  }

  /** A request did not get the head of a response. */
  failed(): void {
    this.#tally.endpointFailed(this.#slot);
  }

  lost(loss: Loss, hasRequest: boolean): void {
    const { phase, timedOut, how } = loss;
    if (phase === 'connecting' || wasRefused(loss)) this.#tally.connectFailed(this.#slot);
    // A used connection that closes unasked says nothing.
    const isStale = how === 'stale' && !timedOut;
    const isFailure = phase === 'connecting' || (phase === 'head' && !isStale);
    if (hasRequest && isFailure) this.#tally.endpointFailed(this.#slot);
  }
}
