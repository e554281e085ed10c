// Every way in which the admin API refuses or fails an operator: RFC 9457 problems. The code is
// stable, scripts may match it; title and detail are for people. Knows not where they come from.

interface Problem {
  readonly status: number;
  readonly title: string;
}

export const PROBLEMS = {
  'body-invalid': { status: 400, title: 'The request body does not fit' },
  'json-malformed': { status: 400, title: 'The request body is not JSON' },
  'query-invalid': { status: 400, title: 'The query string does not fit' },
  'request-malformed': { status: 400, title: 'The request is malformed' },
  'if-match-malformed': { status: 400, title: 'If-Match is malformed' },
  'service-required': { status: 400, title: 'A service must be named' },
  'plan-invalid': { status: 400, title: 'The plan can not be read' },
  'reason-required': { status: 400, title: 'A forced change needs a reason' },
  'idempotency-key-malformed': { status: 400, title: 'Idempotency-Key is malformed' },
  unauthenticated: { status: 401, title: 'Credentials are needed' },
  forbidden: { status: 403, title: 'The credentials do not allow this' },
  'approval-by-same-actor': { status: 403, title: 'Another actor has to approve' },
  'host-not-allowed': { status: 403, title: 'The Host field names another machine' },
  'came-through-turnout': { status: 403, title: 'The request came through a Turnout' },
  'origin-not-allowed': { status: 403, title: 'Web pages of other origins are refused' },
  'not-found': { status: 404, title: 'No such path' },
  'service-unknown': { status: 404, title: 'No such service' },
  'method-not-allowed': { status: 405, title: 'The path exists, the method does not' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'token-unknown': { status: 404, title: 'No such token' },
  'drain-unknown': { status: 404, title: 'No such deployment drains' },
  'deployment-unknown': { status: 404, title: 'No such deployment is kept' },
  'rollout-unknown': { status: 404, title: 'No such rollout is kept' },
  'gate-unknown': { status: 404, title: 'The rollout has no such gate' },
  'token-name-taken': { status: 409, title: 'The name of the token is taken' },
  'too-many-previews': { status: 409, title: 'Too many deployments have preview links' },
  'too-many-tokens': { status: 409, title: 'Too many tokens are known' },
  'idempotency-running': { status: 409, title: 'The call with this key is still running' },
  'replaces-all-targets': { status: 409, title: 'Not one target would stay' },
  'rollout-running': { status: 409, title: 'A rollout of the service is running' },
  'color-active': { status: 409, title: 'The color is the active one' },
  'address-in-use': { status: 409, title: 'An address is still in use' },
  'listener-unavailable': { status: 409, title: 'A listener cannot be opened' },
  'no-slot': { status: 409, title: 'Too many releases are known at once' },
  'hold-timeout': { status: 409, title: 'Requests did not end while others waited' },
  'called-off': { status: 409, title: 'The change was called off' },
  'not-serving': { status: 409, title: 'The service holds or turns away its requests' },
  'no-targets': { status: 409, title: 'The color has no target' },
  'target-unhealthy': { status: 409, title: 'The color is not healthy' },
  'release-locked-out': { status: 409, title: 'The release is locked out' },
  'rollout-over': { status: 409, title: 'The rollout does not take this any more' },
  'not-waiting': { status: 409, title: 'The rollout does not wait for this' },
  'gate-failed': { status: 409, title: 'A gate did not open' },
  'no-release': { status: 409, title: 'There is no other release to move to' },
  'schema-incompatible': { status: 409, title: 'The schema of the data does not fit' },
  'point-of-no-return': { status: 409, title: 'The point of no return is passed' },
  'nothing-to-roll-back-to': { status: 409, title: 'There is no switch to take back' },
  'target-not-allowed': { status: 403, title: 'A target leads where it may not' },
  'target-invalid': { status: 400, title: 'A target cannot be used' },
  'generation-mismatch': { status: 412, title: 'Another decision was made meanwhile' },
  'config-invalid': { status: 422, title: 'The configuration has faults' },
  'certificate-invalid': { status: 409, title: 'A certificate cannot be used' },
  'restart-required': { status: 409, title: 'A running process cannot take this over' },
  'reload-unavailable': { status: 501, title: 'There is no configuration to read again' },
  'body-too-large': { status: 413, title: 'The request body is over the limit' },
  'content-type-not-json': { status: 415, title: 'Changes are taken as application/json only' },
  'idempotency-mismatch': { status: 422, title: 'The key was used for another call' },
  'scheduled-unknown': { status: 404, title: 'No such switch is ordered' },
  'scheduled-over': { status: 409, title: 'The order is over' },
  'scheduled-stale': { status: 409, title: 'Another deployment was meant' },
  'scheduled-late': { status: 409, title: 'The time of the order is long over' },
  'too-many-scheduled': { status: 409, title: 'Too many switches are ordered' },
  'switching-frozen': { status: 423, title: 'Switching is frozen' },
  'too-many-changes': { status: 429, title: 'Too many changes' },
  'too-many-failures': { status: 429, title: 'Too many wrong credentials' },
  'head-too-large': { status: 431, title: 'The request head is over the limit' },
  internal: { status: 500, title: 'Turnout failed; its log has the cause' },
  'upgrade-failed': { status: 500, title: 'The new process did not take over' },
  'upgrade-unavailable': { status: 501, title: 'This process cannot be upgraded while it runs' },
  upgrading: { status: 503, title: 'A new process is taking over' },
  busy: { status: 503, title: 'Too many changes are waiting' },
  frozen: { status: 503, title: 'Decisions are frozen until a restart' },
  stopping: { status: 503, title: 'Turnout is stopping' },
  'not-ready': { status: 503, title: 'Turnout is not ready' },
  'outcome-unknown': { status: 503, title: 'It is not known whether the last change was stored' },
  'store-failed': { status: 503, title: 'The change could not be stored' },
  'workers-not-ready': { status: 503, title: 'Not every worker could prepare the change' },
} as const satisfies Readonly<Record<string, Problem>>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Where the documents say what a problem means and what to do. */
const DOCUMENTED_AT = 'https://github.com/turnout-proxy/turnout/blob/main/docs/errors.md';

/** Returns the type of a problem (RFC 9457 §3.1.1), which leads to what is documented of it. */
export function problemType(code: ProblemCode): string {
  return `${DOCUMENTED_AT}#${code}`;
}
