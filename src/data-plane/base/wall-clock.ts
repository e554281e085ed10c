// The time of day, its seconds read once per tick of the wheel: what cookies and tables hold must
// mean the same in every worker, in other instances and after a restart. Everything else measures
// with clocks that never jump.

import { epochMs } from '../../base/clock.ts';

/** The time since the epoch, as coarse as the wheel turns. */
export class WallClock {
  /** Whole seconds. */
  seconds = 0;
  /** The same in milliseconds. */
  nowMs = 0;

  constructor() {
    this.update();
  }

  /** Reads the clock; called with every turn of the wheel. */
  update(): void {
    this.nowMs = epochMs();
    this.seconds = Math.floor(this.nowMs / 1_000);
  }

  /** Milliseconds from now until `atMs` (since the epoch); 0 when that is past. */
  untilMs(atMs: number): number {
    return Math.max(0, atMs - epochMs());
  }
}
