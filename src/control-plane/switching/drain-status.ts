// What is left of one drain at this moment, and why its targets may not be stopped yet. Counts; decides
// nothing, and waits for nothing.

import { epochMs } from '../../base/clock.ts';
import { countText } from '../../base/count-text.ts';
import { BLOCK, ENDPOINT_ROW } from '../../contract/counters.ts';
import type { ServicePolicy } from '../../contract/service-policy.ts';
import { SIGHTING_ERROR } from '../../contract/session-sightings.ts';
import type { Color, Draining, Leaving, Service } from '../../contract/table.ts';
import { NEWCOMER_GRACE_MS } from '../base/control-limits.ts';
import type { Totals } from '../memory/totals.ts';
import type { NameBook } from '../targets/looked-up-name.ts';

/** What is counted. */
export interface DrainCounts {
  readonly totals: Totals;
  readonly names: Pick<NameBook, 'of'>;
  /**
   * Connections that the process before an upgrade still finishes, whatever they are for. Undefined:
   * that is not known yet.
   */
  readonly leftBehind: () => number | undefined;
}

/** One deployment that drains, or some of its targets that leave it, at this moment. */
export interface DrainStatus {
  readonly service: string;
  readonly deployment: number;
  /** `targets`: the deployment goes on without those that are named. */
  readonly scope: 'deployment' | 'targets';
  /** In which it last became active; 0: not known. */
  readonly generation: number;
  readonly color: Color;
  readonly release: string;
  readonly targets: readonly string[];
  readonly startedAtMs: number;
  readonly sessionsUntilMs: number;
  readonly endsAtMs: number;
  readonly requests: number;
  readonly tunnels: number;
  readonly streams: number;
  /** About how many were seen within the idle time of a session; 0 once they move over. */
  readonly sessions: number;
  /** Relative standard error of `sessions`. */
  readonly sessionsError: number;
  /** Why its targets may not be stopped yet; empty: they may. */
  readonly reasons: readonly string[];
}

/** Returns what is left of a deployment that drains. */
export function statusOf(
  service: Service,
  draining: Draining,
  { totals, leftBehind }: DrainCounts,
): DrainStatus {
  const nowMs = epochMs();
  const { name, policy } = service;
  const { deployment, startedAtMs, sessionsUntilMs, endsAtMs } = draining;
  const { number, block, color, release, endpoints, servedSince } = deployment;
  const streams = totals.blockSlot(block, BLOCK.streams);
  const requests = Math.max(0, totals.blockSlot(block, BLOCK.inflight) - streams);
  const tunnels = totals.blockSlot(block, BLOCK.tunnels);
  const window = {
    nowS: Math.floor(nowMs / 1_000),
    windowS: Math.ceil(policy.affinity.idleMs / 1_000),
  };
  const sessions = nowMs < sessionsUntilMs ? totals.sessions(block, window) : 0;
  const counts = { requests, tunnels, streams, sessions };
  return {
    service: name,
    deployment: number,
    scope: 'deployment',
    generation: servedSince,
    color,
    release,
    targets: endpoints.map(({ url }) => url),
    startedAtMs,
    sessionsUntilMs,
    endsAtMs,
    ...counts,
    sessionsError: SIGHTING_ERROR.share,
    reasons: [
      ...reasonsOf(counts, sessionsUntilMs),
      ...pageReasons(policy, nowMs, sessionsUntilMs),
      ...newcomerReasons(service, draining, totals),
      ...leftReasons(leftBehind()),
    ],
  };
}

/** Returns what is left at targets that leave, by their own rows: the deployment goes on elsewhere. */
export function leavingStatus(
  { name }: Service,
  { deployment, startedAtMs, endsAtMs }: Leaving,
  { totals, names, leftBehind }: DrainCounts,
): DrainStatus {
  const { number, color, release, endpoints, servedSince } = deployment;
  const slots = endpoints.flatMap((endpoint) => names.of(endpoint)).map(({ slot }) => slot);
  const sum = (gauge: number): number =>
    slots.reduce((all, slot) => all + totals.endpoint(slot, gauge), 0);
  const tunnels = sum(ENDPOINT_ROW.tunnels);
  const streams = sum(ENDPOINT_ROW.streams);
  const requests = Math.max(0, sum(ENDPOINT_ROW.inflight) - tunnels - streams);
  const counts = { requests, tunnels, streams, sessions: 0 };
  return {
    service: name,
    deployment: number,
    scope: 'targets',
    generation: servedSince,
    color,
    release,
    targets: endpoints.map(({ url }) => url),
    startedAtMs,
    // A session goes on at the other targets at once.
    sessionsUntilMs: startedAtMs,
    endsAtMs,
    ...counts,
    sessionsError: SIGHTING_ERROR.share,
    reasons: [...reasonsOf(counts, startedAtMs), ...leftReasons(leftBehind())],
  };
}

function reasonsOf(
  counts: Pick<DrainStatus, 'requests' | 'tunnels' | 'streams' | 'sessions'>,
  sessionsUntilMs: number,
): string[] {
  const { requests, tunnels, streams, sessions } = counts;
  const until = new Date(sessionsUntilMs).toISOString();
  return [
    ...(requests > 0 ? [countText(requests, 'request runs', 'requests run')] : []),
    ...(tunnels > 0
      ? [
          `${countText(tunnels, 'tunnel')} (WebSocket and others) ${tunnels === 1 ? 'is' : 'are'} open`,
        ]
      : []),
    ...(streams > 0 ? [countText(streams, 'event stream is', 'event streams are') + ' open'] : []),
    ...(sessions > 0
      ? [`about ${countText(sessions, 'session')} may come back until ${until}`]
      : []),
  ];
}

/** A session that was given a moment ago may come back for the first time, or be none at all. */
function newcomerReasons(
  { policy }: Service,
  { deployment, sessionsUntilMs }: Draining,
  totals: Totals,
): string[] {
  const graceMs = Math.min(NEWCOMER_GRACE_MS, policy.affinity.idleMs);
  const untilMs = Math.min(sessionsUntilMs, totals.lastGivenS(deployment.block) * 1_000 + graceMs);
  if (epochMs() >= untilMs) return [];
  return [`sessions that have just begun may come back until ${new Date(untilMs).toISOString()}`];
}

/** Pages that ask by release id or for a file of it can't be counted where sessions are off. */
function pageReasons({ affinity, skew }: ServicePolicy, nowMs: number, untilMs: number): string[] {
  const areCounted = affinity.mode !== 'off';
  const mayCome = skew.isOn || skew.rescue.length > 0;
  if (areCounted || !mayCome || nowMs >= untilMs) return [];
  return [`pages of this release may ask for it until ${new Date(untilMs).toISOString()}`];
}

function leftReasons(count: number | undefined): string[] {
  if (count === 0) return [];
  if (count === undefined) return ['the process before the upgrade has not said what it finishes'];
  return [
    `${countText(count, 'connection is', 'connections are')} being finished by the process before the upgrade`,
  ];
}
