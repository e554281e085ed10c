// Pure: what was asked + what was decided + what is so far → one complete change. It is made once,
// before the publication: the publisher gets its table, the store what is stored with that, the
// caller its answer. Nothing in it is asked for again while it is carried out.

import type { ChangeAnswer } from '../../api/shared-fields.ts';
import type {
  SwitchAnswer as SwitchJson,
  SwitchesAnswer as SwitchesJson,
} from '../../api/switching.ts';
import { epochMs } from '../../base/clock.ts';
import type { ServiceConfig } from '../../config/config.ts';
import type { Hold, RoutingTable } from '../../contract/table.ts';
import type { DataPlaneSettings } from '../../contract/worker-settings.ts';
import { callOf } from '../audit/call.ts';
import { jsonText } from '../base/json-text.ts';
import type { Slots } from '../memory/slots.ts';
import { activeNumber, deploymentOf, type ServiceState } from '../store/service-state.ts';
import type { StoredChange, StoredState, SwitchRecord } from '../store/store.ts';
import type { ChangeRequest } from './change-request.ts';
import { changeEvents } from './change-events.ts';
import { routingTable } from './routing-table.ts';
import type { ShadowedServices } from './shadow-edit.ts';
import { colorFor, resticked, switched, type SwitchTerms } from './state-edit.ts';

/** A change that was decided on: what comes into force, what is stored with it, what is answered. */
export interface Change<Answer = unknown> extends StoredChange {
  /** Epoch that was known when it was decided on. */
  readonly decidedOn: number;
  readonly table: RoutingTable;
  readonly answer: Answer;
}

/** Answer to a switch or a rollback. */
export interface SwitchAnswer extends Pick<
  SwitchRecord,
  'service' | 'from' | 'to' | 'release' | 'deployment'
> {
  readonly generation: number;
  /** When the deployment became the active one, in ms since the epoch. */
  readonly publishedAtMs: number;
  readonly tookMs: number;
  /** False when nothing was done: it was active already, and no session moved. */
  readonly changed: boolean;
}

/** What a change begins from. */
export interface Basis {
  readonly stored: Pick<StoredState, 'epoch' | 'nextDeployment' | 'services'>;
  /** Number of the next table. */
  readonly version: number;
  readonly configs: readonly ServiceConfig[];
  /** Holds of switches that run, by service; no state has them. */
  readonly holds?: ReadonlyMap<string, Hold>;
  /** Services whose requests are copied; no state has them. */
  readonly shadows?: ShadowedServices;
  readonly slots: Slots;
}

/** What a decision changes. */
export interface Decided {
  /** States that have changed. */
  readonly states: readonly ServiceState[];
  /** Left out: no deployment is new. */
  readonly nextDeployment?: number;
  readonly records?: readonly SwitchRecord[];
  /** Left out: the settings of the workers stay. */
  readonly settings?: DataPlaneSettings | undefined;
  /** No operator has to know of it: the epoch stays. */
  readonly isSilent?: boolean;
  /** Id of the rollout that has decided it. */
  readonly rollout?: string;
}

/** Returns the epoch that a decision on `basis` begins. */
export function nextEpoch({ stored }: Pick<Basis, 'stored'>): number {
  return stored.epoch + 1;
}

/** Returns the change that `decided` makes of `basis`. */
export function changeOf<Answer>(
  basis: Basis,
  decided: Decided,
  { answer, notes }: Pick<Change<Answer>, 'answer' | 'notes'>,
): Change<Answer> {
  const { stored, version, configs, holds, shadows, slots } = basis;
  const { states: services, records = [], isSilent = false, settings, rollout = '' } = decided;
  const { nextDeployment = stored.nextDeployment } = decided;
  const epoch = isSilent ? stored.epoch : nextEpoch(basis);
  const states = new Map(stored.services);
  for (const state of services) states.set(state.name, state);
  const table = routingTable({ version, epoch, configs, states, holds, shadows, settings }, slots);
  const decidedOn = stored.epoch;
  const events = changeEvents({
    before: stored.services,
    after: services,
    records,
    nextDeployment: stored.nextDeployment,
    generation: epoch,
    rollout,
    nowMs: epochMs(),
  });
  return { decidedOn, epoch, nextDeployment, services, records, notes, table, answer, events };
}

/** Returns the change that brings holds and shadows of `basis` into force, and nothing else. */
export function holdChange(basis: Basis): Change<undefined> {
  return changeOf(basis, { states: [], isSilent: true }, { answer: undefined, notes: undefined });
}

/**
 * Returns a change of `service` that is no switch; the audit log calls it `what`. Its answer has
 * `told`, too.
 */
export function serviceChange<Told extends object = object>(
  basis: Basis,
  decided: Decided,
  {
    request,
    service,
    what,
    told,
  }: {
    readonly request: ChangeRequest;
    readonly service: string;
    readonly what: string;
    readonly told?: Told;
  },
): Change<ChangeAnswer & Told> {
  const generation = decided.isSilent === true ? basis.stored.epoch : nextEpoch(basis);
  const answer = { generation, service, ...told!, changed: true };
  const body = answer;
  return changeOf(basis, decided, {
    answer,
    notes: notesOf(request, what, { generation, service, body }),
  });
}

/** One service of a switch, as it is before it. */
interface Move {
  readonly state: ServiceState;
  readonly terms: Omit<SwitchTerms, 'epoch'>;
}

/**
 * Returns a switch or a rollback, of one service or of several. `tookMs`: how long it has taken so
 * far. A repeated call is told that time where the process ended before the whole time was known.
 */
export function switchChange(
  basis: Basis,
  moves: readonly Move[],
  {
    request,
    tookMs,
    answerOf,
  }: {
    readonly request: ChangeRequest;
    readonly tookMs: number;
    readonly answerOf: (answers: readonly SwitchAnswer[]) => unknown;
  },
): Change<readonly SwitchAnswer[]> {
  const epoch = nextEpoch(basis);
  const states: ServiceState[] = [];
  const records: SwitchRecord[] = [];
  const answer = moves.map(({ state, terms }): SwitchAnswer => {
    const { outcome, nowMs, to: deployment, resticks } = terms;
    if (resticks !== undefined) {
      states.push(resticked(resticks, terms)(state));
      return restickAnswer(state, resticks, epoch);
    }
    const after = switched({ ...terms, epoch })(state);
    const record = switchRecord(state, after, { epoch, outcome, nowMs, request });
    states.push(after);
    records.push(record);
    const { service, from, to, release } = record;
    const named = { generation: epoch, service, from, to, release, deployment };
    return { ...named, publishedAtMs: nowMs, tookMs, changed: true };
  });
  const service = states.map(({ name }) => name).join(', ');
  const end = { generation: epoch, service, body: answerOf(answer) };
  const notes = notesOf(request, moves[0]!.terms.outcome, end);
  return changeOf(basis, { states, records }, { answer, notes });
}

/** Returns the answer where sessions move from `from`, which drains, to what is active as before. */
export function restickAnswer(state: ServiceState, from: number, generation: number): SwitchAnswer {
  const answer = unchangedSwitch(state, generation, 0);
  return { ...answer, from: deploymentOf(state, from)?.color ?? answer.from, changed: true };
}

/** Returns what is remembered of the switch that has led from one state of a service to another. */
export function switchRecord(
  before: ServiceState,
  after: ServiceState,
  {
    epoch,
    outcome,
    nowMs,
    request: { force, reason, actor },
  }: Pick<SwitchTerms, 'epoch' | 'outcome' | 'nowMs'> & {
    readonly request: Pick<ChangeRequest, 'force' | 'reason' | 'actor'>;
  },
): SwitchRecord {
  const deployment = activeNumber(after);
  return {
    epoch,
    service: after.name,
    from: before.active,
    to: after.active,
    release: deploymentOf(after, deployment)?.release ?? '',
    deployment,
    left: activeNumber(before),
    atMs: nowMs,
    outcome,
    forced: force,
    reason,
    actor,
  };
}

/** Returns the answer to a switch that had nothing to do. */
export function unchangedSwitch(
  state: ServiceState,
  generation: number,
  tookMs: number,
): SwitchAnswer {
  const { name, active, activeSinceMs } = state;
  const deployment = activeNumber(state);
  const release = deploymentOf(state, deployment)?.release ?? '';
  const named = { generation, service: name, from: active, to: active, release, deployment };
  return { ...named, publishedAtMs: activeSinceMs, tookMs, changed: false };
}

/** Returns what a switch to the deployment `to` would be answered, if it were made. */
export function plannedSwitch(state: ServiceState, to: number, generation: number): SwitchAnswer {
  const { name: service, active: from } = state;
  const release = deploymentOf(state, to)?.release ?? '';
  const named = { generation, service, from, to: colorFor(state, to), release, deployment: to };
  return { ...named, publishedAtMs: epochMs(), tookMs: 0, changed: true };
}

function notesOf(
  request: ChangeRequest,
  what: string,
  told: { readonly generation: number; readonly service: string; readonly body: unknown },
): StoredChange['notes'] {
  const { generation, service } = told;
  const body = jsonText(told.body);
  return callOf(request, what).notes({ outcome: 'done', status: 200, generation, body }, service);
}

/** Returns what the admin API says of a switch: to the first call, and to a repeated one. */
export function switchAnswerJson({ publishedAtMs, tookMs, ...answer }: SwitchAnswer): SwitchJson {
  // Microseconds are enough for people.
  const took = Number(tookMs.toFixed(3));
  return { ...answer, publishedAt: new Date(publishedAtMs).toISOString(), tookMs: took };
}

/** The same, of a switch of several services. */
export function switchesAnswerJson(answers: readonly SwitchAnswer[]): SwitchesJson {
  const all = answers.map(switchAnswerJson);
  const { generation, tookMs } = all[0]!;
  const services = all.map(({ generation: _g, tookMs: _t, ...one }) => one);
  return { generation, tookMs, services };
}
