// The freeze of all switching that an operator has asked for, for an incident or a business event.
// Nothing is wrong with Turnout meanwhile; when it has broken a rule of its own, `Switchboard.halt`
// stops decisions instead.

import { messageOf, OperatorError } from '../base/problems.ts';
import type { Freeze, Notes, Store } from '../store/store.ts';

export class SwitchingFreeze {
  readonly #store: Pick<Store, 'state' | 'setFreeze'>;

  constructor(store: Pick<Store, 'state' | 'setFreeze'>) {
    this.#store = store;
  }

  /** Undefined: switching is allowed. */
  get current(): Freeze | undefined {
    return this.#store.state.freeze;
  }

  /** Throws `switching-frozen` during a freeze. */
  check(): void {
    if (this.current !== undefined) throw switchingFrozen(this.current);
  }

  /**
   * Begins a freeze, or ends it (undefined). Returns false where there was one, or none, already:
   * the first keeps its reason. Throws `store-failed`; then all is as it was.
   */
  async set(freeze: Freeze | undefined, notes: () => Notes): Promise<boolean> {
    if ((freeze === undefined) === (this.current === undefined)) return false;
    try {
      await this.#store.setFreeze(freeze, notes());
    } catch (error) {
      throw new OperatorError('store-failed', `${messageOf(error)}; nothing has changed`, {
        cause: error,
      });
    }
    return true;
  }
}

/** Returns what refuses a change that moves traffic during `freeze`. */
export function switchingFrozen({ actor, atMs, reason }: Freeze): OperatorError {
  const at = new Date(atMs).toISOString();
  return new OperatorError(
    'switching-frozen',
    `${actor} has frozen all switching at ${at}: ${reason}; ` +
      'unfreeze first; a rollback goes through with "force" and a reason',
    { members: { freeze: { actor, at, reason } } },
  );
}
