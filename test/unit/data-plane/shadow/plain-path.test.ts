import t from 'tap';
import { plainPath } from '../../../../src/data-plane/shadow/plain-path.ts';

const CASES: readonly (readonly [path: string, told: string])[] = [
  ['/', '/'],
  ['/shop/items', '/shop/items'],
  ['/v2/users/17', '/v2/users/*'],
  ['/users/17/orders/123456', '/users/*/orders/*'],
  ['/reset/3f2504e0-4f89-11d3-9a0c-0305e82c3301', '/reset/*'],
  ['/invite/QWxhZGRpbjpvcGVu1', '/invite/*'],
  [`/k/${'a'.repeat(33)}`, '/k/*'],
  ['/static/app.js', '/static/app.js'],
];

for (const [path, told] of CASES) {
  await t.test(`${path} is told as ${told}`, async (t) => {
    t.equal(plainPath(path), told);
  });
}

await t.test('a long path is told up to a length', async (t) => {
  const told = plainPath('/word'.repeat(1_000));
  t.equal(told.length, 121);
  t.ok(told.endsWith('…'));
});
