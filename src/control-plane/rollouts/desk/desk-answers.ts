// Pure: what callers are answered about a rollout beside its view.

import type { RolloutStarted } from '../../../api/rollouts.ts';
import type { RolloutEvent } from '../../../api/rollout-views.ts';
import type {
  SwitchAnswer as SwitchJson,
  SwitchesAnswer as SwitchesJson,
} from '../../../api/switching.ts';
import { durationText } from '../../../base/duration.ts';
import { planText } from '../../../config/values/traffic-plan.ts';
import { switchAnswerJson } from '../../deployments/change.ts';
import type { StoredEvent } from '../../store/rollout-store.ts';
import { eventSentence } from '../../../api/event-sentence.ts';
import { shareOf, type Rollout } from '../machine/rollout-record.ts';
import type { AskedRollout } from './starting.ts';
import type { RolloutTerms } from './terms.ts';
import { planStepView } from '../views/progress-view.ts';

/** Returns what a start is answered. */
export function startedJson(
  { plan, steps, rampMs, terms }: RolloutTerms,
  { skipped }: AskedRollout,
  named: Pick<RolloutStarted, 'id' | 'stage' | 'generation'>,
): RolloutStarted {
  return {
    ...named,
    plan: {
      text: planText({
        name: plan,
        steps: steps.map((step) => (step.share === 10_000 ? { ...step, forMs: 0 } : step)),
        rampMs,
      }),
      steps: steps.map(planStepView),
      ramp: rampMs === 0 ? null : durationText(rampMs),
    },
    bake: durationText(terms.bakeMs),
    guard: terms.guard,
    gates: terms.gates.map(({ name, at }) => ({ name, at, isSkipped: skipped.includes(name) })),
    refusals: [],
  };
}

/** Returns what a switch is answered that makes a rollout, one answer for each service. */
export function answersOf(rollout: Rollout, generation: number, tookMs: number): SwitchJson[] {
  return rollout.legs.map(({ service, from, to }) => ({
    ...switchAnswerJson({
      generation,
      service,
      from: from.color,
      to: to.color,
      release: to.release,
      deployment: to.deployment,
      publishedAtMs: rollout.stageAtMs,
      tookMs,
      changed: true,
    }),
    rollout: referenceOf(rollout),
  }));
}

/** Returns them as one. */
export function togetherJson(answers: readonly SwitchJson[]): SwitchesJson {
  const { generation, tookMs, rollout } = answers[0]!;
  const services = answers.map(
    ({ generation: _g, tookMs: _t, rollout: _r, dryRun: _d, ...one }) => one,
  );
  return { generation, tookMs, rollout, services };
}

export function referenceOf(rollout: Rollout): NonNullable<SwitchJson['rollout']> {
  return { id: rollout.id, stage: rollout.stage, share: shareOf(rollout) / 100 };
}

export function eventView({ seq, atMs, kind, data }: StoredEvent): RolloutEvent {
  const { by } = data;
  return {
    seq,
    at: new Date(atMs).toISOString(),
    kind,
    actor: typeof by === 'string' ? by : '',
    text: eventSentence(kind, data),
  };
}
