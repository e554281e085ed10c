import t from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import {
  fingerprintOf,
  firstTable,
  storedService,
} from '../../../../src/control-plane/switching/table-state.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import type { StoredState } from '../../../../src/control-plane/store/store.ts';
import { config, NOTHING_STORED, QUIET, serviceConfig, target } from '../support/fixtures.ts';

const NOW_MS = 1_000_000;

/** Returns the first table of one service with `changes`. */
function start(changes: Partial<ServiceConfig>, state: StoredState): RoutingTable {
  return startAll([serviceConfig(changes)], state);
}

function startAll(services: readonly ServiceConfig[], state: StoredState): RoutingTable {
  return firstTable(config('/nowhere', { services }), state, new Slots(QUIET), NOW_MS);
}

/** What is stored after a switch to green in generation 5, and two other changes. */
function stored(): StoredState {
  const configured = serviceConfig();
  const [before] = start({}, NOTHING_STORED).services;
  const service = { ...before!, active: 'green', since: 5 } as const;
  return {
    generation: 7,
    fingerprint: fingerprintOf({ generation: 7, services: [service] }),
    services: new Map([['default', storedService(service, 1, configured)]]),
    freeze: undefined,
  };
}

await t.test('the very first table has generation 1 and the configured color', async (t) => {
  const table = start({ active: 'green' }, NOTHING_STORED);
  t.match(table, { generation: 1, services: [{ active: 'green', since: 1 }] });
});

await t.test('the stored color wins over the configured one', async (t) => {
  const table = start({ active: 'blue' }, stored());
  t.match(table, { generation: 7, services: [{ active: 'green', since: 5 }] });
});

await t.test('a service that is new takes its configured color', async (t) => {
  const added = serviceConfig({ name: 'shop', active: 'blue' });
  const table = startAll([serviceConfig(), added], stored());
  t.match(table.services, [
    { name: 'default', active: 'green', since: 5 },
    { name: 'shop', active: 'blue', since: 8 },
  ]);
});

await t.test('the generation grows exactly when the routes differ', async (t) => {
  const same = start({ active: 'green' }, stored());
  t.equal(same.generation, 7, 'the configured color is no route');
  const changes: Partial<ServiceConfig>[] = [
    { hosts: ['a.example'] },
    { paths: ['/api'] },
    { blue: { release: 'v9', targets: [target(3001)] } },
    { green: { release: 'v2', targets: [] } },
  ];
  for (const change of changes) {
    const table = start(change, stored());
    t.equal(table.generation, 8, JSON.stringify(change));
  }
});

await t.test('every target gets a slot and every color a block', async (t) => {
  const [service] = start({}, NOTHING_STORED).services;
  t.same([service?.blue.block, service?.green.block], [1, 2]);
  t.same([service?.blue.endpoints[0]?.slot, service?.green.endpoints[0]?.slot], [0, 1]);
});
