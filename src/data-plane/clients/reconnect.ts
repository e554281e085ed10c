// When a client that keeps its connection shall open a new one, because the side that served it
// drains. It is told with its next answer; a connection that is idle is never closed for this.

import type { Wheel } from '../base/wheel.ts';

const NEVER = Infinity;

export class Reconnect {
  readonly #wheel: Wheel;
  /** Counter block of the side that served the client last. */
  #block = 0;
  #atMs = NEVER;

  constructor(wheel: Wheel) {
    this.#wheel = wheel;
  }

  get isDue(): boolean {
    return this.#atMs !== NEVER && this.#atMs <= this.#wheel.nowMs();
  }

  servedBy(block: number): void {
    this.#block = block;
  }

  /** Whoever was last served by `block` reconnects after `afterMs`; undefined: it may stay. */
  plan(block: number, afterMs: number | undefined): void {
    if (this.#block !== block) return;
    this.#atMs = afterMs === undefined ? NEVER : this.#wheel.nowMs() + afterMs;
  }
}
