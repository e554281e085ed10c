// What a reload makes of releases that the file names: which are asked, which are refused, and what is
// recorded as a decision.

import t from 'tap';
import { changeOf } from '../../../../src/control-plane/deployments/change.ts';
import { splitBegun } from '../../../../src/control-plane/deployments/split-edit.ts';
import { change, DOWN, only, to } from '../support/board.ts';
import { notes } from '../support/notes.ts';
import { FIRST, named, scene, SHOP, withNames } from '../support/reload-scene.ts';

await t.test('a target of another release is refused, and the reason is true', async (t) => {
  const { reload } = await withNames();
  await t.rejects(reload(named('v1', 4001, 'v3', 4001)), {
    code: 'address-in-use',
    message: /^http:\/\/127\.0\.0\.1:4001 gets the traffic of v1 \(deployment 3\): use other addr/,
  });
});

await t.test('what idles at an address is not said to be taken over by a reload', async (t) => {
  const { reload } = await withNames();
  await t.rejects(reload(named('v9', 4002, 'v2', 4003)), {
    code: 'address-in-use',
    message: /is registered for v2 .*: wait until it has ended, or use other addresses$/,
  });
});

await t.test('without names, both colors may be at one place', async (t) => {
  const { reload, switchboard } = scene();
  t.match(await reload(FIRST.replace('3002', '3001')), { changed: true });
  await switchboard.switch(to('green'));
  t.equal(only(switchboard.table).active, 'green');
});

await t.test(
  'what takes the place of the active one is asked, and recorded as a switch',
  async (t) => {
    const { reload, switchboard, store, asked } = await withNames();
    const { version } = switchboard.table;
    t.match(await reload(named('v9', 4009, 'v2', 4002), { reason: 'by file' }), { generation: 3 });
    t.match(
      asked.map(({ release }) => release),
      ['v9'],
    );
    t.match(switchboard.table, { version: version + 1, epoch: 3 });
    t.match(only(switchboard.table), {
      active: 'blue',
      blue: { release: 'v9', servedSince: 3 },
      draining: [{ deployment: { release: '' } }, { deployment: { release: 'v1' } }],
    });
    t.match(store.records[0], {
      epoch: 3,
      from: 'blue',
      to: 'blue',
      release: 'v9',
      outcome: 'switched',
      reason: 'by file',
      actor: 'SIGHUP',
    });
    const back = { ...change(), restick: 'all', lockOut: true } as const;
    t.match(await switchboard.rollback(back), { release: 'v1' }, 'and can be taken back');
  },
);

await t.test('what does not answer does not get the traffic', async (t) => {
  const { reload, switchboard, answers } = await withNames();
  answers.health = DOWN;
  await t.rejects(reload(named('v9', 4009, 'v2', 4002)), {
    code: 'target-unhealthy',
    message: /4009 is down \(connection refused\)/,
  });
  t.match(only(switchboard.table).blue, { release: 'v1' });
  t.match(await reload(named('v1', 4001, 'v9', 4009)), { changed: true }, 'idle it may be');
});

await t.test('while all switching is frozen, the active one stays', async (t) => {
  const { reload, switchboard, asked } = await withNames();
  await switchboard.freeze.set({ reason: 'sale', actor: 'ann', atMs: 1 }, () => notes());
  const other = named('v9', 4009, 'v2', 4002);
  await t.rejects(reload(other), { code: 'switching-frozen', status: 423 });
  t.strictSame(asked, []);
  t.match(only(switchboard.table).blue, { release: 'v1' });
  t.match(
    await reload(named('v1', 4001, 'v8', 4008)),
    { changed: true },
    'what is idle may change',
  );
});

await t.test('more targets of the active release are a scaling, and no switch', async (t) => {
  const { reload, switchboard, store, asked } = await withNames();
  const { number } = only(switchboard.table).blue;
  const records = store.records.length;
  const more = '"http://127.0.0.1:4001", "http://127.0.0.1:4011"';
  await reload(named('v1', 4001, 'v2', 4002).replace('"http://127.0.0.1:4001"', more));
  t.match(only(switchboard.table).blue, { number, endpoints: { length: 2 } });
  t.strictSame([asked.length, store.records.length], [0, records]);
});

await t.test(
  'a service that comes or goes is a decision, another order of lines is none',
  async (t) => {
    const { reload } = scene();
    const before = named('v1', 3001);
    const { generation } = await reload(before);
    const blog =
      '  - { name: blog, hosts: [b.test], blue: { targets: ["http://127.0.0.1:3100"] } }';
    t.match(await reload(`${before}\n${blog}`), { changed: true, generation: generation + 1 });
    t.match(await reload(before), { changed: true, generation: generation + 2 });
    const two = (a: number, b: number) =>
      before.replace('"http://127.0.0.1:3001"', `"http://127.0.0.1:${a}", "http://127.0.0.1:${b}"`);
    t.match(await reload(two(3001, 3003)), { generation: generation + 3 }, 'it is scaled');
    t.match(await reload(two(3003, 3001)), { changed: true, generation: generation + 3 });
  },
);

await t.test('a service is not removed while a rollout shifts its sessions', async (t) => {
  const { reload, switchboard, live } = scene();
  const how = { share: 1_000, ramp: undefined, sessions: 'new', by: 'session' } as const;
  await switchboard.reconfigure(
    change(),
    async (basis) => {
      const state = basis.stored.services.get('default')!;
      const states = [splitBegun({ ...how, epoch: 2, nowMs: 1_000 })(state)];
      return changeOf(basis, { states }, { answer: undefined, notes: undefined });
    },
    () => {},
  );
  const without = `services: ${SHOP}`;
  for (const dryRun of [true, false]) {
    await t.rejects(reload(without, { dryRun }), { code: 'rollout-running' });
  }
  t.strictSame(
    live.config.services.map(({ name }) => name),
    ['default'],
  );
  t.match(only(switchboard.table), { name: 'default', split: { deployment: 2 } });
});
