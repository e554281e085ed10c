// A store that can be let go and taken again: during an upgrade, the successor opens the same
// state directory. A caller that asks meanwhile is told that an upgrade is under way.

import { messageOf, OperatorError } from '../base/problems.ts';
import type { Store } from './store.ts';

export interface Reopenable {
  readonly store: Store;
  /** Closes the store; from then on every call is refused with `upgrading`. */
  release(): Promise<void>;
  /** Opens it again. Throws `store-failed` when that cannot be; then every call is refused so. */
  reacquire(): void;
}

/** Opens a store with `open`, now and after each release. */
export function reopenable(open: () => Store): Reopenable {
  let current: Store | undefined = open();
  let refusal = upgrading();
  const store = new Proxy({} as Store, {
    get(_target, name) {
      if (current === undefined) throw refusal;
      const value: unknown = Reflect.get(current, name, current);
      return typeof value === 'function' ? (value.bind(current) as unknown) : value;
    },
  });
  return {
    store,
    async release() {
      const released = current;
      current = undefined;
      refusal = upgrading();
      await released?.close();
    },
    reacquire() {
      try {
        current ??= open();
      } catch (error) {
        const detail = `${messageOf(error)}; traffic goes on, restart with a version that knows it`;
        refusal = new OperatorError('store-failed', detail, { cause: error });
        throw refusal;
      }
    },
  };
}

function upgrading(): OperatorError {
  return new OperatorError('upgrading', 'a new process takes over; ask again in a moment');
}
