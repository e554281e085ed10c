// What comes back after a restart: registrations, drains, maintenance, and the generation of a
// table in which nothing has changed.

import t from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { RoutingTable, Service } from '../../../../src/contract/table.ts';
import { firstTable } from '../../../../src/control-plane/switching/table-state.ts';
import { parseState, printState } from '../../../../src/control-plane/store/service-state.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import type { StoredState } from '../../../../src/control-plane/store/store.ts';
import { testPolicy } from '../../../support/policy.ts';
import { board, change, only, to, wanted } from '../support/board.ts';
import { config, QUIET, serviceConfig, target } from '../support/fixtures.ts';

const POLICY = testPolicy({ affinity: { mode: 'drain' } });
const CONFIGURED = serviceConfig({ policy: POLICY });

/** Returns what a restart makes of `state`, which went through the form that is stored. */
function restart(
  state: StoredState,
  changes: Partial<ServiceConfig> = {},
  nowMs = Date.now(),
): RoutingTable {
  const services = [...state.services].map(([name, service]) => {
    return [name, { ...service, state: parseState(printState(service.state))! }] as const;
  });
  const settings = config('/nowhere', { services: [{ ...CONFIGURED, ...changes }] });
  const stored = { ...state, services: new Map(services) };
  return firstTable(settings, stored, new Slots(QUIET), nowMs);
}

/** Runs `work` on a switchboard; returns its last table and what it has stored. */
async function after(work: (parts: ReturnType<typeof board>) => Promise<unknown>) {
  const parts = board([CONFIGURED]);
  await work(parts);
  return { table: parts.switchboard.table, state: parts.store.load() };
}

/** A registration on green, a switch there, and another registration on blue. */
async function release({ switchboard }: ReturnType<typeof board>): Promise<void> {
  await switchboard.register(change(), wanted());
  await switchboard.switch(to('green'));
  const next = { color: 'blue', release: 'v10', targets: [target(3010).url] } as const;
  await switchboard.register(change(), wanted(next));
}

/** Returns what a request can tell of a service: all but the numbers of its counters. */
function seen(service: Service): unknown {
  return JSON.parse(
    JSON.stringify(service, (key: string, value: unknown) =>
      key === 'block' || key === 'slot' ? undefined : value,
    ),
  );
}

await t.test('a restart in which nothing has changed is the same table', async (t) => {
  const { table, state } = await after(release);
  const again = restart(state);
  t.equal(again.generation, table.generation);
  t.same(seen(only(again)), seen(only(table)));
  t.match(only(again), { active: 'green', since: 3, draining: [{ generation: 1 }] });
  t.match(only(again).blue, { release: 'v10', hasServed: false });
  t.match(only(again).green, { release: 'v9', hasServed: true });
});

await t.test('it stays the same over any number of restarts', async (t) => {
  const { table, state } = await after(release);
  for (let times = 0; times < 3; times++) {
    t.equal(restart(state).generation, table.generation);
  }
});

await t.test('a registration is over once the configuration of its color changes', async (t) => {
  const { table, state } = await after(release);
  const changes = [
    { blue: { release: 'v11', targets: [target(3001)] } },
    { blue: { release: 'v1', targets: [target(3011)] } },
    { blue: { release: 'v1', targets: [target(3001), target(3011)] } },
  ];
  for (const change of changes) {
    const again = restart(state, change);
    const { release, targets } = change.blue;
    const urls = targets.map(({ url }) => ({ url }));
    t.match(only(again).blue, { release, endpoints: urls, hasServed: false });
    t.match(only(again).green, { release: 'v9' }, 'the other color keeps its own');
    t.equal(again.generation, table.generation + 1);
  }
});

await t.test('a changed configuration of the active color counts, and since stays', async (t) => {
  const { state } = await after(release);
  const again = restart(state, { green: { release: 'v12', targets: [target(3012)] } });
  t.match(only(again), {
    active: 'green',
    since: 3,
    green: { release: 'v12', hasServed: true },
    draining: [{ generation: 1, side: { release: 'v1' } }],
  });
});

await t.test('the active color has served, whatever is stored of it', async (t) => {
  const { state } = await after(release);
  const stored = state.services.get('default')!;
  const green = { ...stored.state.green!, hasServed: false };
  const odd = { ...stored, state: { ...stored.state, green } };
  const again = restart({ ...state, services: new Map([['default', odd]]) });
  t.equal(only(again).green.hasServed, true);
});

await t.test('a drain comes back with its side and its deadlines', async (t) => {
  const { table, state } = await after(release);
  const [before] = only(table).draining;
  const [drain] = only(restart(state)).draining;
  t.match(drain, {
    generation: 1,
    side: { color: 'blue', release: 'v1', endpoints: [{ url: 'http://127.0.0.1:3001' }] },
    startedAtMs: before!.startedAtMs,
    sessionsUntilMs: before!.sessionsUntilMs,
    endsAtMs: before!.endsAtMs,
    longLived: 'spread',
  });
  t.equal(drain?.side.hasServed, true);
});

await t.test('a drain that has ended meanwhile is dropped, in a new generation', async (t) => {
  const { table, state } = await after(release);
  const { endsAtMs } = only(table).draining[0]!;
  t.equal(only(restart(state, {}, endsAtMs - 1)).draining.length, 1);
  const again = restart(state, {}, endsAtMs);
  t.same(only(again).draining, []);
  t.match(again, { generation: table.generation + 1, services: [{ since: 3 }] });
});

await t.test('maintenance goes on after a restart, a hold does not', async (t) => {
  const { table, state } = await after(async ({ switchboard }) => {
    await switchboard.maintain(change(), { message: 'back soon', retryAfterSeconds: 9 });
    await switchboard.hold(change(), { methods: 'all', untilMs: Date.now() + 60_000 });
  });
  const again = restart(state);
  t.match(only(again), { maintenance: { message: 'back soon', retryAfterSeconds: 9 } });
  t.equal(only(again).hold, undefined);
  t.equal(again.generation, table.generation + 1);
});

await t.test('another policy is another generation', async (t) => {
  const { table, state } = await after(release);
  for (const patch of [{ affinity: { mode: 'off' } }, { drain: { requestsMs: 1 } }] as const) {
    t.equal(restart(state, { policy: testPolicy(patch) }).generation, table.generation + 1);
  }
  t.equal(restart(state, { policy: POLICY }).generation, table.generation);
});

await t.test('the fingerprint differs when requests are treated differently', async (t) => {
  const prints: string[] = [];
  const hold = { methods: 'all', untilMs: Date.now() + 60_000 } as const;
  await after(async (parts) => {
    const { switchboard, store } = parts;
    store.onCommit = ({ fingerprint }) => prints.push(fingerprint);
    await release(parts);
    await switchboard.evict(change(), undefined);
    await switchboard.hold(change(), hold);
    await switchboard.maintain(change(), { message: '', retryAfterSeconds: 9 });
    await switchboard.endDrains(change(), new Set([1]));
    t.equal(new Set(prints).size, 7, 'each of these is another table');
    await switchboard.endHold(change());
    await switchboard.hold(change(), hold);
  });
  t.equal(prints.at(-1), prints.at(-3), 'and what is as it was has the same');
});

await t.test('a side that the configuration makes active again does not drain', async (t) => {
  const { state } = await after(async (parts) => {
    await release(parts);
    await parts.switchboard.switch(to('blue'));
    await parts.switchboard.register(
      change(),
      wanted({ release: 'v11', targets: [target(3011).url] }),
    );
    await parts.switchboard.switch(to('green'));
  });
  t.equal(restart(state).services[0]?.draining.length, 3);
  const again = restart(state, { green: { release: 'v9', targets: [target(3009)] } });
  const { active, green, draining } = only(again);
  t.match([active, green.release], ['green', 'v9']);
  t.same(
    draining.map(({ side }) => side.release),
    ['v1', 'v10'],
  );
});
