// How a rollout goes back or ends in each stage: by the guard, by an operator, by what others move, and
// what becomes of a way back that is refused.

import t from 'tap';
import { step } from '../../../../../src/control-plane/rollouts/machine/machine.ts';
import { refused } from '../../../../../src/control-plane/rollouts/machine/transition.ts';
import type { Verb } from '../../../../../src/control-plane/rollouts/machine/verbs.ts';
import {
  after,
  gate,
  inForce,
  NOW_MS,
  rollout,
  says,
  tick,
  toldOf,
  verb,
  ABORT,
  ALL_OBSERVED,
  baking,
  gateSays,
  refusalOf,
  shifting,
} from '../../support/rollouts.ts';

await t.test('the guard, or targets that are all down, take it back', async (t) => {
  for (const [make, edit] of [
    [shifting, 'abort'],
    [baking, 'return'],
  ] as const) {
    for (const [event, cause] of [
      [says('fail', '5 % of 100'), 'guard'],
      [tick({ downText: '0 of 2 targets up' }), 'down'],
    ] as const) {
      const back = step(make(), event, NOW_MS);
      t.equal(back.move?.edit.kind, edit);
      t.match(inForce(back).end, {
        outcome: 'rolled-back',
        cause,
        lockedOut: true,
        restick: 'all',
      });
      const watched = step(make({ terms: { guard: 'watch' } }), event, NOW_MS);
      t.same([toldOf(watched), watched.move], [['guard.verdict'], undefined], 'watch');
      const again = step(watched.rollout, event, NOW_MS);
      t.same(toldOf(again), [], 'told once, whatever its numbers are');
      t.equal(step(make({ isForced: true }), event, NOW_MS).move, undefined, 'forced');
    }
    const off = make({ terms: { guard: 'off' } });
    t.equal(step(off, tick({ guard: undefined, downText: 'down' }), NOW_MS).move, undefined);
  }
});

await t.test('past the point of no return, nothing goes back by itself', async (t) => {
  const noReturn: Verb = { kind: 'point-of-no-return', on: true };
  const said = { reason: 'data is written anew' };
  for (const make of [shifting, baking]) {
    const past = after(make(), verb(noReturn, said));
    const held = step(past, says('fail', '5 % of 100'), NOW_MS);
    t.same([held.move, toldOf(held)], [undefined, ['guard.blocked']]);
    t.equal(held.rollout.paused?.by, 'guard');
    t.equal(refusalOf(past, verb(ABORT)), 'point-of-no-return');
    t.equal(after(past, verb(ABORT, { isForced: true })).end?.outcome, 'rolled-back');
    const resumed = after(held.rollout, verb({ kind: 'resume' }));
    t.same(toldOf(step(resumed, says('fail', '6 % of 200'), NOW_MS)), [], 'it is not held twice');
    const off = after(past, verb({ kind: 'point-of-no-return', on: false }));
    t.equal(after(off, says('fail')).end?.outcome, 'rolled-back');
  }
  const gates = [gate('each', { at: 'step' })];
  const asked = after(after(shifting({ terms: { gates } }), verb(noReturn, said)), ALL_OBSERVED);
  const no = after(asked, gateSays(asked, 'fail'));
  t.match(no, { stage: 'shifting', end: undefined, paused: { by: 'turnout' } });
  t.equal(after(no, verb({ kind: 'skip' })).step, 1);
  const waits = after(
    after(shifting({ plan: '10%:5m:pause, 100%' }), verb(noReturn, said)),
    ALL_OBSERVED,
  );
  const rejects: Verb = { kind: 'reject', gate: undefined };
  t.equal(refusalOf(waits, verb(rejects)), 'point-of-no-return');
  t.equal(after(waits, verb(rejects, { isForced: true })).end?.outcome, 'rolled-back');
});

await t.test('an abort ends it in each stage, and the caller says how', async (t) => {
  const asked = after(rollout({ terms: { gates: [gate('smoke')] } }), tick());
  for (const before of [rollout(), asked]) {
    const { move } = step(before, verb(ABORT, { reason: 'wrong build' }), NOW_MS);
    t.match(move, { edit: { kind: 'release' }, effects: [{ kind: 'cancel' }] });
    t.match(move?.to.end, { outcome: 'failed', cause: 'operator', reason: 'wrong build' });
  }
  const how: Verb = { kind: 'abort', restick: 'new', lockOut: false, rampMs: 0 };
  for (const make of [shifting, baking]) {
    t.match(after(make(), verb(how)).end, {
      outcome: 'rolled-back',
      restick: 'new',
      lockedOut: false,
      reason: 'aborted by mia',
    });
  }
  const draining = after(baking(), ALL_OBSERVED);
  t.equal(refusalOf(draining, verb(ABORT)), 'rollout-over');
});

await t.test('a way back may go over a ramp, which an abort cuts short', async (t) => {
  for (const [make, edit] of [
    [shifting, { kind: 'move', share: 0, rampMs: 20_000 }],
    [baking, { kind: 'return' }],
  ] as const) {
    const back = step(make({ terms: { rampBackMs: 20_000 } }), says('fail'), NOW_MS);
    t.match(back.move, { edit, to: { stage: 'rolled-back', end: undefined } });
    const ramp = inForce(back);
    t.equal(step(ramp, tick(), NOW_MS + 19_999).move, undefined);
    const over = step(ramp, tick(), NOW_MS + 20_000);
    t.match(over.move, { edit: { kind: 'abort' }, to: { end: { cause: 'guard' } } });
    const cut = step(ramp, verb({ kind: 'abort', rampMs: 0 }), NOW_MS);
    t.match(cut.move, { edit: { kind: 'abort' }, to: { end: { cause: 'operator' } } });
    t.equal(refusalOf(ramp, verb({ kind: 'pause' })), 'not-waiting');
    t.equal(refusalOf(ramp, verb({ kind: 'skip' })), 'not-waiting');
  }
});

await t.test('what is refused is tried again, and told once', async (t) => {
  for (const why of ['frozen', 'not-serving', 'store-failed']) {
    const problem = { code: why, detail: `${why}: later` };
    const moves = step(shifting(), ALL_OBSERVED, NOW_MS);
    const first = refused(moves.rollout, problem, NOW_MS);
    t.same([first.to.blocked?.tries, first.told.map(({ kind }) => kind)], [1, ['rollout.blocked']]);
    t.equal(step(first.to, tick(), NOW_MS + 4_999).move, undefined);
    t.equal(step(first.to, tick(), NOW_MS + 5_000).move?.to.blocked, undefined);
    const second = refused(first.to, problem, NOW_MS + 5_000);
    t.same([second.to.blocked?.tries, second.told], [2, []]);
    const back = step(first.to, says('fail'), NOW_MS + 1);
    t.equal(back.move?.edit.kind, 'abort', 'a way back is tried at once');
    const stuck = refused(back.rollout, problem, NOW_MS + 1);
    t.same(
      stuck.told.map(({ kind }) => kind),
      ['guard.blocked'],
    );
  }
});

await t.test('what is wanted no more blocks no more', async (t) => {
  const moves = step(shifting(), ALL_OBSERVED, NOW_MS);
  const blocked = refused(moves.rollout, { code: 'frozen', detail: '' }, NOW_MS).to;
  const paused = { ...blocked, paused: { by: 'mia', reason: '', atMs: NOW_MS } };
  t.equal(step(paused, tick(), NOW_MS + 5_000).rollout.blocked, undefined);
});

await t.test('what others move ends it, and what it still holds is let go', async (t) => {
  const asked = after(rollout({ terms: { gates: [gate('smoke')] } }), tick());
  for (const before of [rollout(), asked, shifting(), baking()]) {
    const alone = step(before, { kind: 'changed', detail: 'by mia', holdsSome: false }, NOW_MS);
    t.equal(alone.move, undefined);
    t.match(alone.rollout.end, { outcome: 'superseded', cause: 'changed', reason: 'by mia' });
    t.ok(alone.rollout.gates.every(({ verdict }) => verdict === 'cancelled'));
    const some = step(before, { kind: 'changed', detail: 'by mia', holdsSome: true }, NOW_MS);
    t.match(some.move, { edit: { kind: 'leave' }, to: { end: { outcome: 'superseded' } } });
    t.equal(some.rollout, before, 'it is not over before that is in force');
  }
  const draining = after(baking(), ALL_OBSERVED);
  const gone = after(draining, { kind: 'changed', detail: 'by mia', holdsSome: false });
  t.equal(gone.end?.outcome, 'done');
});

await t.test('one that is over stays so', async (t) => {
  const over = after(shifting(), verb(ABORT));
  t.equal(after(over, tick()), over);
  t.equal(after(over, { kind: 'restarted' }), over);
  for (const kind of ['pause', 'resume', 'skip', 'promote', 'abort'] as const) {
    t.equal(refusalOf(over, verb({ kind })), 'rollout-over');
  }
});
