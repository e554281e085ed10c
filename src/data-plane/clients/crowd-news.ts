// What operators are told of a worker whose places for client connections are all taken: once a
// minute at most, with all that happened since the last time. Decides nothing.

import type { Report } from '../../contract/messages.ts';
import type { Wheel } from '../base/wheel.ts';

const EVERY_MS = 60_000;

export class CrowdNews {
  readonly #wheel: Wheel;
  readonly #report: (report: Report) => void;
  #displacedCount = 0;
  #refusedCount = 0;
  #toldAtMs = -Infinity;

  constructor(wheel: Wheel, report: (report: Report) => void) {
    this.#wheel = wheel;
    this.#report = report;
  }

  /** An idle connection of `network` was closed to make room. */
  displaced(network: string): void {
    this.#displacedCount++;
    this.#tell(network);
  }

  /** A connection from `network` found no room. */
  refused(network: string): void {
    this.#refusedCount++;
    this.#tell(network);
  }

  #tell(network: string): void {
    const nowMs = this.#wheel.nowMs();
    if (nowMs - this.#toldAtMs < EVERY_MS) return;
    this.#toldAtMs = nowMs;
    const displacedCount = this.#displacedCount;
    const refusedCount = this.#refusedCount;
    this.#report({ kind: 'crowded', displacedCount, refusedCount, network });
    this.#displacedCount = 0;
    this.#refusedCount = 0;
  }
}
