// The only place where inner state becomes JSON for people and scripts.

import { BLOCK } from '../../contract/counters.ts';
import type { Service, Side } from '../../contract/table.ts';
import { printAddress } from '../../config/address.ts';
import type { TargetStatus } from '../health.ts';
import type { HistoryEntry } from '../store.ts';
import type { SwitchAnswer } from '../switchboard.ts';
import { requestCounts } from '../totals.ts';
import type { AdminParts } from './admin-parts.ts';
import type { SideView, StatusView, SwitchAnswerView, SwitchEntryView } from './schemas.ts';

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
    previous: last ? historyView(last) : null,
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

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** Microseconds are enough for people. */
function round(ms: number): number {
  return Number(ms.toFixed(3));
}
