// Layout of the counters that all threads share. One writer per slot, so nothing is locked:
// a worker writes its own region with plain stores, the control plane sums the regions. It writes
// zeros only, where no worker counts: gauges of a dead worker, slots that get another owner.
//
//   region = worker row · BLOCKS blocks · ENDPOINTS endpoint rows
//
// Float64 counts exactly up to 2^53, and an aligned 8-byte store is never seen half done.

import { FAILURE_CODES } from '../base/failures.ts';
import { SHADOW_RESULTS } from './shadow-rules.ts';

/** Why a request went to its color: the label `reason`. */
export const DECISIONS = ['active', 'session', 'release', 'preview', 'rescue', 'split'] as const;

/** Index of each decision. */
export const DECISION = {
  active: 0,
  session: 1,
  release: 2,
  preview: 3,
  rescue: 4,
  /** Placed by a rollout, on either color: by these, the two are compared. */
  split: 5,
} as const;

/** Upper edges of the duration buckets in milliseconds; one more bucket takes the rest. */
export const DURATION_EDGES_MS: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
];
const HISTOGRAM_SLOTS = DURATION_EDGES_MS.length + 2; // the rest, and the sum in milliseconds

export const STATUS_MIN = 100;
const STATUS_COUNT = 500;

/** What becomes of connections to listeners with TLS or a PROXY header: the label `outcome`. */
export const HANDSHAKE_OUTCOMES = [
  'done',
  /** Done, and the session of an earlier connection went on. */
  'resumed',
  /** An ACME authority has seen its certificate. */
  'challenge',
  'failed',
  'timeout',
  /** The client closed before. */
  'gone',
  /** Closed to make room for others. */
  'displaced',
  /** The client spoke HTTP where TLS is spoken. */
  'plain-http',
  /** The client named no host, or none that a certificate is for. */
  'unknown-name',
  /** The client has no certificate, or one that is not accepted. */
  'client-certificate',
  'bad-proxy-header',
  /** Not one of those that may send a PROXY header. */
  'not-a-proxy',
] as const;
export type HandshakeOutcome = (typeof HANDSHAKE_OUTCOMES)[number];

/** Slots of a worker row. Gauges go up and down; the others only grow. */
export const WORKER_ROW = {
  connectionsOpen: 0,
  connectionsAccepted: 1,
  /** Closed at once because `connectionsMax` was reached and none made room. */
  connectionsRefused: 2,
  /** Of the access log. */
  logLinesDropped: 3,
  /** Idle connections that were closed to make room for others. */
  connectionsDisplaced: 4,
  /** Connections that have not come to a protocol yet; they are among `connectionsOpen` too. */
  handshakesOpen: 5,
  /** Indexed as HANDSHAKE_OUTCOMES. */
  handshakes: 6,
} as const;
const WORKER_ROW_SLOTS = WORKER_ROW.handshakes + HANDSHAKE_OUTCOMES.length;

/** Why a request was sent again: the label `reason` of retries. */
export const RETRY_REASONS = ['connect', 'closed', 'status', 'session'] as const;

/** Index of each: no connection, no response, its status; the active deployment got it instead. */
export const RETRY_REASON = { connect: 0, closed: 1, status: 2, session: 3 } as const;

/** Slots of a block that stand alone, before the lists. All are taken: a new one raises this. */
const BLOCK_SINGLES = 11;
const HISTOGRAMS_AT = BLOCK_SINGLES + FAILURE_CODES.length;
const REQUESTS_AT = HISTOGRAMS_AT + 4 * HISTOGRAM_SLOTS;
const RETRIES_AT = REQUESTS_AT + DECISIONS.length * STATUS_COUNT;

/**
 * Slots of a block: one service, color and release on the same targets. Block 0 takes what belongs
 * to none: what was answered before a target was asked, failures of previews, connections opened ahead.
 */
export const BLOCK = {
  inflight: 0,
  tunnels: 1,
  /** 404s of the active color in whose place the other color had something. */
  rescued: 2,
  requestBytes: 3,
  responseBytes: 4,
  /** Event streams that are open; they are among `inflight` too. */
  streams: 5,
  /** Requests that wait while the service is held. */
  held: 6,
  /** Requests that count for or against the release, and those of them that a rollout has placed. */
  judged: 7,
  judgedSplit: 8,
  /** The same of what went wrong by its fault. */
  judgedBad: 9,
  judgedBadSplit: 10,
  /** Indexed by FAILURE_INDEX. */
  failures: BLOCK_SINGLES,
  /** Buckets, rest, sum. */
  duration: HISTOGRAMS_AT,
  connect: HISTOGRAMS_AT + HISTOGRAM_SLOTS,
  /** As `duration`, of what is judged and has the decision `split`. */
  durationSplit: HISTOGRAMS_AT + 2 * HISTOGRAM_SLOTS,
  /** As `duration`, of what is not judged: rescues, and paths that are ignored. */
  durationUnjudged: HISTOGRAMS_AT + 3 * HISTOGRAM_SLOTS,
  /** Indexed by decision × STATUS_COUNT + status − STATUS_MIN. */
  requests: REQUESTS_AT,
  /** Indexed by RETRY_REASON. */
  retries: RETRIES_AT,
  /** Of copies that the deployment got, indexed as SHADOW_RESULTS: they are no requests of clients. */
  shadow: RETRIES_AT + RETRY_REASONS.length,
} as const;
/** Behind the results: milliseconds to the heads of compared responses, of clients and of copies. */
const SHADOW_SLOTS = SHADOW_RESULTS.length + 2;
export const BLOCK_SLOTS = BLOCK.shadow + SHADOW_SLOTS;

/** Slots that go up and down. One that is missing here keeps what a dead worker left in it. */
export const BLOCK_GAUGES = [BLOCK.inflight, BLOCK.tunnels, BLOCK.streams, BLOCK.held] as const;

/** Slots of an endpoint row. */
export const ENDPOINT_ROW = {
  inflight: 0,
  connections: 1,
  connects: 2,
  connectFailures: 3,
  /** Requests that it failed: no response in time or at all, no connection, or a status from 500 on. */
  failed: 4,
  /** Upgraded connections and event streams that are open; they are among `inflight` too. */
  tunnels: 5,
  streams: 6,
  /** Requests that it answered with any other status. */
  answered: 7,
} as const;
/** All are taken: a new one raises this. */
export const ENDPOINT_ROW_SLOTS = 8;

/** As BLOCK_GAUGES. */
export const ENDPOINT_GAUGES = [
  ENDPOINT_ROW.inflight,
  ENDPOINT_ROW.connections,
  ENDPOINT_ROW.tunnels,
  ENDPOINT_ROW.streams,
] as const;

/** Blocks of one worker: one for each deployment that serves, idles or drains. */
export const BLOCKS_MAX = 256;
/** Endpoints of all services together. */
export const ENDPOINTS_MAX = 1024;

const BLOCKS_AT = WORKER_ROW_SLOTS;
const ENDPOINTS_AT = BLOCKS_AT + BLOCKS_MAX * BLOCK_SLOTS;
/** Slots of one worker. */
export const REGION_SLOTS = ENDPOINTS_AT + ENDPOINTS_MAX * ENDPOINT_ROW_SLOTS;

/**
 * What workers go by when they choose an endpoint. `ejected`: up by its checks, but it fails live requests.
 * From `trial` on: its ejection is over, and each worker may send it one request for each number.
 */
export const HEALTH_WORD = { unknown: 0, up: 1, down: 2, ejected: 3, trial: 4 } as const;

/** Returns the part of `counters` that worker `index` (from 0) writes. */
export function workerRegion(counters: Float64Array, index: number): Float64Array {
  return counters.subarray(index * REGION_SLOTS, (index + 1) * REGION_SLOTS);
}

/** Returns where block `block` begins inside a region. */
export function blockOffset(block: number): number {
  return BLOCKS_AT + block * BLOCK_SLOTS;
}

/** Returns where the row of endpoint `slot` begins inside a region. */
export function endpointOffset(slot: number): number {
  return ENDPOINTS_AT + slot * ENDPOINT_ROW_SLOTS;
}

/** Returns the slot of one decision and status inside a block; odd statuses count as 599. */
export function requestSlot(decisionIndex: number, status: number): number {
  const row =
    status >= STATUS_MIN && status < STATUS_MIN + STATUS_COUNT
      ? status - STATUS_MIN
      : STATUS_COUNT - 1;
  return BLOCK.requests + decisionIndex * STATUS_COUNT + row;
}

/** Adds `durationMs` to the histogram whose first bucket is at `at`. Cost: a few compares. */
export function observe(region: Float64Array, at: number, durationMs: number): void {
  let bucket = 0;
  while (bucket < DURATION_EDGES_MS.length && durationMs > DURATION_EDGES_MS[bucket]!) bucket++;
  region[at + bucket]! += 1;
  region[at + DURATION_EDGES_MS.length + 1]! += durationMs;
}
