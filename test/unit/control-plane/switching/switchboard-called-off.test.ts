// Nothing that an operator shouts waits in a line, and services do not wait for each other: what is
// called off, by which change, and what becomes of both.

import t from 'tap';
import { BLOCK } from '../../../../src/contract/counters.ts';
import type { Service } from '../../../../src/contract/table.ts';
import { back, board, change, to, wanted } from '../support/board.ts';
import { serviceConfig } from '../support/fixtures.ts';

/** Longer than any test lasts. */
const LONG = { holdMs: 600_000 };
const SERVICES = [
  serviceConfig({ name: 'shop', hosts: ['shop.test'] }),
  serviceConfig({ name: 'bank', hosts: ['bank.test'] }),
];

const CI = { service: 'shop', actor: 'ci' };
const ANNA = { service: 'shop', actor: 'anna' };
const BY_ANNA = { code: 'called-off', status: 409, message: /^called off by anna/ };

/** Two services; on the shop a request runs that does not end. */
function stuck() {
  const parts = board(SERVICES);
  const { switchboard, count } = parts;
  const service = (name: string): Service =>
    switchboard.table.services.find((one) => one.name === name)!;
  count(service('shop').blue.block, BLOCK.inflight, 1);
  /** Begins a switch of the shop that holds requests, and waits until it does. */
  const hold = async () => {
    const holding = switchboard.switch(to('green', { ...LONG, ...CI }));
    holding.catch(() => {});
    while (switchboard.waiting('shop') === undefined) await turn();
    return { holding };
  };
  return { ...parts, service, hold };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

await t.test('a resume calls off the switch that holds: the requests go on at once', async (t) => {
  const { switchboard, service, hold } = stuck();
  const { holding } = await hold();
  t.match(service('shop').hold, { methods: 'all' });
  t.match(switchboard.waiting('shop'), { what: 'switch by ci' });
  const answer = await switchboard.endHold(change(ANNA));
  t.match(answer, { service: 'shop', changed: true, calledOff: ['switch by ci'] });
  t.equal(service('shop').hold, undefined);
  t.equal(switchboard.waiting('shop'), undefined);
  await t.rejects(holding, BY_ANNA);
  t.match(service('shop'), { active: 'blue' });
  t.match(await switchboard.endHold(change(ANNA)), { changed: false }, 'nothing is held any more');
});

await t.test('so does maintenance, which begins at once', async (t) => {
  const { switchboard, service, hold } = stuck();
  const { holding } = await hold();
  const maintenance = { message: '', retryAfterSeconds: 60 };
  const answer = await switchboard.maintain(change(ANNA), maintenance);
  t.match(answer, { changed: true, calledOff: ['switch by ci'] });
  await t.rejects(holding, BY_ANNA);
  t.match(service('shop'), { active: 'blue', maintenance });
  t.equal(service('shop').hold, undefined);
});

await t.test('a rollback takes back what was switched before the one that holds', async (t) => {
  const { switchboard, service, count } = stuck();
  await switchboard.switch(to('green', CI));
  count(service('shop').green.block, BLOCK.inflight, 1);
  const holding = switchboard.switch(to('blue', { ...LONG, ...CI }));
  holding.catch(() => {});
  while (switchboard.waiting('shop') === undefined) await turn();
  t.match(await switchboard.rollback(back(ANNA)), { from: 'green', to: 'blue', changed: true });
  await t.rejects(holding, BY_ANNA);
  t.match(service('shop'), { active: 'blue' });
  t.equal(service('shop').hold, undefined);
});

await t.test(
  'a change that still prepares is called off, too, and its table is forgotten',
  async (t) => {
    const { switchboard, workers, service, store } = stuck();
    const asked = Promise.withResolvers<void>();
    workers.onPrepare = async ({ version }) => {
      if (version > 2) return;
      asked.resolve();
      await new Promise<never>(() => {});
    };
    const switching = switchboard.switch(to('green', CI));
    switching.catch(() => {});
    await asked.promise;
    const answer = await switchboard.endHold(change(ANNA));
    t.match(answer, { changed: true, calledOff: ['switch by ci'] });
    await t.rejects(switching, BY_ANNA);
    t.same(workers.forgotten, [2]);
    t.match(service('shop'), { active: 'blue' });
    t.same(store.records, []);
    t.match(await switchboard.switch(to('green', CI)), { to: 'green' }, 'it may be made later');
  },
);

await t.test('a change whose targets are being asked is called off at once', async (t) => {
  const { switchboard, hooks } = stuck();
  const asked = Promise.withResolvers<void>();
  hooks.spotCheck = async () => {
    asked.resolve();
    return new Promise<never>(() => {});
  };
  const switching = switchboard.switch(to('green', CI));
  switching.catch(() => {});
  await asked.promise;
  t.match(await switchboard.endHold(change(ANNA)), { calledOff: ['switch by ci'] });
  await t.rejects(switching, BY_ANNA);
});

await t.test('what is being stored is not called off: the rollback comes after it', async (t) => {
  const { switchboard, store, service } = stuck();
  let rollback: Promise<unknown> | undefined;
  store.onCommit = () => {
    rollback ??= switchboard.rollback(back(ANNA));
  };
  t.match(await switchboard.switch(to('green', CI)), { to: 'green', changed: true });
  t.match(await rollback, { from: 'green', to: 'blue', changed: true });
  t.match(service('shop'), { active: 'blue' });
  t.match(store.records, [{ outcome: 'rolled-back' }, { outcome: 'switched' }]);
});

await t.test('two operators at once, in both orders: both are heard', async (t) => {
  const orders = [
    ['resume', 'rollback'],
    ['rollback', 'resume'],
  ] as const;
  for (const order of orders) {
    const { switchboard, service, count } = stuck();
    await switchboard.switch(to('green', CI));
    count(service('shop').green.block, BLOCK.inflight, 1);
    const holding = switchboard.switch(to('blue', { ...LONG, ...CI }));
    holding.catch(() => {});
    while (switchboard.waiting('shop') === undefined) await turn();
    const shouts = order.map(async (what) =>
      what === 'resume'
        ? switchboard.endHold(change(ANNA))
        : switchboard.rollback(back({ ...ANNA, actor: 'bea' })),
    );
    const answers = await Promise.all(shouts);
    t.match(answers[order.indexOf('rollback')], { to: 'blue', changed: true }, order.join(', '));
    await t.rejects(holding, { code: 'called-off' });
    t.match(service('shop'), { active: 'blue' });
    t.equal(service('shop').hold, undefined);
  }
});

await t.test('a second hold waits for the first, and begins when that is called off', async (t) => {
  const { switchboard, hold, service, count } = stuck();
  const { holding: first } = await hold();
  const second = switchboard.switch(to('green', { ...LONG, ...CI, actor: 'second' }));
  await switchboard.endHold(change(ANNA));
  await t.rejects(first, BY_ANNA);
  while (switchboard.waiting('shop')?.what !== 'switch by second') await turn();
  count(service('shop').blue.block, BLOCK.inflight, 0);
  t.match(await second, { to: 'green' });
});

await t.test('the hold of one service keeps no other waiting', async (t) => {
  const { switchboard, hold, service } = stuck();
  const { holding } = await hold();
  const bank = { service: 'bank', actor: 'bea' };
  t.match(await switchboard.switch(to('green', bank)), { service: 'bank', to: 'green' });
  t.match(await switchboard.rollback(back(bank)), { service: 'bank', to: 'blue' });
  t.match(await switchboard.register(change(bank), wanted()), { service: 'bank', changed: true });
  t.match(await switchboard.endDrains(change(bank), new Set([4])), { service: 'bank' });
  t.match(service('shop').hold, { methods: 'all' }, 'none of these tables has ended it');
  t.match(switchboard.waiting('shop'), { what: 'switch by ci' });
  await switchboard.endHold(change(ANNA));
  await t.rejects(holding, BY_ANNA);
});

await t.test('a shout about one service calls off nothing of another', async (t) => {
  const { switchboard, hold, service, count } = stuck();
  const { holding } = await hold();
  const answer = await switchboard.maintain(change({ ...ANNA, service: 'bank' }), undefined);
  t.notOk(answer.calledOff);
  count(service('shop').blue.block, BLOCK.inflight, 0);
  t.match(await holding, { to: 'green', changed: true });
});

await t.test(
  'changes of two services at the same moment are both made, one table each',
  async (t) => {
    const { switchboard, service, workers, store } = stuck();
    const both = await Promise.all([
      switchboard.switch(to('green', CI)),
      switchboard.switch(to('green', { ...CI, service: 'bank' })),
    ]);
    t.match(both, [{ generation: 2 }, { generation: 3 }]);
    t.match([service('shop'), service('bank')], [{ active: 'green' }, { active: 'green' }]);
    t.same(workers.prepared, [2, 3]);
    t.equal(store.records.length, 2);
  },
);

await t.test('registrations at the same moment never get the same number', async (t) => {
  const { switchboard, service } = stuck();
  await Promise.all(
    ['shop', 'bank'].map(async (name, at) =>
      switchboard.register(
        change({ service: name }),
        wanted({ targets: [`http://127.0.0.1:${3_100 + at}`], release: `r-${name}` }),
      ),
    ),
  );
  t.not(service('shop').green.number, service('bank').green.number);
  t.match(
    [service('shop'), service('bank')],
    [{ green: { release: 'r-shop' } }, { green: { release: 'r-bank' } }],
  );
});

await t.test('of two releases at one address at the same moment one is refused', async (t) => {
  const { switchboard } = stuck();
  const targets = ['http://127.0.0.1:3100'];
  const results = await Promise.allSettled(
    ['shop', 'bank'].map(async (name) =>
      switchboard.register(change({ service: name }), wanted({ targets, release: `r-${name}` })),
    ),
  );
  t.match(results, [{ status: 'fulfilled' }, { reason: { code: 'address-in-use' } }]);
});

await t.test('what has become wrong while the requests were held is not switched to', async (t) => {
  const { switchboard, hold, service, count, store } = stuck();
  const { holding } = await hold();
  // Another service takes the address of the deployment that the switch would lead to.
  const [url] = service('shop').green.endpoints.map((one) => one.url);
  await switchboard.register(
    change({ service: 'bank' }),
    wanted({ targets: [url!], release: 'other', evict: true }),
  );
  count(service('shop').blue.block, BLOCK.inflight, 0);
  await t.rejects(holding, { code: 'address-in-use' });
  t.match(service('shop'), { active: 'blue' });
  t.equal(service('shop').hold, undefined);
  t.same(store.records, []);
});

await t.test('a freeze is heard at once, and refuses the switch that holds', async (t) => {
  const { switchboard, hold, service, count } = stuck();
  const { holding } = await hold();
  const freeze = { actor: 'anna', atMs: Date.now(), reason: 'incident' };
  const notes = { audit: undefined, answer: undefined };
  await switchboard.between(change(), async () => switchboard.freeze.set(freeze, () => notes));
  count(service('shop').blue.block, BLOCK.inflight, 0);
  await t.rejects(holding, { code: 'switching-frozen' });
  t.match(service('shop'), { active: 'blue' });
});

await t.test('a stop calls a hold off, and still lets what waits be let go', async (t) => {
  const { switchboard, hold, service } = stuck();
  const bank = { ...ANNA, service: 'bank' };
  await switchboard.hold(change(bank), { methods: 'all', untilMs: Date.now() + 600_000 });
  const { holding } = await hold();
  await switchboard.close();
  await t.rejects(holding, { code: 'called-off', message: /told to stop/ });
  t.equal(service('shop').hold, undefined, 'its requests go on');
  t.match(service('bank').hold, { methods: 'all' }, 'the hold of an operator lasts');
  await t.rejects(switchboard.switch(to('green', bank)), { code: 'stopping' });
  t.match(await switchboard.endHold(change(bank)), { changed: true });
  t.equal(service('bank').hold, undefined);
  await switchboard.close();
  await t.rejects(
    switchboard.endHold(change(bank)),
    { code: 'stopping' },
    'at its very end no more',
  );
});

await t.test('an upgrade waits for its turn, and a rollback goes before it', async (t) => {
  const { switchboard, hold } = stuck();
  const { holding } = await hold();
  let isPaused = false;
  const pausing = switchboard.pause().then(() => (isPaused = true));
  await turn();
  t.notOk(isPaused);
  t.match(await switchboard.endHold(change(ANNA)), { changed: true });
  await pausing;
  await t.rejects(holding, BY_ANNA);
  await t.rejects(switchboard.rollback(back(ANNA)), { code: 'upgrading' });
  switchboard.resume();
  t.match(await switchboard.switch(to('green', CI)), { to: 'green' });
});

await t.test('several services are switched in one table, or none is', async (t) => {
  const { switchboard, service, workers, store, ail, count } = stuck();
  count(service('shop').blue.block, BLOCK.inflight, 0);
  ail(3002, { state: 'down', reason: 'refused' });
  const both = ['shop', 'bank'];
  await t.rejects(switchboard.switchAll(both, to('green', CI)), { code: 'target-unhealthy' });
  t.same([workers.prepared, store.records], [[], []]);
  ail(3002, { state: 'up', reason: '' });
  const answers = await switchboard.switchAll(both, to('green', { ...CI, ...LONG }));
  t.match(answers, [
    { service: 'shop', from: 'blue', to: 'green', generation: 2, changed: true },
    { service: 'bank', from: 'blue', to: 'green', generation: 2, changed: true },
  ]);
  t.same(workers.prepared, [2, 3], 'one table holds both, one switches both');
  t.match(store.records, [{ epoch: 2 }, { epoch: 2 }]);
  const alone = back({ ...ANNA, lockOut: false });
  t.match(await switchboard.rollback(alone), { to: 'blue' }, 'each has its own way back');
  t.match(service('bank'), { active: 'green' });
  t.match(await switchboard.switchAll(both, to('green', { force: true, reason: 'x' })), [
    { service: 'shop', generation: 4, changed: true },
    { service: 'bank', generation: 4, changed: false },
  ]);
});
