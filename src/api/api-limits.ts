// The bounds that a client of the admin API meets: the longest text, list, life and wait that a
// call may ask for. Knows no schema, and no bound that stays inside the server.

/** Length of a reason in characters; it goes into history and log. */
export const REASON_CHARS_MAX = 500;

/** Switches of one answer. */
export const HISTORY_LIMIT_MAX = 1_000;
export const HISTORY_LIMIT_DEFAULT = 50;

/** Entries of the audit log in one answer. */
export const AUDIT_LIMIT_MAX = 1_000;
export const AUDIT_LIMIT_DEFAULT = 50;

/** Characters of an `Idempotency-Key`: a UUID has 36. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 128;

/** Longest life of a token that ends; without an end it lives until it is revoked. */
export const TOKEN_LIFE_MAX_MS = 3_650 * 86_400_000;

/** Longest wait for a drain in one call; repeat it to wait longer. */
export const DRAIN_WAIT_MAX_MS = 600_000;

/** Longest wait for the end of what runs in one call that holds or shuts a service. */
export const RUNNING_WAIT_MAX_MS = 600_000;

/** Services of one switch. */
export const SERVICES_AT_ONCE_MAX = 64;

/** Longest hold: a client gives up after half a minute, and so do most load balancers. */
export const HOLD_MAX_MS = 60_000;

/** Steps of one dry run: of as many services as there can be, each with both colors and a switch. */
export const DRY_RUN_STEPS_MAX = 192;

/** Entries of the metadata of a deployment. */
export const METADATA_MAX = 16;

/** Life of a preview token. */
export const PREVIEW_LIFE_MAX_MS = 7 * 86_400_000;

/** Characters of a plan: a hundred steps have fewer. */
export const PLAN_CHARS_MAX = 2_048;

/** Longest bake; what is not found in a week is found by other means. */
export const BAKE_MAX_MS = 7 * 86_400_000;

/** Gates of one service. */
export const GATES_MAX = 32;

/** Rollouts of one answer: as many as are kept. */
export const ROLLOUTS_LIMIT_MAX = 200;
export const ROLLOUTS_LIMIT_DEFAULT = 20;

/** Longest wait for an event of a rollout in one call; repeat it to wait longer. */
export const ROLLOUT_WAIT_MAX_MS = 600_000;

/** Longest time in which traffic goes back after an abort. */
export const RESTICK_RAMP_MAX_MS = 600_000;

/** How far ahead a switch can be ordered. */
export const SCHEDULE_AHEAD_MAX_MS = 366 * 86_400_000;

/** How late a switch that was ordered may be made. */
export const SCHEDULE_GRACE_MAX_MS = 86_400_000;
export const SCHEDULE_GRACE_DEFAULT_MS = 300_000;

/** Orders that are still to be carried out. */
export const ORDERS_PENDING_MAX = 64;

/** Orders that are over, in one answer. */
export const ORDERS_OVER_TOLD = 20;
/** Events that the view of a rollout has. */
export const ROLLOUT_EVENTS_SHOWN = 20;

/** Largest number of a schema: a date and time of 14 digits, as migrations often have, fits. */
export const SCHEMA_MAX = 99_999_999_999_999;
/** Longest wait for a switch in one call; repeat it to wait longer. */
export const ACTIVE_WAIT_MAX_MS = 60_000;
/** Longest lease: for so long the other color may have to wait for its own. */
export const LEASE_MAX_MS = 60_000;

/** Minutes of a series. */
export const SERIES_MINUTES_MAX = 60;
