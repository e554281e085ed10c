// The parts that rollouts are made of, and how they know each other. Decides nothing.

import { epochMs } from '../base/clock.ts';
import type { ServiceConfig } from '../config/config.ts';
import { background, type Log } from './base/log.ts';
import type { Recent } from './memory/recent.ts';
import type { RolloutMetrics, RolloutTally } from './memory/rollout-tally.ts';
import type { Totals } from './memory/totals.ts';
import { guardBrief } from './rollouts/views/guard-brief.ts';
import { GuardWatch } from './rollouts/watching/guard-watch.ts';
import { RolloutDesk } from './rollouts/desk/desk.ts';
import type { Hands } from './rollouts/running/beside.ts';
import { RolloutAccounts } from './rollouts/views/rollout-accounts.ts';
import { SeriesWatch } from './rollouts/watching/series-watch.ts';
import { Rollouts } from './rollouts/running/runner.ts';
import { RolloutStarts } from './rollouts/desk/starting.ts';
import type { Store } from './store/store.ts';
import type { DrainCounts } from './switching/drain-status.ts';
import type { HealthOf } from './switching/checks/switch-check.ts';
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
  readonly rolloutSeries: SeriesWatch;
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
      // What led to a transition is in the points before it, and written where that is the end.
      background(rolloutSeries.look(), blueprint.log, 'series of rollouts');
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
  const rolloutSeries = new SeriesWatch({
    rollouts: rolloutRunner.live,
    points: blueprint.store.points,
    table: () => board.table,
    totals,
    isInCharge: () => rolloutRunner.isInCharge(),
    log: blueprint.log,
    now,
    epochMs,
  });
  const rollouts = new RolloutDesk({
    ...blueprint,
    rollouts: rolloutRunner,
    series: rolloutSeries,
    starts,
    configOf,
    guardOf: guardBrief,
  });
  const rolloutMetrics = new RolloutAccounts({
    tally: blueprint.tally,
    all: () => rolloutRunner.live.all(),
    measured: (rollout) => rollouts.measured(rollout),
  });
  return { rolloutRunner, rolloutSeries, rollouts, rolloutMetrics };
}

function now(): number {
  return performance.now();
}
