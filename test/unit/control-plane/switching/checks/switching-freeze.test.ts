// The freeze of all switching: what is stopped, what goes on, and that it is durable.

import t from 'tap';
import { OperatorError } from '../../../../../src/control-plane/base/problems.ts';
import { SwitchingFreeze } from '../../../../../src/control-plane/switching/checks/switching-freeze.ts';
import { back, board, change, only, to, wanted } from '../../support/board.ts';
import { serviceConfig } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';

const FREEZE = { reason: 'black friday', actor: 'ann', atMs: 1_000 };
const noWindows = () => ({ present: undefined, freeAtMs: undefined, next: undefined });
const FROZEN = { code: 'switching-frozen', status: 423 };

/** A board on which all switching is frozen, after a switch to green. */
async function frozen() {
  const parts = board();
  await parts.switchboard.switch(to('green'));
  await parts.switchboard.freeze.set(FREEZE, () => notes());
  return parts;
}

await t.test('a switch is refused with who, since when, why and what to do', async (t) => {
  const { switchboard, pointer } = await frozen();
  await t.rejects(switchboard.switch(to('blue')), {
    ...FROZEN,
    message:
      'ann has frozen all switching at 1970-01-01T00:00:01.000Z: black friday; ' +
      'unfreeze first; a rollback goes through with "force" and a reason',
    members: { freeze: { actor: 'ann', reason: 'black friday' } },
  });
  t.equal(pointer(), 2);
});

await t.test('force does not open it for a switch', async (t) => {
  const { switchboard } = await frozen();
  const forced = to('blue', { force: true, reason: 'now' });
  await t.rejects(switchboard.switch(forced), FROZEN);
});

await t.test('a rollback needs force and a reason, and then goes through', async (t) => {
  const { switchboard } = await frozen();
  await t.rejects(switchboard.rollback(back()), FROZEN);
  await t.rejects(switchboard.rollback(back({ force: true })), { code: 'reason-required' });
  const forced = back({ force: true, reason: 'it burns' });
  t.match(await switchboard.rollback(forced), { to: 'blue', changed: true });
});

await t.test('all that moves no traffic to another color goes on', async (t) => {
  const { switchboard } = await frozen();
  const next = wanted({ color: 'blue', release: 'v3' });
  t.match(await switchboard.register(change(), next), { changed: true });
  const hold = { methods: 'all', untilMs: Date.now() + 1_000 } as const;
  t.match(await switchboard.hold(change(), hold), { changed: true });
  t.match(await switchboard.endHold(change()), { changed: true });
  const maintenance = { message: '', retryAfterSeconds: 1 };
  t.match(await switchboard.maintain(change(), maintenance), { changed: true });
  t.match(await switchboard.switch(to('green')), { changed: false }, 'it is there already');
  t.equal(only(switchboard.table).active, 'green');
});

await t.test('unfrozen, all is as before', async (t) => {
  const { switchboard } = await frozen();
  t.equal(await switchboard.freeze.set(undefined, () => notes()), true);
  t.match(await switchboard.switch(to('blue')), { changed: true });
});

await t.test('the first freeze keeps its reason, and writes once', async (t) => {
  const { switchboard, store } = await frozen();
  const { freeze } = switchboard;
  const again = { ...FREEZE, reason: 'another' };
  t.equal(await freeze.set(again, () => t.fail('nothing is written') as never), false);
  t.strictSame(freeze.current, FREEZE);
  t.strictSame(store.freeze, FREEZE);
  await freeze.set(undefined, () => notes());
  t.equal(await freeze.set(undefined, () => t.fail('nothing is written') as never), false);
});

await t.test('a restart finds it', async (t) => {
  const { store } = await frozen();
  const after = new SwitchingFreeze(store, noWindows);
  t.strictSame(after.current, FREEZE);
  t.throws(() => after.check('default'), FROZEN);
});

await t.test('what cannot be stored is not done', async (t) => {
  const { switchboard, store } = board();
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  await t.rejects(
    switchboard.freeze.set(FREEZE, () => notes()),
    {
      code: 'store-failed',
      message: 'the disk is full; nothing has changed',
    },
  );
  t.equal(switchboard.freeze.current, undefined);
});

await t.test('it begins between two changes, never during one', async (t) => {
  const { switchboard, workers, store } = board();
  const prepared = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  workers.onPrepare = async () => {
    asked.resolve();
    await prepared.promise;
  };
  const order: string[] = [];
  store.onCommit = () => order.push('switch');
  const switching = switchboard.switch(to('green'));
  await asked.promise;
  const freezing = switchboard.between(change(), async () => {
    order.push('freeze');
    return await switchboard.freeze.set(FREEZE, () => notes());
  });
  prepared.resolve();
  t.match(await switching, { changed: true });
  t.equal(await freezing, true);
  t.strictSame(order, ['switch', 'freeze']);
});

await t.test('it is refused on a race, and when no change is taken', async (t) => {
  const { switchboard } = board();
  const run = (): never => t.fail('not run') as never;
  await t.rejects(switchboard.between({ ifMatch: [7] }, run), { code: 'generation-mismatch' });
  switchboard.halt(new Error('a rule is broken'));
  const error = await switchboard.between(change(), run).catch((thrown: unknown) => thrown);
  t.ok(error instanceof OperatorError && error.code === 'frozen');
});

await t.test('a freeze of one service stops that one alone', async (t) => {
  const two = [serviceConfig({ name: 'blog' }), serviceConfig({ name: 'shop' })];
  const { switchboard, store } = board(two);
  const shop = change({ service: 'shop' });
  await switchboard.switch(to('green', { service: 'shop' }));
  const { epoch } = switchboard.table;
  t.match(await switchboard.serviceFreezes.set(shop, FREEZE), { service: 'shop', changed: true });
  t.equal(switchboard.table.epoch, epoch, 'it is no decision on traffic');
  const again = { ...FREEZE, reason: 'another' };
  t.match(await switchboard.serviceFreezes.set(shop, again), { changed: false });
  t.strictSame(switchboard.freeze.of('shop'), FREEZE, 'the first keeps its reason');
  await t.rejects(switchboard.switch(to('blue', { service: 'shop' })), {
    ...FROZEN,
    message: /^ann has frozen switching of shop at .*: black friday; unfreeze first/,
    members: { service: 'shop', freeze: { actor: 'ann' } },
  });
  const both = to(undefined, { force: true, reason: 'now' });
  await t.rejects(switchboard.switchAll(['blog', 'shop'], both), FROZEN);
  await t.rejects(switchboard.rollback(back({ service: 'shop' })), FROZEN);
  const service = switchboard.table.services.find(({ name }) => name === 'shop')!;
  t.throws(() => switchboard.checkMove(service), FROZEN, 'no failover');
  t.match(await switchboard.switch(to('green', { service: 'blog' })), { changed: true });
  const after = new SwitchingFreeze(store, noWindows);
  t.strictSame(after.of('shop'), FREEZE, 'a restart finds it');
  const forced = back({ service: 'shop', force: true, reason: 'it burns' });
  t.match(await switchboard.rollback(forced), { to: 'blue', changed: true });
  t.strictSame(switchboard.freeze.of('shop'), FREEZE, 'a rollback does not end it');
  t.match(await switchboard.serviceFreezes.set(shop, undefined), { changed: true });
  t.match(await switchboard.serviceFreezes.set(shop, undefined), { changed: false });
  t.equal(switchboard.freeze.of('shop'), undefined);
});
