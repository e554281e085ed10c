// The table in force and another configuration: what changes, and what must not.

import * as fc from 'fast-check';
import t from 'tap';
import type { Config, ServiceConfig } from '../../../../src/config/config.ts';
import type { Color, RoutingTable } from '../../../../src/contract/table.ts';
import {
  fingerprintOf,
  firstTable,
  storedService,
} from '../../../../src/control-plane/switching/table-state.ts';
import { reloadedTable } from '../../../../src/control-plane/reload/reload-table.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { config, NOTHING_STORED, QUIET, serviceConfig, target } from '../support/fixtures.ts';
import { drain } from '../support/tables.ts';

const NOW_MS = 2_000;

function configured(services: readonly ServiceConfig[], more: Partial<Config> = {}): Config {
  return config('/nowhere', { services, ...more });
}

function scene(before: Config) {
  const slots = new Slots(QUIET);
  const table = firstTable(before, NOTHING_STORED, slots, NOW_MS);
  const reload = (after: Config, from: RoutingTable = table, stored = new Map()): RoutingTable =>
    reloadedTable(from, from.generation + 1, { before, after, stored, slots, nowMs: NOW_MS });
  return { table, reload };
}

const SHOP = serviceConfig({ name: 'shop', hosts: ['shop.example'] });

await t.test('the same configuration is the same table', async (t) => {
  const before = configured([serviceConfig(), SHOP]);
  const { table, reload } = scene(before);
  const after = reload(configured([serviceConfig(), SHOP]));
  t.equal(fingerprintOf(after), fingerprintOf(table));
  t.equal(after.settings, undefined, 'and the workers go by the same settings');
});

await t.test('what operators did stays, whatever else is configured', async (t) => {
  const before = configured([serviceConfig()]);
  const { table, reload } = scene(before);
  const [service] = table.services;
  const maintenance = { message: 'soon', retryAfterSeconds: 5 };
  const draining = [drain(1, { sessionsUntilMs: NOW_MS + 1, endsAtMs: NOW_MS + 2 })];
  const green = { ...service!.green, release: 'registered' };
  const done = { ...service!, active: 'green' as Color, since: 3, maintenance, draining, green };
  const other = serviceConfig({ hosts: ['other.example'] });
  const after = reload(configured([other]), { generation: 3, services: [done] });
  t.match(after, {
    generation: 4,
    services: [
      {
        hosts: ['other.example'],
        active: 'green',
        since: 3,
        maintenance,
        draining: [{ generation: 1 }],
        green: { release: 'registered' },
      },
    ],
  });
});

await t.test('settings of the workers come with the table that changes them', async (t) => {
  const before = configured([serviceConfig()]);
  const dataPlane = { ...before.dataPlane, exposeColor: !before.dataPlane.exposeColor };
  t.strictSame(
    scene(before).reload(configured([serviceConfig()], { dataPlane })).settings,
    dataPlane,
  );
});

await t.test('an idle color takes what is configured, the active one in place', async (t) => {
  const { reload, table } = scene(configured([serviceConfig()]));
  const moved = serviceConfig({
    blue: { release: 'v1', targets: [target(4001)] },
    green: { release: 'v9', targets: [target(4002)] },
  });
  const after = reload(configured([moved]));
  t.match(after.services, [
    {
      active: 'blue',
      since: table.services[0]!.since,
      draining: [],
      blue: { endpoints: [{ url: 'http://127.0.0.1:4001' }], hasServed: true },
      green: { release: 'v9', endpoints: [{ url: 'http://127.0.0.1:4002' }], hasServed: false },
    },
  ]);
});

await t.test('a lock-out goes with the release, not with the reload', async (t) => {
  const lockedOut = { reason: 'bad', actor: 'a', atMs: 1, generation: 2 };
  const { reload, table } = scene(configured([serviceConfig()]));
  const service = table.services[0]!;
  const locked = { ...service, green: { ...service.green, lockedOut } };
  const from = { generation: 2, services: [locked] };
  t.match(reload(configured([serviceConfig()]), from).services, [{ green: { lockedOut } }]);
  const newer = serviceConfig({ green: { release: 'v9', targets: [target(3002)] } });
  t.equal(reload(configured([newer]), from).services[0]!.green.lockedOut, undefined);
});

await t.test('what would break something is refused', async (t) => {
  const { reload, table } = scene(configured([serviceConfig()]));
  const empty = serviceConfig({ blue: { release: 'v1', targets: [] } });
  t.throws(() => reload(configured([empty])), { code: 'no-targets' });
  const [service] = table.services;
  const later = { sessionsUntilMs: NOW_MS + 1, endsAtMs: NOW_MS + 2 };
  const used = {
    ...service!.green,
    endpoints: [{ ...service!.green.endpoints[0]!, url: 'http://127.0.0.1:3009' }],
  };
  const busy = {
    generation: 2,
    services: [{ ...service!, draining: [drain(1, { ...later, side: used })] }],
  };
  const there = serviceConfig({ green: { release: 'v9', targets: [target(3009)] } });
  t.throws(() => reload(configured([there]), busy), { code: 'address-in-use' });
  const onActive = serviceConfig({ green: { release: 'v9', targets: [target(3001)] } });
  t.throws(() => reload(configured([onActive])), { code: 'address-in-use' });
});

interface Wanted {
  readonly blue: { readonly release: string; readonly port: number };
  readonly green: { readonly release: string; readonly port: number };
  readonly host: string;
}

function made(name: string, { blue, green, host }: Wanted): ServiceConfig {
  return serviceConfig({
    name,
    hosts: [`${name}.${host}`],
    blue: { release: blue.release, targets: [target(blue.port)] },
    green: { release: green.release, targets: [target(green.port + 10)] },
  });
}

await t.test('a reload makes what a restart would make', async () => {
  const side = fc.record({
    release: fc.constantFrom('', 'v1', 'v2'),
    port: fc.constantFrom(3_001, 3_002, 3_003, 3_004),
  });
  const service = fc.record({
    blue: side,
    green: side,
    host: fc.constantFrom('a.example', 'b.example'),
  });
  const all = fc.dictionary(fc.constantFrom('one', 'two', 'three'), service, { minKeys: 1 });
  fc.assert(
    fc.property(all, all, (first, second) => {
      const before = configured(Object.entries(first).map(([name, one]) => made(name, one)));
      const after = configured(Object.entries(second).map(([name, one]) => made(name, one)));
      const { table, reload } = scene(before);
      const stored = new Map(
        table.services.map((one) => {
          const its = before.services.find(({ name }) => name === one.name)!;
          return [one.name, storedService(one, 0, its)];
        }),
      );
      const state = {
        generation: table.generation,
        fingerprint: fingerprintOf(table),
        services: stored,
        freeze: undefined,
      };
      const restarted = firstTable(after, state, new Slots(QUIET), NOW_MS);
      return (
        fingerprintOf(reload(after, table, stored)) ===
        fingerprintOf({ ...restarted, generation: 2 })
      );
    }),
    { numRuns: 300 },
  );
});
