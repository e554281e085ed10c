// The series of rollouts as they are measured: on counters that the test sets, with looks that it takes.

import t from 'tap';
import { BLOCK, DURATION_EDGES_MS } from '../../../../../src/contract/counters.ts';
import { OperatorError } from '../../../../../src/control-plane/base/problems.ts';
import { SeriesWatch } from '../../../../../src/control-plane/rollouts/watching/series-watch.ts';
import type { Rollout } from '../../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import { seriesView } from '../../../../../src/control-plane/rollouts/views/series-view.ts';
import { board } from '../../support/board.ts';
import { serviceConfig, target } from '../../support/fixtures.ts';
import { NOW_MS, rollout } from '../../support/rollouts.ts';

const EDGE = DURATION_EDGES_MS.indexOf(100);

function scene() {
  const services = ['default', 'blog'].map((name, at) =>
    serviceConfig({
      name,
      hosts: [name],
      blue: { release: 'v1', targets: [target(3_001 + 10 * at)] },
      green: { release: 'v2', targets: [target(3_002 + 10 * at)] },
    }),
  );
  const world = board(services);
  const { switchboard, totals, store, log } = world;
  const clock = { ms: 0 };
  const all = new Map<string, Rollout>();
  const ended = new Map<string, Rollout>();
  const mood = { isInCharge: true, writes: 0 };
  store.onPoints = () => void mood.writes++;
  const measure = (): SeriesWatch =>
    new SeriesWatch({
      rollouts: {
        all: () => [...all.values()],
        find(id) {
          const found = all.get(id) ?? ended.get(id);
          if (found === undefined) throw new OperatorError('rollout-unknown', id);
          return found;
        },
      },
      points: store.points,
      table: () => switchboard.table,
      totals,
      isInCharge: () => mood.isInCharge,
      log,
      now: () => clock.ms,
      epochMs: () => NOW_MS + clock.ms,
    });
  const legs = switchboard.table.services.map(({ name, blue, green }) => ({
    service: name,
    from: { deployment: blue.number, color: 'blue', release: 'v1' } as const,
    to: { deployment: green.number, color: 'green', release: 'v2' } as const,
  }));
  const moving = rollout({ stage: 'shifting', legs: legs.slice(0, 1) });
  all.set(moving.id, moving);
  return {
    ...world,
    clock,
    all,
    mood,
    legs,
    moving,
    measure,
    end: async (id: string, changes: Partial<Rollout> = {}): Promise<void> => {
      ended.set(id, { ...all.get(id)!, ...changes });
      all.delete(id);
      const stored = { id, services: ['default'], state: '{}', startedAtMs: 1, endedAtMs: 2 };
      await store.rollouts.save(stored, { events: [] });
    },
    look: async (of: SeriesWatch, times = 1, ms = 1_000): Promise<void> => {
      for (let look = 0; look < times; look++) {
        clock.ms += ms;
        await of.look();
      }
    },
  };
}

await t.test('a point has what came in its ten seconds, and what the guard compares', async (t) => {
  const { measure, look, count, switchboard, moving, mood } = scene();
  const series = measure();
  const { blue, green } = switchboard.table.services[0]!;
  count(blue.block, BLOCK.judged, 500);
  await look(series);
  count(blue.block, BLOCK.judged, 590);
  count(blue.block, BLOCK.judgedSplit, 60);
  count(green.block, BLOCK.judged, 10);
  count(green.block, BLOCK.judgedSplit, 10);
  count(green.block, BLOCK.judgedBadSplit, 2);
  count(green.block, BLOCK.durationSplit + EDGE, 7);
  count(green.block, BLOCK.durationSplit + EDGE + 1, 3);
  await look(series, 5);
  const early = seriesView(moving, series.of('r-1')).services[0]!.points;
  t.match(early, [{ seconds: 5, old: { judged: 60 } }], 'also what is not written yet');
  t.equal(mood.writes, 0);
  await look(series, 20);
  t.equal(mood.writes, 2, 'one write for ten seconds');
  const { services, edgesMs } = seriesView(moving, series.of('r-1'));
  const [first] = services[0]!.points;
  t.equal(edgesMs[EDGE], 100);
  t.match(services, [{ service: 'default', from: { release: 'v1' }, to: { color: 'green' } }]);
  t.match(first, {
    stage: 'shifting',
    share: { wanted: 0, measured: 10 },
    evidence: null,
    old: { requests: 90, judged: 60, bad: 0 },
    new: { requests: 10, judged: 10, bad: 2 },
  });
  t.strictSame([first!.new.slower[EDGE - 1], first!.new.slower[EDGE]], [10, 3]);
});

await t.test('its end is written at once, with what came up to it', async (t) => {
  const { measure, look, count, switchboard, store, end, mood } = scene();
  const series = measure();
  const { green } = switchboard.table.services[0]!;
  await look(series, 3);
  count(green.block, BLOCK.judgedSplit, 4);
  await end('r-1', { stage: 'rolled-back' });
  await look(series);
  t.equal(mood.writes, 1);
  t.match(JSON.parse(store.points.of('r-1')[0]!), {
    spanMs: 3_000,
    stage: 'shifting',
    legs: [{ new: { judged: 4 } }],
  });
  await look(series, 30);
  t.equal(mood.writes, 1, 'and no more');
  t.equal(series.of('r-1').length, 1);
});

await t.test('each stage has points of its own, and no request is counted twice', async (t) => {
  const { measure, look, count, switchboard, all, moving } = scene();
  const series = measure();
  const { green } = switchboard.table.services[0]!;
  await look(series, 4);
  count(green.block, BLOCK.judgedSplit, 5);
  count(green.block, BLOCK.judged, 6);
  all.set('r-1', { ...moving, stage: 'baking' });
  await look(series);
  count(green.block, BLOCK.judgedSplit, 9);
  count(green.block, BLOCK.judged, 20);
  await look(series, 3);
  const points = series.of('r-1').map(({ stage, legs }) => [stage, legs[0]!.new.judged]);
  t.strictSame(points, [
    ['shifting', 5],
    ['baking', 14],
  ]);
});

await t.test('several rollouts and services: one write, and each has its own', async (t) => {
  const { measure, look, count, switchboard, all, legs, moving, mood } = scene();
  const both = rollout({ id: 'r-2', stage: 'baking', legs });
  all.set('r-2', both);
  const series = measure();
  await look(series);
  count(switchboard.table.services[1]!.green.block, BLOCK.judged, 8);
  await look(series, 10);
  t.equal(mood.writes, 1);
  t.match(series.of('r-1'), [{ legs: [{ service: 'default' }] }]);
  t.match(
    seriesView(both, series.of('r-2')).services.map(({ service, points }) => [
      service,
      points[0]!.new.judged,
    ]),
    [
      ['default', 0],
      ['blog', 8],
    ],
  );
  t.equal(seriesView(moving, series.of('r-1')).services.length, 1);
});

await t.test('what cannot be written is kept, and written with the next points', async (t) => {
  const { measure, look, store, mood } = scene();
  const series = measure();
  store.onPoints = () => {
    throw new Error('the disk is full');
  };
  await look(series, 10);
  t.equal(store.points.of('r-1').length, 0);
  t.equal(series.of('r-1').length, 1);
  store.onPoints = () => void mood.writes++;
  await look(series, 10);
  t.equal(mood.writes, 1);
  t.equal(store.points.of('r-1').length, 2);
  t.equal(series.of('r-1').length, 2);
});

await t.test('the next process goes on behind what the last one has written', async (t) => {
  const { measure, look, store, count, switchboard } = scene();
  const first = measure();
  first.start();
  await look(first, 4);
  await first.stop();
  t.equal(store.points.of('r-1').length, 1, 'a stop writes what there is');
  const next = measure();
  count(switchboard.table.services[0]!.green.block, BLOCK.judgedSplit, 50);
  await look(next, 11);
  const judged = next.of('r-1').map(({ legs }) => legs[0]!.new.judged);
  t.ok(judged.length > 1);
  t.strictSame(
    new Set(judged),
    new Set([0]),
    'what was counted before its first look is none of its points',
  );
});

await t.test('while another process has the state, nothing is written', async (t) => {
  const { measure, look, mood } = scene();
  const series = measure();
  await look(series, 2);
  mood.isInCharge = false;
  await look(series, 20);
  await series.settle();
  t.equal(mood.writes, 0);
  mood.isInCharge = true;
  await look(series);
  t.equal(mood.writes, 1, 'and what was measured meanwhile is there');
  t.match(series.of('r-1'), [{ spanMs: 22_000 }]);
});

await t.test('a rollout that drains, waits for gates or is over is not measured', async (t) => {
  const { measure, look, all, mood } = scene();
  all.clear();
  for (const [at, stage] of (['registered', 'gated', 'draining'] as const).entries()) {
    all.set(`r-${at + 5}`, rollout({ id: `r-${at + 5}`, stage }));
  }
  const series = measure();
  await look(series, 30);
  t.equal(mood.writes, 0);
  all.set('r-9', rollout({ id: 'r-9', stage: 'rolled-back', rampEndsAtMs: NOW_MS + 60_000 }));
  await look(series, 20);
  t.match(series.of('r-9'), [{ stage: 'rolled-back' }], 'a way back over a ramp is');
});

await t.test('a series that has become long is written anew, with fewer points', async (t) => {
  const { measure, look, store, mood } = scene();
  const series = measure();
  await look(series, 800, 10_000);
  t.ok(store.points.of('r-1').length <= 720);
  t.equal(mood.writes, 799);
  const spans = series.of('r-1').map(({ spanMs }) => spanMs);
  t.equal(
    spans.reduce((sum, one) => sum + one, 0),
    7_990_000,
  );
});
