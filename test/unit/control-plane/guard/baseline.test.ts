// What was normal: windows, edges, and a bound that a bursty past makes wide.

import t from 'tap';
import { DURATION_EDGES_MS } from '../../../../src/contract/counters.ts';
import {
  BASELINE_JUDGED_MIN,
  BASELINE_WINDOWS,
} from '../../../../src/control-plane/base/control-limits.ts';
import { Baseline, levelOf } from '../../../../src/control-plane/guard/baseline.ts';
import { counts } from '../../../support/guard-looks.ts';

const EDGE_10_MS = DURATION_EDGES_MS.indexOf(10);
const EDGE_100_MS = DURATION_EDGES_MS.indexOf(100);

await t.test('few requests are nothing to compare with', async (t) => {
  const baseline = new Baseline();
  t.equal(baseline.freeze(), undefined);
  baseline.add(1_000, counts(BASELINE_JUDGED_MIN - 1, 0));
  t.equal(baseline.freeze(), undefined);
  baseline.add(1_000, counts(1, 0));
  t.equal(baseline.freeze()?.errors.judged, BASELINE_JUDGED_MIN);
});

await t.test('what is older than all windows is forgotten', async (t) => {
  const baseline = new Baseline();
  for (let second = 0; second < 10; second++) baseline.add(1_000, counts(1_000, 1_000));
  for (let second = 0; second < BASELINE_WINDOWS * 10; second++) {
    baseline.add(1_000, counts(10, 0));
  }
  t.match(baseline.freeze()?.errors, { judged: BASELINE_WINDOWS * 100, bad: 0 });
});

await t.test('what was frozen changes no more', async (t) => {
  const baseline = new Baseline();
  baseline.add(10_000, counts(1_000, 1));
  const frozen = baseline.freeze();
  const before = JSON.stringify(frozen);
  baseline.add(10_000, counts(1_000, 999));
  t.equal(JSON.stringify(frozen), before);
});

await t.test('a bursty past makes a wide bound', async (t) => {
  const steady = levelOf(Array.from({ length: 60 }, () => ({ judged: 1_000, bad: 10 })));
  const bursty = levelOf(
    Array.from({ length: 60 }, (_, index) => ({ judged: 1_000, bad: index % 30 === 0 ? 300 : 0 })),
  );
  t.equal(steady.rate, bursty.rate);
  t.ok(steady.upper < 0.012, `steady: ${steady.upper}`);
  t.ok(bursty.upper > 0.03, `bursty: ${bursty.upper}`);
});

await t.test('quiet windows say nothing', async (t) => {
  const some = [
    { judged: 1_000, bad: 1 },
    { judged: 1_000, bad: 1 },
  ];
  const none = Array.from({ length: 50 }, () => ({ judged: 0, bad: 0 }));
  t.strictSame(levelOf([...some, ...none]), levelOf(some));
  t.match(levelOf(none), { judged: 0, rate: 0, upper: 1 });
});

await t.test('edges are the smallest that few requests are slower than', async (t) => {
  const baseline = new Baseline();
  // 60 % up to 10 ms, 35 % up to 100 ms, 4 % up to 250 ms, 1 % longer.
  const spread = [
    [EDGE_10_MS, 60],
    [EDGE_100_MS, 35],
    [EDGE_100_MS + 1, 4],
    [EDGE_100_MS + 2, 1],
  ];
  for (let window = 0; window < 60; window++) {
    baseline.add(10_000, counts(100, 0, spread as [number, number][]));
  }
  t.match(baseline.freeze()?.edges, [
    { name: 'p50', edgeMs: 10, floor: 0.5, rate: 0.4 },
    { name: 'p90', edgeMs: 100, floor: 0.1, rate: 0.05 },
    { name: 'p98', edgeMs: 250, floor: 0.02, rate: 0.01 },
  ]);
});

await t.test('one edge for several percentiles is the one of the strictest', async (t) => {
  const baseline = new Baseline();
  for (let window = 0; window < 60; window++) {
    baseline.add(10_000, counts(100, 0, [[EDGE_10_MS, 100]]));
  }
  const edges = baseline.freeze()?.edges ?? [];
  t.strictSame(
    edges.map(({ name, edgeMs }) => [name, edgeMs]),
    [['p98', 10]],
  );
});

await t.test('below 5 ms, a release is fast enough', async (t) => {
  const baseline = new Baseline();
  baseline.add(10_000, counts(1_000, 0, [[0, 1_000]]));
  t.match(baseline.freeze()?.edges, [{ name: 'p98', edgeMs: 5 }]);
});

await t.test(
  'where more is slower than the last edge than a percentile lets pass, it has no edge',
  async (t) => {
    const baseline = new Baseline();
    for (let window = 0; window < 60; window++) {
      baseline.add(10_000, counts(100, 0, [[DURATION_EDGES_MS.length, 100]]));
    }
    t.strictSame(baseline.freeze()?.edges, []);
  },
);
