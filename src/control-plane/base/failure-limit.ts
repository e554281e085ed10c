// How often one network may present wrong credentials. Bounded: the oldest network is forgotten
// first.

import { AUTH_FAILURES_MAX, AUTH_FAILURES_WINDOW_MS, AUTH_NETWORKS_MAX } from './control-limits.ts';
import { networkOf } from '../../base/network.ts';

interface Window {
  readonly startMs: number;
  failures: number;
}

export class FailureLimit {
  /** In the order in which their windows began. */
  readonly #windows = new Map<string, Window>();

  /** Returns how long `address` has to wait before it is heard again, in ms; 0: not at all. */
  waitMs(address: string, nowMs: number): number {
    const window = this.#windows.get(networkOf(address));
    if (window === undefined || window.failures < AUTH_FAILURES_MAX) return 0;
    // A clock that was set back must not lock a network out for longer.
    const leftMs = window.startMs + AUTH_FAILURES_WINDOW_MS - nowMs;
    return leftMs > AUTH_FAILURES_WINDOW_MS ? 0 : Math.max(0, leftMs);
  }

  /** Counts a failure of `address`. */
  failed(address: string, nowMs: number): void {
    const network = networkOf(address);
    const window = this.#windows.get(network);
    const ageMs = window === undefined ? 0 : nowMs - window.startMs;
    if (window !== undefined && ageMs >= 0 && ageMs < AUTH_FAILURES_WINDOW_MS) {
      window.failures++;
      return;
    }
    this.#windows.delete(network);
    if (this.#windows.size >= AUTH_NETWORKS_MAX) {
      const [oldest] = this.#windows.keys();
      this.#windows.delete(oldest!);
    }
    this.#windows.set(network, { startMs: nowMs, failures: 1 });
  }
}
