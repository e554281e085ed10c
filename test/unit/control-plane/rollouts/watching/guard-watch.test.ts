// The eyes of the guard on counters and clocks that the test sets: what they see, what they take for a gap,
// and what they keep over restarts. How it is judged is tested beside the guard.

import t from 'tap';
import { BLOCK } from '../../../../../src/contract/counters.ts';
import type { GuardSays } from '../../../../../src/control-plane/rollouts/machine/machine.ts';
import { NOW_MS } from '../../support/rollouts.ts';
import { BAD, BUCKETS, evidence, GOOD, guardScene, watchFor } from '../../support/guard-scene.ts';

await t.test('a release that fails half of its requests is found within 30 looks', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  t.equal(watchFor(world, 30, GOOD).verdict, undefined);
  const { verdict, reason } = watchFor(world, 30, BAD);
  t.equal(verdict, 'fail');
  t.match(reason, /v2/u);
  t.equal(world.brief.verdict, 'fail');
});

await t.test('it looks all along a ramp, on which no share is whole', async (t) => {
  const world = guardScene();
  world.learn();
  const startsAtMs = NOW_MS + 601_000;
  world.begin({ share: 5_000, ramp: { from: 0, startsAtMs, endsAtMs: startsAtMs + 70_001 } });
  watchFor(world, 5, GOOD);
  t.equal(world.brief.verdict, null, 'it is not blind');
  t.equal(watchFor(world, 30, BAD).verdict, 'fail');
});

await t.test('counters that begin anew are a gap, and no evidence either way', async (t) => {
  for (const how of ['reuse', 'lose'] as const) {
    const world = guardScene();
    world.learn();
    world.begin();
    watchFor(world, 6, BAD);
    const before = evidence(world);
    t.ok(before > 1, `${how}: ${before} to one so far`);
    world.counters[how](1);
    t.equal(watchFor(world, 1, { judged: 3, bad: 3 }).verdict, undefined, how);
    t.equal(world.brief.verdict, 'blind', how);
    t.equal(evidence(world), before, `${how}: the evidence is kept`);
    t.equal(world.state.legs[0]!.guard.segment.blindMs, 1_000, how);
    t.equal(watchFor(world, 30, BAD).verdict, 'fail', `${how}: it goes on from there`);
  }
});

await t.test('counters that were lost while it learnt spoil nothing', async (t) => {
  const world = guardScene();
  world.learn();
  world.counters.lose(0);
  world.learn();
  world.begin();
  const { baseline } = world.state.legs[0]!.guard.plan;
  t.ok(baseline!.errors.judged >= 119_000, `${baseline!.errors.judged} requests`);
  t.equal(baseline!.errors.bad, 0);
});

await t.test('what is counted while it reads is judged with the next look', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  watchFor(world, 1, GOOD);
  // A bad request is counted after the number of bad ones was read, before that of all.
  const { counters } = world;
  counters.onRead = (block, slot) => {
    if (block !== 1 || slot !== BLOCK.judgedBadSplit) return;
    counters.onRead = () => {};
    counters.count(1, { judged: 1, bad: 1 });
  };
  world.look();
  t.equal(world.brief.verdict, null);
  world.look();
  t.equal(world.brief.verdict, null, 'more bad than judged is no lie, and no gap');
  watchFor(world, 1, GOOD);
  const errors = world.brief.signals.find(({ name }) => name === 'errors')!;
  t.same(errors.new, { judged: 101, bad: 1 }, 'nothing is lost');
});

await t.test('an upgrade is a gap; what was known goes on', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  watchFor(world, 6, BAD);
  const before = evidence(world);
  world.restart();
  world.counters.lose(0);
  world.counters.lose(1);
  world.look();
  t.equal(world.brief.verdict, 'blind');
  t.equal(world.state.legs[0]!.guard.blind, 'Turnout was started again');
  t.equal(evidence(world), before);
  t.equal(watchFor(world, 10, BAD).verdict, 'fail');
});

await t.test('what another version has stored is forgotten, and it begins anew', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  watchFor(world, 6, BAD);
  const before = evidence(world);
  const [leg] = world.state.legs;
  world.set({ guard: { ...world.state, legs: [{ ...leg, guard: { format: 99 } }] } });
  world.restart();
  world.look();
  t.ok(evidence(world) < before);
  world.set({ guard: 'nonsense' });
  world.look();
  t.equal(world.state.legs.length, 1, 'and so is what is no state at all');
});

await t.test('a look that comes late is a gap of that length', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  watchFor(world, 6, BAD);
  const before = evidence(world);
  world.counters.count(1, { judged: 1_000, bad: 1_000 });
  world.look(60_000);
  t.equal(world.brief.verdict, 'blind');
  t.equal(evidence(world), before, 'what happened meanwhile counts neither way');
  const { segment } = world.state.legs[0]!.guard;
  t.same([segment.observedMs, segment.blindMs], [6_000, 60_000]);
});

await t.test('looks without any request prove nothing and end as unclear', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  let says: GuardSays = { verdict: undefined, reason: '' };
  for (let second = 0; second < 600; second++) says = world.look();
  t.equal(says.verdict, 'inconclusive');
  t.ok(evidence(world) <= 1);
});

await t.test('while it is paused, time stands still, and the guard looks on', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  world.set({ paused: { by: 'mia', reason: '', atMs: NOW_MS } });
  watchFor(world, 20, GOOD);
  t.equal(world.state.legs[0]!.guard.segment.observedMs, 0);
  t.equal(watchFor(world, 30, BAD).verdict, 'fail');
});

await t.test('each of several services has its part of the false alarms', async (t) => {
  const world = guardScene(['shop', 'cart', 'mail', 'feed']);
  world.learn();
  world.begin();
  t.same(
    world.state.legs.map(({ guard }) => guard.plan.settings.alpha),
    Array.from({ length: 4 }, () => world.settings.guard.alpha / 4),
  );
  t.equal(world.brief.limit, 4 / world.settings.guard.alpha);
  const { verdict, reason } = watchFor(world, 20, BAD, 2);
  t.equal(verdict, 'fail', 'one that fails is enough');
  t.match(reason, /^mail: /u);
  t.equal(world.brief.verdict, 'fail');
  t.same(
    [...new Set(world.brief.signals.map(({ service }) => service))],
    ['shop', 'cart', 'mail', 'feed'],
  );
});

await t.test('what one service has failed by is shown, whatever the others have', async (t) => {
  const world = guardScene(['shop', 'cart']);
  world.learn();
  world.begin();
  world.counters.spared.add(1);
  t.equal(watchFor(world, 40, { judged: 50, bad: 50 }, 0).verdict, undefined, 'one client alone');
  const { verdict, reason } = watchFor(world, 30, BAD, 1);
  t.equal(verdict, 'fail');
  t.match(reason, /^cart: /u);
  t.equal(world.brief.verdict, 'fail');
});

await t.test('of several services all have to be sure before it passes', async (t) => {
  const world = guardScene(['shop', 'cart']);
  world.learn();
  world.begin();
  let says: GuardSays = { verdict: undefined, reason: '' };
  for (let second = 0; second < 600 && says.verdict === undefined; second++) {
    world.counters.count(0, GOOD);
    world.counters.count(1, GOOD);
    says = world.look();
  }
  t.equal(says.verdict, 'inconclusive');
  t.match(says.reason, /^cart: /u, 'the one without requests is named');
  t.equal(world.brief.verdict, 'inconclusive');
});

await t.test('a service that is gone is a gap, and the others are watched', async (t) => {
  const world = guardScene(['shop', 'cart']);
  world.learn();
  world.begin();
  world.edit((service) =>
    service.name === 'shop' ? { ...service, green: { ...service.green, number: 77 } } : service,
  );
  t.equal(watchFor(world, 1, GOOD, 1).verdict, undefined);
  t.equal(world.brief.verdict, 'blind');
  t.equal(watchFor(world, 20, BAD, 1).verdict, 'fail');
});

await t.test('another set of targets of the same deployment changes nothing', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  watchFor(world, 6, BAD);
  const before = evidence(world);
  world.edit((service) => ({ ...service, green: { ...service.green, endpoints: [] } }));
  watchFor(world, 1, BAD);
  t.ok(evidence(world) > before);
  t.equal(world.brief.verdict, null);
});

await t.test('requests on ignored paths are neither judged nor timed', async (t) => {
  const slowest = BUCKETS - 1;
  const world = guardScene();
  world.learn();
  world.begin();
  for (let second = 0; second < 120; second++) {
    world.counters.count(0, GOOD);
    world.counters.count(1, GOOD);
    world.counters.count(1, { judged: 0, ignored: 500, bucket: slowest });
    t.not(world.look().verdict, 'fail');
  }
  const errors = world.brief.signals.find(({ name }) => name === 'errors')!;
  t.equal(errors.new.judged, 120 * 50);
  for (const { name, new: fresh } of world.brief.signals) t.equal(fresh.bad, 0, name);
});

await t.test('each step has its verdict kept, and the bake begins its own', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  let says: GuardSays = { verdict: undefined, reason: '' };
  for (let second = 0; second < 600 && says.verdict === undefined; second++) {
    says = watchFor(world, 1, GOOD);
  }
  t.equal(says.verdict, 'pass');
  world.set({ stage: 'baking' });
  world.edit((service) => ({ ...service, active: 'green', split: undefined }));
  t.equal(world.look().verdict, undefined);
  t.match(world.brief.verdicts, [{ stage: 'shifting', share: 50, verdict: 'pass' }]);
  t.equal(watchFor(world, 20, { judged: 100, bad: 50 }).verdict, 'fail');
  t.equal(world.brief.comparison, 'before-after');
});

await t.test('rollouts that are over push none out that runs', async (t) => {
  const world = guardScene();
  world.learn();
  world.begin();
  for (let id = 2; id < 600; id++) {
    world.set({ id: `r-${id}` });
    world.begin();
    world.set({ id: 'r-1' });
    world.look();
  }
  t.equal(world.brief.verdict, null, 'it is not blind');
});
