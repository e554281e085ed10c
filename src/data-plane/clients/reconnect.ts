// When a client that keeps its connection shall open a new one: because the deployment that served it
// drains, or because the connection has carried as many requests as one may. It is told with its
// next response; a connection that is idle is never closed for this.

import type { Wheel } from '../base/wheel.ts';

const NEVER = Infinity;

export class Reconnect {
  readonly #wheel: Wheel;
  /** Counter block of the deployment that served the client last. */
  #block = 0;
  #atMs = NEVER;
  #requestCount = 0;

  constructor(wheel: Wheel) {
    this.#wheel = wheel;
  }

  /** `requestsMax` 0: no limit. */
  isDue(requestsMax: number): boolean {
    if (requestsMax !== 0 && this.#requestCount >= requestsMax) return true;
    return this.#atMs !== NEVER && this.#atMs <= this.#wheel.nowMs();
  }

  /** One more request has come; the deployment of `block` serves it. */
  servedBy(block: number): void {
    this.#requestCount++;
    this.#block = block;
  }

  /** If `block` served the client last, it reconnects after `afterMs`; undefined: it may stay. */
  plan(block: number, afterMs: number | undefined): void {
    if (this.#block !== block) return;
    this.#atMs = afterMs === undefined ? NEVER : this.#wheel.nowMs() + afterMs;
  }
}
