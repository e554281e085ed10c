import t from 'tap';
import type { ServiceConfig } from '../../../src/config/config.ts';
import { fingerprintOf, firstTable } from '../../../src/control-plane/first-table.ts';
import { Slots } from '../../../src/control-plane/slots.ts';
import type { StoredState } from '../../../src/control-plane/store.ts';
import { config, serviceConfig, target } from './support/fixtures.ts';

const NOTHING: StoredState = { generation: 0, fingerprint: '', services: new Map() };

function withService(changes: Partial<ServiceConfig>) {
  return config('/nowhere', { services: [serviceConfig(changes)] });
}

function stored(changes: Partial<StoredState> = {}): StoredState {
  const service = { name: 'default', active: 'green', since: 5, sinceAtMs: 1 } as const;
  return {
    generation: 7,
    fingerprint: fingerprintOf(withService({})),
    services: new Map([['default', service]]),
    ...changes,
  };
}

await t.test('the very first table has generation 1 and the configured color', async (t) => {
  const table = firstTable(withService({ active: 'green' }), NOTHING, new Slots());
  t.match(table, { generation: 1, services: [{ active: 'green', since: 1 }] });
});

await t.test('the stored color wins over the configured one', async (t) => {
  const table = firstTable(withService({ active: 'blue' }), stored(), new Slots());
  t.match(table, { generation: 7, services: [{ active: 'green', since: 5 }] });
});

await t.test('a service that is new takes its configured color', async (t) => {
  const added = config('/nowhere', {
    services: [serviceConfig(), serviceConfig({ name: 'shop', active: 'blue' })],
  });
  const table = firstTable(added, stored(), new Slots());
  t.match(table.services, [
    { name: 'default', active: 'green', since: 5 },
    { name: 'shop', active: 'blue', since: 8 },
  ]);
});

await t.test('the generation grows exactly when the routes differ', async (t) => {
  const same = firstTable(withService({ active: 'green' }), stored(), new Slots());
  t.equal(same.generation, 7, 'the configured color is no route');
  const changes: Partial<ServiceConfig>[] = [
    { hosts: ['a.example'] },
    { paths: ['/api'] },
    { blue: { release: 'v9', targets: [target(3001)] } },
    { green: { release: 'v2', targets: [] } },
  ];
  for (const change of changes) {
    const table = firstTable(withService(change), stored(), new Slots());
    t.equal(table.generation, 8, JSON.stringify(change));
  }
});

await t.test('every target gets a slot and every color a block', async (t) => {
  const [service] = firstTable(withService({}), NOTHING, new Slots()).services;
  t.same([service?.blue.block, service?.green.block], [1, 2]);
  t.same([service?.blue.endpoints[0]?.slot, service?.green.endpoints[0]?.slot], [0, 1]);
});
