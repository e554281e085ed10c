// Names among the targets: asked again and again, and what they lead to stays until there is
// something better.

import t from 'tap';
import {
  FIRST_LOOKUP_MS,
  LOOKUP_HURRY_MS,
  LOOKUP_TIMEOUT_MS,
  NAMES_SETTLE_MS,
} from '../../../../src/control-plane/base/control-limits.ts';
import type { ServiceRecord } from '../../../../src/control-plane/targets/lookup.ts';
import { settled } from '../support/manual-timers.ts';
import { nameScene, namesIn, placesOf } from '../support/name-scene.ts';

/** One interval with its jitter, and the time in which changes settle. */
const ROUND_MS = 10_000 * 1.1 + NAMES_SETTLE_MS;

await t.test('literal addresses, sockets and localhost are never looked up', async (t) => {
  const blue = ['http://127.0.0.1:1', 'http://[::1]:2', 'unix:/run/a.sock', 'http://localhost:3'];
  const { names, dns, timers, first, told } = nameScene(t, { blue });
  names.follow(first);
  await names.prepare(first);
  await timers.pass(100_000);
  t.same(dns.asked, []);
  t.equal(timers.count, 0);
  t.same(told, [], 'and the workers hear nothing');
  for (const endpoint of first.services[0]!.blue.endpoints) {
    t.same(names.of(endpoint), [endpoint]);
    t.equal(names.status(endpoint), undefined);
  }
});

await t.test(
  'a name with several addresses is several endpoints with slots of their own',
  async (t) => {
    const { names, dns, first, told } = nameScene(t);
    dns.hosts.set('app.test', ['10.0.0.2', '10.0.0.1']);
    names.follow(first);
    await names.prepare(first);
    const [name] = namesIn(first);
    const live = names.of(name!);
    t.match(live, [
      {
        url: 'http://app.test:3000',
        authority: 'app.test:3000',
        address: { kind: 'tcp', host: '10.0.0.1', port: 3_000 },
        place: '10.0.0.1:3000',
      },
      { address: { host: '10.0.0.2' }, place: '10.0.0.2:3000' },
    ]);
    t.equal(new Set([name!.slot, ...live.map(({ slot }) => slot)]).size, 3);
    t.same(told, [{ version: 1, names: [{ slot: name!.slot, endpoints: live }] }]);
    t.match(names.status(name!), { problem: /^$/, failureCount: 0 });
  },
);

await t.test(
  'the workers hear of a change after the health checks, and of none otherwise',
  async (t) => {
    const { names, dns, timers, first, told, changes } = nameScene(t);
    dns.hosts.set('app.test', ['10.0.0.1']);
    names.follow(first);
    await names.prepare(first);
    t.same(changes, [0], 'before the workers had heard anything');
    await timers.pass(5 * ROUND_MS);
    t.ok(dns.asked.length >= 5);
    t.equal(told.length, 1);
    dns.hosts.set('app.test', ['10.0.0.1', '10.0.0.2']);
    await timers.pass(ROUND_MS);
    t.same(placesOf(names, first), ['10.0.0.1:3000', '10.0.0.2:3000']);
    t.same(changes, [0, 1]);
    t.equal(told.length, 2);
  },
);

await t.test('a name is asked for once in an interval', async (t) => {
  const { names, dns, timers, first } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  await timers.pass(100 * 10_000);
  t.ok(dns.asked.length >= 91 && dns.asked.length <= 112, `${dns.asked.length} lookups`);
});

await t.test('an address that stays keeps its slot', async (t) => {
  const { names, dns, timers, first } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1', '10.0.0.2']);
  names.follow(first);
  await names.prepare(first);
  const [name] = namesIn(first);
  const before = names.of(name!)[1]!.slot;
  dns.hosts.set('app.test', ['10.0.0.3', '10.0.0.2']);
  await timers.pass(ROUND_MS);
  const after = names.of(name!);
  t.same(
    after.map(({ place }) => place),
    ['10.0.0.2:3000', '10.0.0.3:3000'],
  );
  t.equal(after[0]!.slot, before);
});

const NO_ANSWERS = {
  'a fault': new Error('app.test: the DNS server failed'),
  nothing: [],
  garbage: ['', 'not an address', '10.0.0', '0.0.0.0', '999.1.1.1'],
  silence: 'silence',
} as const;

for (const [what, said] of Object.entries(NO_ANSWERS)) {
  await t.test(`${what} for an answer leaves everything as it was, and is told`, async (t) => {
    const { names, dns, timers, first, told, log } = nameScene(t);
    dns.hosts.set('app.test', ['10.0.0.1']);
    names.follow(first);
    await names.prepare(first);
    dns.hosts.set('app.test', said);
    await timers.pass(ROUND_MS + LOOKUP_TIMEOUT_MS);
    t.same(placesOf(names, first), ['10.0.0.1:3000']);
    t.equal(told.length, 1);
    const status = names.status(namesIn(first)[0]!)!;
    t.not(status.problem, '');
    t.ok(status.failureCount >= 1);
    t.ok(log.has(/app\.test:3000: .+; known addresses stay/));
  });
}

await t.test(
  'a problem that goes on is logged once, and is over with the next answer',
  async (t) => {
    const { names, dns, timers, first, log } = nameScene(t);
    dns.hosts.set('app.test', ['10.0.0.1']);
    names.follow(first);
    await names.prepare(first);
    dns.hosts.set('app.test', new Error('app.test: no DNS server answered'));
    await timers.pass(20 * ROUND_MS);
    t.equal(log.lines.filter(({ level }) => level === 'warn').length, 1);
    t.ok(names.status(namesIn(first)[0]!)!.failureCount >= 15);
    dns.hosts.set('app.test', ['10.0.0.1']);
    await timers.pass(ROUND_MS);
    t.equal(names.status(namesIn(first)[0]!)!.problem, '');
  },
);

await t.test('after a failure a name is asked for sooner, then ever less often', async (t) => {
  const { names, dns, timers, first } = nameScene(t);
  dns.hosts.set('app.test', new Error('app.test: no DNS server answered'));
  names.follow(first);
  await names.prepare(first);
  await timers.pass(LOOKUP_HURRY_MS * 1.1);
  t.equal(dns.asked.length, 2);
  await timers.pass(LOOKUP_HURRY_MS * 2 * 1.1);
  t.equal(dns.asked.length, 3);
  await timers.pass(200_000);
  t.ok(dns.asked.length < 30, `${dns.asked.length} lookups`);
  dns.hosts.set('app.test', ['10.0.0.1']);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.1:3000']);
});

await t.test('a start waits for a silent DNS only so long, and goes on without it', async (t) => {
  const { names, dns, timers, first, told } = nameScene(t);
  dns.hosts.set('app.test', 'silence');
  names.follow(first);
  let isReady = false;
  const ready = names.prepare(first).then(() => (isReady = true));
  await timers.pass(FIRST_LOOKUP_MS - 1);
  t.notOk(isReady);
  await timers.pass(1);
  t.ok(isReady);
  await ready;
  t.same(told, []);
  await names.prepare(first);
  t.pass('no other table waits for it again');
});

await t.test('a lookup that never ends is given up, and no second one is begun', async (t) => {
  const { names, dns, timers, first } = nameScene(t);
  dns.hosts.set('app.test', 'silence');
  names.follow(first);
  await timers.pass(LOOKUP_TIMEOUT_MS);
  t.match(names.status(namesIn(first)[0]!), { problem: /no answer within 5000 ms/ });
  await timers.pass(100 * ROUND_MS);
  t.equal(dns.asked.length, 1);
  t.equal(timers.count, 0);
});

await t.test('a table that is about to come has its names looked up before', async (t) => {
  const { names, dns, first, table, told } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  dns.hosts.set('next.test', ['10.0.1.1']);
  names.follow(first);
  await names.prepare(first);
  const next = table({ green: ['http://next.test:80'] });
  await names.prepare(next);
  t.equal(told.length, 2);
  t.equal(told[1]!.names.length, 2);
  const green = next.services[0]!.green.endpoints[0]!;
  t.match(names.of(green), [{ place: '10.0.1.1:80' }]);
});

await t.test('a name that no table has is asked for no more, one table later', async (t) => {
  const { names, dns, timers, first, table, told } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  const without = table({ blue: ['http://127.0.0.1:1'] });
  names.follow(without);
  t.same(placesOf(names, first), ['10.0.0.1:3000'], 'its requests may still run');
  names.follow(without);
  t.same(placesOf(names, first), []);
  await timers.pass(NAMES_SETTLE_MS);
  t.same(told.at(-1)!.names, []);
  const before = dns.asked.length;
  await timers.pass(10 * ROUND_MS);
  t.equal(dns.asked.length, before);
  t.equal(timers.count, 0);
});

await t.test('an answer that comes after its name has gone changes nothing', async (t) => {
  const { names, dns, timers, first, table, told } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  const without = table({ blue: ['http://127.0.0.1:1'] });
  names.follow(without);
  names.follow(without);
  await timers.pass(ROUND_MS);
  t.same(told, []);
  t.equal(timers.count, 0);
});

await t.test('a place that is Turnout itself is not used', async (t) => {
  const { names, dns, timers, first, log } = nameScene(t, {
    isOurs: ({ host }) => host === '127.0.0.1',
  });
  dns.hosts.set('app.test', ['127.0.0.1', '10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  t.same(placesOf(names, first), ['10.0.0.1:3000']);
  t.match(names.status(namesIn(first)[0]!), { problem: /Turnout itself \(127\.0\.0\.1:3000\)/ });
  dns.hosts.set('app.test', ['127.0.0.1']);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.1:3000'], 'and never the only one');
  t.ok(log.has(/leads to Turnout itself/));
});

await t.test('a place where targets may not lead is not used, now and later', async (t) => {
  const { names, dns, timers, first, log } = nameScene(t, {
    mayLeadTo: ({ address }, { host }) => address.kind === 'name' && host.startsWith('10.'),
  });
  dns.hosts.set('app.test', ['169.254.169.254', '10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  t.same(placesOf(names, first), ['10.0.0.1:3000']);
  const problem = /where targets may not lead \(169\.254\.169\.254:3000\)/;
  t.match(names.status(namesIn(first)[0]!), { problem });
  dns.hosts.set('app.test', ['192.0.2.1']);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.1:3000'], 'and never the only one');
  t.ok(log.has(/where targets may not lead \(192\.0\.2\.1:3000\)/));
});

function record(name: string, port: number): ServiceRecord {
  return { name, port, priority: 1 };
}

await t.test('SRV records lead to hosts and ports', async (t) => {
  const blue = ['http+srv://_http._tcp.app.test'];
  const { names, dns, timers, first } = nameScene(t, { blue });
  dns.hosts.set('a.test', ['10.0.0.1', '10.0.0.2']);
  dns.hosts.set('b.test', ['10.0.0.3']);
  dns.records.set('_http._tcp.app.test', [record('a.test', 1_000), record('b.test', 2_000)]);
  names.follow(first);
  await names.prepare(first);
  t.same(placesOf(names, first), ['10.0.0.1:1000', '10.0.0.2:1000', '10.0.0.3:2000']);
  t.equal(names.of(namesIn(first)[0]!)[0]!.authority, 'app.test');
  dns.records.set('_http._tcp.app.test', [record('b.test', 2_001)]);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.3:2001']);
});

await t.test('several names that change at once are one change for the workers', async (t) => {
  const blue = ['http://a.test', 'http://b.test', 'http://c.test'];
  const { names, dns, timers, first, told } = nameScene(t, { blue });
  for (const host of ['a', 'b', 'c']) dns.hosts.set(`${host}.test`, ['10.0.0.1']);
  names.follow(first);
  await settled();
  await timers.pass(NAMES_SETTLE_MS);
  t.equal(told.length, 1);
  t.equal(told[0]!.names.length, 3);
});

await t.test('after a stop nothing is asked, and nobody is told', async (t) => {
  const { names, dns, timers, first, told } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await settled();
  names.stop();
  t.ok(dns.isClosed);
  t.equal(timers.count, 0);
  const before = dns.asked.length;
  names.follow(first);
  await names.prepare(first);
  await timers.pass(10 * ROUND_MS);
  t.equal(dns.asked.length, before);
  t.same(told, []);
});
