// Questions to all workers what still runs, and their answers put together. A worker that does not
// answer in time is left out: the answer is for people, and nothing is decided by it.

import type { Order, Report } from '../../contract/messages.ts';
import type { RunningRequest } from '../../contract/running-request.ts';
import { RUNNING_ANSWER_MS } from '../base/control-limits.ts';

type Answer = Extract<Report, { kind: 'running' }>;

interface Asked {
  missing: number;
  readonly found: RunningRequest[];
  readonly done: () => void;
}

export class RunningQuestions {
  readonly #asked = new Map<number, Asked>();
  #last = 0;

  /** Sends the question by `send`, which returns how many it went to. */
  async ask(
    what: { readonly blocks: readonly number[]; readonly max: number },
    send: (order: Order) => number,
  ): Promise<RunningRequest[]> {
    const question = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked: Asked = { missing: 0, found: [], done: resolve };
    this.#asked.set(question, asked);
    const timer = setTimeout(resolve, RUNNING_ANSWER_MS);
    asked.missing = send({ kind: 'name-running', question, ...what });
    if (asked.missing > 0) await promise;
    clearTimeout(timer);
    this.#asked.delete(question);
    return asked.found.toSorted((a, b) => b.ageMs - a.ageMs).slice(0, what.max);
  }

  /** A worker has answered. */
  hear({ question, requests }: Answer): void {
    const asked = this.#asked.get(question);
    if (asked === undefined) return; // It came too late.
    asked.found.push(...requests);
    asked.missing--;
    if (asked.missing === 0) asked.done();
  }
}
