// One call of an operator, as the audit log and the record of answers see it. It travels with the
// change that it asks for, so that both are stored in the same transaction as the change.

import { epochMs } from '../../base/clock.ts';
import type { AuditDraft, AuditOutcome } from '../store/audit-chain.ts';
import type { CallNotes, StoredAnswer } from '../store/store.ts';

/** What is known when a call comes in. */
type CallHead = Pick<AuditDraft, 'actor' | 'address' | 'action' | 'service' | 'request' | 'reason'>;

/** An `Idempotency-Key` and what was asked with it. */
export interface CallKey {
  readonly key: string;
  /** Differs for requests that differ. */
  readonly digest: string;
}

export interface CallEnd {
  readonly outcome: AuditOutcome;
  readonly status: number;
  readonly generation: number;
  readonly code?: string;
  readonly detail?: string;
  /** Body of the answer to remember under the key; left out: none is. */
  readonly body?: string;
}

interface CallParts {
  readonly head: CallHead;
  readonly key: CallKey | undefined;
}

/** A call that is under way. */
export class Call {
  readonly #parts: CallParts;
  #isRecorded = false;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** A change was stored together with this call. */
  get isRecorded(): boolean {
    return this.#isRecorded;
  }

  get key(): CallKey | undefined {
    return this.#parts.key;
  }

  /** To be called when what `notes` returned has been stored. */
  recorded(): void {
    this.#isRecorded = true;
  }

  /** Returns what is stored of a call that ends like this. */
  notes(end: CallEnd, service = this.#parts.head.service): CallNotes {
    const { outcome, status, generation, code = '', detail = '' } = end;
    const atMs = epochMs();
    const said = { outcome, code, detail, status, generation, count: 1 };
    return {
      audit: { ...this.#parts.head, ...said, atMs, service },
      answer: this.#answer(end, atMs),
    };
  }

  #answer({ status, generation, body }: CallEnd, atMs: number): StoredAnswer | undefined {
    const { key } = this.#parts;
    if (key === undefined || body === undefined) return undefined;
    return { ...key, actor: this.#parts.head.actor, atMs, status, generation, body };
  }
}

/** Returns the call behind a request; the process itself did `what` where there is none. */
export function callOf(
  {
    call,
    actor,
    reason,
    service = '',
  }: {
    readonly call?: Call | undefined;
    readonly actor: string;
    readonly reason: string;
    readonly service: string | undefined;
  },
  what: string,
): Call {
  if (call !== undefined) return call;
  const head = { actor, address: '', action: what, service, request: '', reason };
  return new Call({ head, key: undefined });
}
