// What names may cost: huge answers, floods of places that are not used, slots and timers that must not be
// left behind.

import t from 'tap';
import { ENDPOINTS_MAX } from '../../../../src/contract/counters.ts';
import {
  ADDRESSES_PER_NAME_MAX,
  NAMES_SETTLE_MS,
  PLACES_TAKEN_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { QUIET } from '../support/fixtures.ts';
import { settled } from '../support/manual-timers.ts';
import { nameScene, namesIn, placesOf } from '../support/name-scene.ts';

/** One interval with its jitter, and the time in which changes settle. */
const ROUND_MS = 10_000 * 1.1 + NAMES_SETTLE_MS;

/** An owner of many other slots. */
const OTHER = { service: 'default', color: 'blue', deployment: 9 } as const;

await t.test('a flood of places that are Turnout itself is told in one short line', async (t) => {
  let looks = 0;
  const isOurs = (): boolean => ++looks > 0;
  const { names, dns, first, log } = nameScene(t, { isOurs });
  const all = Array.from({ length: 4_000 }, (_, n) => `127.1.${n >> 8}.${n & 255}`);
  dns.hosts.set('app.test', all);
  names.follow(first);
  await names.prepare(first);
  const { problem } = names.status(namesIn(first)[0]!)!;
  t.match(problem, /^it leads to Turnout itself \(127\.1\.0\.0:3000, .* and 251 more\)$/);
  t.ok(problem.length < 200);
  t.ok(log.lines.every(({ message }) => message.length < 300));
  t.equal(looks, PLACES_TAKEN_MAX, 'each is looked at once');
});

await t.test('of a huge answer a bounded part is used, and always the same', async (t) => {
  const { names, dns, timers, first, told } = nameScene(t);
  const all = Array.from({ length: 5_000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
  dns.hosts.set('app.test', all);
  names.follow(first);
  await names.prepare(first);
  const before = placesOf(names, first);
  t.equal(before.length, ADDRESSES_PER_NAME_MAX);
  t.match(names.status(namesIn(first)[0]!), {
    problem: 'at least 224 more addresses are not used',
  });
  for (let round = 0; round < 5; round++) {
    dns.hosts.set('app.test', [...all.slice(round * 1_000), ...all.slice(0, round * 1_000)]);
    await timers.pass(ROUND_MS);
  }
  t.same(placesOf(names, first), before);
  t.equal(told.length, 1);
});

await t.test('when no slot is free, an address is left out and what is in use stays', async (t) => {
  const slots = new Slots({ ...QUIET, isEndpointQuiet: () => false });
  const { names, dns, timers, first } = nameScene(t, { slots });
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  for (let port = 1; port < ENDPOINTS_MAX - 1; port++) {
    slots.endpoint({ ...OTHER, url: `http://127.0.0.1:${port}` });
  }
  dns.hosts.set('app.test', ['10.0.0.1', '10.0.0.2']);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.1:3000']);
  t.match(names.status(namesIn(first)[0]!), { problem: '1 more addresses are not used' });
  dns.hosts.set('app.test', ['10.0.0.2']);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.1:3000'], 'never to nothing');
  t.match(names.status(namesIn(first)[0]!), { problem: /no slot is free/ });
});

await t.test('a slot goes to nobody else while a worker may still use it', async (t) => {
  const slots = new Slots(QUIET);
  const { names, dns, timers, first, workers, told } = nameScene(t, { slots });
  dns.hosts.set('app.test', ['10.0.0.1']);
  names.follow(first);
  await names.prepare(first);
  const gone = names.of(namesIn(first)[0]!)[0]!.slot;
  for (let port = 1; port < ENDPOINTS_MAX - 2; port++) {
    slots.endpoint({ ...OTHER, url: `http://127.0.0.1:${port}` });
  }
  workers.heard = 1;
  dns.hosts.set('app.test', ['10.0.0.2']); // Takes the last slot that was never used.
  await timers.pass(ROUND_MS);
  t.equal(told.at(-1)!.version, 2);
  dns.hosts.set('app.test', ['10.0.0.3']);
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.2:3000'], 'none is free yet');
  workers.heard = 2;
  await timers.pass(ROUND_MS);
  t.same(placesOf(names, first), ['10.0.0.3:3000']);
  t.equal(names.of(namesIn(first)[0]!)[0]!.slot, gone);
});
await t.test('ten thousand changes leave no slot and no timer behind', async (t) => {
  const given = new Set<number>();
  const slots = new Slots({ ...QUIET, clearEndpoint: (slot) => given.add(slot) });
  const resolve = { intervalMs: 1_000, families: 'ipv4-first' } as const;
  const options = { slots, configOf: () => resolve };
  const { names, dns, timers, first, told } = nameScene(t, options);
  names.follow(first);
  await settled();
  const used = new Set<number>();
  for (let round = 0; round < 10_000; round++) {
    const places = [`10.0.${(round >> 8) & 255}.${round & 255}`, `10.1.0.${round % 3}`];
    dns.hosts.set('app.test', round % 5 === 0 ? places : places.slice(0, 1));
    await timers.pass(1_100 + NAMES_SETTLE_MS);
    for (const { slot } of names.of(namesIn(first)[0]!)) used.add(slot);
    if (placesOf(names, first)[0] !== `${places[0]}:3000`) t.fail(`round ${round}`);
  }
  t.ok(told.length > 9_900, `${told.length} changes`);
  t.ok(used.size < ENDPOINTS_MAX, `${used.size} slots`);
  t.ok(given.size > 100, 'slots were given to others');
  t.equal(timers.count, 1, 'the one for the next lookup');
  await timers.pass(2_000); // With the next answer the last one that was replaced is free.
  for (let port = 0; port < ENDPOINTS_MAX - 2; port++) {
    slots.endpoint({ ...OTHER, url: `http://127.0.0.1:${port}` });
  }
  t.pass('every slot but those two can be had');
});
