// Names of which DNS says that there is no such name: their old addresses may run another app.

import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { restartClock } from '../../../../src/base/clock.ts';
import type { Color, Endpoint, RoutingTable } from '../../../../src/contract/table.ts';
import {
  LOOKUP_JITTER_SHARE,
  LOOKUP_TIMEOUT_MS,
  NAME_REST_MS,
  NAMES_SETTLE_MS,
  SPOT_ANSWER_KEPT_MS,
} from '../../../../src/control-plane/base/control-limits.ts';
import { nameScene, placesOf, type Said } from '../support/name-scene.ts';

/** One interval with its jitter, and the time in which changes settle. */
const ROUND_MS = 10_000 * (1 + LOOKUP_JITTER_SHARE) + NAMES_SETTLE_MS;
const BLUE = '10.0.0.1:3000';
const GREEN = '10.0.1.1:3000';
const FAULT = new Error('green.test: the DNS server failed');

/** Blue is active, green is idle; both are names that lead somewhere. */
async function bothNamed(t: Test) {
  const blue = ['http://blue.test:3000'];
  const green = ['http://green.test:3000'];
  const scene = nameScene(t, { blue, green });
  const { names, dns, first, told, timers } = scene;
  dns.hosts.set('blue.test', ['10.0.0.1']);
  dns.hosts.set('green.test', ['10.0.1.1']);
  names.follow(first);
  await names.prepare(first);
  const [service] = first.services;
  const endpoint = (color: Color): Endpoint => service![color].endpoints[0]!;
  const say = async (host: string, said: Said): Promise<void> => {
    dns.hosts.set(host, said);
    await timers.pass(ROUND_MS);
  };
  return {
    ...scene,
    endpoint,
    say,
    /** DNS says that there is no such name; until the workers know. */
    deny: async (host: string) => say(host, []),
    placesOf: (color: Color) => names.of(endpoint(color)).map(({ place }) => place),
    /** Where the workers send requests of a color. */
    toldOf: (color: Color): readonly (string | undefined)[] => {
      const { slot } = endpoint(color);
      const picture = told.at(-1)!.names.find((one) => one.slot === slot);
      return picture!.endpoints.map(({ place }) => place);
    },
    /** Returns the table in which `active` is the active color. */
    tableWith: (active: Color, version: number): RoutingTable => ({
      version,
      epoch: version,
      services: [{ ...service!, active }],
    }),
  };
}

await t.test('a color that is not active has no address any more, for anyone', async (t) => {
  const { deny, placesOf, toldOf, names, endpoint, log, changes } = await bothNamed(t);
  const before = changes.length;
  await deny('green.test');
  t.same(placesOf('green'), []);
  t.same(toldOf('green'), []);
  t.same(toldOf('blue'), [BLUE]);
  t.equal(changes.length, before + 1, 'health checks hear of it');
  const { problem, deniedAtMs } = names.status(endpoint('green'))!;
  t.equal(problem, 'DNS says: no such name, or no address for it; no request goes there');
  t.ok(deniedAtMs > 0);
  t.ok(log.has(/green\.test:3000: DNS says: no such name.*; no request goes there/));
});

await t.test('the active color keeps what it has, and status and log say so', async (t) => {
  const { deny, placesOf, toldOf, names, endpoint, log } = await bothNamed(t);
  await deny('blue.test');
  t.same(placesOf('blue'), [BLUE]);
  t.same(toldOf('blue'), [BLUE]);
  const { problem } = names.status(endpoint('blue'))!;
  t.equal(problem, 'DNS says: no such name, or no address for it; known addresses stay');
  t.ok(log.has(/blue\.test:3000: DNS says: no such name.*; known addresses stay/));
});

const NO_DENIALS: Readonly<Record<string, Said>> = {
  'a fault of the server': FAULT,
  'an answer that is of no use': ['0.0.0.0'],
  silence: 'silence',
};

for (const [what, said] of Object.entries(NO_DENIALS)) {
  await t.test(`${what} changes nothing, before a denial and after it`, async (t) => {
    const { say, deny, placesOf, names, endpoint } = await bothNamed(t);
    if (said !== 'silence') {
      await say('green.test', said);
      t.same(placesOf('green'), [GREEN]);
      t.equal(names.status(endpoint('green'))!.deniedAtMs, 0);
    }
    await deny('green.test');
    await say('green.test', said);
    t.same(placesOf('green'), []);
    t.ok(names.status(endpoint('green'))!.deniedAtMs > 0);
  });
}

await t.test('a lookup that is given up denies nothing', async (t) => {
  const { say, timers, placesOf } = await bothNamed(t);
  await say('green.test', 'silence');
  await timers.pass(LOOKUP_TIMEOUT_MS);
  t.same(placesOf('green'), [GREEN]);
});

await t.test('a name that comes back is used from then on, in the same slot', async (t) => {
  const { say, deny, placesOf, toldOf, names, endpoint, log } = await bothNamed(t);
  const [before] = names.of(endpoint('green'));
  await deny('green.test');
  await say('green.test', ['10.0.1.1']);
  t.same(placesOf('green'), [GREEN]);
  t.same(toldOf('green'), [GREEN]);
  t.equal(names.of(endpoint('green'))[0]!.slot, before!.slot);
  t.match(names.status(endpoint('green')), { problem: /^$/, deniedAtMs: 0 });
  t.ok(log.has(/green\.test:3000 leads to 10\.0\.1\.1:3000/));
});

await t.test('a forced switch finds the last addresses, before the workers go by it', async (t) => {
  const { deny, toldOf, tableWith, names, timers } = await bothNamed(t);
  await deny('green.test');
  const next = tableWith('green', 2);
  await names.prepare(next);
  t.same(toldOf('green'), [GREEN]);
  names.follow(next);
  await timers.pass(NAMES_SETTLE_MS);
  t.same(toldOf('green'), [GREEN]);
});

await t.test('a color that was left loses what its name had kept', async (t) => {
  const { deny, toldOf, tableWith, names, timers } = await bothNamed(t);
  await deny('blue.test');
  const next = tableWith('green', 2);
  await names.prepare(next);
  t.same(toldOf('blue'), [BLUE], 'until the switch is made');
  names.follow(next);
  await timers.pass(NAMES_SETTLE_MS);
  t.same(toldOf('blue'), []);
});

await t.test('a name that is denied at once leads nowhere, and says so', async (t) => {
  const { names, dns, first } = nameScene(t);
  dns.hosts.set('app.test', []);
  names.follow(first);
  await names.prepare(first);
  t.same(placesOf(names, first), []);
  const status = names.status(first.services[0]!.blue.endpoints[0]!)!;
  t.match(status.problem, /^DNS says: no such name.*; it leads nowhere$/);
});

await t.test('a name that is denied for long is not asked for all the time', async (t) => {
  const { deny, timers, dns } = await bothNamed(t);
  await deny('green.test');
  const before = dns.asked.length;
  await timers.pass(100 * 10_000);
  const count = dns.asked.slice(before).filter((name) => name === 'green.test').length;
  // Of both families, after 1, 2, 4 and 8 s, and then once in an interval.
  t.ok(count <= 2 * (4 + 112), `${count} questions`);
});

await t.test('an address that does not answer has its name looked up at once', async (t) => {
  const { names, timers, dns, endpoint, placesOf, toldOf } = await bothNamed(t);
  await timers.pass(NAME_REST_MS);
  dns.hosts.set('green.test', ['10.0.1.2']);
  names.doubt(names.of(endpoint('green'))[0]!.slot);
  await timers.pass(NAMES_SETTLE_MS);
  t.same(placesOf('green'), ['10.0.1.2:3000']);
  t.same(toldOf('green'), ['10.0.1.2:3000']);
});

await t.test('however often it does not answer, once a second is enough', async (t) => {
  const { names, timers, dns, endpoint } = await bothNamed(t);
  const { slot } = names.of(endpoint('green'))[0]!;
  const before = dns.asked.length;
  for (let ms = 0; ms < 60_000; ms += 100) {
    names.doubt(slot);
    await timers.pass(100);
  }
  const asked = dns.asked.slice(before);
  const count = asked.filter((name) => name === 'green.test').length;
  t.ok(count >= 50 && count <= 61, `${count} lookups`);
  t.ok(asked.filter((name) => name === 'blue.test').length <= 7, 'and no other name');
  t.equal(timers.count, 2, 'one for each name');
});

await t.test('a doubt while DNS is silent begins no second lookup', async (t) => {
  const { names, timers, dns, endpoint } = await bothNamed(t);
  const { slot } = names.of(endpoint('green'))[0]!;
  await timers.pass(NAME_REST_MS);
  dns.hosts.set('green.test', 'silence');
  const before = dns.asked.length;
  for (let ms = 0; ms < 9_000; ms += 1_000) {
    names.doubt(slot);
    await timers.pass(1_000);
  }
  const asked = dns.asked.slice(before).filter((name) => name === 'green.test');
  t.equal(asked.length, 1);
  names.doubt(99);
  names.doubt(endpoint('green').slot);
  t.pass('slots that no address has are none of its business');
});

await t.test('a refresh asks anew, unless the name has just answered', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 });
  restartClock();
  t.teardown(() => mock.timers.reset());
  const { names, dns, endpoint, placesOf } = await bothNamed(t);
  dns.hosts.set('green.test', []);
  mock.timers.tick(SPOT_ANSWER_KEPT_MS - 1);
  await names.refresh([endpoint('green')]);
  t.same(placesOf('green'), [GREEN], 'it was asked for just now');
  mock.timers.tick(1);
  await names.refresh([endpoint('green')]);
  t.same(placesOf('green'), [], 'also while it rests');
  t.same(placesOf('blue'), [BLUE]);
});

await t.test('a refresh goes on without a DNS that is silent', async (t) => {
  const { names, timers, dns, endpoint, placesOf } = await bothNamed(t);
  await timers.pass(NAME_REST_MS);
  dns.hosts.set('green.test', 'silence');
  const refreshed = names.refresh([endpoint('green')]);
  await timers.pass(1_000);
  await refreshed;
  t.same(placesOf('green'), [GREEN]);
});

await t.test('names of a deployment that one change asks for outlive other changes', async (t) => {
  const { names, dns, timers, first, table, log } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  const kept = { ...table({ green: ['http://kept.test:3000'] }), version: 0 };
  dns.hosts.set('kept.test', 'silence');
  const asked = names.prepare(kept);
  const other = { ...table({ green: ['http://10.0.0.3:80'] }), version: 5 };
  await names.prepare(other);
  names.follow(other);
  names.follow({ ...other, version: 6 });
  t.equal(dns.asked.filter((name) => name === 'kept.test').length, 1);
  await timers.pass(2_000);
  await asked;
  t.notOk(log.has(/kept/), 'its lookup still runs');
  names.follow({ ...other, version: 7 });
  await timers.pass(LOOKUP_TIMEOUT_MS);
  t.notOk(log.has(/kept/), 'nothing is told of it once it has gone');
});
