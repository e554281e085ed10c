// What the settings say and what the caller says instead becomes the terms of one rollout.

import t from 'tap';
import type {
  GateSettings,
  RolloutSettings,
} from '../../../../../src/config/settings/rollout/rollout-settings.ts';
import { termsOf } from '../../../../../src/control-plane/rollouts/desk/terms.ts';
import { testPolicy } from '../../../../support/policy.ts';
import { testRollout } from '../../../../support/rollout.ts';

function service(name: string, changes: Partial<RolloutSettings> = {}) {
  return { name, rollout: testRollout(changes), policy: testPolicy() };
}

/** Returns what is split by in a service with this affinity and setting. */
function splitBy(mode: 'off' | 'drain', by: RolloutSettings['split']['by']): string {
  const { policy, name } = service('shop');
  const rollout = testRollout({ split: { sessions: 'new', by } });
  const affinity = { ...policy.affinity, mode };
  return termsOf([{ name, rollout, policy: { ...policy, affinity } }], {}).terms.by;
}

function approval(name: string, at: GateSettings['at']): GateSettings {
  const common = { name, at, timeoutMs: 1_000, tryMs: 1_000, onFail: 'stop' } as const;
  return { ...common, kind: 'approve', by: 'others', onTimeout: 'stop' };
}

const BACK = { restick: 'new', rampMs: 30_000, lockOut: false } as const;

await t.test('what the caller leaves out is as the settings say', async (t) => {
  const settings = {
    plan: 'canary-10-5m',
    bakeMs: 7_000,
    healthMs: 9_000,
    rollback: BACK,
  } as const;
  const how = termsOf([service('shop', { ...settings, onInconclusive: 'pause' })], {});
  t.equal(how.plan, 'canary-10-5m');
  t.same(
    how.steps.map(({ share }) => share),
    [1_000, 10_000],
  );
  t.match(how.terms, {
    bakeMs: 7_000,
    healthMs: 9_000,
    guard: 'rollback',
    onInconclusive: 'pause',
    restick: 'new',
    rampBackMs: 30_000,
    lockOut: false,
  });
});

await t.test('what the caller says counts, also where it is nothing', async (t) => {
  const { plan, terms } = termsOf([service('shop', { plan: 'canary-10-5m' })], {
    plan: 'all-at-once',
    bakeMs: 0,
    guard: 'off',
  });
  t.match({ plan, ...terms }, { plan: 'all-at-once', bakeMs: 0, guard: 'off' });
});

await t.test('a plan that is none is refused with what is expected', async (t) => {
  const wrong = { plan: 'some day' };
  t.throws(() => termsOf([service('shop')], wrong), { code: 'plan-invalid' });
});

await t.test(
  'with a ramp, all traffic is observed for as long as it takes to be reached',
  async (t) => {
    const { steps, rampMs } = termsOf([service('shop')], { plan: 'canary-10-5m+ramp-30s' });
    t.equal(rampMs, 30_000);
    t.match(steps.at(-1), { share: 10_000, forMs: 30_000 });
  },
);

await t.test('without a cookie, requests are split, not sessions', async (t) => {
  t.equal(splitBy('off', 'session'), 'request');
  t.equal(splitBy('off', 'address'), 'address');
  t.equal(splitBy('drain', 'session'), 'session');
});

await t.test('warm-up takes time only where there is something to warm', async (t) => {
  const { warmup } = testRollout();
  t.equal(termsOf([service('shop')], {}).terms.warmupMs, 0);
  const warmed = service('api', { warmup: { ...warmup, connections: 4 } });
  t.equal(termsOf([service('shop'), warmed], {}).terms.warmupMs, warmup.withinMs);
  const needed = { ...warmup, connections: 1, withinMs: 90_000, required: true };
  const careful = [warmed, service('api', { warmup: needed })];
  for (const both of [careful, careful.toReversed()]) {
    const { terms } = termsOf(both, {});
    t.match(terms, { warmupMs: 90_000, isWarmupRequired: true }, 'in whichever order');
  }
});

await t.test(
  'of several services each has its gates and its warm-up, and the rest is as the first one says',
  async (t) => {
    const { terms } = termsOf(
      [
        service('shop', {
          bakeMs: 1_000,
          gates: [approval('mia', 'before'), approval('widen', 'hold')],
        }),
        service('api', { bakeMs: 2_000, gates: [approval('ben', 'after')] }),
      ],
      {},
    );
    t.equal(terms.bakeMs, 1_000);
    t.match(terms.gates, [
      { service: 'shop', name: 'mia', at: 'before', by: 'others', onTimeout: 'stop' },
      { service: 'api', name: 'ben', at: 'after' },
    ]);
    t.equal(terms.gates.length, 2, 'a gate that a switch with hold asks is none of a rollout');
  },
);
