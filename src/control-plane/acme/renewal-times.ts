// When a certificate is ordered: renewals, the waits after failures, and what a clock that jumps may do
// to them. Pure: times come in, times go out, all of them in ms since the epoch.

/** Part of its life after which a certificate is renewed. Not a number of days: lives get shorter. */
const RENEW_SHARE = 2 / 3;
/** Earlier or later by this part of that, so that certificates made together are not renewed together. */
const JITTER_SHARE = 0.05;
/**
 * Between two certificates for one domain, whatever they say: with a wrong clock, or an authority that
 * sends old ones, each would be due at once, and public authorities give five of a kind in a week.
 */
const REST_MS = 6 * 3_600_000;
/** A life that is shorter than the rest would allow, as in a test of renewals. */
const REST_SHARE = 1 / 3;

/** After the first failure; three times as long after each that follows. */
const BACKOFF_MIN_MS = 60_000;
/** Public authorities take five failures of one name within an hour: those come after 1, 4, 13 and 40 minutes. */
const BACKOFF_FACTOR = 3;
const BACKOFF_MAX_MS = 6 * 3_600_000;
/** The longest wait, as a part of the life of the certificate that is to be renewed. */
const BACKOFF_LIFE_SHARE = 1 / 24;
const BACKOFF_JITTER_SHARE = 0.1;
/** After "too many requests" without a time. */
const LIMITED_MS = 3_600_000;
/** An authority may not ask for more, or a mistake of its clock would end all renewals. */
const ASKED_MAX_MS = 24 * 3_600_000;

export interface Life {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Returns when a certificate is renewed; `chance`, from 0 to 1, is its own and never changes. */
export function renewalMs(life: Life, obtainedAtMs: number, chance: number): number {
  const wholeMs = Math.max(0, life.notAfterMs - life.notBeforeMs);
  const share = RENEW_SHARE * (1 + JITTER_SHARE * (2 * chance - 1));
  const restMs = Math.min(REST_MS, wholeMs * REST_SHARE);
  return Math.round(Math.max(life.notBeforeMs + wholeMs * share, obtainedAtMs + restMs));
}

export interface Failure {
  /** In a row, this one included. */
  readonly failures: number;
  readonly isRateLimited: boolean;
  readonly retryAfterMs: number | undefined;
}

/** Returns how long to wait after a failure; `life` is that of the certificate that is to be renewed. */
export function waitMs(
  { failures, isRateLimited, retryAfterMs }: Failure,
  life: Life | undefined,
  chance: number,
): number {
  const wholeMs = life === undefined ? Infinity : life.notAfterMs - life.notBeforeMs;
  const maxMs = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_MIN_MS, wholeMs * BACKOFF_LIFE_SHARE));
  const plainMs = Math.min(maxMs, BACKOFF_MIN_MS * BACKOFF_FACTOR ** (failures - 1));
  const backoffMs = plainMs * (1 + BACKOFF_JITTER_SHARE * (2 * chance - 1));
  const limitedMs = isRateLimited ? (retryAfterMs ?? LIMITED_MS) : (retryAfterMs ?? 0);
  return Math.round(Math.max(backoffMs, Math.min(limitedMs, ASKED_MAX_MS)));
}

export interface Tries {
  readonly lastTryMs: number;
  readonly nextTryMs: number;
}

/** Returns the times of tries as they count now: if the clock was set back, the wait begins again. */
export function triesNow({ lastTryMs, nextTryMs }: Tries, nowMs: number): Tries {
  if (lastTryMs <= nowMs) return { lastTryMs, nextTryMs };
  return { lastTryMs: nowMs, nextTryMs: nowMs + Math.min(nextTryMs - lastTryMs, ASKED_MAX_MS) };
}
