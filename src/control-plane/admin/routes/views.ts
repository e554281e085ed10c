// The only place where inner state becomes JSON for people and scripts.

import { timeText } from '../../base/time-text.ts';
import { epochMs } from '../../../base/clock.ts';
import { countText } from '../../../base/count-text.ts';
import { Turns } from '../../../base/turns.ts';
import type { AcmeStatus } from '../../acme/acme-types.ts';
import type { FileReport } from '../../certificates/certificate-files.ts';
import type { LastReload } from '../../reload/reloader.ts';
import { BLOCK } from '../../../contract/counters.ts';
import {
  deploymentsOf,
  type Deployment,
  type Endpoint,
  type Service,
} from '../../../contract/table.ts';
import { addressOfListener, printAddress } from '../../../contract/worker-settings.ts';
import type { DrainStatus } from '../../switching/drain-status.ts';
import type { DrainFilter } from '../../switching/drain-watch.ts';
import type { Ejection } from '../../targets/ejections.ts';
import type { TargetStatus } from '../../targets/health.ts';
import type { Outages } from '../../targets/outages.ts';
import type { QuietWait } from '../../switching/holding/hold-switch.ts';
import { STATUS_SWITCHES_MAX } from '../../base/control-limits.ts';
import { OperatorError } from '../../base/problems.ts';
import { deploymentOf, type ServiceState } from '../../store/service-state.ts';
import type { Freeze, HistoryEntry, Store } from '../../store/store.ts';
import { requestCounts } from '../../memory/totals.ts';
import type { AdminParts } from './admin-parts.ts';
import { alarmsView } from './alarms-view.ts';
import { schemaView } from './deployment-views.ts';
import { isSeen } from './route.ts';
import { windowsView } from './windows-view.ts';
import type { Drain, DrainAnswer } from '../../../api/draining.ts';
import type { ReadyAnswer } from '../../../api/process.ts';
import type { ServiceStatus, SideStatus, StatusAnswer } from '../../../api/status-answer.ts';
import type { SwitchEntry } from '../../../api/switching.ts';

/** Returns one line of the history. */
export function historyView({ atMs, tookMs, ...entry }: HistoryEntry): SwitchEntry {
  const { epoch, service, from, to, release, deployment, left } = entry;
  const { outcome, forced, reason, actor } = entry;
  return {
    generation: epoch,
    service,
    from,
    to,
    release,
    deployment,
    left,
    at: timeText(atMs),
    tookMs: tookMs === undefined ? null : round(tookMs),
    outcome,
    forced,
    reason,
    actor,
  };
}

export interface ReadyParts {
  readonly isReady: () => boolean;
  readonly store: Pick<Store, 'fault'>;
  readonly outages: Pick<Outages, 'count'>;
}

/**
 * Throws `not-ready` while this process takes no traffic. How targets are changes nothing about that:
 * a proxy that is taken out of rotation because of them makes an outage worse, and those of one
 * service would take the others along. Any client may ask, so it names no path and no service.
 */
export function readyView({ isReady, store, outages }: ReadyParts): ReadyAnswer {
  if (!isReady()) throw new OperatorError('not-ready', 'starting or stopping');
  const { count } = outages;
  const warnings = [
    ...(store.fault === undefined ? [] : [STATE_WARNING]),
    ...(count === 0 ? [] : [`no target answers: ${countText(count, 'service')}; status says more`]),
  ];
  return { status: 'ok', warning: warnings.length === 0 ? null : warnings.join('; ') };
}

const STATE_WARNING =
  'changes are refused: the state file is not as it was left; status and log say more';

/** Each has a look into the store; together they take some milliseconds. */
const SERVICES_AT_ONCE = 8;

/** Returns the whole picture, the most wanted first. It is made in slices where services are many. */
export async function statusView(
  parts: AdminParts,
  only: readonly string[] | undefined,
): Promise<StatusAnswer> {
  const { switchboard, store, workers } = parts;
  const { epoch, services: all } = switchboard.table;
  const turns = new Turns(SERVICES_AT_ONCE);
  const services: ServiceStatus[] = [];
  for (const service of all) {
    if (!isSeen(service.name, only)) continue;
    services.push(serviceView(service, parts));
    await turns.after(1);
  }
  return {
    version: parts.version,
    generation: epoch,
    ready: parts.isReady(),
    uptimeSeconds: Math.floor(process.uptime()),
    listen: printAddress(workers.address),
    listeners: workers.listeners.map((listener) => ({
      address: printAddress(addressOfListener(listener)),
      for: listener.use,
      tls: listener.tls !== undefined,
    })),
    workers: {
      count: workers.count,
      listening: workers.listeningCount,
      restarts: workers.restarts,
    },
    state: { dir: parts.stateDir, warning: store.fault ?? store.warning ?? null },
    reload: reloadView(parts.reloader.last),
    freeze: freezeView(switchboard.freeze.current),
    certificates: only === undefined ? parts.certificates().map(certificateView) : [],
    acme: only === undefined ? parts.acmeOrders.status().map(acmeView) : [],
    notifications: notificationsView(parts, only),
    alarms: alarmsView(parts, only),
    scheduled: parts.scheduler.list(only, 0).pending,
    services,
  };
}

function notificationsView(
  { notifier }: Pick<AdminParts, 'notifier'>,
  only: readonly string[] | undefined,
): StatusAnswer['notifications'] {
  const failed = notifier.failed.filter(({ service }) => isSeen(service, only));
  return {
    receivers: only === undefined ? [...notifier.status] : [],
    failed: failed.map(({ atMs, ...one }) => ({ ...one, at: timeText(atMs) })),
  };
}

function certificateView({
  name,
  names,
  source,
  endsAtMs,
  problem,
}: FileReport): StatusAnswer['certificates'][number] {
  const endsAt = timeText(endsAtMs);
  return { name, names: [...names], source, endsAt, problem: problem === '' ? null : problem };
}

function acmeView(status: AcmeStatus): StatusAnswer['acme'][number] {
  const { domain, notAfterMs, isOrdering, nextTryMs, failures, problem, advice } = status;
  return {
    domain,
    endsAt: notAfterMs === undefined ? null : timeText(notAfterMs),
    ordering: isOrdering,
    nextTryAt: timeText(nextTryMs),
    failures,
    problem: problem === '' ? null : problem,
    advice: advice === '' ? null : advice,
  };
}

function reloadView(last: LastReload | undefined): StatusAnswer['reload'] {
  if (last === undefined) return null;
  const { atMs, actor, problem } = last;
  return { at: timeText(atMs), actor, problem: problem === '' ? null : problem };
}

/** Returns a freeze; null for none. */
export function freezeView(freeze: Freeze | undefined): StatusAnswer['freeze'] {
  if (freeze === undefined) return null;
  const { actor, atMs, reason } = freeze;
  return { actor, at: timeText(atMs), reason };
}

function failoverView({ name }: Service, { failover }: AdminParts): ServiceStatus['failover'] {
  const { mode, downSinceMs, obstacle = null } = failover.status(name);
  return { mode, downSince: downSinceMs === undefined ? null : timeText(downSinceMs), obstacle };
}

function serviceView(service: Service, parts: AdminParts): ServiceStatus {
  const limit = STATUS_SWITCHES_MAX;
  const switches = parts.store.history({ service: service.name, limit }).map(historyView);
  const { activeSinceMs } = parts.switchboard.states.get(service.name)!;
  return {
    name: service.name,
    active: service.active,
    since: { generation: service[service.active].servedSince, at: timeText(activeSinceMs) },
    blue: sideView(service, service.blue, parts),
    green: sideView(service, service.green, parts),
    draining: parts.drains.running({ service: service.name }).map(drainStatusView),
    held: heldView(service, parts),
    maintenance: maintenanceView(service),
    failover: failoverView(service, parts),
    rollout: parts.rollouts?.brief(service.name) ?? null,
    ...dataView(parts.switchboard.states.get(service.name)!),
    freeze: freezeView(parts.switchboard.freeze.of(service.name)),
    freezes: windowsView(parts.switchboard.freeze.windows(service.name)),
    previous: switches[0] ?? null,
    switches,
  };
}

/** What is known of the data behind a service. */
function dataView(state: ServiceState): Pick<ServiceStatus, 'schema' | 'pointOfNoReturn'> {
  const { noReturn } = state;
  const schema = state.schema ?? null;
  if (noReturn === undefined) return { schema, pointOfNoReturn: null };
  const { actor, reason, atMs } = noReturn;
  return { schema, pointOfNoReturn: { actor, at: timeText(atMs), reason } };
}

function heldView(service: Service, { totals, switchboard }: AdminParts): ServiceStatus['held'] {
  const { hold } = service;
  if (hold === undefined || hold.untilMs <= epochMs()) return null;
  const { block } = service[service.active];
  const requests = totals.blockSlot(block, BLOCK.held);
  const wait = switchboard.waiting(service.name);
  return {
    methods: hold.methods,
    until: timeText(hold.untilMs),
    requests,
    waitsFor: wait === undefined ? null : waitView(wait),
  };
}

function maintenanceView({ maintenance }: Service): ServiceStatus['maintenance'] {
  if (maintenance === undefined) return null;
  const { message, retryAfterSeconds } = maintenance;
  return { message, retryAfterSeconds };
}

function waitView({ what, untilMs, left }: QuietWait) {
  return { what, until: timeText(untilMs), left: [...left] };
}

/** Returns what is left of the drains that `filter` means. */
export function drainView(
  drains: AdminParts['drains'],
  filter: DrainFilter,
  only: readonly string[] | undefined,
): DrainAnswer {
  const mayTell = ({ service }: { readonly service: string }): boolean => isSeen(service, only);
  const draining = drains.running(filter).filter(mayTell).map(drainStatusView);
  const seen = drains.ended(filter).filter(mayTell);
  const ended = seen.map(({ startedAtMs, endedAtMs, ...drain }) => ({
    ...drain,
    targets: [...drain.targets],
    startedAt: timeText(startedAtMs),
    endedAt: timeText(endedAtMs),
  }));
  return { safeToStop: draining.length === 0, draining, ended };
}

function drainStatusView(drain: DrainStatus): Drain {
  const { service, deployment, scope, generation, color, release } = drain;
  const { requests, tunnels, streams, reasons } = drain;
  return {
    service,
    deployment,
    scope,
    generation,
    color,
    release,
    targets: [...drain.targets],
    startedAt: timeText(drain.startedAtMs),
    requests,
    tunnels,
    streams,
    sessions: { seen: drain.sessions, standardError: drain.sessionsError },
    deadlines: { sessions: timeText(drain.sessionsUntilMs), end: timeText(drain.endsAtMs) },
    // A promise: it is true once the drain has ended, and then it is not in this list any more.
    safeToStop: false,
    reasons: reasons.length === 0 ? ['nothing is left; it ends in a moment'] : [...reasons],
  };
}

function sideView(
  service: Service,
  { number, release, block, endpoints, lockedOut }: Deployment,
  parts: AdminParts,
): SideStatus {
  const targets = endpoints.flatMap((endpoint) =>
    parts.health.of(endpoint).map((one) => ({ url: endpoint.url, ...one })),
  );
  const sum = parts.totals.block(block);
  let requests = 0;
  for (const { count } of requestCounts(sum)) requests += count;
  return {
    deployment: number,
    release,
    schema: schemaView(deploymentOf(parts.switchboard.states.get(service.name)!, number)),
    health: overall(targets),
    traffic: {
      inflight: sum[BLOCK.inflight]!,
      tunnels: sum[BLOCK.tunnels]!,
      streams: sum[BLOCK.streams]!,
      sessions: sessionsOf(service, block, parts),
      requests,
    },
    lastMinute: lastMinuteView(service, block, parts),
    lockedOut: lockOutView(lockedOut),
    targets: targets.map(({ url, place, slot, state, reason, changedAtMs }) => ({
      url,
      address: place ?? null,
      health: state,
      reason,
      changedAt: timeText(changedAtMs),
      ejected: ejectionView(parts.ejections.of(slot)),
    })),
    names: endpoints.flatMap((endpoint) => lookupView(endpoint, parts)),
  };
}

function ejectionView(ejection: Ejection | undefined): SideStatus['targets'][number]['ejected'] {
  if (ejection === undefined) return null;
  return { reason: ejection.reason, until: timeText(ejection.untilMs) };
}

function lockOutView(lockedOut: Deployment['lockedOut']): SideStatus['lockedOut'] {
  if (lockedOut === undefined) return null;
  const { actor, atMs, reason, epoch } = lockedOut;
  return { actor, at: timeText(atMs), reason, generation: epoch };
}

/** One for a name, none for any other target. */
function lookupView(endpoint: Endpoint, { names }: AdminParts): SideStatus['names'] {
  const status = names.status(endpoint);
  if (status === undefined) return [];
  const { problem, answeredAtMs, failureCount } = status;
  return [
    {
      url: endpoint.url,
      addresses: names.of(endpoint).length,
      answeredAt: answeredAtMs === 0 ? null : timeText(answeredAtMs),
      failures: failureCount,
      problem,
    },
  ];
}

function sessionsOf({ policy }: Service, block: number, { totals }: AdminParts): number {
  if (policy.affinity.mode === 'off') return 0;
  const windowS = Math.ceil(policy.affinity.idleMs / 1_000);
  return totals.sessions(block, { nowS: Math.floor(epochMs() / 1_000), windowS });
}

function lastMinuteView(
  service: Service,
  block: number,
  { recent }: AdminParts,
): SideStatus['lastMinute'] {
  const { requestsPerSecond, requests, errors, p50Ms, p99Ms } = recent.of(block);
  let all = 0;
  for (const one of new Set(deploymentsOf(service).map((one) => one.block))) {
    all += recent.of(one).requests;
  }
  return {
    requestsPerSecond: requestsPerSecond.map((rate) => Number(rate.toFixed(1))),
    share: ratio(requests, all),
    errorRate: ratio(errors, requests),
    p50Ms: p50Ms === undefined ? null : round(p50Ms),
    p99Ms: p99Ms === undefined ? null : round(p99Ms),
  };
}

/** Five digits tell one error in a hundred thousand requests. */
function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : Number((part / whole).toFixed(5));
}

function overall(targets: readonly TargetStatus[]): SideStatus['health'] {
  if (targets.length === 0) return 'empty';
  const count = (state: TargetStatus['state']): number =>
    targets.filter((target) => target.state === state).length;
  if (count('up') === targets.length) return 'up';
  if (count('up') > 0) return 'partly';
  return count('unknown') > 0 ? 'unknown' : 'down';
}

/** Microseconds are enough for people. */
function round(ms: number): number {
  return Number(ms.toFixed(3));
}
