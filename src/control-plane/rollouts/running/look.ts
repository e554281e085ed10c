// Pure but for the guard, which counts: one look at a rollout → the event that it is. Time in which the
// process did not look is no time of observation.

import { ROLLOUT_BLIND_MS } from '../../base/control-limits.ts';
import type { GuardEyes } from './bring.ts';
import type { RolloutEvent } from '../machine/machine.ts';
import { changedText, downText, holdsSome, seenOf, type World } from './observe.ts';
import type { Rollout } from '../machine/rollout-record.ts';

export interface Looking {
  readonly world: World;
  readonly guard: GuardEyes | undefined;
}

/** Returns what is seen of a rollout `passedMs` after the look before. */
export function lookedAt(
  rollout: Rollout,
  passedMs: number,
  { world, guard }: Looking,
): RolloutEvent {
  const detail = changedText(rollout, world);
  if (detail !== '') return { kind: 'changed', detail, holdsSome: holdsSome(rollout, world) };
  // What happened meanwhile was not looked at: that is no time of observation.
  const elapsedMs = passedMs > ROLLOUT_BLIND_MS ? 0 : passedMs;
  const seen = seenOf(rollout, world);
  const hasTraffic = rollout.stage === 'shifting' || rollout.stage === 'baking';
  if (!hasTraffic) return { kind: 'tick', elapsedMs, seen, guard: undefined, downText: '' };
  const { terms, stage, rampEndsAtMs } = rollout;
  const isWatched =
    guard !== undefined &&
    terms.guard !== 'off' &&
    rampEndsAtMs === undefined &&
    (stage === 'shifting' || terms.bakeMs > 0);
  const looked = isWatched ? guard.look(rollout, passedMs) : undefined;
  const says = looked && { ...looked.says, state: looked.state };
  return { kind: 'tick', elapsedMs, seen, guard: says, downText: downText(rollout, world) };
}
