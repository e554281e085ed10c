// The only place where inner state becomes JSON for people and scripts.

import { BLOCK } from '../../contract/counters.ts';
import type { Service, Side } from '../../contract/table.ts';
import { printAddress } from '../../config/address.ts';
import type { DrainFilter, DrainStatus } from '../drain-watch.ts';
import type { TargetStatus } from '../health.ts';
import type { HistoryEntry } from '../store.ts';
import type { SwitchAnswer } from '../answers.ts';
import { requestCounts } from '../totals.ts';
import type { AdminParts } from './admin-parts.ts';
import type {
  DrainView,
  SideView,
  StatusView,
  SwitchAnswerView,
  SwitchEntryView,
} from './schemas.ts';

/** Returns the answer to a switch or rollback. */
export function switchView({ publishedAtMs, tookMs, ...answer }: SwitchAnswer): SwitchAnswerView {
  return { ...answer, publishedAt: timeText(publishedAtMs), tookMs: round(tookMs) };
}

/** Returns one line of the history. */
export function historyView({ atMs, tookMs, ...entry }: HistoryEntry): SwitchEntryView {
  const { generation, service, from, to, release, outcome, forced, reason, actor } = entry;
  return {
    generation,
    service,
    from,
    to,
    release,
    at: timeText(atMs),
    tookMs: tookMs === undefined ? null : round(tookMs),
    outcome,
    forced,
    reason,
    actor,
  };
}

/** Returns the whole picture, the most wanted first. */
export function statusView(parts: AdminParts): StatusView {
  const { switchboard, store, workers } = parts;
  const { generation, services } = switchboard.table;
  const stored = store.load().services;
  return {
    version: parts.version,
    generation,
    ready: parts.isReady(),
    uptimeSeconds: Math.floor(process.uptime()),
    listen: printAddress(workers.address),
    workers: {
      count: workers.count,
      listening: workers.listeningCount,
      restarts: workers.restarts,
    },
    state: { dir: parts.stateDir, warning: store.warning ?? null },
    services: services.map((service) => serviceView(service, parts, stored.get(service.name))),
  };
}

function serviceView(
  service: Service,
  parts: AdminParts,
  stored: { readonly sinceAtMs: number } | undefined,
): StatusView['services'][number] {
  const last = parts.store.history({ service: service.name, limit: 1 })[0];
  return {
    name: service.name,
    active: service.active,
    since: { generation: service.since, at: timeText(stored?.sinceAtMs ?? 0) },
    blue: sideView(service.blue, parts),
    green: sideView(service.green, parts),
    draining: parts.drains
      .running({ service: service.name, generation: undefined })
      .map(drainStatusView),
    held: heldView(service, parts),
    maintenance: service.maintenance ?? null,
    previous: last ? historyView(last) : null,
  };
}

function heldView(
  service: Service,
  { totals }: AdminParts,
): StatusView['services'][number]['held'] {
  const { hold } = service;
  if (hold === undefined || hold.untilMs <= Date.now()) return null;
  const { block } = service[service.active];
  const requests = totals.blockSlot(block, BLOCK.held);
  return { methods: hold.methods, until: timeText(hold.untilMs), requests };
}

/** Returns what is left of the drains that `filter` means. */
export function drainView(drains: AdminParts['drains'], filter: DrainFilter): DrainView {
  const draining = drains.running(filter).map(drainStatusView);
  const ended = drains.ended(filter).map(({ startedAtMs, endedAtMs, ...drain }) => ({
    ...drain,
    targets: [...drain.targets],
    startedAt: timeText(startedAtMs),
    endedAt: timeText(endedAtMs),
  }));
  return { safeToStop: draining.every(({ safeToStop }) => safeToStop), draining, ended };
}

function drainStatusView(drain: DrainStatus): DrainView['draining'][number] {
  const { service, generation, color, release, requests, tunnels, streams, reasons } = drain;
  return {
    service,
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
    safeToStop: reasons.length === 0,
    reasons: [...reasons],
  };
}

function sideView({ release, block, endpoints }: Side, parts: AdminParts): SideView {
  const targets = endpoints.map(({ slot, url }) => ({ url, ...parts.health.status(slot) }));
  const sum = parts.totals.block(block);
  let requests = 0;
  for (const { count } of requestCounts(sum)) requests += count;
  return {
    release,
    health: overall(targets),
    traffic: { inflight: sum[BLOCK.inflight]!, tunnels: sum[BLOCK.tunnels]!, requests },
    targets: targets.map(({ url, state, reason, changedAtMs }) => ({
      url,
      health: state,
      reason,
      changedAt: timeText(changedAtMs),
    })),
  };
}

function overall(targets: readonly TargetStatus[]): SideView['health'] {
  if (targets.length === 0) return 'empty';
  const count = (state: TargetStatus['state']): number =>
    targets.filter((target) => target.state === state).length;
  if (count('up') === targets.length) return 'up';
  if (count('up') > 0) return 'partly';
  return count('unknown') > 0 ? 'unknown' : 'down';
}

/** Returns a time for JSON. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** Microseconds are enough for people. */
function round(ms: number): number {
  return Number(ms.toFixed(3));
}
