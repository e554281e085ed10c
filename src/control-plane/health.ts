// Asks every target of both colors, for ever, and writes down what it found. Decides on
// nothing: the switchboard reads the answers, and so do the workers (shared health words).

import type { HealthConfig } from '../config/config.ts';
import { HEALTH_WORD, type SharedMemory } from '../contract/counters.ts';
import { COLORS, type Color, type Endpoint, type RoutingTable } from '../contract/table.ts';
import { judge, UNKNOWN, type HealthState, type Verdict } from './health-verdict.ts';
import { PROBE_HURRY_FACTOR, PROBE_HURRY_MIN_MS, PROBE_JITTER_SHARE } from './limits.ts';
import { background, type Log } from './log.ts';
import { messageOf } from './problems.ts';
import type { Probe, Prober } from './probe.ts';

/** What is known about one target. */
export interface TargetStatus {
  readonly state: HealthState;
  /** Why the last probe failed; empty when it passed or none has ended. */
  readonly reason: string;
  /** When `state` last changed, in ms since the epoch. */
  readonly changedAtMs: number;
}

export interface HealthChange {
  readonly service: string;
  readonly color: Color;
  readonly url: string;
  readonly from: HealthState;
  readonly to: HealthState;
  readonly reason: string;
}

export interface HealthParts {
  readonly table: RoutingTable;
  /** Per service name. */
  readonly configs: ReadonlyMap<string, HealthConfig>;
  readonly memory: SharedMemory;
  readonly log: Log;
  readonly prober: Prober;
  readonly onChange: (change: HealthChange) => void;
}

interface Patient {
  readonly service: string;
  readonly color: Color;
  readonly endpoint: Endpoint;
  readonly config: HealthConfig;
  verdict: Verdict;
  status: TargetStatus;
  probe: Probe | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** The active checks. */
export class Health {
  readonly #parts: HealthParts;
  readonly #patients: ReadonlyMap<number, Patient>;
  #isStopped = false;

  /** Targets that cannot be asked count as up from here on; all others are unknown. */
  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#patients = new Map(patientsOf(parts).map((patient) => [patient.endpoint.slot, patient]));
    for (const patient of this.#patients.values()) this.#writeWord(patient);
  }

  /** Returns what is known about the target with this slot. */
  status(endpointSlot: number): TargetStatus {
    return this.#patients.get(endpointSlot)?.status ?? NEVER_ASKED;
  }

  /** Begins to ask. */
  start(): void {
    for (const patient of this.#patients.values()) {
      if (patient.config.kind === 'none') continue;
      patient.probe = this.#parts.prober(patient.endpoint, patient.config);
      const spreadMs = pauseMs(patient) * PROBE_JITTER_SHARE * Math.random();
      this.#probeAfter(patient, spreadMs);
    }
  }

  /** Asks no more; what is under way is dropped. */
  stop(): void {
    this.#isStopped = true;
    for (const patient of this.#patients.values()) {
      clearTimeout(patient.timer);
      patient.probe?.close();
    }
  }

  #probeAfter(patient: Patient, waitMs: number): void {
    if (this.#isStopped) return;
    patient.timer = setTimeout(() => {
      background(this.#round(patient), this.#parts.log, 'health check');
    }, waitMs);
  }

  async #round(patient: Patient): Promise<void> {
    let failure: string;
    try {
      failure = (await patient.probe?.ask()) ?? '';
    } catch (error) {
      failure = `the check itself failed: ${messageOf(error)}`;
      this.#parts.log.error({ err: error, target: patient.endpoint.url }, 'health check failed');
    }
    if (this.#isStopped) return;
    this.#note(patient, failure);
    const jitter = 1 + PROBE_JITTER_SHARE * (2 * Math.random() - 1);
    this.#probeAfter(patient, pauseMs(patient) * jitter);
  }

  /** Takes the end of a probe into account; an empty `failure` is a pass. */
  #note(patient: Patient, failure: string): void {
    const from = patient.status.state;
    patient.verdict = judge(patient.verdict, failure === '' ? 'pass' : 'fail', patient.config);
    const to = patient.verdict.state;
    const changedAtMs = from === to ? patient.status.changedAtMs : Date.now();
    patient.status = { state: to, reason: failure, changedAtMs };
    if (from === to) return;
    this.#writeWord(patient);
    const { service, color, endpoint } = patient;
    const change: HealthChange = { service, color, url: endpoint.url, from, to, reason: failure };
    const say = to === 'down' ? 'warn' : 'info';
    this.#parts.log[say](change, `${service} ${color} ${endpoint.url} is ${to}`);
    this.#parts.onChange(change);
  }

  #writeWord({ endpoint, status }: Patient): void {
    Atomics.store(this.#parts.memory.health, endpoint.slot, HEALTH_WORD[status.state]);
  }
}

const NEVER_ASKED: TargetStatus = { state: 'unknown', reason: '', changedAtMs: 0 };

function patientsOf({ table, configs }: HealthParts): Patient[] {
  const changedAtMs = Date.now();
  return table.services.flatMap((service) =>
    COLORS.flatMap((color) =>
      service[color].endpoints.map((endpoint): Patient => {
        const config = configs.get(service.name)!;
        const state = config.kind === 'none' ? 'up' : 'unknown';
        return {
          service: service.name,
          color,
          endpoint,
          config,
          verdict: UNKNOWN,
          status: { state, reason: '', changedAtMs },
          probe: undefined,
          timer: undefined,
        };
      }),
    ),
  );
}

/** A target without a verdict is asked more often, so that a start is quick. */
function pauseMs({ config, status }: Patient): number {
  if (status.state !== 'unknown') return config.intervalMs;
  const hurriedMs = Math.max(config.intervalMs / PROBE_HURRY_FACTOR, PROBE_HURRY_MIN_MS);
  return Math.min(hurriedMs, config.intervalMs);
}
