// A release that a rollback has left cannot be switched to again by mistake.

import t from 'tap';
import { firstTable } from '../../../../src/control-plane/switching/table-state.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { FAILOVER_ACTOR } from '../../../../src/control-plane/base/actors.ts';
import { back, board, change, DOWN, only, to, wanted } from '../support/board.ts';
import { config, QUIET, serviceConfig, target } from '../support/fixtures.ts';

const LOCKED = { code: 'release-locked-out', status: 409 };

/** Switches to green and takes that back. */
async function afterRollback(services = [serviceConfig()]) {
  const parts = board(services);
  await parts.switchboard.switch(to('green'));
  await parts.switchboard.rollback(back({ reason: 'it leaks', actor: 'ann' }));
  return parts;
}

await t.test('a rollback locks out the release that it leaves, and says why', async (t) => {
  const { switchboard } = await afterRollback();
  const { blue, green, draining } = only(switchboard.table);
  t.match(green.lockedOut, { reason: 'it leaks', actor: 'ann', generation: 3 });
  t.ok(green.lockedOut!.atMs > 0);
  t.equal(blue.lockedOut, undefined);
  t.equal(draining[0]!.side.lockedOut, undefined, 'what drains goes on as it was');
});

await t.test('a switch to it is refused with who, when, why and what to do', async (t) => {
  const { switchboard } = await afterRollback();
  await t.rejects(switchboard.switch(to('green')), {
    ...LOCKED,
    message: /^default: ann rolled back from v2 on green at \d{4}-.+Z, because: it leaks; .*unlock/,
    members: { release: 'v2', color: 'green', lockedOut: { actor: 'ann', generation: 3 } },
  });
  t.equal(only(switchboard.table).active, 'blue');
});

await t.test('force overrides health, and not this', async (t) => {
  const { switchboard } = await afterRollback();
  const forced = to('green', { force: true, reason: 'now' });
  await t.rejects(switchboard.switch(forced), LOCKED);
});

await t.test('a switch to the active color is none, whatever is locked out', async (t) => {
  const { switchboard } = await afterRollback();
  t.match(await switchboard.switch(to('blue')), { changed: false });
});

await t.test('unlocked, it may be switched to', async (t) => {
  const { switchboard } = await afterRollback();
  t.match(await switchboard.unlock(change(), undefined), { changed: true, generation: 4 });
  t.equal(only(switchboard.table).green.lockedOut, undefined);
  t.match(await switchboard.switch(to('green')), { release: 'v2' });
});

await t.test('an unlock names the color, or finds it; without one nothing changes', async (t) => {
  const { switchboard } = await afterRollback();
  t.match(await switchboard.unlock(change(), 'blue'), { changed: false, generation: 3 });
  t.match(await switchboard.unlock(change(), 'green'), { changed: true });
  t.match(await switchboard.unlock(change(), 'green'), { changed: false });
});

await t.test('another release or other targets in its place are not locked out', async (t) => {
  const same = wanted({ release: 'v2', targets: [target(3002).url] });
  for (const next of [wanted(), { ...same, targets: [target(3009).url] }]) {
    const { switchboard } = await afterRollback();
    await switchboard.register(change(), same);
    await t.rejects(switchboard.switch(to('green')), LOCKED, 'the same once more changes nothing');
    await switchboard.register(change(), { ...next, evict: true });
    t.match(await switchboard.switch(to('green')), { release: next.release });
  }
});

await t.test('a release without a name is not locked out', async (t) => {
  const green = { release: '', targets: [target(3002)] };
  const { switchboard } = await afterRollback([serviceConfig({ green })]);
  t.match(await switchboard.switch(to('green')), { changed: true });
});

await t.test('nor one that is not at fault', async (t) => {
  const { switchboard } = board([serviceConfig()]);
  await switchboard.switch(to('green'));
  await switchboard.rollback(back({ lockOut: false }));
  t.match(await switchboard.switch(to('green')), { changed: true });
});

await t.test('who takes a failover back does not lock out what stood in', async (t) => {
  const { switchboard } = board([serviceConfig()]);
  await switchboard.switch(to('green', { actor: FAILOVER_ACTOR }));
  await switchboard.rollback(back());
  t.equal(only(switchboard.table).green.lockedOut, undefined);
});

await t.test('a rollback that is refused locks nothing out', async (t) => {
  const { switchboard, ail } = board([serviceConfig()]);
  await switchboard.switch(to('green'));
  ail(3001, DOWN);
  await t.rejects(switchboard.rollback(back()), { code: 'target-unhealthy' });
  t.equal(only(switchboard.table).green.lockedOut, undefined);
});

await t.test('it outlives a restart, and ends with another configuration', async (t) => {
  const { store } = await afterRollback();
  const start = (green = serviceConfig().green) =>
    firstTable(
      config('/nowhere', { services: [serviceConfig({ green })] }),
      store.load(),
      new Slots(QUIET),
      Date.now(),
    );
  t.match(only(start()).green.lockedOut, { reason: 'it leaks', actor: 'ann', generation: 3 });
  t.equal(start().generation, 3, 'and is no other table');
  const other = { release: 'v3', targets: [target(3002)] };
  t.equal(only(start(other)).green.lockedOut, undefined);
});
