// Durable state as texts: what is read back was printed and parsed, as a file would have it. It
// counts nothing and remembers no calls.

import type { ScheduleStore } from '../../src/control-plane/store/schedule-store.ts';
import type {
  EventStore,
  PointStore,
  RolloutStore,
} from '../../src/control-plane/store/rollout-store.ts';
import { parseState, printState } from '../../src/control-plane/store/service-state.ts';
import type {
  AnswerStore,
  AuditReader,
  CommitOutcome,
  CommitTerms,
  Freeze,
  HistoryEntry,
  Store,
  StoredChange,
  StoredState,
  TokenStore,
} from '../../src/control-plane/store/store.ts';

export class TextStore implements Store {
  readonly warning = undefined;
  readonly fault = undefined;
  readonly audit = {} as AuditReader;
  readonly answers = {} as AnswerStore;
  readonly tokens = {} as TokenStore;
  readonly rollouts = {} as RolloutStore;
  readonly points = {} as PointStore;
  readonly events = {} as EventStore;
  readonly schedules = {} as ScheduleStore;
  /** Called with the write itself, which it has to make. */
  onCommit: (write: () => void) => void = (write) => write();
  #epoch = 0;
  #nextDeployment = 1;
  readonly #services: Map<string, string>;
  #freeze: Freeze | undefined;

  constructor(services: ReadonlyMap<string, string> = new Map()) {
    this.#services = new Map(services);
  }

  /** Returns what the next process opens. */
  reopened(): TextStore {
    const next = new TextStore(this.#services);
    next.#epoch = this.#epoch;
    next.#nextDeployment = this.#nextDeployment;
    next.#freeze = this.#freeze;
    return next;
  }

  get state(): StoredState {
    const states = [...this.#services].map(([name, text]) => {
      const state = parseState(text);
      if (state === undefined) throw new Error(`what was stored of ${name} cannot be read`);
      return [name, state] as const;
    });
    return {
      epoch: this.#epoch,
      nextDeployment: this.#nextDeployment,
      services: new Map(states),
      freeze: this.#freeze,
      rollouts: new Map(),
    };
  }

  async commit(change: StoredChange, { expected }: CommitTerms): Promise<CommitOutcome> {
    const { epoch, nextDeployment, services } = change;
    if (expected !== this.#epoch) return { kind: 'lost', epoch: this.#epoch };
    this.onCommit(() => {
      this.#epoch = epoch;
      this.#nextDeployment = nextDeployment;
      for (const state of services) this.#services.set(state.name, printState(state));
    });
    return { kind: 'committed' };
  }

  async outcomeOf(): Promise<CommitOutcome> {
    return { kind: 'committed' };
  }

  async setFreeze(freeze: Freeze | undefined): Promise<void> {
    this.#freeze = freeze;
  }

  async recordTook(): Promise<void> {}
  async note(): Promise<void> {}
  history(): HistoryEntry[] {
    return [];
  }
  async close(): Promise<void> {}
}
