// Prometheus text, made at the moment of a scrape from the shared counters and from what
// the control plane knows. Nothing is counted twice, and an unscraped Turnout pays nothing.

import { FAILURE_CODES, FAILURES } from '../../base/failures.ts';
import { Turns } from '../../base/turns.ts';
import { BLOCK, DURATION_EDGES_MS, RETRY_REASONS, WORKER_ROW } from '../../contract/counters.ts';
import { SHADOW_RESULTS } from '../../contract/shadow-rules.ts';
import { COLORS } from '../../contract/table.ts';
import type { FileReport } from '../certificates/certificate-files.ts';
import type { DrainWatch } from '../switching/drain-watch.ts';
import { FAILOVER_OUTCOMES, type Failover } from '../automation/failover.ts';
import type { AcmeOrders } from '../acme/acme-orders.ts';
import { acmeFamilies } from './acme-families.ts';
import { certificateFamilies } from './certificate-families.ts';
import { connectionFamilies } from './connection-families.ts';
import {
  family,
  histogram,
  renderFamilies,
  renderProcess,
  type Family,
  type Labels,
} from './prometheus.ts';
import type { Reloader } from '../reload/reloader.ts';
import type { ReleaseSeries } from './release-series.ts';
import type { SwitchTally } from '../publishing/switch-tally.ts';
import { histogramAt, requestCounts } from '../memory/totals.ts';
import type { RolloutMetrics } from '../memory/rollout-tally.ts';
import { rolloutFamilies } from './rollout-families.ts';
import { targetFamilies, type TargetFamilyParts } from './target-families.ts';

export interface MetricsParts extends TargetFamilyParts {
  readonly version: string;
  readonly series: ReleaseSeries;
  readonly tally: SwitchTally;
  readonly workers: { readonly listeningCount: number; readonly restarts: number };
  readonly drains: Pick<DrainWatch, 'running'>;
  readonly reloader: Pick<Reloader, 'last'>;
  readonly certificates: () => readonly FileReport[];
  readonly acmeOrders: Pick<AcmeOrders, 'status' | 'counts'>;
  readonly failover: Pick<Failover, 'counts'>;
  readonly rolloutMetrics: RolloutMetrics;
  /** Deliveries that were given up, by the name of what was to hear of it. */
  readonly hookFailures: () => ReadonlyMap<string, number>;
  readonly isHalted: () => boolean;
  /** An operator has frozen all switching. */
  readonly isSwitchingFrozen: () => boolean;
  /** Calls to the admin API that were turned away, by the code of their problem. */
  readonly turnedAway: ReadonlyMap<string, number>;
  readonly store: { readonly fault: string | undefined };
  /** Lines of the control plane that were dropped from the log. */
  readonly logLinesDropped: () => number;
}

/** About. */
const SERIES_OF_RELEASE = 50;

const EDGES_SECONDS = DURATION_EDGES_MS.map((edgeMs) => edgeMs / 1_000);

/** A step is a series, made or printed: these take some milliseconds. */
const STEPS_AT_ONCE = 500;

/**
 * Returns all series as Prometheus text, version 0.0.4. Thousands of them are made in slices: `turn`
 * lets other work go first.
 */
export async function renderMetrics(
  parts: MetricsParts,
  turn?: () => Promise<void>,
): Promise<string> {
  const turns = new Turns(STEPS_AT_ONCE, turn);
  const families = [
    ...(await trafficFamilies(parts, turns)),
    ...connectionFamilies(parts.totals),
    ...targetFamilies(parts),
    ...drainFamilies(parts),
    ...switchFamilies(parts),
    ...rolloutFamilies({
      services: parts.table().services,
      rollouts: parts.rolloutMetrics,
      hookFailures: parts.hookFailures(),
    }),
    ...reloadFamilies(parts),
    ...certificateFamilies(parts.certificates()),
    ...acmeFamilies(parts.acmeOrders),
    ...processFamilies(parts),
  ];
  return (await renderFamilies(families, turns)) + (await renderProcess());
}

async function trafficFamilies({ series }: MetricsParts, turns: Turns): Promise<Family[]> {
  const requests = family('counter', 'turnout_requests_total', 'Requests that were answered.');
  const durations = family(
    'histogram',
    'turnout_request_duration_seconds',
    'Time from the head of a request to the end of its answer.',
  );
  const connects = family(
    'histogram',
    'turnout_upstream_connect_seconds',
    'Time to open a connection to a target.',
  );
  const inflight = family('gauge', 'turnout_inflight_requests', 'Requests that are running.');
  const tunnels = family('gauge', 'turnout_tunnels', 'Upgraded connections that are open.');
  const retries = family('counter', 'turnout_retries_total', 'Requests that were tried once more.');
  const received = family(
    'counter',
    'turnout_request_bytes_total',
    'Bytes of request bodies sent to targets.',
  );
  const sent = family(
    'counter',
    'turnout_response_bytes_total',
    'Bytes of answer bodies sent to clients.',
  );
  const streams = family('gauge', 'turnout_event_streams', 'Event streams that are open.');
  const waiting = family(
    'gauge',
    'turnout_held_requests',
    'Requests that wait because the service is held.',
  );
  const rescued = family(
    'counter',
    'turnout_rescued_total',
    'Files that the active color did not have and this one did.',
  );
  const copies = family(
    'counter',
    'turnout_shadow_requests_total',
    'Copies of requests that an idle release got, by what became of them.',
  );
  for (const release of series.shown()) {
    const { labels } = release;
    const sum = series.sumOf(release);
    for (const { status, reason, count } of requestCounts(sum)) {
      requests.add({ ...labels, code: String(status), reason }, count);
    }
    histogram(durations, labels, EDGES_SECONDS, histogramAt(sum, BLOCK.duration));
    histogram(connects, labels, EDGES_SECONDS, histogramAt(sum, BLOCK.connect));
    inflight.add(labels, sum[BLOCK.inflight]!);
    tunnels.add(labels, sum[BLOCK.tunnels]!);
    streams.add(labels, sum[BLOCK.streams]!);
    waiting.add(labels, sum[BLOCK.held]!);
    rescued.add(labels, sum[BLOCK.rescued]!);
    for (const [index, result] of SHADOW_RESULTS.entries()) {
      const count = sum[BLOCK.shadow + index]!;
      if (count > 0) copies.add({ ...labels, result }, count);
    }
    for (const [index, reason] of RETRY_REASONS.entries()) {
      retries.add({ ...labels, reason }, sum[BLOCK.retries + index]!);
    }
    received.add(labels, sum[BLOCK.requestBytes]!);
    sent.add(labels, sum[BLOCK.responseBytes]!);
    await turns.after(SERIES_OF_RELEASE);
  }
  // What the proxy has answered itself: no color and no release is to blame, or has a share in it.
  const own = series.ofNoRelease();
  for (const [code, count] of countsByStatus(own)) {
    requests.add({ ...NO_RELEASE, code, reason: 'own' }, count);
  }
  histogram(durations, NO_RELEASE, EDGES_SECONDS, histogramAt(own, BLOCK.duration));
  inflight.add(NO_RELEASE, own[BLOCK.inflight]!);
  received.add(NO_RELEASE, own[BLOCK.requestBytes]!);
  sent.add(NO_RELEASE, own[BLOCK.responseBytes]!);
  const rejected = rejectedFamily(series.failures());
  const gauges = [inflight, tunnels, streams, waiting];
  return [
    requests,
    durations,
    connects,
    ...gauges,
    retries,
    rescued,
    copies,
    received,
    sent,
    rejected,
  ];
}

const NO_RELEASE: Labels = { service: '', color: '', release: '' };

/** Returns the requests of a block by their status, whatever was decided on them. */
function countsByStatus(sum: Float64Array): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { status, count } of requestCounts(sum)) {
    const code = String(status);
    counts.set(code, (counts.get(code) ?? 0) + count);
  }
  return counts;
}

function drainFamilies({ drains }: MetricsParts): Family[] {
  const sessions = family(
    'gauge',
    'turnout_draining_sessions',
    'Sessions that were seen lately on a deployment that drains, estimated.',
  );
  const requests = family(
    'gauge',
    'turnout_draining_requests',
    'Requests, tunnels and event streams that run on a deployment that drains.',
  );
  const until = family(
    'gauge',
    'turnout_drain_ends_timestamp_seconds',
    'When a deployment that drains is cut.',
  );
  for (const drain of drains.running({ service: undefined })) {
    const { service, color, release, scope } = drain;
    const { deployment, generation } = drain;
    const numbers = { deployment: String(deployment), generation: String(generation) };
    const named = { service, color, release, ...numbers };
    // The deployment goes on without these targets, so they are series of their own.
    const labels = scope === 'deployment' ? named : { ...named, targets: drain.targets.join(',') };
    sessions.add(labels, drain.sessions);
    requests.add(labels, drain.requests + drain.tunnels + drain.streams);
    until.add(labels, drain.endsAtMs / 1_000);
  }
  return [sessions, requests, until];
}

function rejectedFamily(failures: Float64Array): Family {
  const rejected = family(
    'counter',
    'turnout_rejected_total',
    'Requests that the proxy could not serve as asked, by failure and status.',
  );
  for (const [index, failure] of FAILURE_CODES.entries()) {
    rejected.add({ code: String(FAILURES[failure].status), failure }, failures[index]!);
  }
  return rejected;
}

function switchFamilies({ table, tally, failover, isSwitchingFrozen }: MetricsParts): Family[] {
  const generation = family('gauge', 'turnout_generation', 'Number of the last decision.');
  generation.add({}, table().epoch);
  const switches = family(
    'counter',
    'turnout_switches_total',
    'Changes of the active color: made, refused or failed.',
  );
  for (const { count, ...labels } of tally.counts) switches.add(labels, count);
  const last = family(
    'gauge',
    'turnout_last_switch_timestamp_seconds',
    'When the active color last changed while this process ran.',
  );
  for (const [service, seconds] of tally.lastAtSeconds) last.add({ service }, seconds);
  const took = family(
    'histogram',
    'turnout_switch_duration_seconds',
    'Time from the request for a switch to its publication.',
  );
  histogram(took, {}, EDGES_SECONDS, histogramAt(tally.durations, 0));
  const failovers = family(
    'counter',
    'turnout_failovers_total',
    'Times the active color was down: left by itself, could not be, or nothing fit was there.',
  );
  const lockedOut = family(
    'gauge',
    'turnout_locked_out',
    'Whether the release on a color can not be switched to after a rollback, 1 or 0.',
  );
  for (const service of table().services) {
    const { name } = service;
    const counts = failover.counts(name);
    for (const outcome of FAILOVER_OUTCOMES) {
      failovers.add({ service: name, outcome }, counts[outcome]);
    }
    for (const color of COLORS) {
      lockedOut.add({ service: name, color }, service[color].lockedOut === undefined ? 0 : 1);
    }
  }
  const frozen = family(
    'gauge',
    'turnout_switching_frozen',
    'Whether an operator has frozen all switching, 1 or 0.',
  ).add({}, isSwitchingFrozen() ? 1 : 0);
  return [generation, switches, last, took, failovers, lockedOut, frozen];
}

function reloadFamilies({ reloader }: MetricsParts): Family[] {
  const last = reloader.last;
  const successful = 'Whether the last reload of the configuration was done, 1 or 0; 1 before any.';
  const at =
    'When the configuration was last to be read again, in seconds since the epoch; 0: never.';
  return [
    family('gauge', 'turnout_config_last_reload_successful', successful).add(
      {},
      (last?.problem ?? '') === '' ? 1 : 0,
    ),
    family('gauge', 'turnout_config_last_reload_timestamp_seconds', at).add(
      {},
      (last?.atMs ?? 0) / 1_000,
    ),
  ];
}

function processFamilies(parts: MetricsParts): Family[] {
  const { workers, version, isHalted, turnedAway, totals, store, logLinesDropped } = parts;
  const refused = family(
    'counter',
    'turnout_admin_refused_total',
    'Calls and connections to the admin API that were turned away.',
  );
  for (const [code, count] of turnedAway) refused.add({ code }, count);
  const dropped = family(
    'counter',
    'turnout_log_lines_dropped_total',
    'Lines that were dropped because what reads the log was slow or gone.',
  )
    .add({ log: 'access' }, totals.worker(WORKER_ROW.logLinesDropped))
    .add({ log: 'process' }, logLinesDropped());
  return [
    refused,
    dropped,
    family(
      'gauge',
      'turnout_store_fault',
      'Whether the state can not be written, so that changes are refused, 1 or 0.',
    ).add({}, store.fault === undefined ? 0 : 1),
    family('gauge', 'turnout_workers', 'Worker threads that listen.').add(
      {},
      workers.listeningCount,
    ),
    family(
      'counter',
      'turnout_worker_restarts_total',
      'Worker threads that ended unasked and were replaced.',
    ).add({}, workers.restarts),
    family('gauge', 'turnout_frozen', 'Whether decisions are frozen until a restart, 1 or 0.').add(
      {},
      isHalted() ? 1 : 0,
    ),
    family('gauge', 'turnout_build_info', 'The running version, always 1.').add({ version }, 1),
  ];
}
