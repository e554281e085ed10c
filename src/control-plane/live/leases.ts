// Leases for cron jobs and queue workers that run on both colors: while its deployment holds one, a worker may act
// as the active one. Traffic never waits for a lease. After a switch, the new deployment gets one once those of the
// others are over, so two deployments of a service never hold one at the same time. Knows no HTTP.

import { LEASE_MAX_MS } from '../../api/api-limits.ts';

export interface LeaseParts {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /**
   * Before this process there was another one that gave leases it can't ask about: until then, a deployment
   * that is not known to have been the only one gets none.
   */
  readonly clearAtMs: number;
  /** Deployments that were active all the while before: they go on. */
  readonly wasActive: ReadonlySet<number>;
}

export type Lease =
  | { readonly kind: 'held'; readonly untilMs: number }
  /** The deployment is active, and another one may still act: ask again then. */
  | { readonly kind: 'waits'; readonly untilMs: number };

export class Leases {
  readonly #parts: LeaseParts;
  /** Service → deployment → end of its last lease. */
  readonly #ends = new Map<string, Map<number, number>>();

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  /** Gives the active `deployment` of `service` a lease of `ms`, unless another one still has one. */
  ask(service: string, deployment: number, ms: number): Lease {
    const { now, clearAtMs, wasActive } = this.#parts;
    const nowMs = now();
    const ends = this.#ends.get(service) ?? new Map<number, number>();
    this.#ends.set(service, ends);
    for (const [number, untilMs] of ends) if (untilMs <= nowMs) ends.delete(number);
    const others = [...ends].filter(([number]) => number !== deployment).map(([, end]) => end);
    if (!wasActive.has(deployment)) others.push(clearAtMs);
    const freeAtMs = Math.max(0, ...others);
    if (freeAtMs > nowMs) return { kind: 'waits', untilMs: freeAtMs };
    const untilMs = nowMs + Math.min(ms, LEASE_MAX_MS);
    ends.set(deployment, Math.max(untilMs, ends.get(deployment) ?? 0));
    return { kind: 'held', untilMs };
  }
}
