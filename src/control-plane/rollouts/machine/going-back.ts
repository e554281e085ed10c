// The way back: when a rollout is sent there, what that does to its traffic, and how it ends. What sends it
// back is found out elsewhere. Pure.

import { cancelled } from './gate-runs.ts';
import { STAGES_BEFORE_TRAFFIC, type Rollout, type WayBack } from './rollout-record.ts';
import { ended, entered, held, tell, type Transition } from './transition.ts';

/** It shall go back: the next transition takes it there, or an operator, past the point of no return. */
export function sentBack(rollout: Rollout, back: WayBack, nowMs: number): Transition | undefined {
  const { pointOfNoReturn, stage: from, paused } = rollout;
  if (pointOfNoReturn === undefined || STAGES_BEFORE_TRAFFIC.has(from)) {
    return { to: { ...rollout, back }, effects: [], told: [] };
  }
  return paused === undefined ? held(rollout, back, nowMs) : undefined;
}

export function goBack(rollout: Rollout, back: WayBack, nowMs: number): Transition | undefined {
  const { stage: from } = rollout;
  const effects = [{ kind: 'cancel' }] as const;
  if (STAGES_BEFORE_TRAFFIC.has(from)) {
    const to = ended(cancelled(rollout, nowMs), 'failed', { ...back, restick: undefined, nowMs });
    const told = [tell(to, 'rollout.failed', { cause: back.cause, reason: back.reason })];
    return { to, edit: { kind: 'release' }, effects, told };
  }
  if (from !== 'shifting' && from !== 'baking') {
    // Its service is free: a way back from here is a usual rollback.
    return { to: { ...rollout, back: undefined }, effects: [], told: [] };
  }
  const isShifting = from === 'shifting';
  if (back.rampMs > 0) {
    const to: Rollout = {
      ...entered(cancelled(rollout, nowMs), 'rolled-back', { nowMs, note: back.reason }),
      paused: undefined,
      rampEndsAtMs: nowMs + back.rampMs,
    };
    const edit = isShifting
      ? ({ kind: 'move', share: 0, rampMs: back.rampMs } as const)
      : ({ kind: 'return', back } as const);
    return { to, edit, effects, told: [tell(to, 'rollout.stage', { reason: back.reason })] };
  }
  const to = rolledBack(cancelled(rollout, nowMs), back, nowMs);
  const edit = { kind: isShifting ? 'abort' : 'return', back } as const;
  const told = [tell(to, 'rollout.rolled-back', { cause: back.cause, reason: back.reason })];
  return { to, edit, effects, told };
}

/** The ramp of a way back is over: what is left of the split goes. */
export function endOfRamp(rollout: Rollout, nowMs: number): Transition | undefined {
  const { rampEndsAtMs, back } = rollout;
  if (rampEndsAtMs === undefined || back === undefined || nowMs < rampEndsAtMs) return undefined;
  const to = rolledBack(rollout, back, nowMs);
  const told = [tell(to, 'rollout.rolled-back', { cause: back.cause, reason: back.reason })];
  return { to, edit: { kind: 'abort', back }, effects: [], told };
}

function rolledBack(rollout: Rollout, back: WayBack, nowMs: number): Rollout {
  const { cause, reason, actor, restick, lockOut: lockedOut } = back;
  return ended(rollout, 'rolled-back', { cause, reason, actor, restick, lockedOut, nowMs });
}
