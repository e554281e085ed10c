// The time of day for everything that has an end: holds, drains, tokens, remembered answers. The
// clock of the system may be set back while a process runs; then time goes on here as if it had not
// been, until that clock has caught up. Set forward, it is followed.

/** A smaller step back is the usual correction of a clock. Time here stands still meanwhile. */
const SLACK_MS = 1_000;
/** Set back by more, the clock must have been wrong before: the new time is believed. */
const STEP_BACK_MAX_MS = 24 * 3_600_000;

export class SteadyClock {
  readonly #systemMs: () => number;
  readonly #elapsedMs: () => number;
  #lastMs = -Infinity;
  #lastElapsedMs = 0;

  /** `systemMs`: since the epoch; `elapsedMs`: of a clock that never jumps. */
  constructor(systemMs = () => Date.now(), elapsedMs = () => performance.now()) {
    this.#systemMs = systemMs;
    this.#elapsedMs = elapsedMs;
  }

  /** Milliseconds since the epoch, whole; never less than before, but for a very long step back. */
  nowMs(): number {
    const system = this.#systemMs();
    const elapsed = this.#elapsedMs();
    const expected = this.#lastMs + (elapsed - this.#lastElapsedMs);
    const backMs = expected - system;
    if (backMs <= SLACK_MS) this.#lastMs = Math.max(this.#lastMs, system);
    else this.#lastMs = backMs <= STEP_BACK_MAX_MS ? expected : system;
    this.#lastElapsedMs = elapsed;
    return Math.floor(this.#lastMs);
  }
}

let clock = new SteadyClock();

/** Milliseconds since the epoch. Threads that ran before the clock was set back agree. */
export function epochMs(): number {
  return clock.nowMs();
}

/** Forgets what time it was; for tests that set the clock of the system back on purpose. */
export function restartClock(): void {
  clock = new SteadyClock();
}
