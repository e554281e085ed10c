// What has to be true of a rollout and of the tables of its services, whatever has happened to it.

import { isDeepStrictEqual } from 'node:util';
import {
  holdsService,
  type Rollout,
} from '../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import { parseRollout } from '../../../../src/control-plane/rollouts/running/stored-rollout.ts';
import type { Stored } from './begun.ts';

/** A world as far as it is checked. */
interface CheckedWorld {
  readonly rollout: Rollout;
  readonly stored: Stored;
  /** What was published. */
  readonly log: readonly string[];
}

/** Whether clients may be on the new release. */
export function hasTraffic({ stage, end }: Rollout): boolean {
  return end === undefined && (stage === 'shifting' || stage === 'baking' || stage === 'draining');
}

/** Returns the share of new sessions that the stage gives to the new release, of 10,000. */
export function shareNow({ stage, step: at, steps, end }: Rollout): number {
  if (stage === 'shifting' && end === undefined) return steps[at]!.share;
  return stage === 'baking' || stage === 'draining' || stage === 'done' ? 10_000 : 0;
}

/** Throws where a gate before the traffic has not opened. */
export function checkGates({ terms: how, gates, isForced, marks }: Rollout): void {
  if (isForced) return;
  if (!marks.some(({ stage }) => stage === 'testing')) throw new Error('nothing was tested');
  for (const one of how.gates.filter(({ at }) => at === 'before')) {
    const verdict = gates.find(({ name }) => name === one.name)?.verdict;
    const isWarning = verdict !== undefined && one.kind !== 'approve' && one.onFail === 'warn';
    if (verdict !== 'ok' && !isWarning) throw new Error(`${one.name} was not ok`);
  }
}

/** Returns the value without what JSON leaves out. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Returns the rollout as a new process has it. */
export function sameAfterStore(before: Rollout): Rollout {
  const read = parseRollout(JSON.stringify(before));
  if (read === undefined) throw new Error('what was stored cannot be read');
  if (!isDeepStrictEqual(plain(read), plain(before))) throw new Error('another one was read');
  return read;
}

/** Throws where the tables of its services are not as the rollout wants them. */
export function checkTable({ rollout: now, stored, log }: CheckedWorld): void {
  const isOthers = log.some((line) => line.startsWith('others'));
  if (isOthers) return;
  const isMoved = now.stage === 'baking' || now.stage === 'draining' || now.stage === 'done';
  const isBackRamp = now.rampEndsAtMs !== undefined;
  for (const { service, from, to } of now.legs) {
    const state = stored.services.get(service)!;
    const wanted =
      now.end !== undefined || isMoved
        ? undefined
        : isBackRamp
          ? 0
          : now.stage === 'shifting'
            ? now.steps[now.step]!.share
            : undefined;
    if (state.split?.share !== wanted) {
      throw new Error(`the split has ${state.split?.share}, wanted is ${wanted}`);
    }
    if (state.split !== undefined && state.split.deployment !== to.deployment) {
      throw new Error('the split leads elsewhere');
    }
    if (isBackRamp && state.split?.ramp === undefined) throw new Error('no ramp back');
    const active = state[state.active].deployment;
    if (active !== (isMoved && !isBackRamp ? to : from).deployment) {
      throw new Error(`active is ${active} in ${now.stage}`);
    }
    if ((state.rollout !== undefined) !== holdsService(now)) throw new Error('a wrong claim');
  }
}

/** Throws where an end is none. */
export function checkEnd({ rollout: now, stored }: CheckedWorld): void {
  const { end, gates, legs, id } = now;
  if (end === undefined) return;
  if (end.reason.trim() === '') throw new Error('an end without a reason');
  if (gates.some(({ verdict }) => verdict === undefined)) throw new Error('a gate is open');
  for (const { service } of legs) {
    if (stored.services.get(service)!.rollout?.id === id) throw new Error('claimed after its end');
  }
}
