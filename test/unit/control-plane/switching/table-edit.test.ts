// Each edit of a routing table: what it changes, and what stays.

import t from 'tap';
import type { Draining, Service } from '../../../../src/contract/table.ts';
import {
  edited,
  ended,
  evictedFrom,
  held,
  maintained,
  registered,
  RESUMED_MAX,
  switched,
  type SwitchTerms,
} from '../../../../src/control-plane/switching/table-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { drain, oneService, service } from '../support/tables.ts';

const NOW_MS = 1_000_000;

/** What ends after sessions, requests and streams have had their time. */
const GRACE_MS = 10_000;

/** A switch to green at NOW_MS. */
function terms(one: Service, changes: Partial<SwitchTerms> = {}): SwitchTerms {
  return {
    to: 'green',
    side: one.green,
    nowMs: NOW_MS,
    movesSessions: false,
    longLivedCount: 0,
    lockOut: undefined,
    ...changes,
  };
}

/** Returns the only drain after a switch to green in generation 9. */
function drainAfter(one: Service, changes: Partial<SwitchTerms> = {}): Draining {
  const { draining } = switched(terms(one, changes))(one, 9);
  return draining[0]!;
}

await t.test('an edit changes one service and leaves the others and the old table', async (t) => {
  const shop = service({ name: 'shop' });
  const before = { generation: 4, services: [service(), shop] };
  const copy = structuredClone(before);
  const after = edited(before, 5, 'default', maintained({ message: '', retryAfterSeconds: 1 }));
  t.equal(after.generation, 5);
  t.match(after.services[0]?.maintenance, { retryAfterSeconds: 1 });
  t.equal(after.services[1], shop, 'the very same object');
  t.same(before, copy);
});

await t.test('after a switch the other color is active since that generation', async (t) => {
  const one = service({ since: 3 });
  const after = switched(terms(one))(one, 9);
  t.match(after, { active: 'green', since: 9, green: { hasServed: true }, blue: one.blue });
  t.same(
    after.draining.map(({ generation, side }) => [generation, side.release]),
    [[3, 'v1']],
    'and what was active drains under the generation that its cookies hold',
  );
});

await t.test('a hold ends with the switch', async (t) => {
  const hold = { methods: 'all', untilMs: 5, closesLongLived: true } as const;
  const one = service({ hold });
  t.equal(switched(terms(one))(one, 9).hold, undefined);
});

await t.test('sessions stay as long as the policy says, then the rest gets its time', async (t) => {
  const policy = testPolicy({
    affinity: { mode: 'drain' },
    drain: { sessionsMs: 7_000, requestsMs: 500, streamsMs: 300, longLived: 'linger' },
  });
  t.match(drainAfter(service({ policy })), {
    startedAtMs: NOW_MS,
    sessionsUntilMs: NOW_MS + 7_000,
    endsAtMs: NOW_MS + 7_000 + 500 + GRACE_MS,
    longLived: 'linger',
  });
  const streams = testPolicy({ drain: { requestsMs: 500, streamsMs: 900 } });
  t.equal(drainAfter(service({ policy: streams })).endsAtMs, NOW_MS + 900 + GRACE_MS);
});

await t.test('sessions end at once with affinity off, or when they are to move', async (t) => {
  const off = service({ policy: testPolicy({ affinity: { mode: 'off' } }) });
  t.equal(drainAfter(off).sessionsUntilMs, NOW_MS);
  t.equal(drainAfter(service(), { movesSessions: true }).sessionsUntilMs, NOW_MS);
  const strict = service({ policy: testPolicy({ affinity: { mode: 'strict' } }) });
  t.equal(drainAfter(strict).sessionsUntilMs, NOW_MS + 1_800_000);
});

await t.test('a drain lasts as long as the limit of closes makes it last', async (t) => {
  const drainPolicy = { requestsMs: 100, streamsMs: 100, closesPerSecond: 50 };
  const slow = service({ policy: testPolicy({ drain: drainPolicy }) });
  const tookMs = (longLivedCount: number) =>
    drainAfter(slow, { longLivedCount }).endsAtMs - NOW_MS - GRACE_MS;
  t.same([tookMs(0), tookMs(5), tookMs(1_000), tookMs(1_001)], [100, 100, 20_000, 20_020]);
  const free = service({ policy: testPolicy({ drain: { ...drainPolicy, closesPerSecond: 0 } }) });
  t.equal(drainAfter(free, { longLivedCount: 9_999 }).endsAtMs, NOW_MS + 100 + GRACE_MS);
});

await t.test('a color without targets has nothing to drain', async (t) => {
  const one = service();
  const empty = { ...one, blue: { ...one.blue, endpoints: [] } };
  t.same(switched(terms(empty))(empty, 9).draining, []);
});

await t.test('a side that comes back stops to drain, the others go on', async (t) => {
  const other = drain(2, { side: { ...service().green, block: 77 } });
  const one = service({ since: 3, draining: [drain(1), other] });
  const after = switched(terms(one))(one, 9);
  t.same(
    after.draining.map(({ generation }) => generation),
    [2, 3],
  );
  t.equal(after.draining[0], other);
});

await t.test('an earlier side may come back in place of what is on the color now', async (t) => {
  const left = { ...service().green, release: 'v0', block: 40 };
  const one = service({ draining: [drain(1, { side: left })] });
  const after = switched(terms(one, { side: left }))(one, 9);
  t.match(after.green, { release: 'v0', block: 40, hasServed: true });
  t.same(
    after.draining.map(({ side }) => side.release),
    ['v1'],
  );
});

await t.test('a registration takes the place of a side and keeps what drains', async (t) => {
  const one = service({ draining: [drain(1)] });
  const side = { ...one.green, release: 'v3', block: 50 };
  const after = registered(side, new Set(), NOW_MS)(one, 9);
  t.same(after, { ...one, green: side });
});

await t.test('a registration ends the sessions of the drains that it takes over', async (t) => {
  const late = { sessionsUntilMs: NOW_MS + 1, endsAtMs: NOW_MS + 500_000 };
  const one = service({ draining: [drain(1, late), drain(2, late)] });
  const after = registered(one.green, new Set([1]), NOW_MS)(one, 9);
  t.match(after.draining, [
    { generation: 1, sessionsUntilMs: NOW_MS, longLived: 'cut' },
    { generation: 2, ...late, longLived: 'spread' },
  ]);
});

await t.test('an eviction ends sessions now, cuts connections, lets requests finish', async (t) => {
  const late = { sessionsUntilMs: NOW_MS + 1, endsAtMs: NOW_MS + 500_000 };
  const one = service({ draining: [drain(1, late), drain(2)] });
  const after = evictedFrom(new Set([1, 2]), NOW_MS)(one, 9);
  t.match(after.draining[0], {
    generation: 1,
    startedAtMs: 1_000,
    sessionsUntilMs: NOW_MS,
    endsAtMs: NOW_MS + 60_000 + GRACE_MS,
    longLived: 'cut',
  });
  t.equal(after.draining[1], one.draining[1], 'one whose sessions are over keeps its deadlines');
  t.match(after, { active: 'blue', since: one.since });
});

await t.test('ended drains are forgotten, others stay', async (t) => {
  const one = service({ draining: [drain(1), drain(2), drain(3)] });
  const after = ended(new Set([1, 3, 99]))(one, 9);
  t.same(after, { ...one, draining: [one.draining[1]] });
});

await t.test('hold and maintenance are set and taken away', async (t) => {
  const hold = { methods: 'writes', untilMs: 5, closesLongLived: false } as const;
  const maintenance = { message: 'soon', retryAfterSeconds: 5 };
  const [one] = oneService().services;
  const closed = maintained(maintenance)(held(hold)(one!, 2), 3);
  t.same(closed, { ...one, hold, maintenance });
  t.same(maintained(undefined)(held(undefined)(closed, 4), 5), one);
});

await t.test('a side that comes back answers for the generations it had', async (t) => {
  let table = oneService();
  const switchTo = (to: 'blue' | 'green'): void => {
    const terms = { to, side: table.services[0]![to], nowMs: 1_000 };
    const rest = { movesSessions: false, longLivedCount: 0, lockOut: undefined };
    const edit = switched({ ...terms, ...rest });
    table = edited(table, table.generation + 1, table.services[0]!.name, edit);
  };
  const first = table.services[0]!.since;
  switchTo('green');
  switchTo('blue');
  t.strictSame(table.services[0]!.resumed, [first], 'the sessions of before are its own again');
  switchTo('green');
  t.strictSame(table.services[0]!.draining.at(-1)!.resumed, [first], 'and drain with it');
  for (let i = 0; i < 1_000; i++) switchTo(i % 2 === 0 ? 'blue' : 'green');
  t.ok(table.services[0]!.resumed.length <= RESUMED_MAX, 'bounded');
});
