// The log of the control plane: JSON lines on standard output. What is logged is named
// field by field; no body, cookie or credential ever gets this far.

import { pino } from 'pino';
import type { Config } from '../../config/config.ts';

/** Fields first, then the sentence, as pino takes them. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log whose level can be set while it is used. */
export interface ProcessLog extends Log {
  level: string;
}

/**
 * Returns the log of this process. Lines are written at once: there are few of them, and
 * the last ones before an end matter most.
 */
export function openLog(level: Config['log']['level']): ProcessLog {
  const out = pino.destination({ fd: 1, sync: true });
  // A reader that went away (a closed pipe) must not end the proxy.
  out.on('error', () => {});
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  );
}

/** Logs the failure of a promise that is not awaited. */
export function background(task: Promise<unknown>, log: Log, what: string): void {
  task.catch((error: unknown) => log.error({ err: error }, `${what} failed`));
}
