// What a view says of the next thing that happens: only what is awaited is named.

import t from 'tap';
import { nextView } from '../../../../../src/control-plane/rollouts/views/progress-view.ts';
import { baking, gate, NOW_MS } from '../../support/rollouts.ts';

await t.test('a bake of no time is not watched, so no guard is awaited', async (t) => {
  const how = { guard: 'rollback', gates: [gate('orders', { at: 'after' })] } as const;
  const needs = (bakeMs: number) =>
    nextView(baking({ terms: { ...how, bakeMs } }), NOW_MS)?.needs.join('; ');
  t.equal(needs(300_000), 'the guard passes, or cannot tell twice; gate orders');
  t.equal(needs(0), 'gate orders');
});
