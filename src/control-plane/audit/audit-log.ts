// Writes down what is no change of the table, reads, and checks the chain. Calls that were turned
// away, also those of a token without the power, can come in any number: of those alike, the first
// few of a minute get an entry each and the rest share one. Beside that, each actor has a bounded
// number of entries for calls that change nothing. So a flood pushes nothing else out of the log.

import { epochMs } from '../../base/clock.ts';
import {
  parseRow,
  type AuditDraft,
  type AuditEntry,
  type AuditRow,
  type Link,
} from '../store/audit-chain.ts';
import { TokenBuckets } from '../base/token-bucket.ts';
import { callOf } from './call.ts';
import { verifyChain, type ChainVerdict } from './verify-chain.ts';
import {
  ACTORS_MAX,
  AUDIT_ALIKE_KINDS_MAX,
  AUDIT_ALIKE_MAX,
  AUDIT_ALIKE_WINDOW_MS,
  AUDIT_IDLE_CALL_EVERY_MS,
  AUDIT_IDLE_CALLS_MAX,
  AUDIT_UNDER_WAY_MAX,
  AUDIT_WAITING_MAX,
} from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { networkOf } from '../../base/network.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { AuditQuery, CallNotes, Notes, Store } from '../store/store.ts';

interface Alike {
  readonly startMs: number;
  written: number;
  /** The last of those that have no entry yet, and how many they are. */
  pending: AuditDraft | undefined;
}

/** What is to be written. */
interface Waiting {
  readonly notes: Notes;
  /** It could not be written at once, and the log says so. */
  isTold: boolean;
}

interface AuditLogParts {
  readonly store: Pick<Store, 'note' | 'audit'>;
  readonly log: Log;
}

export class AuditLog {
  readonly #parts: AuditLogParts;
  readonly #alike = new Map<string, Alike>();
  /** Entries that each actor may still have. */
  readonly #buckets = new TokenBuckets({
    most: AUDIT_IDLE_CALLS_MAX,
    everyMs: AUDIT_IDLE_CALL_EVERY_MS,
    bucketsMax: ACTORS_MAX,
  });
  /** By actor: the last call that had no entry left, with the number of them. */
  readonly #shared = new Map<string, AuditDraft>();
  /** What is to be written, the oldest first. */
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  /** The last write has failed. */
  #isFailing = false;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AuditLogParts) {
    this.#parts = parts;
  }

  /** Writes down a call that counts only when it is in the log; rejects with `store-failed` otherwise. */
  async must(notes: Notes): Promise<void> {
    await this.#writeWaiting();
    try {
      await this.#parts.store.note(notes, { mayBeLost: false });
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError('store-failed', `${messageOf(error)}; nothing has changed`, {
        cause: error,
      });
    }
  }

  /**
   * Writes down a call that has changed nothing; an actor that makes too many of them gets one entry
   * a minute for all. Never fails: what can't be written waits.
   */
  note({ audit, answer }: CallNotes): void {
    const { actor } = audit;
    if (this.#buckets.take(actor, audit.atMs)) {
      this.#write({ audit, answer });
      return;
    }
    const count = (this.#shared.get(actor)?.count ?? 0) + audit.count;
    this.#shared.set(actor, { ...audit, count });
    this.#flushLater();
    // A repeated call gets its answer all the same.
    if (answer !== undefined) this.#write({ audit: undefined, answer });
  }

  /** Writes down a call that was turned away before its caller was let in: any number may come. */
  turnedAway(draft: AuditDraft): void {
    const key = this.#keyOf(draft);
    const alike = this.#alike.get(key);
    if (alike === undefined) {
      this.#alike.set(key, { startMs: draft.atMs, written: 1, pending: undefined });
      this.#flushLater();
      this.note({ audit: draft, answer: undefined });
    } else if (alike.written < AUDIT_ALIKE_MAX) {
      alike.written++;
      this.note({ audit: draft, answer: undefined });
    } else {
      const count = (alike.pending?.count ?? 0) + draft.count;
      alike.pending = { ...draft, count };
    }
  }

  /** Writes what was counted together or has waited, except for actors that have no entry left. */
  async flush(): Promise<void> {
    for (const alike of this.#alike.values()) {
      const { pending } = alike;
      alike.pending = undefined;
      if (pending !== undefined) this.note({ audit: pending, answer: undefined });
    }
    await this.#writeWaiting();
  }

  /**
   * Writes that, and the shared entries of actors that have no own entry left. Not when the log is
   * read: looking at it must not make it longer.
   */
  async settle(): Promise<void> {
    await this.flush();
    const drafts = [...this.#shared.values()];
    this.#shared.clear();
    for (const audit of drafts) this.#write({ audit, answer: undefined });
    await this.#writeWaiting();
  }

  /** Writes what is left; nothing is counted together any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.settle();
    this.#alike.clear();
  }

  /** Returns entries, the latest first. */
  async latest(query: AuditQuery): Promise<AuditEntry[]> {
    await this.flush();
    return this.#parts.store.audit.latest(query).map((row) => parseRow(row) ?? unreadable(row));
  }

  /** Follows the chain from its anchor to its head, and looks for `noted` in it: see `verifyChain`. */
  async verify(noted?: Link): Promise<ChainVerdict> {
    await this.flush();
    return verifyChain(this.#parts.store.audit, noted);
  }

  #write(notes: Notes): void {
    const most = this.#isFailing ? AUDIT_WAITING_MAX : AUDIT_UNDER_WAY_MAX;
    if (this.#waiting.length < most) this.#waiting.push({ notes, isTold: false });
    else this.#lost++;
    void this.#writeWaiting();
  }

  #keyOf({ address, code, actor }: AuditDraft): string {
    const key = JSON.stringify([networkOf(address), code, actor]);
    const isFull = this.#alike.size >= AUDIT_ALIKE_KINDS_MAX && !this.#alike.has(key);
    return isFull ? 'others' : key;
  }

  /** Resolves when all was written, or can't be now. */
  async #writeWaiting(): Promise<void> {
    if (!this.#isWriting && this.#waiting.length > 0) this.#writing = this.#writeInOrder();
    await this.#writing;
  }

  async #writeInOrder(): Promise<void> {
    this.#isWriting = true;
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        await this.#parts.store.note(next.notes, { mayBeLost: true });
        this.#isFailing = false;
        this.#waiting.shift();
      }
      if (this.#lost === 0) return;
      this.#parts.log.error({ count: this.#lost }, 'entries of the audit log were lost');
      this.#lost = 0;
    } catch (error) {
      this.#isFailing = true;
      this.#tellWaiting(error);
      this.#flushLater();
    } finally {
      this.#isWriting = false;
    }
  }

  /** Should an entry never be written, this line is all there is. */
  #tellWaiting(error: unknown): void {
    for (const one of this.#waiting) {
      const { audit } = one.notes;
      if (one.isTold || audit === undefined) continue;
      one.isTold = true;
      const { atMs: _, ...fields } = audit;
      this.#parts.log.error(
        { ...fields, err: error },
        'an entry of the audit log was not written yet',
      );
    }
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.settle();
      const nowMs = epochMs();
      for (const [key, { startMs }] of this.#alike) {
        if (Math.abs(nowMs - startMs) >= AUDIT_ALIKE_WINDOW_MS) this.#alike.delete(key);
      }
      if (this.#alike.size + this.#waiting.length > 0) this.#flushLater();
    }, AUDIT_ALIKE_WINDOW_MS).unref();
  }
}

/** What can be told of a row that was damaged. */
function unreadable({ seq, hash, service, text }: AuditRow): AuditEntry {
  const nothing = {
    actor: '',
    address: '',
    reason: '',
    code: '',
    status: 0,
    generation: 0,
    count: 1,
  };
  const action = 'UNREADABLE';
  const detail = 'this entry was damaged';
  return {
    ...nothing,
    seq,
    hash,
    service,
    action,
    request: text,
    detail,
    atMs: 0,
    outcome: 'failed',
  };
}

/** Returns what is written down when a process begins; `warning`: what was wrong with the store. */
export function startNotes(
  version: string,
  generation: number,
  warning: string | undefined,
): CallNotes {
  const call = callOf({ actor: 'turnout', reason: '', service: '' }, 'start');
  const detail = `turnout ${version}${warning === undefined ? '' : `; ${warning}`}`;
  return call.notes({ outcome: 'done', status: 0, generation, detail });
}
