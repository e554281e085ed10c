// Calls with an `Idempotency-Key`: the same call gets the same answer, however often it is made.

import { epochMs } from '../../../base/clock.ts';
import { IDEMPOTENCY_LIFE_MS } from '../../base/control-limits.ts';
import { OperatorError } from '../../base/problems.ts';
import type { CallKey } from '../../audit/call.ts';
import type { Store, StoredAnswer } from '../../store/store.ts';

export class KeyedCalls {
  readonly #store: Pick<Store, 'answers'>;
  readonly #running = new Set<string>();

  constructor(store: Pick<Store, 'answers'>) {
    this.#store = store;
  }

  /**
   * Returns the answer that was given to this call; undefined: it was not made yet and is claimed
   * now, until `end`. Throws for a key of another call, and while the first one still runs.
   */
  begin({ key, digest }: CallKey): StoredAnswer | undefined {
    const stored = this.#store.answers.find(key, epochMs() - IDEMPOTENCY_LIFE_MS);
    if (stored !== undefined && stored.digest !== digest) {
      throw new OperatorError(
        'idempotency-mismatch',
        'the key stands for another call (method, path, body or caller differ); use a new one',
      );
    }
    if (stored !== undefined) return stored;
    if (this.#running.has(key)) {
      throw new OperatorError('idempotency-running', 'wait for its answer, then ask again');
    }
    this.#running.add(key);
    return undefined;
  }

  end({ key }: CallKey): void {
    this.#running.delete(key);
  }
}
