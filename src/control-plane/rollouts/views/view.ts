// Pure: a rollout → what the API tells of it as a whole. How far it is on its way is written in
// progress-view.ts, its gates in gates-view.ts.

import { unreachable } from '../../../base/assert.ts';
import type {
  GuardView,
  RolloutBrief,
  RolloutEvent as EventView,
  RolloutSummary,
  RolloutView,
} from '../../../api/rollout-views.ts';
import { durationText } from '../../../base/duration.ts';
import { timeText } from '../../base/time-text.ts';
import { gatesView, warningsOf } from './gates-view.ts';
import { nextView, observedText, stagesView, stepView } from './progress-view.ts';
import {
  shareOf,
  statusOf,
  type End,
  type Leg,
  type Rollout,
  type Side,
} from '../machine/rollout-record.ts';

/** What is known beside the rollout itself. */
export interface Beside {
  readonly nowMs: number;
  /** Of the requests of the last minute, of 100; undefined: there were none. */
  readonly measured: number | undefined;
  readonly guard: Omit<GuardView, 'mode'>;
  readonly events: readonly EventView[];
}

/** Of a rollout that no guard watches. */
export const NO_GUARD: Omit<GuardView, 'mode'> = {
  verdict: null,
  detail: '',
  evidence: 1,
  limit: 1_000,
  comparison: null,
  recent: [],
  signals: [],
  clients: { bad: 0, needed: 0 },
  verdicts: [],
};

export function summaryOf(rollout: Rollout, measured: number | undefined): RolloutSummary {
  const { id, transitions, legs, stage, plan, actor, reason, startedAtMs, end } = rollout;
  return {
    id,
    event: transitions,
    services: legs.map(moveOf),
    stage,
    status: statusView(rollout),
    plan,
    share: shareView(rollout, measured),
    actor,
    reason,
    startedAt: timeText(startedAtMs),
    end: end === undefined ? null : endView(end),
  };
}

export function viewOf(rollout: Rollout, { nowMs, measured, guard, events }: Beside): RolloutView {
  const { legs, terms, step, steps, segment, stage, pointOfNoReturn, skipped } = rollout;
  const [only] = legs.length === 1 ? legs.map(moveOf) : [];
  return {
    ...summaryOf(rollout, measured),
    ...only,
    stages: stagesView(rollout),
    step: stage === 'shifting' ? step : null,
    steps: steps.map((one, index) => stepView(rollout, one, index)),
    bake: {
      for: durationText(terms.bakeMs),
      observed: stage === 'baking' ? observedText(segment.observedMs) : null,
    },
    next: nextView(rollout, nowMs),
    gates: gatesView(rollout),
    skipped: skipped.length === 0 ? null : { gates: [...skipped], reason: rollout.reason },
    guard: { ...guard, mode: terms.guard },
    pointOfNoReturn:
      pointOfNoReturn === undefined
        ? null
        : {
            actor: pointOfNoReturn.actor,
            at: timeText(pointOfNoReturn.atMs),
            reason: pointOfNoReturn.reason,
          },
    warnings: warningsOf(rollout),
    events: [...events],
  };
}

/** Returns what the status of `service` tells of a rollout that moves it. */
export function briefOf(
  rollout: Rollout,
  service: string,
  { nowMs, measured }: Pick<Beside, 'nowMs' | 'measured'>,
): RolloutBrief {
  const leg = rollout.legs.find((one) => one.service === service) ?? rollout.legs[0]!;
  const { id, stage, plan, actor } = rollout;
  return {
    id,
    stage,
    status: statusView(rollout),
    plan,
    share: shareView(rollout, measured),
    to: sideView(leg.to),
    actor,
    next: nextView(rollout, nowMs),
  };
}

function moveOf({ service, from, to }: Leg) {
  return { service, from: sideView(from), to: sideView(to) };
}

function sideView({ color, release, deployment }: Side) {
  return { color, release, deployment };
}

function statusView(rollout: Rollout): RolloutSummary['status'] {
  if (rollout.end !== undefined) return { kind: 'over' };
  const status = statusOf(rollout);
  switch (status.kind) {
    case 'running':
      return { kind: 'running' };
    case 'paused':
      return { kind: 'paused', since: timeText(status.atMs), by: status.by, reason: status.reason };
    case 'blocked':
      return {
        kind: 'blocked',
        since: timeText(status.sinceMs),
        why: status.why,
        reason: status.detail,
      };
    case 'waiting': {
      const { for: what, gate, sinceMs, untilMs, onTimeout } = status;
      return {
        kind: 'waiting',
        since: timeText(sinceMs),
        for: what,
        ...(gate === '' ? {} : { gate }),
        ...(untilMs === undefined ? {} : { until: timeText(untilMs), onTimeout }),
      };
    }
    default:
      return unreachable(status);
  }
}

const UNIT = { session: 'sessions', address: 'clients', request: 'requests' } as const;

function shareView(rollout: Rollout, measured: number | undefined): RolloutSummary['share'] {
  const of = UNIT[rollout.terms.by];
  return { wanted: shareOf(rollout) / 100, of, measured: measured ?? null };
}

function endView({ outcome, cause, reason, actor, restick, lockedOut, atMs }: End) {
  return { outcome, cause, reason, at: timeText(atMs), actor, restick: restick ?? null, lockedOut };
}
