// Watches the deployments that drain: tells what is left of each, ends those that are done, wakes
// the calls that wait for that. What a drain does to connections is the workers' business.

import { epochMs } from '../../base/clock.ts';
import {
  deploymentsOf,
  type Draining,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import { DRAIN_POLL_MS, DRAIN_WAITERS_MAX, ENDED_DRAINS_MAX } from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { ServiceState } from '../store/service-state.ts';
import { leavingStatus, statusOf, type DrainCounts, type DrainStatus } from './drain-status.ts';
import { leavingKey } from '../deployments/state-edit.ts';
import type { Switchboard } from './switchboard.ts';

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

interface DrainWatchParts extends DrainCounts {
  readonly board: Switchboard;
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

/** What has drained serves again: new traffic goes to the deployment, or it has these targets again. */
function isBack(
  { service, deployment, scope, targets }: DrainStatus,
  table: RoutingTable,
): boolean {
  const now = table.services.find((one) => one.name === service);
  if (now === undefined) return false;
  if (scope === 'deployment') {
    return now[now.active].number === deployment || now.split?.deployment === deployment;
  }
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
