// The log of the control plane: JSON lines on standard output, which are never waited for. What is
// logged is named field by field; no body, cookie or credential ever gets this far.

import { pino } from 'pino';
import { epochMs } from '../../base/clock.ts';
import { openStdout } from '../../base/log-outlet.ts';
import { droppedText, LogWriter, type LogOutlet } from '../../base/log-writer.ts';
import { visibleJson } from '../../base/visible-text.ts';
import type { Config } from '../../config/config.ts';
import { DebugBound } from './debug-bound.ts';

/** What lines at level debug are about; of each kind only so many are written in a second. */
interface DebugFields {
  readonly kind: 'probe' | 'lookup' | 'table' | 'change' | 'failover' | 'reload';
  readonly [field: string]: unknown;
}

/** Fields first, then the sentence, as pino takes them. */
export interface Log {
  debug(fields: DebugFields, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The log of the process: its level can be set while it is used. */
export interface ProcessLog extends Log {
  level: string;
  /** Lines that were dropped, because what reads the log is slow or gone. */
  droppedCount(): number;
  /** Resolves when all is written, or when that takes longer than an end should wait for it. */
  settle(): Promise<void>;
}

/** Much more than this process ever says within a minute. */
const HELD_BYTES_MAX = 1_048_576;
/** More than a log that is read needs, and little beside the time of a stop. */
const SETTLE_MS = 500;

/** Returns the log of this process. A line is written at once where its reader has room for it. */
export function openLog(
  level: Config['log']['level'],
  open: () => LogOutlet = openStdout,
): ProcessLog {
  let droppedCount = 0;
  const writer = new LogWriter({
    open,
    heldBytesMax: HELD_BYTES_MAX,
    gatherMs: 0,
    told: (dropped) => {
      const time = new Date(epochMs()).toISOString();
      return `${JSON.stringify({ level: 'warn', time, dropped, msg: droppedText(dropped) })}\n`;
    },
    onDropped: (lines) => (droppedCount += lines),
  });
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Reasons and names come from callers, and a person may read this on a terminal.
  const write = (line: string): void => writer.add(`${visibleJson(line.trimEnd())}\n`);
  const lines = pino(options, { write });
  const settle = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, SETTLE_MS);
    writer.flush(resolve);
    await promise;
    clearTimeout(timer);
  };
  const bound = new DebugBound();
  return {
    debug(fields, message) {
      if (!lines.isLevelEnabled('debug')) return;
      const leftOut = bound.take(fields.kind, performance.now());
      if (leftOut === undefined) return;
      lines.debug(leftOut === 0 ? fields : { ...fields, leftOut }, message);
    },
    info: (fields, message) => lines.info(fields, message),
    warn: (fields, message) => lines.warn(fields, message),
    error: (fields, message) => lines.error(fields, message),
    get level() {
      return lines.level;
    },
    set level(next) {
      lines.level = next;
    },
    droppedCount: () => droppedCount,
    settle,
  };
}

/** Tells whether `log` is that of the process. */
export function isProcessLog(log: Log): log is ProcessLog {
  return 'settle' in log;
}

/** Logs the failure of a promise that is not awaited. */
export function background(task: Promise<unknown>, log: Log, what: string): void {
  task.catch((error: unknown) => log.error({ err: error }, `${what} failed`));
}
