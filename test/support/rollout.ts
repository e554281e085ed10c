// How a service is rolled out where a test says nothing else: the defaults.

import type { RolloutSettings } from '../../src/config/settings/rollout/rollout-settings.ts';

export function testRollout(changes: Partial<RolloutSettings> = {}): RolloutSettings {
  return {
    plan: 'all-at-once',
    healthMs: 60_000,
    bakeMs: 300_000,
    onInconclusive: 'proceed',
    split: { sessions: 'new', by: 'session' },
    rollback: { restick: 'all', rampMs: 0, lockOut: true },
    guard: {
      mode: 'rollback',
      patience: 'normal',
      alpha: 0.001,
      clients: 3,
      ignorePaths: [],
      errors: { ratio: 2, floor: 0.01, limit: 0.05, statuses: [{ min: 500, max: 599 }] },
      latency: { mode: 'compare', ratio: 2, graceMs: 30_000, p99Ms: 0 },
    },
    warmup: {
      requests: [],
      repeat: 3,
      parallel: 4,
      connections: 0,
      withinMs: 30_000,
      required: false,
    },
    gates: [],
    hooks: [],
    ...changes,
  };
}
