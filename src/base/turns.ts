// Long work in slices: after so many steps, what else waits in this thread goes first.

import { setImmediate as nextTurn } from 'node:timers/promises';

export class Turns {
  readonly #stepsMax: number;
  readonly #turn: () => Promise<void>;
  #steps = 0;

  /** `turn` lets other work go first; tests count how often. */
  constructor(stepsMax: number, turn: () => Promise<void> = nextTurn) {
    this.#stepsMax = stepsMax;
    this.#turn = turn;
  }

  /** To be called behind `count` steps. */
  async after(count: number): Promise<void> {
    this.#steps += count;
    if (this.#steps < this.#stepsMax) return;
    this.#steps = 0;
    await this.#turn();
  }
}
