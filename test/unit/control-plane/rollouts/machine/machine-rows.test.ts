// How a rollout goes on in each stage, by each thing that can happen to it, one by one.

import t from 'tap';
import type { GateVerdict } from '../../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import { step } from '../../../../../src/control-plane/rollouts/machine/machine.ts';
import type { Verb } from '../../../../../src/control-plane/rollouts/machine/verbs.ts';
import {
  after,
  approval,
  DOWN,
  gate,
  inForce,
  NOW_MS,
  rollout,
  says,
  tick,
  toldOf,
  UP,
  verb,
  ALL_OBSERVED,
  baking,
  gateSays,
  refusalOf,
  shifting,
} from '../../support/rollouts.ts';

await t.test('registered: health lets it go on, and a deadline ends it', async (t) => {
  const waits = after(rollout(), tick({ seen: DOWN }), NOW_MS + 59_999);
  t.equal(waits.stage, 'registered');
  const late = step(rollout(), tick({ seen: DOWN }), NOW_MS + 60_000);
  t.match(inForce(late).end, { outcome: 'failed', cause: 'health', reason: /60 s only 0 of 1/u });
  t.equal(late.move?.edit.kind, 'release');
  t.equal(after(rollout(), tick()).stage, 'shifting', 'nothing else was asked for');
});

await t.test('a restart gives health and warm-up their time again', async (t) => {
  const lateMs = NOW_MS + 3_600_000;
  const back = step(rollout(), { kind: 'restarted' }, lateMs);
  t.equal(back.move, undefined, 'what was not looked at ends nothing');
  t.equal(after(back.rollout, tick({ seen: DOWN }), lateMs + 59_999).end, undefined);
  t.not(after(back.rollout, tick({ seen: DOWN }), lateMs + 60_000).end, undefined);
  const how = { warmupMs: 30_000, isWarmupRequired: true };
  const warming = after(rollout({ terms: how }), tick());
  const again = step(warming, { kind: 'restarted' }, lateMs);
  t.same(again.effects, [{ kind: 'warm' }]);
  t.equal(again.rollout.stage, 'warming');
});

await t.test('a verb that looks at nothing does not end it by its deadline', async (t) => {
  const paused = after(rollout(), verb({ kind: 'pause' }), NOW_MS + 61_000);
  t.equal(paused.end, undefined);
});

await t.test('warming: what is not warm is told, or ends it', async (t) => {
  for (const isWarmupRequired of [false, true]) {
    const warming = step(
      rollout({ terms: { warmupMs: 30_000, isWarmupRequired } }),
      tick(),
      NOW_MS,
    );
    t.equal(warming.rollout.stage, 'warming');
    t.same(warming.effects, [{ kind: 'warm' }]);
    const cold = after(warming.rollout, { kind: 'warmed', isGood: false });
    t.equal(cold.stage, isWarmupRequired ? 'failed' : 'shifting');
    t.equal(after(warming.rollout, { kind: 'warmed', isGood: true }).stage, 'shifting');
    const silent = after(warming.rollout, tick(), NOW_MS + 35_000);
    t.equal(silent.stage, isWarmupRequired ? 'failed' : 'shifting', 'it never ends by itself');
  }
});

await t.test('testing: only ok opens, or what the gate is told to warn of', async (t) => {
  for (const onFail of ['stop', 'warn'] as const) {
    const asked = step(rollout({ terms: { gates: [gate('smoke', { onFail })] } }), tick(), NOW_MS);
    t.same(asked.effects, [{ kind: 'ask', attempt: 'r-1.1' }]);
    const { rollout: testing } = asked;
    t.equal(testing.stage, 'testing');
    t.equal(after(testing, gateSays(testing, 'ok')).stage, 'shifting');
    const failed = after(testing, gateSays(testing, 'fail'));
    t.equal(failed.stage, onFail === 'warn' ? 'shifting' : 'failed');
    const late = after(testing, tick(), NOW_MS + 3_600_000);
    t.equal(late.stage, onFail === 'warn' ? 'shifting' : 'failed', 'timeout');
    t.equal(late.gates[0]!.verdict, 'timeout' satisfies GateVerdict);
  }
});

await t.test('testing: later and error are asked again, by the same attempt', async (t) => {
  const { rollout: testing } = step(rollout({ terms: { gates: [gate('smoke')] } }), tick(), NOW_MS);
  for (const [verdict, waitMs] of [
    ['later', 5_000],
    ['error', 2_000],
  ] as const) {
    const told = step(testing, gateSays(testing, verdict), NOW_MS).rollout;
    t.equal(told.stage, 'testing');
    t.same(step(told, tick(), NOW_MS + waitMs - 1).effects, []);
    const again = step(told, tick(), NOW_MS + waitMs);
    t.same(again.effects, [{ kind: 'ask', attempt: 'r-1.1' }]);
    t.equal(again.rollout.gates[0]!.tries, 2);
  }
  const restarted = step(testing, { kind: 'restarted' }, NOW_MS);
  t.same(restarted.effects, [{ kind: 'ask', attempt: 'r-1.1' }], 'also after a restart');
});

await t.test('gated: a person approves, rejects, or does neither', async (t) => {
  const gated = after(rollout({ terms: { gates: [approval()] } }), tick());
  t.match(gated, { stage: 'gated', waiting: { for: 'approval', gate: 'word' } });
  t.equal(after(gated, verb({ kind: 'approve', gate: undefined })).stage, 'shifting');
  t.equal(after(gated, verb({ kind: 'approve', gate: 'word' })).stage, 'shifting');
  const rejected = after(gated, verb({ kind: 'reject', gate: 'word' }, { reason: 'too late' }));
  t.match(rejected.end, {
    outcome: 'failed',
    cause: 'approval',
    actor: 'mia',
    reason: 'word: rejected by mia: "too late"',
  });
  t.match(after(gated, tick(), NOW_MS + 86_400_000).end, { outcome: 'failed', cause: 'approval' });
  t.equal(refusalOf(gated, verb({ kind: 'approve', gate: 'smoke' })), 'gate-unknown');
  t.equal(refusalOf(gated, verb({ kind: 'skip' })), 'not-waiting');
});

await t.test('gated: without an answer it may go on, where that is configured', async (t) => {
  const how = { gates: [approval({ onTimeout: 'proceed' })] };
  const gated = after(rollout({ terms: how }), tick());
  t.equal(after(gated, tick(), NOW_MS + 86_400_000).stage, 'shifting');
});

await t.test('gated: the actor who has started it does not approve it', async (t) => {
  const gated = after(rollout({ terms: { gates: [approval({ by: 'others' })] } }), tick());
  const byStarter = { actor: 'ci' };
  const yes: Verb = { kind: 'approve', gate: undefined };
  t.equal(refusalOf(gated, verb(yes, byStarter)), 'approval-by-same-actor');
  t.equal(refusalOf(gated, verb({ kind: 'reject', gate: undefined }, byStarter)), 'none');
  t.equal(after(gated, verb(yes, { ...byStarter, isForced: true })).stage, 'shifting');
  t.equal(after(gated, verb(yes)).stage, 'shifting');
});

await t.test('gated: a pause holds it before the first traffic', async (t) => {
  const paused = after(after(rollout(), verb({ kind: 'pause' })), tick());
  t.equal(paused.stage, 'gated');
  t.equal(after(paused, verb({ kind: 'resume' })).stage, 'shifting');
});

await t.test('shifting: the next step needs its time, the guard and its gates', async (t) => {
  const before = shifting({ terms: { gates: [gate('each', { at: 'step' })] } });
  const young = after(before, tick({ elapsedMs: 299_999 }));
  t.equal(young.step, 0, 'the guard has said nothing yet');
  const asked = step(before, ALL_OBSERVED, NOW_MS);
  t.same(asked.effects, [{ kind: 'ask', attempt: 'r-1.1' }]);
  const { move } = step(asked.rollout, gateSays(asked.rollout, 'ok'), NOW_MS);
  t.match(move, {
    to: { step: 1, segment: { observedMs: 0 } },
    edit: { kind: 'move', share: 5_000 },
  });
  const no = after(asked.rollout, gateSays(asked.rollout, 'fail'));
  t.match(no.end, { outcome: 'rolled-back', cause: 'gate', reason: 'gate each: said fail' });
});

await t.test('shifting: without a guard, time alone counts', async (t) => {
  const before = shifting({ terms: { guard: 'off' } });
  t.equal(after(before, tick({ guard: undefined, elapsedMs: 299_999 })).step, 0);
  t.equal(after(before, tick({ guard: undefined, elapsedMs: 300_000 })).step, 1);
});

await t.test('an unclear guard: it goes on, waits for a word, or goes back', async (t) => {
  const unclear = says('inconclusive', 'too few');
  for (const make of [shifting, baking]) {
    const first = make({ terms: { onInconclusive: 'proceed' } });
    const on = after(first, unclear);
    t.ok(on.step === 1 || on.stage === 'draining', 'proceed');
    const back = after(make({ terms: { onInconclusive: 'rollback' } }), unclear);
    t.match(back.end, { outcome: 'rolled-back', cause: 'inconclusive', reason: /too few/u });
    const waits = after(make({ terms: { onInconclusive: 'pause' } }), unclear);
    t.equal(waits.waiting?.for, 'inconclusive');
    const gone = after(waits, verb({ kind: 'resume' }));
    t.ok(gone.step === 1 || gone.stage === 'draining', 'resumed');
    const failed = after(waits, says('fail', '5 %'));
    t.match(failed.end, { outcome: 'rolled-back', cause: 'guard' }, 'the guard looks on');
  }
});

await t.test('a word on an unclear guard is none on what the plan asks for', async (t) => {
  const plan = '10%:5m:approve, 100%';
  const unclear = after(
    shifting({ plan, terms: { onInconclusive: 'pause' } }),
    says('inconclusive'),
  );
  const asked = after(unclear, verb({ kind: 'resume' }));
  t.match(asked, { stage: 'shifting', step: 0, waiting: { for: 'approval' } });
  t.equal(after(asked, verb({ kind: 'approve', gate: undefined })).stage, 'baking');
});

await t.test('a step of the plan waits for resume, or for an approval in time', async (t) => {
  const paused = after(shifting({ plan: '10%:5m:pause, 100%' }), ALL_OBSERVED);
  t.equal(paused.waiting?.for, 'plan');
  t.equal(after(paused, tick(), NOW_MS + 7 * 86_400_000).stage, 'shifting', 'for ever');
  t.equal(after(paused, verb({ kind: 'resume' })).stage, 'baking');
  t.match(after(paused, verb({ kind: 'reject', gate: undefined })).end, { cause: 'approval' });
  const asks = after(shifting({ plan: '10%:5m:approve, 100%' }), ALL_OBSERVED);
  t.equal(refusalOf(asks, verb({ kind: 'resume' })), 'not-waiting');
  t.match(after(asks, tick(), NOW_MS + 86_400_000).end, { outcome: 'rolled-back' });
});

await t.test('a pause stops the clock, not the guard', async (t) => {
  for (const make of [shifting, baking]) {
    const paused = after(make(), verb({ kind: 'pause' }));
    const stood = after(paused, ALL_OBSERVED);
    t.equal(stood.segment.observedMs, 0);
    t.equal(stood.stage, paused.stage);
    t.equal(after(paused, says('fail')).end?.outcome, 'rolled-back');
    t.equal(after(paused, verb({ kind: 'pause' })).transitions, paused.transitions, 'twice');
  }
  t.equal(refusalOf(shifting(), verb({ kind: 'resume' })), 'not-waiting');
});

await t.test('skip leaves a step, promote all of them, and their gates with them', async (t) => {
  const gates = [approval({ at: 'step' })];
  const waits = after(shifting({ terms: { gates } }), ALL_OBSERVED);
  t.equal(waits.waiting?.gate, 'word');
  const next = after(waits, verb({ kind: 'skip' }));
  t.match(next, { step: 1, gates: [{ verdict: 'cancelled' }] });
  t.equal(after(next, verb({ kind: 'skip' })).stage, 'baking');
  t.equal(refusalOf(waits, verb({ kind: 'promote' })), 'reason-required');
  const all = step(waits, verb({ kind: 'promote' }, { reason: 'urgent' }), NOW_MS);
  t.match(all.move, { edit: { kind: 'promote' }, to: { stage: 'baking' } });
  t.equal(after(baking(), verb({ kind: 'skip' })).stage, 'draining');
});

await t.test('a plan with a ramp grows to all traffic by one', async (t) => {
  const ramped = rollout({ plan: '10%:5m, 100%+ramp-30s' });
  t.match(step(ramped, tick(), NOW_MS).move?.edit, { kind: 'split', rampMs: 30_000 });
});

await t.test('baking: one word at a time is waited for', async (t) => {
  const how = { onInconclusive: 'pause', gates: [approval({ at: 'after' })] } as const;
  const waits = after(after(baking({ terms: how }), tick()), says('inconclusive'));
  t.equal(waits.waiting?.gate, 'word');
  const next = after(waits, verb({ kind: 'approve', gate: undefined }));
  t.equal(next.waiting?.for, 'inconclusive');
  t.equal(after(next, verb({ kind: 'approve', gate: undefined })).stage, 'draining');
});

await t.test('baking: gates that come after are asked without a bake, too', async (t) => {
  const gates = [gate('orders', { at: 'after' })];
  const how = { bakeMs: 0, gates, guard: 'rollback' } as const;
  const promoted = after(shifting({ terms: how }), verb({ kind: 'promote' }, { reason: 'now' }));
  t.match(promoted, { stage: 'baking', guard: undefined });
  const asked = step(promoted, tick(), NOW_MS);
  t.match(asked.effects, [{ kind: 'ask' }]);
  t.equal(after(asked.rollout, gateSays(asked.rollout, 'ok')).stage, 'draining');
  const failed = after(asked.rollout, gateSays(asked.rollout, 'fail'));
  t.match(failed.end, { outcome: 'rolled-back' });
  const none = shifting({ terms: { ...how, gates: [] } });
  t.equal(after(none, verb({ kind: 'promote' }, { reason: 'now' })).stage, 'draining');
  const skipped = { ...shifting({ terms: how }), skipped: ['orders'] };
  t.equal(after(skipped, verb({ kind: 'promote' }, { reason: 'now' })).stage, 'draining');
});

await t.test('draining: safe to stop once, done when all is gone or another begins', async (t) => {
  const draining = after(baking(), ALL_OBSERVED);
  const safe = step(draining, tick({ seen: { ...UP, isSafeToStop: true } }), NOW_MS);
  t.same(toldOf(safe), ['rollout.safe-to-stop']);
  t.same(toldOf(step(safe.rollout, tick({ seen: { ...UP, isSafeToStop: true } }), NOW_MS)), []);
  t.equal(after(draining, tick({ seen: { ...UP, isDrained: true } })).end?.outcome, 'done');
  t.equal(after(draining, { kind: 'followed' }).end?.outcome, 'done');
  t.equal(after(shifting(), { kind: 'followed' }).end, undefined);
});
