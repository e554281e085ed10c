// A store that can be let go and taken again: during an upgrade, the successor opens the same
// state directory. A caller that asks meanwhile is told that an upgrade is under way; what was in memory,
// and the history, can be read all the time.

import { HISTORY_ROWS_MAX } from '../base/control-limits.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { HistoryEntry, Store } from './store.ts';

export interface Reopenable {
  readonly store: Store;
  /**
   * Closes the store; from then on every call is refused with `upgrading`. Throws `store-failed` where
   * a successor would not find what this process knows; then nothing has changed.
   */
  release(): Promise<void>;
  /** Closes it for ever. */
  close(): Promise<void>;
  /** Opens it again. Throws `store-failed` when that cannot be; then every call is refused so. */
  reacquire(): void;
}

const PARTS = [
  'audit',
  'answers',
  'tokens',
  'rollouts',
  'points',
  'events',
  'schedules',
] as const satisfies readonly (keyof Store)[];

/** Opens a store with `open`, now and after each release. */
export function reopenable(open: () => Store): Reopenable {
  let current: Store | undefined = open();
  let last: Pick<Store, 'state' | 'warning' | 'fault' | 'history'> = current;
  let refusal = upgrading();
  const opened = (): Store => {
    if (current === undefined) throw refusal;
    return current;
  };
  // A caller may keep a part for as long as it lives: each call of it goes to the store that is open then.
  const parts = Object.fromEntries(
    PARTS.map((part) => [
      part,
      new Proxy({}, { get: (_target, name) => boundTo(opened()[part], name) }),
    ]),
  );
  const store = new Proxy({} as Store, {
    get(_target, name) {
      if (current === undefined && Object.hasOwn(last, name)) return Reflect.get(last, name);
      const value: unknown = boundTo(opened(), name);
      return Object.hasOwn(parts, name) ? Reflect.get(parts, name) : value;
    },
  });
  const close = async (entries: readonly HistoryEntry[] = []): Promise<void> => {
    const closed = current;
    if (closed === undefined) return;
    const { state, warning } = closed;
    last = { state, warning, fault: undefined, history: (query) => found(entries, query) };
    current = undefined;
    await closed.close();
  };
  return {
    store,
    close: async () => close(),
    async release() {
      const fault = current?.fault;
      if (fault !== undefined) throw new OperatorError('store-failed', fault);
      refusal = upgrading();
      await close(current?.history({ service: undefined, limit: HISTORY_ROWS_MAX }));
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

function boundTo(owner: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(owner, name, owner);
  return typeof value === 'function' ? (value.bind(owner) as unknown) : value;
}

function found(
  entries: readonly HistoryEntry[],
  { service, limit }: Parameters<Store['history']>[0],
): HistoryEntry[] {
  return entries.filter((one) => service === undefined || one.service === service).slice(0, limit);
}

function upgrading(): OperatorError {
  return new OperatorError('upgrading', 'a new process takes over; ask again in a moment');
}
