// Pure: what the settings say and what the caller says instead → the terms of one rollout, which stay as
// they are to its end.

import {
  parseTrafficPlan,
  WHOLE_SHARE,
  type TrafficPlan,
} from '../../../config/values/traffic-plan.ts';
import type { ServiceConfig } from '../../../config/config.ts';
import type {
  GateSettings,
  WarmupSettings,
} from '../../../config/settings/rollout/rollout-settings.ts';
import { OperatorError } from '../../base/problems.ts';
import type { GateTerms, Rollout, Terms } from '../machine/rollout-record.ts';

/** What a caller says; what is left out is as the settings of the service say. */
export interface AskedTerms {
  readonly plan?: string | undefined;
  readonly bakeMs?: number | undefined;
  readonly guard?: 'off' | 'watch' | 'rollback' | undefined;
}

/** How a rollout goes, before it has a name. */
export interface RolloutTerms extends Pick<Rollout, 'plan' | 'steps' | 'rampMs' | 'terms'> {}

/** Returns the terms of a rollout of these services; where they differ, those of the first one count, but that each is warmed. */
export function termsOf(
  configs: readonly Pick<ServiceConfig, 'name' | 'rollout' | 'policy'>[],
  asked: AskedTerms,
): RolloutTerms {
  const [{ rollout: settings, policy }] = configs as [(typeof configs)[0]];
  const plan = planOf(asked.plan ?? settings.plan);
  const { split, rollback, onInconclusive, healthMs } = settings;
  // Each service is warmed by its own settings: this waits for all of them.
  const warmups = configs.map(({ rollout }) => rollout.warmup).filter(isWarming);
  const terms: Terms = {
    healthMs,
    warmupMs: Math.max(0, ...warmups.map(({ withinMs }) => withinMs)),
    isWarmupRequired: warmups.some(({ required }) => required),
    bakeMs: asked.bakeMs ?? settings.bakeMs,
    onInconclusive,
    guard: asked.guard ?? settings.guard.mode,
    sessions: split.sessions,
    // Without a cookie, nothing tells one session from another.
    by: policy.affinity.mode === 'off' && split.by === 'session' ? 'request' : split.by,
    restick: rollback.restick,
    rampBackMs: rollback.rampMs,
    lockOut: rollback.lockOut,
    gates: configs.flatMap(({ name, rollout }) =>
      rollout.gates.flatMap((gate) => gateTerms(name, gate)),
    ),
  };
  return { plan: plan.name, steps: stepsOf(plan), rampMs: plan.rampMs, terms };
}

/** Returns the plan; throws `plan-invalid`. */
function planOf(text: string): TrafficPlan {
  const plan = parseTrafficPlan(text);
  if (plan.ok) return plan.value;
  throw new OperatorError('plan-invalid', plan.problem);
}

/** With a ramp, all traffic is reached by one, too: then it is observed for as long as that takes. */
function stepsOf({ steps, rampMs }: TrafficPlan): TrafficPlan['steps'] {
  return steps.map((step) =>
    step.share === WHOLE_SHARE && rampMs > 0 ? { ...step, forMs: rampMs } : step,
  );
}

function isWarming({ requests, connections }: WarmupSettings): boolean {
  return requests.length > 0 || connections > 0;
}

function gateTerms(service: string, gate: GateSettings): GateTerms[] {
  const { name, at, kind, timeoutMs, onFail } = gate;
  if (at !== 'before' && at !== 'step' && at !== 'after') return [];
  const isApproval = gate.kind === 'approve';
  const by = isApproval ? gate.by : 'anyone';
  const onTimeout = isApproval ? gate.onTimeout : 'stop';
  return [{ service, name, at, kind, timeoutMs, onFail, by, onTimeout }];
}
