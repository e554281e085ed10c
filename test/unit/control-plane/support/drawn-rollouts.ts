// Rollouts with any terms, and anything that operators want of them, drawn by a seed.

import type { Random } from '../../../support/random.ts';
import type {
  GateTerms,
  Leg,
  Rollout,
} from '../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import type { Verb, VerbEvent } from '../../../../src/control-plane/rollouts/machine/verbs.ts';
import { approval, gate, rollout, terms } from './rollouts.ts';

const PLANS = [
  'all-at-once',
  'canary-10-5m',
  'linear-25-1m',
  '10%:1m:pause, 50%:1m:approve, 100%',
  '20%:1m, 100%+ramp-30s',
  'all-at-once+ramp-1m',
];

/** Draws by a seed. */
export class Draw {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** True in so large a part of all draws, from 0 to 1. */
  chance(part: number): boolean {
    return this.random.fraction() < part;
  }

  one<T>(all: readonly T[]): T {
    return all[Math.floor(this.random.fraction() * all.length)]!;
  }
}

/** Returns a rollout of these services with any plan, terms and gates. */
export function drawnRollout(draw: Draw, legs: readonly Leg[]): Rollout {
  return rollout({
    legs,
    plan: draw.one(PLANS),
    isForced: draw.chance(0.1),
    terms: terms({
      warmupMs: draw.one([0, 30_000]),
      isWarmupRequired: draw.chance(0.3),
      bakeMs: draw.one([0, 60_000]),
      onInconclusive: draw.one(['proceed', 'pause', 'rollback']),
      guard: draw.one(['off', 'watch', 'rollback', 'rollback']),
      restick: draw.one(['all', 'new']),
      rampBackMs: draw.one([0, 0, 20_000]),
      lockOut: draw.chance(0.7),
      gates: drawnGates(draw, legs),
    }),
  });
}

function drawnGates(draw: Draw, legs: readonly Leg[]): GateTerms[] {
  const all = [
    gate('smoke', { onFail: draw.one(['stop', 'warn']) }),
    approval({ by: draw.one(['anyone', 'others']), onTimeout: draw.one(['stop', 'proceed']) }),
    gate('each', { at: 'step', onFail: draw.one(['stop', 'warn']) }),
    approval({ name: 'each-word', at: 'step' }),
    gate('last', { at: 'after', onFail: draw.one(['stop', 'warn']) }),
    approval({ name: 'last-word', at: 'after' }),
  ];
  const service = draw.one(legs.map((leg) => leg.service));
  return all.filter(() => draw.chance(0.25)).map((one) => ({ ...one, service }));
}

/** Returns anything that an operator may want of a rollout. */
export function drawnVerb(draw: Draw): VerbEvent {
  const wanted = draw.one<Verb>([
    { kind: 'approve', gate: undefined },
    { kind: 'approve', gate: undefined },
    { kind: 'reject', gate: undefined },
    { kind: 'pause' },
    { kind: 'resume' },
    { kind: 'resume' },
    { kind: 'skip' },
    { kind: 'promote' },
    { kind: 'abort', rampMs: draw.one([undefined, 0, 10_000]) },
    { kind: 'point-of-no-return', on: draw.chance(0.5) },
  ]);
  const actor = draw.one(['ci', 'mia']);
  const reason = draw.one(['', 'because']);
  return { kind: 'verb', verb: wanted, actor, reason, isForced: draw.chance(0.2) };
}
