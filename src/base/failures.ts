// Every way in which an exchange can fail: which side is to blame and what the client gets.
// docs/errors.md is checked against these rows.

type Blame = 'client' | 'upstream' | 'proxy';

interface Failure {
  readonly blame: Blame;
  /** RFC 9110 §15; 499 is only logged, because the client has gone. */
  readonly status: number;
  /** One sentence for the person who reads the response. */
  readonly detail: string;
}

export const FAILURES = {
  BAD_REQUEST: { blame: 'client', status: 400, detail: 'the request head is malformed' },
  BAD_REQUEST_BODY: { blame: 'client', status: 400, detail: 'the request body is malformed' },
  REQUEST_TIMEOUT: { blame: 'client', status: 408, detail: 'the request did not arrive in time' },
  BODY_TOO_LARGE: { blame: 'client', status: 413, detail: 'the request body is over the limit' },
  TARGET_TOO_LONG: { blame: 'client', status: 414, detail: 'the request target is over the limit' },
  HEAD_TOO_LARGE: { blame: 'client', status: 431, detail: 'the request head is over the limit' },
  NOT_IMPLEMENTED: {
    blame: 'client',
    status: 501,
    detail: 'the method or transfer coding is not known here',
  },
  VERSION_NOT_SUPPORTED: {
    blame: 'client',
    status: 505,
    detail: 'only HTTP/1.1 and HTTP/1.0 are spoken here',
  },
  NO_ROUTE: {
    blame: 'client',
    status: 404,
    detail: 'no service is configured for this host and path',
  },
  LOOP_DETECTED: {
    blame: 'proxy',
    status: 508,
    detail: 'the request goes in circles: a target leads back to Turnout',
  },
  CLIENT_GONE: { blame: 'client', status: 499, detail: 'the client left before the answer ended' },
  CONNECT_FAILED: { blame: 'upstream', status: 502, detail: 'no connection to the target' },
  CONNECT_TIMEOUT: { blame: 'upstream', status: 504, detail: 'the target did not accept in time' },
  UPSTREAM_CLOSED: {
    blame: 'upstream',
    status: 502,
    detail: 'the target closed the connection before it answered',
  },
  UPSTREAM_BAD_RESPONSE: {
    blame: 'upstream',
    status: 502,
    detail: 'the answer of the target is malformed',
  },
  UPSTREAM_TIMEOUT: { blame: 'upstream', status: 504, detail: 'the target did not answer in time' },
  UPSTREAM_ABORTED: {
    blame: 'upstream',
    status: 502,
    detail: 'the target broke off in the middle of its answer',
  },
  UPSTREAM_STALLED: {
    blame: 'upstream',
    status: 504,
    detail: 'the target stopped in the middle of its answer',
  },
  CLIENT_TOO_SLOW: {
    blame: 'client',
    status: 408,
    detail: 'a switch waited for this request to end, and the client was too slow',
  },
  CLIENT_STALLED: { blame: 'client', status: 499, detail: 'the client stopped reading the answer' },
  NO_TARGET: { blame: 'proxy', status: 503, detail: 'the color has no target' },
  POOL_FULL: {
    blame: 'proxy',
    status: 503,
    detail: 'every connection to the target is busy and the queue is full',
  },
  POOL_TIMEOUT: {
    blame: 'proxy',
    status: 503,
    detail: 'no connection to the target became free in time',
  },
  MAINTENANCE: { blame: 'proxy', status: 503, detail: 'the service is in maintenance' },
  HOLD_FULL: {
    blame: 'proxy',
    status: 503,
    detail: 'the service is held for a moment and no more requests can wait',
  },
  CLOSED_BY_HOLD: {
    blame: 'proxy',
    status: 503,
    detail: 'the service is held or in maintenance, and what still ran was closed',
  },
  STOPPED: {
    blame: 'proxy',
    status: 503,
    detail: 'Turnout stopped before the request was done',
  },
  DRAIN_ENDED: {
    blame: 'proxy',
    status: 503,
    detail: 'the release that served the request was taken out of service',
  },
  RESCUE_FAILED: {
    blame: 'upstream',
    status: 404,
    detail: 'the active color has no such file, and the other one could not be asked',
  },
  INTERNAL: { blame: 'proxy', status: 500, detail: 'the proxy failed; its log has the cause' },
} as const satisfies Readonly<Record<string, Failure>>;

export type FailureCode = keyof typeof FAILURES;

/** All codes in a fixed order; the index is the slot in the shared counters. */
export const FAILURE_CODES = Object.keys(FAILURES) as readonly FailureCode[];

/** `code` → index in FAILURE_CODES. */
export const FAILURE_INDEX = Object.fromEntries(
  FAILURE_CODES.map((code, index) => [code, index]),
) as Readonly<Record<FailureCode, number>>;
