// Names at their edges: what comes late, what comes back, what is over.

import t from 'tap';
import { restartClock } from '../../../../src/base/clock.ts';
import {
  LOOKUP_JITTER_SHARE,
  LOOKUP_TIMEOUT_MS,
  NAMES_SETTLE_MS,
} from '../../../../src/control-plane/base/control-limits.ts';
import { settled } from '../support/manual-timers.ts';
import { nameScene, namesIn, placesOf, RESOLVE } from '../support/name-scene.ts';

/** One interval with its jitter, and the time in which changes settle. */
const ROUND_MS = 10_000 * (1 + LOOKUP_JITTER_SHARE) + NAMES_SETTLE_MS;

const FAULT = new Error('app.test: the DNS server failed');

await t.test('a fault that comes after its name has gone is told to nobody', async (t) => {
  const { names, dns, timers, first, table, log } = nameScene(t);
  dns.hosts.set('app.test', 'silence');
  names.follow(first);
  await settled();
  const without = table({ blue: ['http://127.0.0.1:1'] });
  names.follow(without);
  names.follow(without);
  await timers.pass(LOOKUP_TIMEOUT_MS + ROUND_MS);
  t.strictSame(log.lines, []);
});

await t.test('an empty answer says so, and is not taken for a fault of DNS', async (t) => {
  const { names, dns, first } = nameScene(t);
  dns.hosts.set('app.test', []);
  names.follow(first);
  await names.prepare(first);
  t.match(names.status(namesIn(first)[0]!), {
    problem: 'DNS says: no such name, or no address for it',
    answeredAtMs: 0,
    failureCount: 1,
  });
});

await t.test('an answer ends a row of failures: the next one is asked again soon', async (t) => {
  const { names, dns, timers, first } = nameScene(t);
  dns.hosts.set('app.test', FAULT);
  names.follow(first);
  await names.prepare(first);
  await timers.pass(200_000);
  dns.hosts.set('app.test', ['10.0.0.1']);
  await timers.pass(2 * ROUND_MS);
  dns.hosts.set('app.test', FAULT);
  const before = names.status(namesIn(first)[0]!)!.failureCount;
  await timers.pass(2 * ROUND_MS);
  const count = names.status(namesIn(first)[0]!)!.failureCount - before;
  // One after an interval, then after 1, 2 and 4 s; at each interval there would be three at most.
  t.ok(count >= 4, `${count} failures`);
});

await t.test('it is noted when addresses were last found', async (t) => {
  const { names, dns, timers, first } = nameScene(t);
  restartClock();
  const beganAtMs = Date.now();
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  const { answeredAtMs } = names.status(namesIn(first)[0]!)!;
  t.ok(answeredAtMs >= beganAtMs && answeredAtMs <= Date.now(), `${answeredAtMs}`);
  dns.hosts.set('app.test', FAULT);
  await timers.pass(ROUND_MS);
  t.equal(names.status(namesIn(first)[0]!)!.answeredAtMs, answeredAtMs, 'a failure is no answer');
});

await t.test('another name at the same place of a table is looked up anew', async (t) => {
  const { names, dns, first } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  dns.hosts.set('other.test', ['10.0.0.2']);
  names.follow(first);
  await names.prepare(first);
  const [service] = first.services;
  const endpoint = {
    ...service!.blue.endpoints[0]!,
    url: 'http://other.test:3000',
    address: { kind: 'name', host: 'other.test', port: 3_000 },
  } as const;
  const blue = { ...service!.blue, endpoints: [endpoint] };
  const next = { ...first, version: first.version + 1, services: [{ ...service!, blue }] };
  await names.prepare(next);
  t.strictSame(placesOf(names, next), ['10.0.0.2:3000']);
});

await t.test('a change that had not settled when everything stopped is not told', async (t) => {
  const { names, dns, timers, first, told } = nameScene(t);
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  dns.hosts.set('app.test', ['10.0.0.2']);
  while (placesOf(names, first)[0] !== '10.0.0.2:3000') await timers.pass(1);
  names.stop();
  await timers.pass(ROUND_MS);
  t.equal(told.length, 1);
});

await t.test('names are not all asked for at one moment', async (t) => {
  const blue = Array.from({ length: 20 }, (_, index) => `http://app${index}.test`);
  const { names, dns, timers, first } = nameScene(t, { blue });
  for (let index = 0; index < 20; index++) dns.hosts.set(`app${index}.test`, ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  await timers.pass(10_000 * (1 - LOOKUP_JITTER_SHARE));
  const moments = new Set<number>();
  for (let ms = 0; ms < 2 * LOOKUP_JITTER_SHARE * 10_000; ms += 10) {
    const before = dns.asked.length;
    await timers.pass(10);
    if (dns.asked.length > before) moments.add(ms);
  }
  t.ok(moments.size > 10, `${moments.size} moments`);
});

await t.test(
  'another interval holds from the next lookup on, also of a service that goes',
  async (t) => {
    let config: typeof RESOLVE | undefined = RESOLVE;
    const { names, dns, timers, first } = nameScene(t, { configOf: () => config });
    dns.hosts.set('app.test', ['10.0.0.1']);
    names.follow(first);
    await names.prepare(first);
    config = { ...RESOLVE, intervalMs: 1_000_000 };
    await timers.pass(ROUND_MS);
    const count = dns.asked.length;
    config = undefined;
    await timers.pass(2_050_000);
    t.ok(dns.asked.length <= count + 2, `${dns.asked.length - count} lookups in two intervals`);
  },
);
