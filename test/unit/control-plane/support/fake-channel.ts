// What tests and fake workers say to each other.

import { once } from 'node:events';
import { BroadcastChannel } from 'node:worker_threads';

export const FAKE_CHANNEL = 'fake workers';
export const FAKE_ENTRY = new URL('./fake-worker.ts', import.meta.url);

export interface FakeCommand {
  readonly index: number | 'all';
  readonly do: 'throw' | 'exit' | 'fault' | 'keep-silent' | 'crash-on-prepare' | 'ignore-stop';
}

export type FakeNews =
  | { readonly news: 'obeyed'; readonly index: number }
  | {
      readonly news: 'born';
      readonly index: number;
      readonly versions: readonly number[];
      /** Keys whose signatures it believes. */
      readonly keyCount: number;
      /** Names that it knows where they lead. */
      readonly nameCount: number;
      /** Version of its certificates. */
      readonly certified: number;
    }
  | {
      readonly news: 'order';
      readonly index: number;
      readonly order: string;
      /** Of a table, or of a `resolve`; 0 for an order that has none. */
      readonly version: number;
    };

/** The end of the channel that a test holds. */
export class FakeControl {
  readonly #channel = new BroadcastChannel(FAKE_CHANNEL);
  readonly #events = new EventTarget();
  readonly news: FakeNews[] = [];

  constructor() {
    this.#channel.addEventListener('message', (event) => {
      const data: unknown = (event as MessageEvent).data;
      if (typeof data !== 'object' || data === null || !('news' in data)) return;
      this.news.push(data as FakeNews);
      this.#events.dispatchEvent(new Event('news'));
    });
  }

  /** Gives a command and resolves when the worker has taken it (never, if it dies of it). */
  async tell(command: FakeCommand): Promise<void> {
    const from = this.news.length;
    this.#channel.postMessage(command);
    if (command.do === 'throw' || command.do === 'exit') return;
    await this.until((news) => news.news === 'obeyed', from);
  }

  /** Resolves with the first news from `from` on that fits. */
  async until(fits: (news: FakeNews) => boolean, from = 0): Promise<FakeNews> {
    for (;;) {
      const found = this.news.slice(from).find(fits);
      if (found) return found;
      await once(this.#events, 'news');
    }
  }

  close(): void {
    this.#channel.close();
  }
}
