// The slot of one worker: what is known about the thread that runs in it now.

import type { Worker } from 'node:worker_threads';
import type { ListenerFds, OpenListener } from '../../contract/messages.ts';
import {
  RESTART_BACKOFF_MAX_MS,
  RESTART_BACKOFF_MIN_MS,
  RESTART_BACKOFF_RESET_MS,
} from '../base/control-limits.ts';
import { messageOf, StartError } from '../base/problems.ts';

/** The slot of one worker: its thread may be replaced, its counters stay. */
export interface WorkerSlot {
  readonly index: number;
  thread: Worker | undefined;
  bornAtMs: number;
  isListening: boolean;
  /** What it has open. */
  listeners: readonly OpenListener[];
  /** Generation that the thread has said it goes by. */
  adopted: number;
  /** Version of the names that the thread goes by. */
  resolved: number;
  /** Version of the certificates that the thread goes by. */
  certified: number;
  /** Generations that the thread can serve. */
  readonly tables: Set<number>;
  /** Generations that the thread was born with; servable once it listens. */
  bornWith: readonly number[];
  /** Wait before the next replacement; 0 after a long life. */
  backoffMs: number;
  timer: NodeJS.Timeout | undefined;
  /** The thread stops, and no client comes in any more. */
  isClosed: boolean;
  /** The thread was told to end, or has nothing left to do. */
  isEnding: boolean;
  /** Why the last thread ended, until the exit is seen. */
  cause: unknown;
}

/** Returns which of `fds` go to the worker `index` of `count`: each socket must be accepted from. */
export function dealtOut(
  inherited: readonly ListenerFds[],
  index: number,
  count: number,
): ListenerFds[] {
  return inherited.map(({ listener, fds }) => ({
    listener,
    fds: fds.filter((_, at) => at % count === index),
  }));
}

/** Returns slot number `index`, without a thread. */
export function newWorkerSlot(index: number): WorkerSlot {
  return {
    index,
    thread: undefined,
    bornAtMs: 0,
    isListening: false,
    listeners: [],
    adopted: 0,
    resolved: 0,
    certified: 0,
    tables: new Set(),
    bornWith: [],
    backoffMs: 0,
    timer: undefined,
    isClosed: false,
    isEnding: false,
    cause: undefined,
  };
}

/** Puts a thread that was just started in `slot`. */
export function filled(
  slot: WorkerSlot,
  thread: Worker,
  { bornWith, resolved, certified }: Pick<WorkerSlot, 'bornWith' | 'resolved' | 'certified'>,
): void {
  slot.thread = thread;
  slot.bornAtMs = performance.now();
  slot.bornWith = bornWith;
  slot.resolved = resolved;
  slot.certified = certified;
  slot.cause = undefined;
  slot.isClosed = false;
  slot.isEnding = false;
}

/** Takes note that the thread of `slot` has ended; why, stays known. */
export function emptied(slot: WorkerSlot): void {
  slot.thread = undefined;
  slot.isListening = false;
  slot.listeners = [];
  slot.adopted = 0;
  slot.tables.clear();
}

/** Returns how long a replacement waits; the next one waits longer, unless a thread lives long. */
export function takeBackoffMs(slot: WorkerSlot, livedMs: number): number {
  const waitMs = livedMs >= RESTART_BACKOFF_RESET_MS ? 0 : slot.backoffMs;
  slot.backoffMs = Math.min(Math.max(waitMs * 2, RESTART_BACKOFF_MIN_MS), RESTART_BACKOFF_MAX_MS);
  return waitMs;
}

/** Returns why the thread of `slot` did not come up. */
export function startError({ index, cause }: WorkerSlot, exitCode: number): StartError {
  if (cause instanceof StartError) return cause;
  const why = cause === undefined ? `exit code ${exitCode}` : messageOf(cause);
  return new StartError(`worker ${index} did not start: ${why}`, { cause });
}
