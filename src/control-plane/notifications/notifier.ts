// All receivers of events, as they are configured now: each gets its own line, so that a slow one stops no
// other. Keeps what was given up for the status. Knows how to deliver, not what happens.

import { FAILED_DELIVERIES_MAX } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import type { Timers } from '../base/timers.ts';
import type { EventFeed } from './event-feed.ts';
import type { EventStore, StoredEvent } from '../store/rollout-store.ts';
import { attemptOf, payloadText } from './payload.ts';
import type { Receiver } from './receivers.ts';
import type { PostResult, SignedPost } from './signed-post.ts';
import { Sink, type Delivery, type GivenUp, type SinkStatus } from './sink.ts';

/** Runs a program once: no shell, a bounded time, and ended with its group. */
export type RunCommand = (command: {
  readonly argv: readonly string[];
  /** Beside what every command gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly withinMs: number;
  readonly signal: AbortSignal;
}) => Promise<{ readonly isOk: boolean; readonly detail: string }>;

export interface NotifierParts {
  readonly log: Log;
  readonly events: EventStore;
  readonly feed: Pick<EventFeed, 'seen' | 'listen'>;
  readonly post: SignedPost;
  readonly run: RunCommand;
  /** Of this Turnout, for receivers that hear of several. */
  readonly instance: string;
  readonly timers: Timers;
  readonly now: () => number;
  readonly wallNow: () => number;
}

/** A delivery that was given up, for the status. */
export interface FailedDelivery {
  readonly receiver: string;
  readonly id: number;
  readonly event: string;
  /** Empty: it was about the whole process. */
  readonly service: string;
  readonly atMs: number;
  readonly tries: number;
  readonly reason: string;
}

export interface ReceiverStatus extends SinkStatus {
  readonly name: string;
}

interface Line {
  readonly receiver: Receiver;
  readonly sink: Sink;
}

export class Notifier {
  readonly #parts: NotifierParts;
  #lines = new Map<string, Line>();
  #receivers: readonly Receiver[] = [];
  #failed: readonly FailedDelivery[] = [];
  #isRunning = false;
  /** Given up or dropped, by what of the configuration it was told for. */
  readonly failures = new Map<string, number>();

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    parts.feed.listen((rows) => {
      for (const { sink } of this.#lines.values()) sink.take(rows);
    });
  }

  /** The latest first. */
  get failed(): readonly FailedDelivery[] {
    return this.#failed;
  }

  get status(): readonly ReceiverStatus[] {
    return [...this.#lines.values()].map(({ receiver: { name }, sink }) => ({
      name,
      ...sink.status,
    }));
  }

  /** Tells `receivers` from now on; one that stays as it is goes on as if nothing had been. */
  use(receivers: readonly Receiver[]): void {
    this.#receivers = receivers;
    // Each is there from the start, at zero: an alert can tell none from a series that is missing.
    for (const hook of receivers.flatMap(({ hooks }) => hooks)) this.#count(hook, 0);
    if (!this.#isRunning) return;
    const before = this.#lines;
    const after = new Map<string, Line>();
    for (const receiver of receivers) {
      const known = before.get(receiver.key);
      if (known?.receiver.settings !== receiver.settings) continue;
      after.set(receiver.key, known);
    }
    for (const [key, { sink }] of before) if (!after.has(key)) sink.stop();
    // What was under way to the others is tried again by the settings of now.
    for (const receiver of receivers) {
      if (!after.has(receiver.key)) after.set(receiver.key, this.#open(receiver));
    }
    this.#lines = after;
  }

  start(): void {
    this.#isRunning = true;
    this.use(this.#receivers);
  }

  /** Delivers no more; the next process goes on. */
  stop(): void {
    this.#isRunning = false;
    for (const { sink } of this.#lines.values()) sink.stop();
    this.#lines = new Map();
  }

  #open(receiver: Receiver): Line {
    const { events, feed, timers, now, wallNow } = this.#parts;
    const { key, wants } = receiver;
    const sink = new Sink(
      {
        key,
        log: events,
        wants,
        deliver: async (row, signal) => this.#deliver(receiver, row, signal),
        onGivenUp: (given) => this.#note(receiver, given),
        timers,
        now,
        wallNow,
      },
      feed.seen,
    );
    return { receiver, sink };
  }

  async #deliver(receiver: Receiver, row: StoredEvent, signal: AbortSignal): Promise<Delivery> {
    const { post, run, instance } = this.#parts;
    const { to, withinMs, hookOf } = receiver;
    if (to.kind === 'webhook') {
      const { url, secretFile = '', caFile = '' } = to;
      const sent = { url, secretFile, caFile, attempt: attemptOf(row), withinMs, signal };
      return deliveryOf(await post({ ...sent, body: payloadText(row, instance) }));
    }
    const env = hookEnvironment(row, hookOf(row));
    const { isOk, detail } = await run({ argv: to.command, env, withinMs, signal });
    return isOk ? { kind: 'taken' } : { kind: 'failed', reason: detail };
  }

  #note({ name, hookOf }: Receiver, { row, tries, reason }: GivenUp): void {
    const { seq: id, kind: event, service, atMs } = row;
    this.#count(hookOf(row), 1);
    const failed = { receiver: name, id, event, service, atMs, tries, reason };
    this.#failed = [failed, ...this.#failed].slice(0, FAILED_DELIVERIES_MAX);
    this.#parts.log.warn(failed, `${name}: ${event} ${id} was not delivered: ${reason}`);
  }

  #count(hook: string, count: number): void {
    this.failures.set(hook, (this.failures.get(hook) ?? 0) + count);
  }
}

/** Statuses of a receiver that may take it later, although it is the one that is blamed (RFC 9110, 6585). */
const LATER: ReadonlySet<number> = new Set([404, 408, 409, 421, 423, 425, 429]);

/** Returns what an answer to a notification means. */
export function deliveryOf(result: PostResult): Delivery {
  if (result.kind === 'failed') return result;
  const { status, retryAfterMs } = result;
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const isRedirect = status >= 300 && status < 400;
  const reason = isRedirect ? `status ${status}: redirects are not followed` : `status ${status}`;
  const isRefused = status < 500 && !LATER.has(status);
  return { kind: isRefused ? 'refused' : 'failed', reason, retryAfterMs };
}

/** Returns what a hook finds of `event`. Texts of callers stay out: a script may not be careful with them. */
function hookEnvironment(event: StoredEvent, hook: string): Record<string, string> {
  const { seq, kind, service, rollout, data } = event;
  const text = (name: string): string => {
    const value = data[name];
    if (Array.isArray(value)) return value.map(String).join(',');
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  return {
    TURNOUT_HOOK: hook,
    TURNOUT_EVENT: kind,
    TURNOUT_EVENT_ID: String(seq),
    TURNOUT_SERVICE: service,
    TURNOUT_ROLLOUT: rollout,
    TURNOUT_RELEASE: text('release'),
    TURNOUT_COLOR: text('color'),
    TURNOUT_TARGETS: text('targets'),
    TURNOUT_DEPLOYMENT: text('deployment'),
  };
}
