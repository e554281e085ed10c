// A release that a rollback has left cannot be switched to again by mistake.

import t from 'tap';
import { FAILOVER_ACTOR } from '../../../../src/control-plane/base/actors.ts';
import { back, board, change, DOWN, only, to, wanted } from '../support/board.ts';
import { begun } from '../support/begun.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

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
  t.match(green.lockedOut, { release: 'v2', reason: 'it leaks', actor: 'ann', epoch: 3 });
  t.ok(green.lockedOut!.atMs > 0);
  t.equal(blue.lockedOut, undefined);
  t.equal(draining[0]!.deployment.lockedOut, green.lockedOut, 'so it is where it drains');
});

await t.test('a switch to it is refused with who, when, why and what to do', async (t) => {
  const { switchboard } = await afterRollback();
  await t.rejects(switchboard.switch(to('green')), {
    ...LOCKED,
    message:
      /^default: ann rolled back from v2 \(deployment 2\) at \d.+Z, because: it leaks; .*unlock/,
    members: {
      release: 'v2',
      deployment: 2,
      color: 'green',
      lockedOut: { actor: 'ann', generation: 3 },
    },
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

await t.test('another release in its place is not locked out', async (t) => {
  const { switchboard } = await afterRollback();
  const next = wanted({ targets: [target(3002).url], evict: true });
  await switchboard.register(change(), next);
  t.match(await switchboard.switch(to('green')), { release: 'v9' });
});

await t.test('the same release is, at whatever targets and on whatever color', async (t) => {
  const { switchboard } = await afterRollback();
  await switchboard.register(change(), wanted({ release: 'v2', targets: [target(3002).url] }));
  await t.rejects(switchboard.switch(to('green')), LOCKED, 'the same once more changes nothing');
  await switchboard.register(change(), wanted({ release: 'v2' }));
  t.match(only(switchboard.table).green.lockedOut, { release: 'v2', deployment: 2 });
  await t.rejects(switchboard.switch(to('green')), {
    ...LOCKED,
    message: /from v2 \(deployment 3\)/,
  });
  await switchboard.register(change(), wanted({ release: 'v5', targets: [target(3005).url] }));
  await switchboard.switch(to('v5'));
  await switchboard.register(change(), wanted({ color: 'blue', release: 'v2' }));
  await t.rejects(switchboard.switch(to('blue')), LOCKED);
  await t.rejects(switchboard.switch(to('v2')), LOCKED, 'nor by its name');
  await t.rejects(switchboard.switch(to(2)), LOCKED, 'nor by its number');
  await t.rejects(switchboard.rollback(back({ to: 'v2' })), LOCKED, 'nor as a way back');
});

await t.test('registered anew it may be unlocked in the same call', async (t) => {
  const { switchboard } = await afterRollback();
  await switchboard.register(change(), wanted({ release: 'v2', unlock: true }));
  t.equal(only(switchboard.table).green.lockedOut, undefined);
  t.match(await switchboard.switch(to('green')), { release: 'v2' });
});

await t.test('an unlock names the release, also where nothing of it is kept', async (t) => {
  const { switchboard, store } = await afterRollback();
  for (let index = 1; index <= 30; index++) {
    await switchboard.register(
      change(),
      wanted({ release: `r${index}`, targets: [target(4_000 + index).url] }),
    );
  }
  await switchboard.endDrains(change(), new Set([2]));
  await switchboard.switch(to('green'));
  await switchboard.switch(to('blue'));
  for (let index = 31; index <= 60; index++) {
    await switchboard.register(
      change(),
      wanted({ release: `r${index}`, targets: [target(4_000 + index).url] }),
    );
  }
  const { deployments, lockOuts } = store.services.get('default')!;
  t.notOk(deployments.some(({ release }) => release === 'v2'));
  t.match(lockOuts, [{ release: 'v2' }], 'it is still locked out');
  t.match(await switchboard.unlock(change(), 'v2'), { changed: true });
  t.strictSame(store.services.get('default')!.lockOuts, []);
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

await t.test('it outlives a restart, whatever is configured then', async (t) => {
  const { store } = await afterRollback();
  const start = (green = serviceConfig().green) =>
    begun([serviceConfig({ green })], { stored: store.state, nowMs: Date.now() + 3_600_000 });
  t.match(only(start().table).green.lockedOut, { reason: 'it leaks', actor: 'ann', epoch: 3 });
  t.equal(start().table.epoch, 3, 'and is no other decision');
  const other = start({ release: 'v3', targets: [target(3002)] });
  t.equal(only(other.table).green.lockedOut, undefined, 'another release is not it');
  t.match(other.stored.services.get('default')?.lockOuts, [{ release: 'v2' }], 'and may not be');
  const moved = start({ release: 'v2', targets: [target(3012)] });
  t.match(only(moved.table).green.lockedOut, { release: 'v2' }, 'the same one elsewhere is');
});
