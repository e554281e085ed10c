// Values out of the query of a request target.

import * as fc from 'fast-check';
import t from 'tap';
import { queryValue } from '../../../../src/http/heads/query.ts';

function check(
  name: string,
  cases: readonly (readonly [target: string, value: string | undefined])[],
): void {
  void t.test(name, async (t) => {
    for (const [target, value] of cases) t.equal(queryValue(target, 'dpl'), value, target);
  });
}

check('queryValue finds a name anywhere in the query', [
  ['/?dpl=r1', 'r1'],
  ['/a.js?v=2&dpl=r1', 'r1'],
  ['/a.js?dpl=r1&v=2', 'r1'],
  ['/?&&dpl=r1&', 'r1'],
  ['http://shop.test?dpl=r1', 'r1'],
]);

check('queryValue takes the first of several', [
  ['/?dpl=a&dpl=b', 'a'],
  ['/?dpl=&dpl=b', ''],
]);

check('queryValue wants the whole name, in its case, with an equals sign', [
  ['/', undefined],
  ['/?', undefined],
  ['/dpl=r1', undefined],
  ['/?dpl', undefined],
  ['/?xdpl=a', undefined],
  ['/?dplx=a', undefined],
  ['/?DPL=a', undefined],
  ['/?v=dpl=a', undefined],
  ['/?v=?dpl=a', undefined],
]);

check('queryValue decodes what is escaped, and leaves alone what is no escape', [
  ['/?dpl=a%20b%26c%3D', 'a b&c='],
  ['/?dpl=%C3%A4', 'ä'],
  ['/?dpl=1.0%2B5', '1.0+5'],
  ['/?dpl=1.0+5', '1.0+5'],
  ['/?dpl=a%', 'a%'],
  ['/?dpl=%zz', '%zz'],
  ['/?dpl=%ff', '%ff'],
  ['/?dpl=a=b', 'a=b'],
]);

await t.test('queryValue finds what URLSearchParams wrote', async () => {
  const name = fc.constantFrom('dpl', 'v', 'dp', 'dpll', 'a');
  const value = fc.string({ unit: fc.constantFrom(...'ab&=?%/#.-_~ü€'.split('')) });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (pairs) => {
      const query = new URLSearchParams(pairs);
      return queryValue(`/x?${query.toString()}`, 'dpl') === (query.get('dpl') ?? undefined);
    }),
  );
});

await t.test('queryValue never throws', async () => {
  const target = fc.string({ unit: fc.constantFrom(...'dpl=?&%c3/a\xff'.split('')) });
  fc.assert(
    fc.property(target, (text) => {
      queryValue(`/${text}`, 'dpl');
    }),
  );
});
