// Watches the active color of each service, and asks the switchboard to leave one that is down. What
// it does is decided by failover-rule.ts; here are its eyes and hands: health, counters, a timer.

import { epochMs } from '../../base/clock.ts';
import type { ServiceConfig } from '../../config/config.ts';
import { ENDPOINT_ROW } from '../../contract/counters.ts';
import { otherColor, type Service } from '../../contract/table.ts';
import { activeTargetsText } from '../targets/active-targets-text.ts';
import type { Health } from '../targets/health.ts';
import {
  decideFailover,
  downSince,
  isColorDown,
  type FailoverDecision,
  type Obstacle,
  type ObservedTarget,
} from './failover-rule.ts';
import { HISTORY_LIMIT_DEFAULT } from '../../api/api-limits.ts';
import {
  FAILOVER_CONNECT_FAILURES,
  FAILOVER_LOOK_MS,
  FAILOVER_RETRY_MS,
} from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import { FAILOVER_ACTOR } from '../base/actors.ts';
import type { Store } from '../store/store.ts';
import type { Switchboard } from '../switching/switchboard.ts';
import type { Totals } from '../memory/totals.ts';

interface FailoverParts {
  readonly board: Pick<Switchboard, 'table' | 'refusal' | 'checkMove' | 'switch'>;
  /** As it is configured now; undefined: the service is about to go. */
  readonly configOf: (service: string) => Pick<ServiceConfig, 'failover' | 'health'> | undefined;
  readonly health: Pick<Health, 'of'>;
  readonly totals: Pick<Totals, 'endpoint'>;
  readonly store: Pick<Store, 'history'>;
  readonly log: Log;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** What became of failovers, for the metrics. */
export const FAILOVER_OUTCOMES = ['switched', 'failed', 'blocked'] as const;
export type FailoverOutcome = (typeof FAILOVER_OUTCOMES)[number];

const NONE_COUNTED: Readonly<Record<FailoverOutcome, number>> = {
  switched: 0,
  failed: 0,
  blocked: 0,
};

/** What operators are told about one service. */
export interface FailoverStatus {
  readonly mode: 'off' | 'auto';
  /** When its active color went down, in ms since the epoch; undefined: it is not down. */
  readonly downSinceMs: number | undefined;
  /** Why traffic stays although the time is up; undefined: nothing is in the way. */
  readonly obstacle: string | undefined;
}

/** What is kept of one service from one look to the next. */
interface Watch {
  /** Of the color that is watched: it changes with each switch. */
  since: number;
  downSinceMs: number | undefined;
  decision: FailoverDecision;
  lastFailoverMs: number | undefined;
  /** After a try that failed; no sooner again. */
  retryAtMs: number;
  isActing: boolean;
  readonly connects: Map<number, Connects>;
}

/** Counters of one endpoint. */
interface Connects {
  readonly made: number;
  /** Failures that had been counted when the last connection was made. */
  readonly failedBefore: number;
}

export class Failover {
  readonly #parts: FailoverParts;
  readonly #watches = new Map<string, Watch>();
  readonly #counts = new Map<string, Readonly<Record<FailoverOutcome, number>>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: FailoverParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), FAILOVER_LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks at every service, and acts. Also to be called when the health of a target has changed. */
  look(): void {
    if (this.#timer === undefined) return; // Not in charge yet, or no longer.
    try {
      this.#lookAtAll();
    } catch (error) {
      this.#parts.log.error({ err: error }, 'a look whether a color is down has failed');
    }
  }

  #lookAtAll(): void {
    const { board } = this.#parts;
    // A new process takes over, or this one stops: it is not for us to act, nor to complain.
    if (board.refusal !== undefined && board.refusal.code !== 'frozen') return;
    for (const service of board.table.services) this.#lookAt(service);
    const names = new Set(board.table.services.map(({ name }) => name));
    for (const name of this.#watches.keys()) if (!names.has(name)) this.#watches.delete(name);
  }

  /** Returns how things are with a service. */
  status(service: string): FailoverStatus {
    const mode = this.#parts.configOf(service)?.failover.mode ?? 'off';
    const watch = this.#watches.get(service);
    if (mode === 'off' || watch === undefined) {
      return { mode, downSinceMs: undefined, obstacle: undefined };
    }
    const { downSinceMs, decision } = watch;
    const obstacle = decision.kind === 'blocked' ? decision.obstacle.text : undefined;
    const sinceMs = downSinceMs === undefined ? undefined : this.#wallTime(downSinceMs);
    return { mode, downSinceMs: sinceMs, obstacle };
  }

  /** Returns how often each outcome was there since the start; all of them, also at zero. */
  counts(service: string): Readonly<Record<FailoverOutcome, number>> {
    return this.#counts.get(service) ?? NONE_COUNTED;
  }

  #count(service: string, outcome: FailoverOutcome): void {
    const counts = this.counts(service);
    this.#counts.set(service, { ...counts, [outcome]: counts[outcome] + 1 });
  }

  #lookAt(service: Service): void {
    const config = this.#parts.configOf(service.name);
    if (config === undefined || config.failover.mode === 'off') {
      this.#watches.delete(service.name);
      return;
    }
    const nowMs = this.#parts.now();
    const watch = this.#watchOf(service, nowMs);
    if (watch.isActing) return;
    const isBlind = config.health.kind === 'none';
    const isDown =
      !isBlind && isColorDown(this.#observed(service, watch), FAILOVER_CONNECT_FAILURES);
    watch.downSinceMs = downSince(watch.downSinceMs, isDown, nowMs);
    const before = watch.decision;
    const { downSinceMs, lastFailoverMs } = watch;
    const obstacle = isDown ? this.#obstacle(service) : undefined;
    const facts = { policy: config.failover, downSinceMs, lastFailoverMs, obstacle };
    watch.decision = decideFailover(facts, nowMs);
    if (watch.decision.kind !== before.kind) {
      const { name, active } = service;
      const { kind: decision } = watch.decision;
      const fields = { kind: 'failover', service: name, active, decision } as const;
      this.#parts.log.debug(fields, `${name}: failover: ${active} is ${before.kind} → ${decision}`);
    }
    if (watch.decision.kind === 'blocked') this.#tellOnce(service, before, watch.decision.obstacle);
    if (watch.decision.kind !== 'switch' || nowMs < watch.retryAtMs) return;
    watch.isActing = true;
    background(this.#act(service, watch), this.#parts.log, 'failover');
  }

  /** Begins anew for a color that has just become the active one. */
  #watchOf({ name, active, ...service }: Service, nowMs: number): Watch {
    const since = service[active].servedSince;
    const known = this.#watches.get(name);
    if (known !== undefined) {
      if (known.since !== since) {
        Object.assign(known, { since, downSinceMs: undefined, decision: { kind: 'well' } });
        known.connects.clear();
      }
      return known;
    }
    const watch: Watch = {
      since,
      downSinceMs: undefined,
      decision: { kind: 'well' },
      lastFailoverMs: this.#lastFailoverMs(name, nowMs),
      retryAtMs: -Infinity,
      isActing: false,
      connects: new Map(),
    };
    this.#watches.set(name, watch);
    return watch;
  }

  /** A restart forgets no failover; where the clock was set back, the pause begins anew. */
  #lastFailoverMs(service: string, nowMs: number): number | undefined {
    const switches = this.#parts.store.history({ service, limit: HISTORY_LIMIT_DEFAULT });
    const last = switches.find(({ actor }) => actor === FAILOVER_ACTOR);
    return last && nowMs - Math.max(0, epochMs() - last.atMs);
  }

  #observed(service: Service, watch: Watch): ObservedTarget[] {
    const { health } = this.#parts;
    return service[service.active].endpoints.flatMap((endpoint) =>
      health.of(endpoint).map(({ state, reason, slot }) => ({
        state,
        reason,
        connectFailures: this.#connectFailures(slot, watch),
      })),
    );
  }

  /** Counts are summed over the workers, so one of them alone says nothing of what came last. */
  #connectFailures(slot: number, { connects }: Watch): number {
    const { totals } = this.#parts;
    const made = totals.endpoint(slot, ENDPOINT_ROW.connects);
    const failed = totals.endpoint(slot, ENDPOINT_ROW.connectFailures);
    const known = connects.get(slot);
    if (known !== undefined && known.made === made && known.failedBefore <= failed) {
      return failed - known.failedBefore;
    }
    connects.set(slot, { made, failedBefore: failed });
    return 0;
  }

  #obstacle(service: Service): Obstacle | undefined {
    const to = otherColor(service.active);
    const { board } = this.#parts;
    const { hold, maintenance } = service;
    if (board.refusal !== undefined) {
      return { code: board.refusal.code, text: board.refusal.message };
    }
    if (maintenance !== undefined) {
      return { code: 'maintenance', text: `${service.name} is in maintenance` };
    }
    if (hold !== undefined && hold.untilMs > epochMs()) {
      return { code: 'held', text: `the requests of ${service.name} are held` };
    }
    try {
      board.checkMove(service);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      return { code: error.code, text: error.message };
    }
    const { servedSince, release } = service[to];
    if (servedSince > 0 || release !== '') return undefined;
    const text = `${service.name}: ${to} has never served, and no release is registered there`;
    return { code: 'no-release', text };
  }

  #tellOnce(service: Service, before: FailoverDecision, { code, text }: Obstacle): void {
    if (before.kind === 'blocked' && before.obstacle.code === code) return;
    this.#count(service.name, 'blocked');
    const { name, active } = service;
    this.#parts.log.warn(
      { service: name, active, code },
      `${name}: ${active} is down, and failover does not act: ${text}`,
    );
  }

  async #act(service: Service, watch: Watch): Promise<void> {
    const { board, log, now } = this.#parts;
    const { name, active } = service;
    const to = otherColor(active);
    const reason = this.#reason(service, this.#wallTime(watch.downSinceMs!));
    log.warn({ service: name, from: active, to, reason }, `${name}: failover to ${to}: ${reason}`);
    try {
      await board.switch({
        service: name,
        to,
        force: false,
        reason,
        // Only what was looked at: an operator may have acted meanwhile.
        ifMatch: [board.table.epoch],
        actor: FAILOVER_ACTOR,
        holdMs: 0,
        // What is down serves no request, whatever shares a rollout has planned.
        overridesRollout: true,
      });
      this.#count(name, 'switched');
      watch.lastFailoverMs = now();
    } catch (error) {
      this.#count(name, 'failed');
      watch.retryAtMs = now() + FAILOVER_RETRY_MS;
      log.error({ service: name, err: error }, `${name}: failover failed: ${messageOf(error)}`);
    } finally {
      watch.isActing = false;
      this.look();
    }
  }

  /** Names the targets and since when, for history and audit log. */
  #reason(service: Service, sinceMs: number): string {
    const targets = activeTargetsText(service, this.#parts.health);
    return `all of ${service.active} down since ${new Date(sinceMs).toISOString()}: ${targets}`;
  }

  #wallTime(ms: number): number {
    return epochMs() - (this.#parts.now() - ms);
  }
}
