// Asks every target of both colors, for ever, and writes down what it found. Decides on
// nothing: the switchboard reads the answers, and so do the workers (shared health words).

import { epochMs } from '../../base/clock.ts';
import type { HealthConfig } from '../../config/config.ts';
import { HEALTH_WORD } from '../../contract/counters.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import {
  deploymentsOf,
  type Color,
  type Endpoint,
  type LiveEndpoint,
  type RoutingTable,
} from '../../contract/table.ts';
import { judge, UNKNOWN, type HealthState, type Verdict } from './health-verdict.ts';
import {
  PROBE_HURRY_FACTOR,
  PROBE_HURRY_MIN_MS,
  PROBE_JITTER_SHARE,
} from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import type { NameBook } from './looked-up-name.ts';
import type { Names } from './names.ts';
import { messageOf } from '../base/problems.ts';
import type { Probe, Prober } from './probe.ts';
import type { SeenCertificate } from './probe-tls.ts';

/** What is known about one target. */
export interface TargetStatus {
  readonly state: HealthState;
  /** Why the last probe failed; empty when it passed or none has ended. */
  readonly reason: string;
  /** When `state` last changed, in ms since the epoch. */
  readonly changedAtMs: number;
}

/** The same with where it is; a name has one for each of its addresses. */
export interface EndpointHealth extends TargetStatus {
  readonly slot: number;
  /** Set where the target is a name. */
  readonly place?: string;
  /** When the last probe ended, as `performance.now()`. */
  readonly answeredAtMs?: number;
  /** Of a target over TLS: the certificate that was accepted last. */
  readonly certificate?: SeenCertificate;
}

/** What one process tells the next of a target. */
export interface HealthReport {
  readonly deployment: number;
  readonly url: string;
  readonly place?: string;
  readonly verdict: Verdict;
  readonly status: TargetStatus;
}

export interface HealthChange {
  readonly service: string;
  readonly color: Color;
  readonly url: string;
  readonly place?: string;
  readonly from: HealthState;
  readonly to: HealthState;
  readonly reason: string;
}

export interface HealthParts {
  readonly table: RoutingTable;
  /** How the targets of a service are asked, as configured now. */
  readonly configOf: (service: string) => HealthConfig | undefined;
  /** Where names lead at the moment. */
  readonly names: NameBook & Pick<Names, 'doubt'>;
  readonly memory: SharedMemory;
  readonly log: Log;
  readonly prober: Prober;
  readonly onChange: (change: HealthChange) => void;
}

/** A target, or one address of a name, that is asked how it is. */
interface CheckedTarget {
  readonly service: string;
  isStopped: boolean;
  readonly color: Color;
  readonly endpoint: LiveEndpoint;
  readonly config: HealthConfig;
  verdict: Verdict;
  status: TargetStatus;
  /** When the last probe ended. */
  answeredAtMs: number | undefined;
  probe: Probe | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** The active checks. */
export class Health {
  readonly #parts: HealthParts;
  #table: RoutingTable;
  #targets: ReadonlyMap<number, CheckedTarget> = new Map();
  #phase: 'new' | 'running' | 'stopped' = 'new';
  /** By `reportKey`; until we ask ourselves. */
  #believed: ReadonlyMap<string, HealthReport> = new Map();
  /** Words beside those of the checks, by slot. */
  readonly #marks = new Map<number, number>();

  /** Targets that cannot be asked count as up from here on; all others are unknown. */
  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.lookAgain();
  }

  /**
   * Asks the targets of `table` from here on, and no others; names as they lead now. A target that
   * comes anew, or for another deployment, is unknown until it has answered.
   */
  follow(table: RoutingTable): void {
    this.#table = table;
    this.lookAgain();
  }

  /** The names in the table may lead elsewhere now. */
  lookAgain(): void {
    const before = this.#targets;
    const wanted = checkedTargets(this.#table, this.#parts).map((target) => this.#informed(target));
    this.#targets = new Map(
      wanted.map((target) => {
        const known = before.get(target.endpoint.slot);
        const isKnown =
          known?.endpoint.deployment === target.endpoint.deployment &&
          known.endpoint.url === target.endpoint.url &&
          known.endpoint.place === target.endpoint.place;
        if (!isKnown) this.#marks.delete(target.endpoint.slot);
        return [target.endpoint.slot, isKnown ? asConfigured(known, target) : target];
      }),
    );
    const kept = new Set(this.#targets.values());
    for (const target of before.values()) {
      if (kept.has(target)) continue;
      stopChecking(target);
      // One that comes back is as unknown as a new one.
      if (!this.#targets.has(target.endpoint.slot)) this.#forgetWord(target);
    }
    for (const target of kept) {
      if (before.get(target.endpoint.slot) === target) continue;
      this.#writeWord(target);
      if (this.#phase === 'running') this.#startChecking(target);
    }
  }

  /** From here on `word` stands for the target with this slot while it is not down; undefined: its state does. */
  mark(slot: number, word: number | undefined): void {
    if (word === undefined) this.#marks.delete(slot);
    else this.#marks.set(slot, word);
    const target = this.#targets.get(slot);
    if (target !== undefined) this.#writeWord(target);
  }

  /** Returns what is known about the target with this slot. */
  status(endpointSlot: number): TargetStatus {
    return this.#targets.get(endpointSlot)?.status ?? NEVER_ASKED;
  }

  /** Returns what is known about a target; never an empty list. */
  of(endpoint: Endpoint): readonly EndpointHealth[] {
    const { names } = this.#parts;
    const live = names.of(endpoint);
    if (live.length === 0) {
      const { slot } = endpoint;
      const { problem = '', deniedAtMs = 0 } = names.status(endpoint) ?? {};
      if (deniedAtMs > 0)
        return [{ state: 'down', slot, reason: problem, changedAtMs: deniedAtMs }];
      const reason = problem === '' ? 'its name was not looked up yet' : problem;
      return [{ ...NEVER_ASKED, slot, reason }];
    }
    return live.map(({ slot, place }) => {
      const { answeredAtMs, probe } = this.#targets.get(slot) ?? {};
      return {
        ...this.status(slot),
        slot,
        ...(place === undefined ? {} : { place }),
        ...(answeredAtMs === undefined ? {} : { answeredAtMs }),
        ...(probe?.certificate === undefined ? {} : { certificate: probe.certificate }),
      };
    });
  }

  /** Returns the verdicts of now, for the process that takes over. */
  report(): readonly HealthReport[] {
    return [...this.#targets.values()]
      .filter(({ config, status }) => config.kind !== 'none' && status.state !== 'unknown')
      .map(({ endpoint, verdict, status }) => {
        const { deployment, url, place } = endpoint;
        const where = place === undefined ? { url } : { url, place };
        return { deployment, ...where, verdict, status };
      });
  }

  /**
   * Takes over the verdicts of the process before this one: no request goes to a target that is
   * known to be down, and a switch need not wait. They hold until the checks say otherwise; once
   * these have begun, reports come too late and are left out.
   */
  believe(reports: readonly HealthReport[]): void {
    if (this.#phase !== 'new') return;
    this.#believed = new Map(reports.map((report) => [reportKey(report), report]));
    for (const target of this.#targets.values()) this.#writeWord(this.#informed(target));
  }

  /** Begins to ask. */
  start(): void {
    this.#phase = 'running';
    this.#believed = new Map();
    for (const target of this.#targets.values()) this.#startChecking(target);
  }

  /** Asks no more; what is under way is dropped. */
  stop(): void {
    this.#phase = 'stopped';
    for (const target of this.#targets.values()) stopChecking(target);
  }

  /** Gives a target that was not asked yet what the process before this one knew of it. */
  #informed(target: CheckedTarget): CheckedTarget {
    const { endpoint, config } = target;
    const report = this.#believed.get(reportKey(endpoint));
    if (report === undefined || config.kind === 'none') return target;
    target.verdict = report.verdict;
    target.status = report.status;
    return target;
  }

  #startChecking(target: CheckedTarget): void {
    if (target.config.kind === 'none') return;
    target.probe = this.#parts.prober(target.endpoint, target.config);
    const spreadMs = pauseMs(target) * PROBE_JITTER_SHARE * Math.random();
    this.#probeAfter(target, spreadMs);
  }

  #probeAfter(target: CheckedTarget, waitMs: number): void {
    if (target.isStopped) return;
    target.timer = setTimeout(() => {
      background(this.#round(target), this.#parts.log, 'health check');
    }, waitMs);
  }

  async #round(target: CheckedTarget): Promise<void> {
    const startedMs = performance.now();
    let failure: string;
    try {
      failure = (await target.probe?.ask()) ?? '';
    } catch (error) {
      failure = `the check itself failed: ${messageOf(error)}`;
      this.#parts.log.error({ err: error, target: target.endpoint.url }, 'health check failed');
    }
    if (target.isStopped) return;
    this.#tellProbe(target, failure, performance.now() - startedMs);
    if (failure !== '') this.#parts.names.doubt(target.endpoint.slot);
    this.#note(target, failure);
    const jitter = 1 + PROBE_JITTER_SHARE * (2 * Math.random() - 1);
    this.#probeAfter(target, pauseMs(target) * jitter);
  }

  #tellProbe({ service, color, endpoint }: CheckedTarget, failure: string, tookMs: number): void {
    const target = endpoint.place ?? endpoint.url;
    this.#parts.log.debug(
      { kind: 'probe', service, color, target, tookMs: Math.round(tookMs) },
      `check of ${service} ${color} ${target}: ${failure === '' ? 'passed' : failure}`,
    );
  }

  /** Takes the end of a probe into account; an empty `failure` is a pass. */
  #note(target: CheckedTarget, failure: string): void {
    target.answeredAtMs = performance.now();
    const from = target.status.state;
    target.verdict = judge(target.verdict, failure === '' ? 'pass' : 'fail', target.config);
    const to = target.verdict.state;
    const changedAtMs = from === to ? target.status.changedAtMs : epochMs();
    target.status = { state: to, reason: failure, changedAtMs };
    if (from === to) return;
    this.#writeWord(target);
    const { service, color, endpoint } = target;
    const { url, place } = endpoint;
    const where = place === undefined ? { url } : { url, place };
    const change: HealthChange = { service, color, ...where, from, to, reason: failure };
    const say = to === 'down' ? 'warn' : 'info';
    const name = place === undefined ? url : `${url} (${place})`;
    this.#parts.log[say](change, `${service} ${color} ${name} is ${to}`);
    this.#parts.onChange(change);
  }

  #forgetWord({ endpoint }: CheckedTarget): void {
    this.#marks.delete(endpoint.slot);
    Atomics.store(this.#parts.memory.health, endpoint.slot, HEALTH_WORD.unknown);
  }

  #writeWord({ endpoint, status }: CheckedTarget): void {
    const mark = status.state === 'down' ? undefined : this.#marks.get(endpoint.slot);
    Atomics.store(this.#parts.memory.health, endpoint.slot, mark ?? HEALTH_WORD[status.state]);
  }
}

const NEVER_ASKED: TargetStatus = { state: 'unknown', reason: '', changedAtMs: 0 };

function reportKey({ deployment, url, place }: ReportOf): string {
  return JSON.stringify([deployment, url, place]);
}

type ReportOf = Omit<HealthReport, 'verdict' | 'status'>;

/** One for each slot: a deployment that drains may be the idle one, too. */
function checkedTargets(table: RoutingTable, { configOf, names }: HealthParts): CheckedTarget[] {
  const changedAtMs = epochMs();
  const targets = new Map<number, CheckedTarget>();
  for (const service of table.services) {
    const config = configOf(service.name) ?? UNASKED;
    const state = config.kind === 'none' ? 'up' : 'unknown';
    for (const { color, endpoints } of deploymentsOf(service)) {
      for (const endpoint of endpoints.flatMap((one) => names.of(one))) {
        if (targets.has(endpoint.slot)) continue;
        targets.set(endpoint.slot, {
          service: service.name,
          color,
          endpoint,
          config,
          verdict: UNKNOWN,
          status: { state, reason: '', changedAtMs },
          answeredAtMs: undefined,
          probe: undefined,
          timer: undefined,
          isStopped: false,
        });
      }
    }
  }
  return [...targets.values()];
}

/** The service of a table that no configuration has any more: it is about to go. */
const UNASKED: HealthConfig = {
  kind: 'none',
  path: '',
  host: '',
  statusMin: 0,
  statusMax: 0,
  intervalMs: 0,
  timeoutMs: 0,
  rise: 1,
  fall: 1,
};

/** Returns the target as it is asked from now on; what is known of it outlives another way to ask. */
function asConfigured(known: CheckedTarget, { config, endpoint }: CheckedTarget): CheckedTarget {
  const isToldSame = known.endpoint.sendProxy === endpoint.sendProxy;
  if (isToldSame && JSON.stringify(known.config) === JSON.stringify(config)) return known;
  const isAsked = known.config.kind !== 'none' && config.kind !== 'none';
  const { verdict, status } = known;
  const state = config.kind === 'none' ? 'up' : 'unknown';
  const anew = {
    verdict: UNKNOWN,
    status: { state, reason: '', changedAtMs: epochMs() },
  } as const;
  const fresh = { config, endpoint, probe: undefined, timer: undefined, isStopped: false };
  return { ...known, ...(isAsked ? { verdict, status } : anew), ...fresh };
}

function stopChecking(target: CheckedTarget): void {
  target.isStopped = true;
  clearTimeout(target.timer);
  target.probe?.close();
}

/** A target without a verdict is asked more often, so that a start is quick. */
function pauseMs({ config, status }: CheckedTarget): number {
  if (status.state !== 'unknown') return config.intervalMs;
  const hurriedMs = Math.max(config.intervalMs / PROBE_HURRY_FACTOR, PROBE_HURRY_MIN_MS);
  return Math.min(hurriedMs, config.intervalMs);
}
