// Watches the deployments that drain: tells what is left of each, ends those that are done, wakes
// the calls that wait for that. What a drain does to connections is the workers' business.

import { epochMs } from '../../base/clock.ts';
import { countText } from '../../base/count-text.ts';
import { BLOCK, ENDPOINT_ROW } from '../../contract/counters.ts';
import type { ServicePolicy } from '../../contract/service-policy.ts';
import { SIGHTING_ERROR } from '../../contract/session-sightings.ts';
import {
  deploymentsOf,
  type Color,
  type Draining,
  type Leaving,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import {
  DRAIN_POLL_MS,
  DRAIN_WAITERS_MAX,
  ENDED_DRAINS_MAX,
  NEWCOMER_GRACE_MS,
} from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { ServiceState } from '../store/service-state.ts';
import { leavingKey } from './state-edit.ts';
import type { Switchboard } from './switchboard.ts';
import type { Totals } from '../memory/totals.ts';
import type { NameBook } from '../targets/names.ts';

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

/** One that has ended, for a while. */
export interface EndedDrain extends Pick<
  DrainStatus,
  | 'service'
  | 'deployment'
  | 'scope'
  | 'generation'
  | 'color'
  | 'release'
  | 'targets'
  | 'startedAtMs'
> {
  readonly endedAtMs: number;
  readonly how: 'drained' | 'deadline' | 'resumed';
}

interface DrainWatchParts {
  readonly board: Switchboard;
  readonly totals: Totals;
  readonly names: Pick<NameBook, 'of'>;
  /**
   * Connections that the process before an upgrade still finishes, whatever they are for. Undefined:
   * that is not known yet.
   */
  readonly leftBehind: () => number | undefined;
  /** Deployments that were active before this process began: see `servedBefore`. */
  readonly servedBefore: ReadonlySet<number>;
  readonly log: Log;
}

/** Returns the deployments that were active according to `states`. */
export function servedBefore(states: Iterable<ServiceState>): Set<number> {
  const all = [...states].flatMap(({ deployments }) => deployments);
  return new Set(all.filter((one) => one.servedSince > 0).map(({ number }) => number));
}

/** Which drains a caller asks for. */
export interface DrainFilter {
  readonly service?: string | undefined;
  readonly deployment?: number | undefined;
  readonly generation?: number | undefined;
}

export class DrainWatch {
  readonly #parts: DrainWatchParts;
  readonly #waiters = new Set<() => void>();
  #ended: readonly EndedDrain[] = [];
  #known: ReadonlyMap<string, DrainStatus> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isPaused = false;
  /** The counts of sessions begin here. */
  readonly #bornAtMs = epochMs();

  constructor(parts: DrainWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#isPaused = false;
    this.follow(this.#parts.board.table);
  }

  /** Ends no drains until `start`. */
  pause(): void {
    this.#isPaused = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const wake of this.#waiters) wake();
  }

  /** A table was published: drains may have begun, or gone. */
  follow(table: RoutingTable): void {
    const statuses = this.#statuses(table);
    const now = new Map(statuses.map((status) => [keyOf(status), status]));
    for (const [key, status] of this.#known) {
      if (now.has(key)) continue;
      this.#note(status, isBack(status, table) ? 'resumed' : 'drained');
    }
    this.#known = now;
    this.#wake();
    if (now.size > 0) this.#lookSoon();
  }

  /** Returns every drain that `filter` means, as it is now. */
  running(filter: DrainFilter): DrainStatus[] {
    return this.#statuses(this.#parts.board.table).filter((status) => matches(status, filter));
  }

  /** Returns the latest drains that have ended, the last one first. */
  ended(filter: DrainFilter): EndedDrain[] {
    return this.#ended.filter((drain) => matches(drain, filter));
  }

  /** Resolves when no drain that `filter` means is left, or after `withinMs`. */
  async wait(filter: DrainFilter, withinMs: number): Promise<void> {
    if (this.#waiters.size >= DRAIN_WAITERS_MAX) {
      throw new OperatorError('busy', `${DRAIN_WAITERS_MAX} calls wait for drains already`);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#isStopped || this.running(filter).length === 0) resolve();
    };
    const timer = setTimeout(resolve, withinMs);
    this.#waiters.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(look);
    }
  }

  #statuses({ services }: Pick<RoutingTable, 'services'>): DrainStatus[] {
    return services.flatMap((service) => [
      ...service.draining.map((draining) => this.#status(service, draining)),
      ...service.leaving.map((leaving) => leavingStatus(service, leaving, this.#parts)),
    ]);
  }

  #status(service: Service, draining: Draining): DrainStatus {
    const status = statusOf(service, draining, this.#parts);
    // A restart forgets which sessions were seen, so any of them may still come back.
    const { deployment, sessionsUntilMs } = draining;
    const isKnownMs = this.#bornAtMs + service.policy.affinity.idleMs;
    const hasOlder = this.#parts.servedBefore.has(deployment.number);
    const untilMs = hasOlder ? Math.min(sessionsUntilMs, isKnownMs) : 0;
    if (untilMs <= epochMs()) return status;
    const until = new Date(untilMs).toISOString();
    const reason = `sessions of before the restart may come back until ${until}`;
    return { ...status, reasons: [...status.reasons, reason] };
  }

  #lookSoon(): void {
    // A look that is due stays due, or a row of changes would put it off for ever.
    if (this.#isStopped || this.#isPaused || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      background(this.#endWhatIsDone(), this.#parts.log, 'drains');
    }, DRAIN_POLL_MS).unref();
  }

  async #endWhatIsDone(): Promise<void> {
    const { board, log } = this.#parts;
    if (board.refusal?.code === 'frozen') return; // Until a restart, nothing is decided.
    const nowMs = epochMs();
    for (const service of board.table.services) {
      const over = this.#statuses({ services: [service] }).filter(
        ({ endsAtMs, reasons }) => reasons.length === 0 || nowMs >= endsAtMs,
      );
      if (over.length === 0) continue;
      for (const status of over) {
        if (status.reasons.length > 0) this.#note(status, 'deadline');
      }
      const whole = over.filter(({ scope }) => scope === 'deployment');
      const parts = over.filter(({ scope }) => scope === 'targets');
      const numbers = new Set(whole.map(({ deployment }) => deployment));
      const leaving = new Set(
        parts.map(({ deployment, startedAtMs }) => leavingKey(deployment, startedAtMs)),
      );
      try {
        await board.endDrains({ ...OWN, service: service.name }, numbers, leaving);
      } catch (error) {
        log.warn({ err: error }, 'a drain could not be ended; it is tried again');
      }
    }
    if (this.#known.size > 0) this.#lookSoon();
  }

  #note(status: DrainStatus, how: EndedDrain['how']): void {
    const { service, deployment, scope, generation, color, release, targets, startedAtMs } = status;
    const isNoted = this.#ended.some((one) => keyOf(one) === keyOf(status));
    if (isNoted) return;
    const named = { service, deployment, scope, generation, color, release, targets };
    const drain = { ...named, startedAtMs, how };
    const all = [{ ...drain, endedAtMs: epochMs() }, ...this.#ended];
    const services = new Map<string, number>();
    this.#ended = all.filter((one) => {
      const count = (services.get(one.service) ?? 0) + 1;
      services.set(one.service, count);
      return count <= ENDED_DRAINS_MAX;
    });
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }
}

/** The process itself asks. */
const OWN = { force: false, reason: '', ifMatch: undefined, actor: 'turnout' } as const;

function statusOf(
  service: Service,
  draining: Draining,
  { totals, leftBehind }: Pick<DrainWatchParts, 'totals' | 'leftBehind'>,
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

/** Targets that leave are counted by their own rows: the rest of the deployment goes on. */
function leavingStatus(
  { name }: Service,
  { deployment, startedAtMs, endsAtMs }: Leaving,
  { totals, names, leftBehind }: Pick<DrainWatchParts, 'totals' | 'names' | 'leftBehind'>,
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

/** What has drained serves again: the deployment is the active one, or has these targets again. */
function isBack(
  { service, deployment, scope, targets }: DrainStatus,
  table: RoutingTable,
): boolean {
  const now = table.services.find((one) => one.name === service);
  if (now === undefined) return false;
  if (scope === 'deployment') return now[now.active].number === deployment;
  return deploymentsOf(now).some(
    ({ number, endpoints }) =>
      number === deployment && endpoints.some(({ url }) => targets.includes(url)),
  );
}

function matches(drain: DrainKey & { readonly generation: number }, filter: DrainFilter): boolean {
  const { service = drain.service, deployment = drain.deployment } = filter;
  const { generation = drain.generation } = filter;
  return (
    service === drain.service && deployment === drain.deployment && generation === drain.generation
  );
}

type DrainKey = Pick<DrainStatus, 'service' | 'deployment'>;

/** A deployment that was left twice drains twice. */
function keyOf({
  deployment,
  scope,
  startedAtMs,
}: Pick<DrainStatus, 'deployment' | 'scope' | 'startedAtMs'>): string {
  return `${scope} ${leavingKey(deployment, startedAtMs)}`;
}
