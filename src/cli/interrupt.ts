// Waits that a person may end: Ctrl-C, and the other signals that ask a process to go.

import type { Terminal } from './print.ts';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `wait` and hears signals meanwhile. Resolves with `undefined` as soon as one came: what
 * `wait` still does is of no interest then.
 */
export async function unlessInterrupted<T>(
  terminal: Terminal,
  wait: (interrupted: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const abort = new AbortController();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onSignal = (): void => {
    abort.abort();
    resolve(undefined);
  };
  for (const name of ENDING) terminal.signals.on(name, onSignal);
  try {
    return await Promise.race([wait(abort.signal), promise]);
  } finally {
    abort.abort();
    for (const name of ENDING) terminal.signals.off(name, onSignal);
  }
}
