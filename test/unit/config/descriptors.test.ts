import t from 'tap';
import { connectionsThatFit, descriptorLimit } from '../../../src/config/descriptors.ts';

const TWO = { connections: 16_384, toTargets: 2_048, workers: 1 };

await t.test(
  'where descriptors are plenty, as many connections fit as were asked for',
  async (t) => {
    t.equal(connectionsThatFit(TWO, 20_000), 16_384);
    t.equal(connectionsThatFit(TWO, Infinity), 16_384);
    t.equal(connectionsThatFit({ ...TWO, connections: 10 }, 200), 10);
  },
);

await t.test('where they are few, each client has one for its target as well', async (t) => {
  t.equal(connectionsThatFit(TWO, 200), 47);
  t.equal(connectionsThatFit(TWO, 1_024), 408);
  t.equal(connectionsThatFit({ ...TWO, workers: 2 }, 1_024), 200);
  t.equal(connectionsThatFit({ ...TWO, toTargets: 8 }, 200), 87, 'targets take no more than these');
});

await t.test('one connection is always taken', async (t) => {
  for (const descriptors of [0, 1, 64, 80, 81, 82]) {
    t.equal(connectionsThatFit(TWO, descriptors), 1, `${descriptors}`);
  }
});

await t.test('the limit is read as Linux writes it', async (t) => {
  const lines = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max processes             7                    7                    processes ',
    'Max open files            1024                 524288               files     ',
  ];
  t.equal(descriptorLimit(lines.join('\n')), 1_024);
  t.equal(
    descriptorLimit('Max open files            unlimited            unlimited  files'),
    Infinity,
  );
  t.equal(descriptorLimit(''), Infinity);
});
