// Pure: when traffic leaves a color by itself. Reads no clock, asks no other part.
//
//   well ──all targets down──► down ──for `after`, without a break──► due ──nothing in the way──► switch
//     ▲                          │                                      │
//     └────one target is up──────┴──────────────────────────────────────┘
//
// Only a color that is down is ever left. A color that comes back gets no traffic for that, so
// there is no way to and fro; and two failovers of one service are at least `pause` apart.

/** What failover is to do for one service; times in ms. */
export interface FailoverPolicy {
  readonly mode: 'off' | 'auto';
  /** The active color must be down for this long without a break. */
  readonly afterMs: number;
  /** From one failover to the next at the least. */
  readonly pauseMs: number;
}

/** Why traffic cannot go to the other color now. */
export interface Obstacle {
  /** Stable for as long as the cause is the same. */
  readonly code: string;
  readonly text: string;
}

/** What is known at one moment; times in ms of one clock that never goes back. */
export interface FailoverFacts {
  readonly policy: FailoverPolicy;
  /** Since when no target of the active color is usable; undefined: one is, or it is not known. */
  readonly downSinceMs: number | undefined;
  /** Of the last failover of the service; undefined: there was none. */
  readonly lastFailoverMs: number | undefined;
  readonly obstacle: Obstacle | undefined;
}

export type FailoverDecision =
  | { readonly kind: 'off' }
  | { readonly kind: 'well' }
  /** The color is down, and the time is not yet up. */
  | { readonly kind: 'down' }
  | { readonly kind: 'blocked'; readonly obstacle: Obstacle }
  | { readonly kind: 'switch' };

/** Returns what is to be done at `nowMs`. */
export function decideFailover(facts: FailoverFacts, nowMs: number): FailoverDecision {
  const { policy, downSinceMs, lastFailoverMs, obstacle } = facts;
  if (policy.mode === 'off') return { kind: 'off' };
  if (downSinceMs === undefined) return { kind: 'well' };
  if (nowMs - downSinceMs < policy.afterMs) return { kind: 'down' };
  if (obstacle !== undefined) return { kind: 'blocked', obstacle };
  const leftMs = lastFailoverMs === undefined ? 0 : lastFailoverMs + policy.pauseMs - nowMs;
  if (leftMs > 0) return { kind: 'blocked', obstacle: pauseObstacle(leftMs) };
  return { kind: 'switch' };
}

function pauseObstacle(leftMs: number): Obstacle {
  const seconds = Math.ceil(leftMs / 1_000);
  return {
    code: 'pause',
    text: `the last failover was less than failover.pause ago; ${seconds} s are left`,
  };
}

/**
 * Returns since when a color is down, after one more look. It must be down in every look: one in
 * which it is not, and the time begins anew.
 */
export function downSince(
  before: number | undefined,
  isDown: boolean,
  nowMs: number,
): number | undefined {
  return isDown ? (before ?? nowMs) : undefined;
}

/** What is seen of one target: by the checks, and by the connections of clients. */
export interface ObservedTarget {
  readonly state: 'unknown' | 'up' | 'down';
  /** Why the last check failed; empty: it passed, or none has ended. */
  readonly reason: string;
  /** Connections of clients that failed since the last one that succeeded. */
  readonly connectFailures: number;
}

/**
 * Tells whether a color is down: it has targets, and no request could get through on any. The
 * checks alone say so once they are sure; a check that failed is enough where clients can't connect
 * either. A target of which nothing is known is not down.
 */
export function isColorDown(targets: readonly ObservedTarget[], failuresMin: number): boolean {
  return (
    targets.length > 0 &&
    targets.every(
      ({ state, reason, connectFailures }) =>
        state === 'down' || (reason !== '' && connectFailures >= failuresMin),
    )
  );
}
