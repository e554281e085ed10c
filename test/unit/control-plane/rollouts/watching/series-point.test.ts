// Points of a series: what is put together, what is not, and that no sum changes by it.

import t from 'tap';
import {
  ROLLOUT_POINTS_COARSE,
  ROLLOUT_POINTS_FINE,
  ROLLOUT_POINTS_MAX,
} from '../../../../../src/control-plane/base/control-limits.ts';
import {
  joined,
  parsePoint,
  thinned,
  type SeriesPoint,
} from '../../../../../src/control-plane/rollouts/watching/series-point.ts';

function point(at: number, changes: Partial<SeriesPoint> = {}): SeriesPoint {
  const counts = { requests: 10, judged: 8, bad: 1, slower: [8, 2] };
  return {
    atMs: at * 10_000,
    spanMs: 10_000,
    stage: 'shifting',
    legs: [{ service: 'shop', wanted: 1_000, evidence: 1, old: counts, new: counts }],
    ...changes,
  };
}

function sums(points: readonly SeriesPoint[]): readonly number[] {
  const add = (of: (point: SeriesPoint) => number): number =>
    points.reduce((sum, one) => sum + of(one), 0);
  return [
    add(({ spanMs }) => spanMs),
    add(({ legs }) => legs[0]!.old.requests),
    add(({ legs }) => legs[0]!.new.bad),
    add(({ legs }) => legs[0]!.new.slower[1]!),
  ];
}

await t.test('two points are one: sums, the last share, the highest evidence', async (t) => {
  const [leg] = point(1).legs;
  const slow = { requests: 1, judged: 1, bad: 0, slower: [1, 1, 1] };
  const first = point(1, { legs: [{ ...leg!, evidence: 900 }] });
  const next = point(2, {
    stage: 'baking',
    legs: [{ ...leg!, wanted: 10_000, evidence: undefined, new: slow }],
  });
  t.strictSame(joined(first, next), {
    atMs: 20_000,
    spanMs: 20_000,
    stage: 'baking',
    legs: [
      {
        service: 'shop',
        wanted: 10_000,
        evidence: 900,
        old: { requests: 20, judged: 16, bad: 2, slower: [16, 4] },
        new: { requests: 11, judged: 9, bad: 1, slower: [9, 3, 1] },
      },
    ],
  });
});

await t.test(
  'a series of any length has few points, the last hour fine, and all its sums',
  async (t) => {
    let points: readonly SeriesPoint[] = [];
    const all: SeriesPoint[] = [];
    let most = 0;
    // Seven days.
    for (let at = 0; at < 60_480; at++) {
      const next = point(at, { stage: at < 30_000 ? 'shifting' : 'baking' });
      all.push(next);
      points = thinned([...points, next]);
      most = Math.max(most, points.length);
    }
    t.ok(most <= ROLLOUT_POINTS_MAX, `${most} points`);
    t.ok(points.length >= ROLLOUT_POINTS_FINE + ROLLOUT_POINTS_COARSE / 3, `${points.length} now`);
    t.strictSame(sums(points), sums(all));
    t.strictSame(points.slice(-ROLLOUT_POINTS_FINE), all.slice(-ROLLOUT_POINTS_FINE));
    const longest = Math.max(...points.map(({ spanMs }) => spanMs));
    t.ok(longest <= 2 * 3_600_000, `the longest measures ${longest} ms`);
    const edge = points.filter(({ stage }) => stage === 'shifting').at(-1)!;
    t.equal(edge.atMs, 29_999 * 10_000, 'no point is of two stages');
  },
);

await t.test('points that a process left early are put together as well', async (t) => {
  let points: readonly SeriesPoint[] = [];
  for (let at = 0; at < 5_000; at++) points = thinned([...points, point(at, { spanMs: 0 })]);
  t.ok(points.length <= ROLLOUT_POINTS_MAX);
});

await t.test(
  'what is stored is read again; what this version does not know is left out',
  async (t) => {
    t.same(parsePoint(JSON.stringify(point(3))), point(3));
    t.equal(parsePoint('{"atMs":"soon"}'), undefined);
    t.equal(parsePoint('[]'), undefined);
  },
);
