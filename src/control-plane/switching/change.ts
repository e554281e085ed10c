// Pure: what was asked + what was decided + the number of the next table → one complete change. It
// is made once, before the publication: the publisher gets its table, the store what is stored with
// that, the caller its answer. Nothing in it is asked for again while it is carried out.

import type { ChangeAnswer as ChangeJson } from '../../api/shared-fields.ts';
import type { SwitchAnswer as SwitchJson } from '../../api/switching.ts';
import type { ServiceConfig } from '../../config/config.ts';
import type { RoutingTable, Service } from '../../contract/table.ts';
import { callOf } from '../audit/call.ts';
import { jsonText } from '../base/json-text.ts';
import type { StoredChange, SwitchOutcome, SwitchRecord } from '../store/store.ts';
import type { ChangeRequest } from './switch-check.ts';
import { edited, switched, type Edit, type SwitchTerms } from './table-edit.ts';
import { sideText, storedService } from './table-state.ts';

/** A change that was decided on: what comes into force, what is stored with it, what is answered. */
export interface Change<Answer = unknown> extends Omit<StoredChange, 'generation' | 'fingerprint'> {
  readonly table: RoutingTable;
  readonly answer: Answer;
}

/** Answer to a switch or a rollback. */
export interface SwitchAnswer extends Pick<
  SwitchRecord,
  'generation' | 'service' | 'from' | 'to' | 'release'
> {
  /** When the color became the active one, in ms since the epoch. */
  readonly publishedAtMs: number;
  readonly tookMs: number;
  /** False when the color was active already: nothing was done. */
  readonly changed: boolean;
}

/** Answer to any other change. */
export interface ChangeAnswer {
  readonly generation: number;
  /** As it is since `generation`. */
  readonly service: Service;
  /** False when the service was so already: nothing was done. */
  readonly changed: boolean;
}

/** What a change of one service begins from. */
export interface Basis {
  readonly table: RoutingTable;
  /** Number of the next table. */
  readonly generation: number;
  readonly service: Service;
  readonly config: ServiceConfig;
  /** When the active color last changed. */
  readonly sinceAtMs: number;
}

/** Returns a change that is no switch, and that nothing is written down about. */
export function silentChange(
  { table, generation, service, config, sinceAtMs }: Basis,
  edit: Edit,
): Change<ChangeAnswer> {
  const after = edit(service, generation);
  return {
    table: edited(table, generation, service.name, () => after),
    services: [storedService(after, sinceAtMs, config)],
    record: undefined,
    answer: { generation, service: after, changed: true },
  };
}

/** Returns a change that is no switch; the audit log calls it `what`. */
export function serviceChange(
  basis: Basis,
  edit: Edit,
  { request, what }: { readonly request: ChangeRequest; readonly what: string },
): Change<ChangeAnswer> {
  const change = silentChange(basis, edit);
  return { ...change, notes: notesOf(request, what, change.answer) };
}

/**
 * Returns a switch or a rollback. `tookMs`: how long it has taken so far. A repeated call is told
 * that time where the process ended before the whole time was known.
 */
export function switchChange(
  { table, generation, service, config }: Basis,
  terms: SwitchTerms,
  {
    request,
    outcome,
    tookMs,
  }: { readonly request: ChangeRequest; readonly outcome: SwitchOutcome; readonly tookMs: number },
): Change<SwitchAnswer> & { readonly record: SwitchRecord } {
  const { name, active: from } = service;
  const { to, side, nowMs } = terms;
  const named = { generation, service: name, from, to, release: side.release };
  const answer = { ...named, publishedAtMs: nowMs, tookMs, changed: true };
  const after = switched(terms)(service, generation);
  return {
    table: edited(table, generation, name, () => after),
    services: [storedService(after, nowMs, config)],
    record: {
      ...named,
      atMs: nowMs,
      outcome,
      left: sideText(service[from]),
      forced: request.force,
      reason: request.reason,
      actor: request.actor,
    },
    notes: notesOf(request, outcome, answer),
    answer,
  };
}

function notesOf(
  request: ChangeRequest,
  what: string,
  answer: SwitchAnswer | ChangeAnswer,
): StoredChange['notes'] {
  const { generation } = answer;
  const told = answerJson(answer);
  const end = { outcome: 'done', status: 200, generation, body: jsonText(told) } as const;
  return callOf(request, what).notes(end, told.service);
}

function answerJson(answer: SwitchAnswer | ChangeAnswer) {
  return 'from' in answer ? switchAnswerJson(answer) : changeAnswerJson(answer);
}

/** Returns what the admin API says of a switch: to the first call, and to a repeated one. */
export function switchAnswerJson({ publishedAtMs, tookMs, ...answer }: SwitchAnswer): SwitchJson {
  // Microseconds are enough for people.
  const took = Number(tookMs.toFixed(3));
  return { ...answer, publishedAt: new Date(publishedAtMs).toISOString(), tookMs: took };
}

/** Returns what the admin API says of another change. */
export function changeAnswerJson({ generation, service, changed }: ChangeAnswer): ChangeJson {
  return { generation, service: service.name, changed };
}
