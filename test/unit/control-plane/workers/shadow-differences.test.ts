import t from 'tap';
import type { ShadowDifference } from '../../../../src/contract/shadow-rules.ts';
import { ShadowDifferences } from '../../../../src/control-plane/workers/shadow-differences.ts';

function differing(status: number): ShadowDifference {
  return { kind: 'status', field: '', statuses: [200, status], bytes: [0, 0], hashes: ['', ''] };
}

function told(path: string, count: number, status = 500) {
  return { method: 'GET', path, count, example: differing(status) };
}

await t.test(
  'counts of workers add up; the worst path comes first, with its latest example',
  async (t) => {
    const differences = new ShadowDifferences();
    differences.hear(4, [told('/a', 3), told('/b', 2)]);
    differences.hear(4, [told('/b', 2, 404)]);
    t.strictSame(differences.worst(4), [told('/b', 4, 404), told('/a', 3)]);
    t.strictSame(differences.worst(5), [], 'each deployment for itself');
  },
);

await t.test('ten paths are told', async (t) => {
  const differences = new ShadowDifferences();
  for (let i = 1; i <= 30; i++) differences.hear(4, [told(`/${i}`, i)]);
  t.strictSame(
    differences.worst(4).map(({ count }) => count),
    [30, 29, 28, 27, 26, 25, 24, 23, 22, 21],
  );
});

await t.test('of very many paths, those that differ most often are remembered', async (t) => {
  const differences = new ShadowDifferences();
  differences.hear(4, [told('/often', 1_000)]);
  for (let i = 0; i < 1_000; i++) differences.hear(4, [told(`/${i}`, 1)]);
  const [worst, ...rest] = differences.worst(4);
  t.equal(worst?.path, '/often');
  t.equal(rest.length, 9);
});

await t.test('of very many deployments, the latest are remembered', async (t) => {
  const differences = new ShadowDifferences();
  for (let i = 0; i < 100; i++) differences.hear(i, [told('/a', 1)]);
  t.strictSame(differences.worst(0), []);
  t.equal(differences.worst(99).length, 1);
});

await t.test('what was told before another question is forgotten', async (t) => {
  const differences = new ShadowDifferences();
  differences.hear(4, [told('/a', 1)]);
  differences.forget(4);
  t.strictSame(differences.worst(4), []);
});
