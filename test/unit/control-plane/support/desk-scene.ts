// Rollouts as operators start and steer them: the real desk on a switchboard with fake workers, a store in
// memory, and looks that the test takes.

import type { ServiceConfig } from '../../../../src/config/config.ts';
import { Call } from '../../../../src/control-plane/audit/call.ts';
import { buildRollouts } from '../../../../src/control-plane/daemon-rollouts.ts';
import { RolloutTally } from '../../../../src/control-plane/memory/rollout-tally.ts';
import type { NewRelease } from '../../../../src/control-plane/rollouts/desk/new-release.ts';
import type { WantedRollout } from '../../../../src/control-plane/rollouts/desk/desk.ts';
import type { HealthOf } from '../../../../src/control-plane/switching/checks/switch-check.ts';
import { board } from './board.ts';
import { settled } from './manual-timers.ts';

export function deskScene(configs: readonly ServiceConfig[]) {
  const world = board(configs);
  const { switchboard, store, totals, recent, names, log, health } = world;
  const healthOf: HealthOf = ({ slot }) => [health.get(slot) ?? { state: 'up', reason: '' }];
  const { rollouts: desk, rolloutRunner: runner } = buildRollouts({
    board: switchboard,
    store,
    totals,
    recent,
    health: healthOf,
    serving: healthOf,
    drains: { totals, names, leftBehind: () => 0 },
    configs: () => configs,
    hands: { ask: async () => ({ verdict: 'ok', detail: '' }), warm: async () => true },
    onTold: () => {},
    tally: new RolloutTally(),
    log,
  });
  return {
    ...world,
    desk,
    runner,
    /** Lets the runner look once, without waiting for its clock. */
    look: async (): Promise<void> => {
      runner.look();
      await settled();
    },
  };
}

/** Wants a rollout of these services; what they have on the idle color is there already. */
export function wantedRollout(
  changes: Partial<WantedRollout> = {},
  services: readonly (string | undefined)[] = [undefined],
): WantedRollout {
  return { services, to: undefined, registers: undefined, skips: undefined, ...changes };
}

/** A release that comes with its rollout, at port 3009. */
export function newRelease(changes: Partial<NewRelease> = {}): NewRelease {
  return {
    release: 'v9',
    targets: ['http://127.0.0.1:3009'],
    metadata: {},
    evict: false,
    unlock: false,
    evictIn: undefined,
    allow: undefined,
    ...changes,
  };
}

/** A call as the admin API hands it on, with a key under which its answer is kept. */
export function keyedCall(key: string): Call {
  const head = { actor: 'mia', address: '::1', action: 'POST /v1/rollouts', service: 'default' };
  return new Call({
    head: { ...head, request: '{}', reason: 'test' },
    key: { key, digest: 'digest' },
  });
}
