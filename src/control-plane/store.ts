// What the control plane asks of durable state. Another store (a shared one for fleets)
// has to keep the same promises; nothing outside of an implementation knows which it is.

import type { Color } from '../contract/table.ts';
import type { ServiceState, StoredSide } from './service-state.ts';

export interface StoredService {
  readonly name: string;
  readonly active: Color;
  /** Generation in which `active` last changed, and when that was. */
  readonly since: number;
  readonly sinceAtMs: number;
  readonly state: ServiceState;
}

export interface StoredState {
  /** Generation of the last published table; 0 when there was none. */
  readonly generation: number;
  /** Names the routes of that table; empty when there was none. */
  readonly fingerprint: string;
  readonly services: ReadonlyMap<string, StoredService>;
}

/** One change of the routing table. */
export interface StoredChange {
  readonly generation: number;
  readonly fingerprint: string;
  /** The service that has changed. */
  readonly service: StoredService;
  /** Undefined where the active color stays. */
  readonly record: SwitchRecord | undefined;
}

export type SwitchOutcome = 'switched' | 'rolled-back';

/** One change of the active color, as it is remembered. */
export interface SwitchRecord {
  readonly generation: number;
  readonly service: string;
  readonly from: Color;
  readonly to: Color;
  readonly release: string;
  readonly atMs: number;
  readonly outcome: SwitchOutcome;
  /** What was active before: where a rollback leads. */
  readonly left: StoredSide;
  readonly forced: boolean;
  readonly reason: string;
  /** Where the request came from: an address or `unix`. */
  readonly actor: string;
}

export interface HistoryEntry extends SwitchRecord {
  /** From the request to the publication; unknown when the process died in between. */
  readonly tookMs: number | undefined;
}

/**
 * Durable state. When a method that writes has returned, what it wrote survives the end
 * of the process at any instruction. When it throws, nothing of it was written.
 */
export interface Store {
  /** What an operator must know about this state; undefined when all is well. */
  readonly warning: string | undefined;
  load(): StoredState;
  /** Records the table that is published first after a start. */
  adopt(
    first: Pick<StoredState, 'generation' | 'fingerprint'>,
    services: readonly StoredService[],
  ): void;
  /** Records a change; called before the table of `change.generation` is published. */
  commit(change: StoredChange): void;
  /** Adds how long a committed switch took; the one write that may be lost. */
  recordTook(generation: number, tookMs: number): void;
  /** Returns the latest first. */
  history(query: { readonly service: string | undefined; readonly limit: number }): HistoryEntry[];
  close(): Promise<void>;
}
