// Pure: the edit that a rollout wants → the next state of each of its services, and the change that is
// stored with the rollout itself: between decided and done lies no moment.

import { unreachable } from '../../../base/assert.ts';
import { BLOCK } from '../../../contract/counters.ts';
import { WHOLE_SHARE } from '../../../config/values/traffic-plan.ts';
import type { Service } from '../../../contract/table.ts';
import { callOf } from '../../audit/call.ts';
import { jsonText } from '../../base/json-text.ts';
import { claimed } from '../../deployments/claim.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import {
  changeOf,
  nextEpoch,
  switchRecord,
  type Basis,
  type Change,
} from '../../deployments/change.ts';
import type { Changed } from '../../deployments/registration.ts';
import {
  rolledBackBySplit,
  splitAborted,
  splitBegun,
  splitMoved,
} from '../../deployments/split-edit.ts';
import {
  returnBarred,
  switched,
  type Edit,
  type SwitchTerms,
} from '../../deployments/state-edit.ts';
import type { Totals } from '../../memory/totals.ts';
import type { ServiceState } from '../../store/service-state.ts';
import type { SwitchRecord } from '../../store/store.ts';
import { holdsService, type Leg, type Rollout } from '../machine/rollout-record.ts';
import { draftsOf, storedOf } from './stored-rollout.ts';
import type { RolloutEdit, Told } from '../machine/transition.ts';

/** What the change is made of. */
export interface CarryOut {
  readonly edit: RolloutEdit;
  /** As it is once the edit is in force. */
  readonly to: Rollout;
  readonly told: readonly Told[];
  readonly request: ChangeRequest;
  readonly nowMs: number;
  readonly states: ReadonlyMap<string, ServiceState>;
  readonly services: readonly Service[];
  readonly totals: Pick<Totals, 'blockSlot'>;
  /** What registers the release that it is about, together with it; left out: that is there already. */
  readonly registered?: Changed | undefined;
  /** What the caller is answered, given the generation; also to a repeated call. */
  readonly answerOf: (generation: number) => unknown;
}

/** Edits that no operator has to know the generation of: no request goes elsewhere. */
const SILENT: ReadonlySet<RolloutEdit['kind']> = new Set(['claim', 'release']);

/** Edits after which another deployment is the active one. */
const OUTCOME = { promote: 'switched', return: 'rolled-back' } as const;

/** Returns the change of the table that carries out `edit`. */
export function rolloutChange(basis: Basis, parts: CarryOut): Change {
  const { edit, to, told, request, nowMs, registered } = parts;
  const { states: placed = [], nextDeployment = basis.stored.nextDeployment } = registered ?? {};
  const isSilent = SILENT.has(edit.kind) && registered === undefined;
  const epoch = isSilent ? basis.stored.epoch : nextEpoch(basis);
  const states: ServiceState[] = placed.filter(({ name }) => !isOf(to, name));
  const records: SwitchRecord[] = [];
  for (const leg of to.legs) {
    const before = placed.find(({ name }) => name === leg.service) ?? parts.states.get(leg.service);
    if (before === undefined) continue; // It is configured no more: nothing is left to move.
    if (edit.kind === 'leave' && before.rollout?.id !== to.id) continue; // Others have moved it.
    const isServed = parts.services.some(({ name }) => name === leg.service);
    // What the file has no more gets no requests; if it comes back, it comes without a split.
    const edited = isServed ? editOf(parts, leg, epoch)(before) : { ...before, split: undefined };
    // While it drains, another rollout may have begun: that claim is not ours to end.
    const after =
      edit.kind === 'bar'
        ? edited
        : claimed(edited, holdsService(to) ? claimOf(to, leg) : undefined);
    states.push(after);
    if (isServed && (edit.kind === 'promote' || edit.kind === 'return')) {
      const outcome = OUTCOME[edit.kind];
      records.push(switchRecord(before, after, { epoch, outcome, nowMs, request }));
    }
  }
  const service = to.legs.map((leg) => leg.service).join(', ');
  const answer = parts.answerOf(epoch);
  // What only begins is accepted: the first call was answered so.
  const status = edit.kind === 'claim' ? 202 : 200;
  const end = { outcome: 'done', status, generation: epoch, body: jsonText(answer) } as const;
  const notes = callOf(request, `rollout ${to.id}: ${edit.kind}`).notes(end, service);
  const decided = { states, records, nextDeployment, isSilent, rollout: to.id };
  const change = changeOf(basis, decided, { answer, notes });
  // First what was decided and why, then what comes of it.
  const events = [...draftsOf(to, told, nowMs), ...(change.events ?? [])];
  return { ...change, rollouts: [storedOf(to)], events };
}

function isOf({ legs }: Rollout, name: string): boolean {
  return legs.some(({ service }) => service === name);
}

function claimOf({ id }: Rollout, { to }: Leg) {
  return { id, deployment: to.deployment };
}

function editOf(
  { edit, to, request, nowMs, services, totals }: CarryOut,
  leg: Leg,
  epoch: number,
): Edit {
  const { sessions, by } = to.terms;
  const service = services.find(({ name }) => name === leg.service)!;
  const { policy } = service;
  const longLivedOn = (number: number): number => {
    const { block } =
      [service.blue, service.green].find((one) => one.number === number) ?? service.blue;
    return totals.blockSlot(block, BLOCK.tunnels) + totals.blockSlot(block, BLOCK.streams);
  };
  const { actor } = request;
  const moved = (
    deployment: number,
    outcome: SwitchTerms['outcome'],
    more: Pick<SwitchTerms, 'movesSessions' | 'lockOut'>,
  ): SwitchTerms => {
    const left = deployment === leg.to.deployment ? leg.from : leg.to;
    const longLivedCount = longLivedOn(left.deployment);
    return { ...more, to: deployment, epoch, nowMs, policy, outcome, actor, longLivedCount };
  };
  switch (edit.kind) {
    case 'claim':
    case 'release':
      return (state) => state;
    case 'split': {
      const ramp = rampOf(0, edit.rampMs, nowMs);
      return splitBegun({ share: edit.share, ramp, sessions, by, epoch, nowMs });
    }
    case 'move':
      return (state) => {
        const ramp = rampOf(state.split?.share ?? 0, edit.rampMs, nowMs);
        return splitMoved(edit.share, ramp)(state);
      };
    case 'promote': {
      const terms = moved(leg.to.deployment, 'switched', {
        movesSessions: false,
        lockOut: undefined,
      });
      return (state) => returnBarred(to.pointOfNoReturn)(switched(terms)(state));
    }
    case 'bar':
      return returnBarred(to.pointOfNoReturn);
    case 'abort': {
      const { restick, lockOut } = backOf(edit, actor);
      const longLivedCount = longLivedOn(leg.to.deployment);
      return splitAborted({ restick, lockOut, actor, epoch, nowMs, policy, longLivedCount });
    }
    case 'leave': {
      const longLivedCount = longLivedOn(leg.to.deployment);
      const terms = { restick: 'new', lockOut: undefined, actor, epoch, nowMs } as const;
      return (state) =>
        state.split === undefined
          ? state
          : splitAborted({ ...terms, policy, longLivedCount })(state);
    }
    case 'return': {
      const { restick, lockOut } = backOf(edit, actor);
      const terms = moved(leg.from.deployment, 'rolled-back', {
        movesSessions: restick === 'all',
        lockOut,
      });
      const { rampMs } = edit.back;
      if (rampMs === 0) return switched(terms);
      return rolledBackBySplit({ ...terms, by }, { startsAtMs: nowMs, endsAtMs: nowMs + rampMs });
    }
    default:
      return unreachable(edit);
  }
}

function backOf({ back }: Extract<RolloutEdit, { kind: 'abort' | 'return' }>, actor: string) {
  const { restick, reason, lockOut } = back;
  return { restick, lockOut: lockOut ? { reason, actor } : undefined };
}

function rampOf(from: number, rampMs: number, nowMs: number) {
  if (rampMs === 0) return undefined;
  return { from: Math.min(from, WHOLE_SHARE), startsAtMs: nowMs, endsAtMs: nowMs + rampMs };
}
