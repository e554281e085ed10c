// Every bound of the control plane, with its unit and reason.

/** Switches that may wait for the one that runs; more are told to come back. */
export const SWITCH_WAITERS_MAX = 16;

/** Workers answer in single milliseconds; 5 s is a worker that hangs or keeps crashing. */
export const PREPARE_TIMEOUT_MS = 5_000;

/** From the birth of a worker to its open socket, at start. */
export const LISTEN_TIMEOUT_MS = 10_000;

/** First wait after a second crash; doubles with each crash that follows. */
export const RESTART_BACKOFF_MIN_MS = 100;
export const RESTART_BACKOFF_MAX_MS = 5_000;

/** A worker that lived this long has earned an immediate replacement again. */
export const RESTART_BACKOFF_RESET_MS = 30_000;

/** What a worker gets beyond its stop deadline before its thread is ended. */
export const STOP_GRACE_MS = 1_000;

/**
 * Young generation of a worker's heap. Small keeps idle memory down; too small makes
 * short-lived objects of slow requests survive into the old generation.
 */
export const WORKER_YOUNG_GENERATION_MIB = 16;

/** Switches kept in the store; the oldest go first. Some 2 MB. */
export const HISTORY_ROWS_MAX = 10_000;
/** Rows of one answer. */
export const HISTORY_LIMIT_MAX = 1_000;
export const HISTORY_LIMIT_DEFAULT = 50;

/**
 * Pause after a commit before the copy of the store is renewed. A burst makes one copy, and a
 * commit seldom meets one, which would make it wait for the disk twice.
 */
export const STORE_COPY_DELAY_MS = 2_000;

/** Until a target has its first verdict it is asked this many times as often. */
export const PROBE_HURRY_FACTOR = 4;
export const PROBE_HURRY_MIN_MS = 100;
/** Part of an interval by which probes are spread, so that they never march in step. */
export const PROBE_JITTER_SHARE = 0.1;
/** Of a probe's answer only this much is read. */
export const PROBE_BODY_BYTES_MAX = 65_536;
/** Head of a probe's answer. */
export const PROBE_HEAD_BYTES_MAX = 16_384;

/** Admin API: a switch needs 100 bytes. */
export const ADMIN_BODY_BYTES_MAX = 65_536;
export const ADMIN_HEAD_BYTES_MAX = 16_384;
/** Operators, scrapers and probes of one machine. */
export const ADMIN_CONNECTIONS_MAX = 256;
/** From the first byte of an admin request to its last. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000;
export const ADMIN_KEEP_ALIVE_TIMEOUT_MS = 60_000;

/** Length of a reason in characters; it goes into history and log. */
export const REASON_CHARS_MAX = 500;

/** How often a switch that lets requests wait looks whether the others have ended. */
export const QUIET_POLL_MS = 2;

/** How often drains are looked at; a second is soon enough to stop a container. */
export const DRAIN_POLL_MS = 500;
/** Drains that have ended and are still told of, per service. */
export const ENDED_DRAINS_MAX = 10;
/** Calls that wait for a drain at once. */
export const DRAIN_WAITERS_MAX = 64;
/** Longest wait for a drain in one call; repeat it to wait longer. */
export const DRAIN_WAIT_MAX_MS = 600_000;

/** Longest hold: a client gives up after half a minute, and so do most load balancers. */
export const HOLD_MAX_MS = 60_000;

/** A new signing key after this long; an old one is believed for as long once more. */
export const KEY_LIFE_MS = 7 * 86_400_000;
/** Every worker knows a key for this long before one of them signs with it. */
export const KEY_SPREAD_MS = 10_000;

/** Life of a preview token. */
export const PREVIEW_LIFE_MAX_MS = 7 * 86_400_000;
