// Time that passes, where a test must be able to let it pass.

/** Calls back after a while. */
export interface Timers {
  /** Calls `run` once, after `ms`; returns what takes that back. */
  after(ms: number, run: () => void): () => void;
}

export const timers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
