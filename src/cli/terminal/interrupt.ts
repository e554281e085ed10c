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

/** Hears whether a person wants to stop. */
export interface StopEar {
  readonly isHeard: () => boolean;
  readonly end: () => void;
}

/**
 * Hears the first signal that asks this process to go, for work that must not stop halfway: it
 * looks between two steps. A second signal does what it does by itself.
 */
export function hearStop(terminal: Terminal): StopEar {
  let isHeard = false;
  const end = (): void => {
    for (const name of ENDING) terminal.signals.off(name, onSignal);
  };
  const onSignal = (): void => {
    isHeard = true;
    end();
  };
  for (const name of ENDING) terminal.signals.on(name, onSignal);
  return { isHeard: () => isHeard, end };
}
