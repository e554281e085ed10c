// A table of another process: its numbers mean nothing here, so every one is given anew.

import t from 'tap';
import { sidesOf, type RoutingTable } from '../../../../src/contract/table.ts';
import { ownSlots } from '../../../../src/control-plane/upgrade/own-slots.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { QUIET } from '../support/fixtures.ts';
import { drain, FEW, oneService } from '../support/tables.ts';

await t.test('blocks and slots are those of this process, and nothing else changes', async (t) => {
  const slots = new Slots(QUIET);
  const url = 'http://127.0.0.1:3001';
  // Here others came first, so that the numbers differ.
  slots.block({ service: 'other', color: 'blue', release: '', urls: [] });
  for (const port of [1, 2, 3]) slots.endpoint({ service: 'other', color: 'blue', url: `${port}` });
  const blue = slots.endpoint({ service: 'default', color: 'blue', url });
  const foreign = oneService({
    blue: { ...FEW.blue, block: 90, endpoints: [{ ...FEW.blue.endpoints[0]!, slot: 700 }] },
    green: { ...FEW.green, block: 91, endpoints: [{ ...FEW.green.endpoints[0]!, slot: 701 }] },
    draining: [drain(1, { side: { ...FEW.green, release: 'v0', block: 92 } })],
  });
  const own = ownSlots(foreign, slots);
  const [service] = own.services;
  t.equal(service!.blue.endpoints[0]!.slot, blue, 'a known target has the slot that it had');
  t.same(
    sidesOf(service!).map(({ block }) => block),
    [2, 3, 4],
  );
  t.equal(
    service!.draining[0]!.side.endpoints[0]!.slot,
    service!.green.endpoints[0]!.slot,
    'one target of one color is one slot',
  );
  t.same(ownSlots(own, slots), own, 'its own table is left as it is');
  t.equal(withoutNumbers(own), withoutNumbers(foreign));
});

function withoutNumbers(table: RoutingTable): string {
  return JSON.stringify(table).replaceAll(/"(?:block|slot)":\d+/g, '');
}
