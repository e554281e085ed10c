// How long an idle connection to a target is kept (RFC 9112 §9.3.1): be the first to close.

/**
 * Returns how long to keep it when the target says that it keeps it for `targetSeconds` (`timeout`
 * of Keep-Alive): a second less, or half of a short time; never over `limitMs`.
 */
export function idleTimeoutMs(targetSeconds: number, limitMs: number): number {
  const targetMs = targetSeconds * 1_000;
  return Math.min(limitMs, Math.max(targetMs - 1_000, targetMs / 2));
}
