// What a test and its mortal workers say to each other.

import { once } from 'node:events';
import { BroadcastChannel } from 'node:worker_threads';
import type { Test } from 'tap';

export const MORTAL_CHANNEL = 'mortal workers';
export const MORTAL_ENTRY = new URL('./mortal-worker.ts', import.meta.url);

/** `throw`: an error that is not caught. `exit`: gone at once. `count`: only tell. */
export interface MortalOrder {
  readonly kind: 'throw' | 'exit' | 'count';
  readonly index: number;
}

export interface LastWords {
  readonly kind: 'said';
  readonly index: number;
  /** Client connections that the worker has open. */
  readonly connections: number;
}

/** The end of the channel that a test holds. */
export class MortalControl {
  readonly #channel = new BroadcastChannel(MORTAL_CHANNEL);

  constructor(t: Test) {
    t.teardown(() => this.#channel.close());
  }

  /** Gives an order; resolves with the client connections that the worker had when it came. */
  async order(order: MortalOrder): Promise<number> {
    const heard = once(this.#channel, 'message');
    this.#channel.postMessage(order);
    const [event] = (await heard) as [MessageEvent];
    return (event.data as LastWords).connections;
  }
}
