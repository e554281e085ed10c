// The parts that rollouts are made of, and how they know each other. Decides nothing.

import { epochMs } from '../base/clock.ts';
import type { ServiceConfig } from '../config/config.ts';
import type { Log } from './base/log.ts';
import type { Recent } from './memory/recent.ts';
import type { RolloutMetrics, RolloutTally } from './memory/rollout-tally.ts';
import type { Totals } from './memory/totals.ts';
import { guardBrief } from './rollouts/guard-brief.ts';
import { GuardWatch } from './rollouts/guard-watch.ts';
import { RolloutDesk } from './rollouts/desk.ts';
import type { Hands } from './rollouts/beside.ts';
import { RolloutAccounts } from './rollouts/rollout-accounts.ts';
import { Rollouts } from './rollouts/runner.ts';
import { RolloutStarts } from './rollouts/starting.ts';
import type { Store } from './store/store.ts';
import type { DrainCounts } from './switching/drain-status.ts';
import type { HealthOf } from './switching/switch-check.ts';
import type { Switchboard } from './switching/switchboard.ts';

interface RolloutBlueprint {
  readonly board: Switchboard;
  readonly store: Store;
  readonly totals: Totals;
  readonly recent: Recent;
  readonly health: HealthOf;
  /** The same, but that a target is down which is ejected. */
  readonly serving: HealthOf;
  readonly drains: DrainCounts;
  readonly configs: () => readonly ServiceConfig[];
  readonly hands: Hands;
  /** Something was told, and is stored: see `Store.events`. */
  readonly onTold: () => void;
  readonly tally: RolloutTally;
  readonly log: Log;
}

export interface RolloutParts {
  readonly rolloutRunner: Rollouts;
  /** What operators talk to. */
  readonly rollouts: RolloutDesk;
  readonly rolloutMetrics: RolloutMetrics;
}

/** Builds them; nothing runs yet. */
export function buildRollouts(blueprint: RolloutBlueprint): RolloutParts {
  const { board, configs, totals } = blueprint;
  const { changes, checks, freeze, registrar } = board;
  const configOf = (name: string): ServiceConfig | undefined =>
    configs().find((config) => config.name === name);
  const guard = new GuardWatch({ table: () => board.table, totals, configOf, now, epochMs });
  const rolloutRunner = new Rollouts({
    ...blueprint,
    changes,
    freeze,
    viewOf: (rollout) => rollouts.viewOf(rollout),
    guard,
    now,
    onTold: (rollout, told) => {
      rolloutMetrics.told(rollout, told);
      blueprint.onTold();
    },
  });
  const starts = new RolloutStarts({
    rollouts: rolloutRunner,
    changes,
    checks,
    registrar,
    configs,
  });
  const rollouts = new RolloutDesk({
    ...blueprint,
    rollouts: rolloutRunner,
    starts,
    configOf,
    guardOf: guardBrief,
  });
  const rolloutMetrics = new RolloutAccounts({
    tally: blueprint.tally,
    all: () => rolloutRunner.live.all(),
    measured: (rollout) => rollouts.measured(rollout),
  });
  return { rolloutRunner, rollouts, rolloutMetrics };
}

function now(): number {
  return performance.now();
}
