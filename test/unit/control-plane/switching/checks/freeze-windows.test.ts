// A freeze window of the configuration: what it refuses, what goes through, and what overrides it.

import t from 'tap';
import { parseFreezeWindow } from '../../../../../src/config/values/freeze-window.ts';
import { windowsAt } from '../../../../../src/control-plane/freezes/windows.ts';
import { windowObjection } from '../../../../../src/control-plane/switching/checks/switching-freeze.ts';
import { FAILOVER_ACTOR } from '../../../../../src/control-plane/base/actors.ts';
import { back, board, change, only, to, wanted } from '../../support/board.ts';
import { serviceConfig } from '../../support/fixtures.ts';

const parsed = parseFreezeWindow('Fri 16:00 - Mon 08:00 Europe/Berlin (weekend)');
const WINDOWS = parsed.ok ? [parsed.value] : [];
const SATURDAY_MS = Date.parse('2026-11-28T12:00Z');
const MONDAY_MS = Date.parse('2026-11-30T07:00Z');
const FROZEN = { code: 'switching-frozen', status: 423 };

/** A board on a Saturday, after a switch to green on Friday. */
async function weekend() {
  const parts = board();
  await parts.switchboard.switch(to('green'));
  parts.hooks.freezesOf = () => windowsAt(WINDOWS, SATURDAY_MS);
  return parts;
}

await t.test('a switch is refused with the window, its end, and what to do', async (t) => {
  const { switchboard, pointer } = await weekend();
  await t.rejects(switchboard.switch(to('blue')), {
    ...FROZEN,
    message:
      'default is not switched until 2026-11-30T07:00:00.000Z, because of the freeze window ' +
      'Fri 16:00 - Mon 08:00 Europe/Berlin: weekend; a rollback goes through; ' +
      'a switch needs "force" and a reason, or wait',
    members: {
      window: {
        when: 'Fri 16:00 - Mon 08:00 Europe/Berlin',
        reason: 'weekend',
        from: '2026-11-27T15:00:00.000Z',
        until: '2026-11-30T07:00:00.000Z',
      },
    },
  });
  t.equal(pointer(), 2);
});

await t.test('force and a reason override it', async (t) => {
  const { switchboard } = await weekend();
  await t.rejects(switchboard.switch(to('blue', { force: true })), { code: 'reason-required' });
  const forced = to('blue', { force: true, reason: 'the shop is down' });
  t.match(await switchboard.switch(forced), { to: 'blue', changed: true });
});

await t.test('a rollback goes through as always', async (t) => {
  const { switchboard } = await weekend();
  t.match(await switchboard.rollback(back()), { to: 'blue', changed: true });
});

await t.test('a failover goes through: it leaves what is down', async (t) => {
  const { switchboard } = await weekend();
  switchboard.checkMove(only(switchboard.table));
  t.match(await switchboard.switch(to('blue', { actor: FAILOVER_ACTOR })), { to: 'blue' });
});

await t.test(
  'a registration goes on, and is told what a switch would be refused for',
  async (t) => {
    const { switchboard } = await weekend();
    const next = wanted({ color: 'blue', release: 'v3' });
    t.match(await switchboard.register(change(), next), {
      changed: true,
      obstacles: [{ code: 'switching-frozen' }],
    });
  },
);

await t.test('a dry run of several steps names it', async (t) => {
  const { switchboard } = await weekend();
  const steps = [{ kind: 'switch', service: 'default', to: 'blue' } as const];
  t.match(await switchboard.dryRun(change(), steps), [{ step: 0, code: 'switching-frozen' }]);
});

await t.test('it is over to the millisecond', async (t) => {
  const { switchboard, hooks } = await weekend();
  hooks.freezesOf = () => windowsAt(WINDOWS, MONDAY_MS - 1);
  await t.rejects(switchboard.switch(to('blue')), FROZEN);
  hooks.freezesOf = () => windowsAt(WINDOWS, MONDAY_MS);
  t.match(await switchboard.switch(to('blue')), { changed: true });
});

await t.test(
  'a window that begins while a switch waits refuses it at the last moment',
  async (t) => {
    const { switchboard, hooks } = board();
    hooks.spotCheck = async (_subject, known) => {
      hooks.freezesOf = () => windowsAt(WINDOWS, SATURDAY_MS);
      return known;
    };
    await t.rejects(switchboard.switch(to('green')), FROZEN);
  },
);

await t.test('a changed configuration may not replace what is active, per service', async (t) => {
  const shop = serviceConfig({ name: 'shop', freezes: WINDOWS });
  const config = { freezes: [], services: [serviceConfig(), shop] };
  const objection = windowObjection(config, SATURDAY_MS);
  t.match(objection('shop'), FROZEN);
  t.equal(objection('default'), undefined);
  t.match(windowObjection({ ...config, freezes: WINDOWS }, SATURDAY_MS)('default'), FROZEN);
  t.equal(windowObjection(config, MONDAY_MS)('shop'), undefined);
});
