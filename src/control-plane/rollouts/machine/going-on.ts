// The way on: what it does to a rollout and to its traffic to enter a step, to move all of it, to set the
// services free, to be done. Whether it is time for that is decided elsewhere. Pure.

import { WHOLE_SHARE, shareText } from '../../../config/values/traffic-plan.ts';
import { cancelled } from './gate-runs.ts';
import type { Rollout } from './rollout-record.ts';
import { EMPTY_SEGMENT, ended, entered, tell, type Transition } from './transition.ts';

/** The first step, the next one, or all traffic. */
export function intoStep(rollout: Rollout, index: number, nowMs: number): Transition {
  const { rampMs, steps, stage: from } = rollout;
  const step = steps[index];
  if (step === undefined || (step.share === WHOLE_SHARE && step.forMs === 0)) {
    return promoted(rollout, nowMs);
  }
  const { share } = step;
  const isFirst = from !== 'shifting';
  const begun = isFirst
    ? entered(rollout, 'shifting', { nowMs, note: passedText(rollout, 'gated') })
    : cancelled(rollout, nowMs);
  const to: Rollout = {
    ...begun,
    step: index,
    segment: EMPTY_SEGMENT,
    transitions: rollout.transitions + 1,
    waiting: undefined,
    blocked: undefined,
    hurry: undefined,
  };
  return {
    to,
    edit: { kind: isFirst ? 'split' : 'move', share, rampMs },
    // A step that is left out leaves its gates, too.
    effects: isFirst ? [] : [{ kind: 'cancel' }],
    told: [
      tell(to, 'rollout.step', { share: share / 100, text: `${shareText(share)} of new sessions` }),
    ],
  };
}

export function promoted(rollout: Rollout, nowMs: number): Transition {
  const { terms, guard } = rollout;
  // Without a bake there may be gates to ask all the same.
  const isOver = terms.bakeMs === 0 && !hasGatesAfter(rollout);
  const stageNow = isOver ? 'draining' : 'baking';
  const note =
    rollout.stage === 'shifting' ? `${rollout.step + 1} of ${rollout.steps.length} steps` : '';
  const to: Rollout = {
    ...entered(cancelled(rollout, nowMs), stageNow, { nowMs, note }),
    segment: EMPTY_SEGMENT,
    guard: terms.bakeMs === 0 ? undefined : guard,
  };
  return {
    to,
    edit: { kind: 'promote' },
    effects: [{ kind: 'cancel' }],
    told: [tell(to, 'rollout.promoted', { text: 'all traffic is on the new release' })],
  };
}

function hasGatesAfter({ terms, skipped, isForced }: Rollout): boolean {
  return !isForced && terms.gates.some(({ at, name }) => at === 'after' && !skipped.includes(name));
}

/** The new release has stood its test: others may switch again. */
export function released(rollout: Rollout, nowMs: number): Transition {
  const { verdict } = rollout.segment;
  const note = verdict === undefined ? '' : `guard: ${verdict}`;
  const to = {
    ...entered(cancelled(rollout, nowMs), 'draining', { nowMs, note }),
    paused: undefined,
  };
  return {
    to,
    edit: { kind: 'release' },
    effects: [{ kind: 'cancel' }],
    told: [tell(to, 'rollout.stage', { text: 'the new release is the stable one' })],
  };
}

/** The rollout has done its work; what still drains goes on by itself. */
export function done(rollout: Rollout, reason: string, nowMs: number): Transition {
  const about = { cause: 'none', reason, actor: 'turnout', nowMs } as const;
  const to = ended(cancelled(rollout, nowMs), 'done', about);
  return { to, effects: [{ kind: 'cancel' }], told: [tell(to, 'rollout.done', { reason })] };
}

/** Returns in one line what the gates have said. */
export function passedText(rollout: Rollout, which: 'before' | 'gated'): string {
  const isGated = which === 'gated';
  return rollout.gates
    .filter((run) => run.at === 'before' && (run.tries === 0) === isGated)
    .map(({ name, verdict, detail }) => (isGated ? detail : `${name} ${verdict ?? '?'}`))
    .join(' · ');
}
