// The last minute of a release: rates, errors and percentiles out of the shared counters.

import t from 'tap';
import {
  BLOCK,
  DECISION,
  DURATION_EDGES_MS,
  requestSlot,
} from '../../../../src/contract/counters.ts';
import { percentileMs } from '../../../../src/control-plane/memory/recent.ts';
import {
  RECENT_GAP_MAX_MS,
  RECENT_SLOTS,
} from '../../../../src/control-plane/base/control-limits.ts';
import { ask, openAdmin } from '../support/admin.ts';
import { board, change, only, to, wanted } from '../support/board.ts';
import { STICKY } from '../support/drained.ts';

const OK = requestSlot(DECISION.active, 200);
const NOT_FOUND = requestSlot(DECISION.session, 404);
const BAD_GATEWAY = requestSlot(DECISION.active, 502);
const LAST_STATUS = requestSlot(DECISION.rescue, 599);
const PREVIEWED = requestSlot(DECISION.preview, 500);

function scene() {
  const parts = board();
  const { block } = only(parts.switchboard.table).blue;
  return { ...parts, block };
}

await t.test('before the first look nothing is known', async (t) => {
  const { recent, block } = scene();
  t.same(recent.of(block), {
    requestsPerSecond: [],
    errorsPerSecond: [],
    requests: 0,
    errors: 0,
    p50Ms: undefined,
    p99Ms: undefined,
  });
  t.same(recent.of(200).requestsPerSecond, [], 'nor of a block that no table names');
});

await t.test('a look counts what came since the one before, by the time that passed', async (t) => {
  const { recent, count, tick, block } = scene();
  count(block, OK, 1_000); // Before the first look: not of this minute.
  tick();
  t.same(recent.of(block).requestsPerSecond, []);
  count(block, OK, 1_010);
  tick();
  count(block, NOT_FOUND, 5);
  tick(2_000); // The timer was late.
  tick();
  t.same(recent.of(block).requestsPerSecond, [10, 2.5, 0]);
  t.equal(recent.of(block).requests, 15);
  t.strictSame(recent.of(block).errorsPerSecond, [0, 0, 0]);
});

await t.test('errors are all answers from 500 to 599, and previews are left out', async (t) => {
  const { recent, count, tick, block } = scene();
  tick();
  count(block, OK, 7);
  count(block, BAD_GATEWAY, 2);
  count(block, LAST_STATUS, 1);
  count(block, requestSlot(DECISION.release, 499), 1);
  count(block, PREVIEWED, 50);
  tick();
  t.match(recent.of(block), { requests: 11, errors: 3, requestsPerSecond: [11] });
});

await t.test('after a minute what is older is forgotten', async (t) => {
  const { recent, count, tick, block } = scene();
  tick();
  count(block, BAD_GATEWAY, 100);
  for (let second = 0; second < RECENT_SLOTS; second++) tick();
  t.equal(recent.of(block).requestsPerSecond.length, RECENT_SLOTS);
  t.match(recent.of(block), { requests: 100, errors: 100 });
  tick();
  t.equal(recent.of(block).requestsPerSecond.length, RECENT_SLOTS, 'and no more are kept');
  t.match(recent.of(block), { requests: 0, errors: 0 });
  for (let second = 0; second < 3 * RECENT_SLOTS; second++) {
    count(block, OK, (second + 1) * 4);
    tick();
  }
  t.same(new Set(recent.of(block).requestsPerSecond), new Set([4]));
  t.equal(recent.of(block).requests, 4 * RECENT_SLOTS);
});

await t.test('a machine that slept begins anew', async (t) => {
  const { recent, count, tick, block } = scene();
  tick();
  count(block, OK, 9);
  tick(RECENT_GAP_MAX_MS);
  t.equal(recent.of(block).requests, 9);
  count(block, OK, 99);
  tick(RECENT_GAP_MAX_MS + 1);
  t.match(recent.of(block), { requests: 0, requestsPerSecond: [] });
  count(block, OK, 100);
  tick();
  t.match(recent.of(block), { requests: 1, requestsPerSecond: [1] });
});

await t.test('percentiles come from the sum of the buckets of the minute', async (t) => {
  const { recent, count, tick, block } = scene();
  count(block, BLOCK.duration + 15, 1_000); // Slow ones, but long ago.
  tick();
  count(block, BLOCK.duration + 2, 50); // 0.5 to 1 ms
  count(block, BLOCK.duration + 6, 49); // 10 to 25 ms
  count(block, BLOCK.duration + 9, 1); // 100 to 250 ms
  tick();
  t.match(recent.of(block), { p50Ms: 1, p99Ms: 25 });
});

await t.test('a percentile lies between the edges of its bucket', async (t) => {
  const none = [...DURATION_EDGES_MS, 0].map(() => 0);
  t.equal(percentileMs(none, 0.5), undefined);
  t.equal(percentileMs(none.with(0, 10), 0.5), 0.125);
  t.equal(percentileMs(none.with(3, 4), 0.25), 1 + 1.5 / 4);
  t.equal(percentileMs(none.with(3, 1).with(4, 1), 0.5), 2.5);
  t.equal(percentileMs(none.with(17, 5), 0.99), 60_000, 'over the last edge');
  for (let bucket = 0; bucket < DURATION_EDGES_MS.length; bucket++) {
    const p99 = percentileMs(none.with(bucket, 1_000), 0.99)!;
    t.ok(p99 > (DURATION_EDGES_MS[bucket - 1] ?? 0) && p99 <= DURATION_EDGES_MS[bucket]!);
  }
});

await t.test('a new release begins at zero, and one that is gone takes no memory', async (t) => {
  const { recent, count, tick, switchboard } = scene();
  tick();
  const before = only(switchboard.table).green.block;
  count(before, OK, 5);
  tick();
  t.equal(recent.of(before).requests, 5);
  await switchboard.register(change(), wanted());
  const { block } = only(switchboard.table).green;
  t.not(block, before);
  tick();
  t.match(recent.of(block), { requests: 0, requestsPerSecond: [] });
  t.same(recent.of(before).requestsPerSecond, [], 'no table names it any more');
  count(block, OK, 3);
  tick();
  t.match(recent.of(block), { requests: 3 });
});

await t.test('a block that has another owner tells nothing of the one before', async (t) => {
  const { recent, count, tick, totals, block } = scene();
  tick();
  count(block, OK, 5);
  tick();
  totals.clearBlock(block);
  t.equal(recent.of(block).requests, 0);
});

await t.test('the status has it for both colors, with their share', async (t) => {
  const { address, switchboard, count, tick, recent } = await openAdmin(t);
  const { blue, green } = only(switchboard.table);
  t.match((await ask(address, '/v1/status')).json, {
    services: [
      {
        blue: {
          lastMinute: {
            requestsPerSecond: [],
            share: null,
            errorRate: null,
            p50Ms: null,
            p99Ms: null,
          },
        },
      },
    ],
  });
  tick();
  count(blue.block, OK, 30);
  count(blue.block, BAD_GATEWAY, 10);
  count(blue.block, BLOCK.duration + 2, 40);
  count(green.block, requestSlot(DECISION.session, 200), 10);
  tick();
  // The side that drains is the same one as blue: it counts once.
  await switchboard.switch(to('green'));
  t.equal(recent.of(blue.block).requests, 40);
  const { json } = await ask(address, '/v1/status');
  t.match(json, {
    services: [
      {
        blue: {
          lastMinute: { requestsPerSecond: [40], share: 0.8, errorRate: 0.25, p50Ms: 0.75 },
        },
        green: { lastMinute: { requestsPerSecond: [10], share: 0.2, errorRate: 0, p99Ms: null } },
      },
    ],
  });
});

await t.test(
  'the status tells what a switch would leave, and the last three switches',
  async (t) => {
    const { address, switchboard, count, see } = await openAdmin(t, { services: [STICKY] });
    const service = only(switchboard.table);
    count(service.blue.block, BLOCK.inflight, 4);
    count(service.blue.block, BLOCK.streams, 1);
    see(service, service.blue.block, 3);
    t.match((await ask(address, '/v1/status')).json, {
      services: [{ blue: { traffic: { inflight: 4, streams: 1, sessions: 3 } }, switches: [] }],
    });
    for (const reason of ['a', 'b', 'c', 'd']) await switchboard.switch(to(undefined, { reason }));
    const { json } = await ask(address, '/v1/status');
    const { services } = json as { services: { switches: { reason: string }[] }[] };
    t.same(
      services[0]!.switches.map(({ reason }) => reason),
      ['d', 'c', 'b'],
    );
  },
);

await t.test('the sampler looks by itself, and keeps no process alive', async (t) => {
  const { recent, block } = scene();
  const started: { look: () => void; everyMs: number; timer: NodeJS.Timeout }[] = [];
  const real = setInterval;
  t.intercept(globalThis, 'setInterval', {
    value: (look: () => void, everyMs: number) => {
      const timer = real(look, everyMs);
      started.push({ look, everyMs, timer });
      return timer;
    },
  });
  recent.start();
  t.teardown(() => recent.stop());
  t.match(started, [{ everyMs: 1_000 }]);
  t.notOk(started[0]!.timer.hasRef());
  started[0]!.look();
  t.equal(recent.of(block).requestsPerSecond.length, 1);
});
