// How long a test waits for an event before it says that the event did not come.

/**
 * Far above any delay of a busy machine; only a failing test waits so long. Less than 30 s, so that
 * no limit of the proxy can end what is waited for instead.
 */
export const PATIENCE_MS = 25_000;
