import t from 'tap';
import type { RoutingTable } from '../../../src/contract/table.ts';
import { summaryOf } from '../../../src/control-plane/summary.ts';

function table(names: readonly string[], release = 'v1'): RoutingTable {
  const services = names.map((name) => ({
    name,
    active: 'green',
    blue: { release: '' },
    green: { release },
  }));
  return { epoch: 7, services } as unknown as RoutingTable;
}

await t.test('it names what is active, and the generation', async (t) => {
  t.equal(summaryOf(table(['shop']), ''), 'active is shop: green (v1); generation 7');
  t.equal(summaryOf(table(['a', 'b'], ''), ''), 'active is a: green, b: green; generation 7');
});

await t.test('many services are a number, and none is said to be so', async (t) => {
  t.match(summaryOf(table(['a', 'b', 'c', 'd', 'e'], ''), ''), 'c: green and 2 more; generation');
  t.match(summaryOf(table([]), ''), 'active is nothing; generation 7');
});

await t.test('a reload that was refused is told', async (t) => {
  t.match(summaryOf(table(['a']), 'one fault'), /; the last reload was refused: one fault$/);
});
