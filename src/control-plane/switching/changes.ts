// What a change is made of once it was decided on: what shall be, what is stored with it.

import type { ServiceConfig } from '../../config/config.ts';
import type { RoutingTable, Service } from '../../contract/table.ts';
import type { ChangeAnswer, SwitchAnswer } from './answers.ts';
import type { Call } from '../audit/call.ts';
import { sideText } from './table-state.ts';
import type { Decided } from './rollback.ts';
import type { Notes, SwitchOutcome, SwitchRecord } from '../store/store.ts';
import type { ChangeRequest } from './switch-check.ts';

/** One switch that was decided on. */
export interface Change extends Decided {
  readonly service: Service;
  readonly outcome: SwitchOutcome;
  readonly request: ChangeRequest;
  readonly startedMs: number;
}

/** What is stored with a table. */
export interface Remembered {
  readonly call?: Call;
  readonly answer?: (next: RoutingTable) => SwitchAnswer | ChangeAnswer;
  readonly record?: (generation: number) => SwitchRecord;
}

/** Another configuration, decided on. */
export interface Reconfiguration {
  readonly make: (generation: number) => RoutingTable;
  readonly configOf: (service: string) => ServiceConfig;
  readonly notes: (generation: number) => Notes;
  /** Called when the table is in force, before anybody follows it. */
  readonly onPublished: () => void;
}

/** Returns what is remembered of a switch that comes into force with `generation`. */
export function recordOf(change: Change, generation: number, nowMs: number): SwitchRecord {
  const { service, to, side, outcome, request } = change;
  return {
    generation,
    service: service.name,
    from: service.active,
    to,
    release: side.release,
    atMs: nowMs,
    outcome,
    left: sideText(service[service.active]),
    forced: request.force,
    reason: request.reason,
    actor: request.actor,
  };
}
