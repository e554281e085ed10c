// The end of a shop's process that a test holds: starts it, closes and opens its door, kills it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';

const CHILD = new URL('shop-child.ts', import.meta.url);

export interface Shop {
  /** Address for Turnout. */
  readonly url: string;
  /** Accepts no connection any more and cuts all; its logins and carts stay. */
  closeDoor(): Promise<void>;
  openDoor(): Promise<void>;
  /** SIGKILL: what it knew is gone. */
  kill(): Promise<void>;
}

/**
 * Starts an environment; it ends with the test. It listens on `socketPath`, where its door can
 * always be opened again, or on a free port of loopback.
 */
export async function startShop(t: Test, socketPath = ''): Promise<Shop> {
  const child = fork(CHILD, [socketPath]);
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const response = async (): Promise<string> => {
    const early = ended.then(([code]) => {
      throw new Error(`expected an answer of a shop, got its end with ${String(code)}`);
    });
    const [said] = await Promise.race([once(child, 'message') as Promise<[string]>, early]);
    return said;
  };
  const url = await response();
  const order = async (what: 'open' | 'close'): Promise<void> => {
    child.send(what);
    await response();
  };
  return {
    url,
    closeDoor: async () => order('close'),
    openDoor: async () => order('open'),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
