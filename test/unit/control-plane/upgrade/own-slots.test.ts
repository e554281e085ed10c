// A table of another process: its numbers mean nothing here, so every one is given anew.

import t from 'tap';
import { deploymentsOf, type RoutingTable } from '../../../../src/contract/table.ts';
import { ownSlots } from '../../../../src/control-plane/upgrade/own-slots.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { settings, QUIET } from '../support/fixtures.ts';
import { drain, FEW, oneService } from '../support/tables.ts';

await t.test('blocks and slots are those of this process, and nothing else changes', async (t) => {
  const slots = new Slots(QUIET);
  const url = 'http://127.0.0.1:3001';
  // Here others came first, so that the numbers differ.
  const other = { service: 'other', color: 'blue', deployment: 40 } as const;
  slots.block({ ...other, release: '' });
  for (const port of [1, 2, 3]) slots.endpoint({ ...other, url: `${port}` });
  const { number } = FEW.blue;
  const blue = slots.endpoint({ service: 'default', color: 'blue', deployment: number, url });
  const left = { ...FEW.green, number: 9, release: 'v0', block: 92, servedSince: 1 };
  const shown = { ...FEW.green, number: 8, release: 'v-1', block: 93 };
  const foreign = oneService({
    blue: { ...FEW.blue, block: 90, endpoints: [{ ...FEW.blue.endpoints[0]!, slot: 700 }] },
    green: { ...FEW.green, block: 91, endpoints: [{ ...FEW.green.endpoints[0]!, slot: 701 }] },
    draining: [drain(9, { deployment: left })],
    previewed: [shown],
  });
  const own = ownSlots(foreign, 1, slots);
  const [service] = own.services;
  t.equal(service!.blue.endpoints[0]!.slot, blue, 'a known target has the slot that it had');
  t.same(
    deploymentsOf(service!).map(({ block }) => block),
    [2, 3, 4, 5],
  );
  const places = deploymentsOf(service!).flatMap(({ endpoints }) => endpoints);
  t.equal(
    new Set(places.map(({ slot }) => slot)).size,
    4,
    'one address of several deployments is several endpoints',
  );
  t.same(ownSlots(own, 1, slots), own, 'its own table is left as it is');
  t.equal(withoutNumbers(own), withoutNumbers(foreign));
});

await t.test('the version is one of this process, the epoch is that of the decision', async (t) => {
  const foreign = { ...oneService({}, 2), epoch: 17, settings: settings() };
  const own = ownSlots(foreign, 34, new Slots(QUIET));
  t.strictSame([own.version, own.epoch], [34, 17]);
  t.notOk('settings' in own, 'its listeners are not ours');
});

function withoutNumbers(table: RoutingTable): string {
  return JSON.stringify(table).replaceAll(/"(?:block|slot)":\d+/g, '');
}
