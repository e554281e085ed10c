// A switch that lets requests wait until all others have ended, so that two versions never run
// side by side.

import t from 'tap';
import { BLOCK } from '../../../../src/contract/counters.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { PREPARE_TIMEOUT_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { testPolicy } from '../../../support/policy.ts';
import { back, board, change, notReady, only, to } from '../support/board.ts';
import { serviceConfig } from '../support/fixtures.ts';

/** Longer than any test lasts. */
const LONG = { holdMs: 600_000 };
/** Over at the first look that finds something running. */
const SHORT = { holdMs: 1 };

const STICKY = testPolicy({ affinity: { mode: 'drain' } });

/** Builds a board that remembers every table that it prepared. */
function remembering() {
  const parts = board([serviceConfig({ policy: STICKY })]);
  const tables: RoutingTable[] = [];
  parts.workers.onPrepare = async (table) => {
    tables.push(table);
  };
  return { ...parts, tables };
}

/** Calls `look` each time that the switchboard looks whether requests run on `block`. */
function onLook(
  { totals }: ReturnType<typeof board>,
  block: number,
  look: (times: number) => void,
) {
  const blockSlot = totals.blockSlot.bind(totals);
  let times = 0;
  totals.blockSlot = (of, slot) => {
    if (of === block && slot === BLOCK.inflight) look(++times);
    return blockSlot(of, slot);
  };
}

await t.test('requests wait first, then the switch is made and lets them go', async (t) => {
  const { switchboard, tables, store } = remembering();
  const beganAtMs = Date.now();
  const answer = await switchboard.switch(to('green', LONG));
  t.match(answer, { generation: 2, from: 'blue', to: 'green', changed: true });
  const [held, done] = tables.map(only);
  t.match(held, { active: 'blue', hold: { methods: 'all', closesLongLived: true } });
  const { untilMs, quiet } = held!.hold!;
  t.equal(quiet!.byMs - quiet!.fromMs, LONG.holdMs);
  t.ok(
    untilMs >= beganAtMs + LONG.holdMs + PREPARE_TIMEOUT_MS,
    'no request goes on before the switch',
  );
  t.match(done, { active: 'green' });
  t.equal(done!.hold, undefined);
  t.equal(tables.length, 2);
  t.match(store.records, [{ epoch: 2, outcome: 'switched' }]);
});

await t.test('while another process still serves requests, none can be held', async (t) => {
  const { switchboard, left, tables } = remembering();
  for (const count of [undefined, 3]) {
    left.count = count;
    const refusal = { code: 'upgrading', message: count === 3 ? / 3 connections/ : /connections/ };
    await t.rejects(switchboard.switch(to('green', LONG)), refusal);
  }
  t.strictSame(tables, [], 'nobody waited');
  t.match(await switchboard.switch(to('green')), { to: 'green' }, 'others are switches as always');
  left.count = 0;
  t.match(await switchboard.switch(to('blue', LONG)), { to: 'blue' });
});

await t.test('sessions move over at once: the other color must not run any more', async (t) => {
  const { switchboard } = remembering();
  await switchboard.switch(to('green', LONG));
  const [drain] = only(switchboard.table).draining;
  t.equal(drain?.sessionsUntilMs, drain?.startedAtMs);
});

await t.test('nothing is switched while a request runs', async (t) => {
  const parts = remembering();
  const { switchboard, count, pointer } = parts;
  const { block } = only(switchboard.table).blue;
  count(block, BLOCK.inflight, 2);
  onLook(parts, block, (times) => {
    t.equal(pointer(), 2, 'requests wait, nothing is switched');
    if (times === 3) count(block, BLOCK.inflight, 1);
    if (times === 5) count(block, BLOCK.inflight, 0);
  });
  t.match(await switchboard.switch(to('green', LONG)), { generation: 2 });
});

await t.test('tunnels and what drains are waited for too', async (t) => {
  for (const [side, slot] of [
    ['active', BLOCK.tunnels],
    ['draining', BLOCK.inflight],
    ['draining', BLOCK.tunnels],
  ] as const) {
    const parts = remembering();
    const { switchboard, count, pointer } = parts;
    await switchboard.switch(to('green'));
    const { green, draining } = only(switchboard.table);
    count(side === 'active' ? green.block : draining[0]!.deployment.block, slot, 1);
    let looks = 0;
    onLook(parts, green.block, (times) => {
      t.equal(pointer(), 3);
      looks = times;
      if (times === 3)
        count(side === 'active' ? green.block : draining[0]!.deployment.block, slot, 0);
    });
    t.match(await switchboard.switch(to('blue', LONG)), { generation: 3 });
    t.equal(looks, 3, `${side}, slot ${slot}`);
  }
});

await t.test('nobody looks before every worker lets requests wait', async (t) => {
  const parts = remembering();
  const { switchboard, workers } = parts;
  const adopted = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  workers.onAdopt = async (version) => {
    if (version > 2) return;
    asked.resolve();
    await adopted.promise;
  };
  let isAdopted = false;
  onLook(parts, only(switchboard.table).blue.block, () => t.ok(isAdopted));
  const switching = switchboard.switch(to('green', LONG));
  await asked.promise;
  isAdopted = true;
  adopted.resolve();
  t.match(await switching, { generation: 2 });
});

await t.test(
  'when requests do not end in time, those who wait go on where they were',
  async (t) => {
    const { switchboard, tables, store, count, workers, log, hooks } = remembering();
    const upload = { client: '192.0.2.7', ageMs: 61_300, method: 'POST', path: '/save' };
    hooks.running = [{ ...upload, waitsFor: 'upload' }];
    const { block } = only(switchboard.table).blue;
    count(block, BLOCK.inflight, 3);
    count(block, BLOCK.tunnels, 2);
    await t.rejects(switchboard.switch(to('green', SHORT)), {
      code: 'hold-timeout',
      status: 409,
      message:
        /^3 requests and 2 tunnels \(POST \/save of 192.0.2.7 for 61.3 s, its client sends too slowly, …\) did not end in time; .* nothing was switched$/,
      members: { requests: 3, tunnels: 2, left: [...hooks.running] },
    });
    t.match(
      tables.map(only),
      [
        { active: 'blue', hold: { methods: 'all' } },
        { active: 'blue', hold: undefined },
      ],
      'the release is published like the hold was',
    );
    t.equal(tables[1]!.services[0]!.hold, undefined);
    t.same([workers.adopted, store.records], [[2, 3], []]);
    t.match(only(switchboard.table), { active: 'blue', draining: { length: 0 } });
    t.match(log.lines, [{ level: 'warn', fields: { code: 'hold-timeout' } }]);

    count(block, BLOCK.inflight, 0);
    count(block, BLOCK.tunnels, 0);
    t.match(
      await switchboard.switch(to('green', LONG)),
      { generation: 2 },
      'it may be tried again',
    );
  },
);

await t.test('the hold of an operator outlives a switch that failed in it', async (t) => {
  const { switchboard, count } = remembering();
  const untilMs = Date.now() + 600_000;
  await switchboard.hold(change(), { methods: 'writes', untilMs });
  count(only(switchboard.table).blue.block, BLOCK.inflight, 1);
  await t.rejects(switchboard.switch(to('green', SHORT)), { code: 'hold-timeout' });
  const own = { methods: 'writes', untilMs, closesLongLived: false };
  t.same(only(switchboard.table).hold, own, 'it goes on as it was');
});

await t.test('a hold that a worker does not heed in time is taken back', async (t) => {
  const { switchboard, workers } = remembering();
  workers.onAdopt = async (version) => {
    if (version === 2) throw notReady();
  };
  await t.rejects(switchboard.switch(to('green', LONG)), { code: 'workers-not-ready' });
  t.match(only(switchboard.table), { active: 'blue' });
  t.equal(only(switchboard.table).hold, undefined);
});

await t.test('when the switch itself fails, those who wait go on where they were', async (t) => {
  const { switchboard, workers, store } = remembering();
  workers.onPrepare = async ({ version }) => {
    if (version === 3) throw notReady();
  };
  await t.rejects(switchboard.switch(to('green', LONG)), { code: 'workers-not-ready' });
  t.equal(switchboard.table.version, 4);
  t.match(only(switchboard.table), { active: 'blue' });
  t.equal(only(switchboard.table).hold, undefined);
  t.same(store.records, []);
});

await t.test('when not even the hold can be taken back, the log says what follows', async (t) => {
  const { switchboard, workers, count, log } = remembering();
  count(only(switchboard.table).blue.block, BLOCK.inflight, 1);
  workers.onPrepare = async ({ version }) => {
    if (version > 2) throw notReady();
  };
  await t.rejects(switchboard.switch(to('green', SHORT)), { code: 'hold-timeout' });
  t.ok(log.has(/requests wait until the hold ends by itself/));
  t.match(only(switchboard.table).hold, { methods: 'all' });
});

await t.test(
  'the hold of a switch is stored nowhere: a restart must not go on with it',
  async (t) => {
    const { switchboard, workers, store } = remembering();
    const holds: unknown[] = [];
    workers.onPrepare = async (table) => {
      holds.push(only(table).hold?.methods, store.state.services.get('default')!.hold);
    };
    store.onCommit = ({ services }) => holds.push('commit', services[0]?.hold);
    await switchboard.switch(to('green', LONG));
    t.same(holds, ['all', undefined, undefined, undefined, 'commit', undefined]);
  },
);

await t.test('a switch to the active color lets no request wait', async (t) => {
  const { switchboard, tables } = remembering();
  t.match(await switchboard.switch(to('blue', LONG)), { changed: false });
  t.same(tables, []);
});

await t.test('the hold of an operator outlives any switch that is made in it', async (t) => {
  for (const terms of [{}, LONG]) {
    const { switchboard, store } = remembering();
    const untilMs = Date.now() + 60_000;
    await switchboard.hold(change(), { methods: 'all', untilMs });
    t.match(await switchboard.switch(to('green', terms)), { to: 'green' });
    const own = { methods: 'all', untilMs, closesLongLived: false };
    t.same(only(switchboard.table).hold, own, 'the requests wait on, for green');
    t.same(store.state.services.get('default')!.hold, own);
    t.match(await switchboard.rollback(back()), { to: 'blue' });
    t.same(only(switchboard.table).hold, own, 'and a rollback keeps it, too');
    t.match(await switchboard.endHold(change()), { changed: true });
    t.equal(only(switchboard.table).hold, undefined);
  }
});
