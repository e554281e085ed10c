// Tokens that are remembered as right: for their service, and not for ever.

import t from 'tap';
import { ProvenTokens } from '../../../../../src/data-plane/routing/tokens/proven-tokens.ts';

/** The bound of the source: two halves of this many. */
const HALF_MAX = 4_096;

function addMany(proven: ProvenTokens, count: number, prefix: string): void {
  for (let i = 0; i < count; i++) proven.add(`${prefix}${i}`, 'shop');
}

await t.test('a token is right for its service alone', async (t) => {
  const proven = new ProvenTokens();
  t.equal(proven.has('a', 'shop'), false);
  proven.add('a', 'shop');
  t.equal(proven.has('a', 'shop'), true);
  t.equal(proven.has('a', 'blog'), false);
  t.equal(proven.has('b', 'shop'), false);
});

await t.test('what was not asked for in two halves is forgotten', async (t) => {
  const proven = new ProvenTokens();
  proven.add('a', 'shop');
  addMany(proven, 2 * HALF_MAX, 'x');
  t.equal(proven.has('a', 'shop'), false);
  t.equal(proven.has(`x${2 * HALF_MAX - 1}`, 'shop'), true, 'the last one is still there');
});

await t.test('what is asked for stays', async (t) => {
  const proven = new ProvenTokens();
  proven.add('a', 'shop');
  for (let half = 0; half < 6; half++) {
    addMany(proven, HALF_MAX - 1, `x${half}-`);
    t.equal(proven.has('a', 'shop'), true);
    t.equal(proven.has('a', 'blog'), false);
  }
});

await t.test('no more than two halves are kept', async (t) => {
  const proven = new ProvenTokens();
  addMany(proven, 10 * HALF_MAX, 'x');
  let kept = 0;
  // From the last one back, because to ask is to keep.
  for (let i = 10 * HALF_MAX - 1; i >= 0 && proven.has(`x${i}`, 'shop'); i--) kept++;
  t.ok(kept <= 2 * HALF_MAX, `${kept} kept`);
});
