// A rollback that is called again with other terms: the sessions that the first one left to drain
// move over, and nothing else changes.

import t from 'tap';
import { testPolicy } from '../../../support/policy.ts';
import { back, board, change, only, to } from '../support/board.ts';
import { serviceConfig } from '../support/fixtures.ts';
import { notes } from '../support/notes.ts';

/** Builds a board on which v2 was rolled back from, and its sessions drain. */
async function rolledBack() {
  const parts = board([serviceConfig({ policy: testPolicy({ affinity: { mode: 'drain' } }) })]);
  await parts.switchboard.switch(to('green'));
  await parts.switchboard.rollback(back({ lockOut: false }));
  return parts;
}

const ALL = { restick: 'all' } as const;

for (const named of [undefined, 'v1', 'blue', 1]) {
  await t.test(`the sessions that drain move over: to ${named}`, async (t) => {
    const { switchboard, store } = await rolledBack();
    const [before] = only(switchboard.table).draining;
    const answer = await switchboard.rollback(back({ ...ALL, to: named }));
    t.match(answer, { generation: 4, from: 'green', to: 'blue', deployment: 1, changed: true });
    const now = only(switchboard.table);
    const [drain] = now.draining;
    t.equal(now.active, 'blue');
    t.ok(drain!.sessionsUntilMs < before!.sessionsUntilMs);
    t.ok(drain!.endsAtMs < before!.endsAtMs);
    t.equal(drain!.longLived, before!.longLived, 'tunnels have the time that they had');
    t.equal(store.records.length, 2, 'it is no switch');
    t.match(store.services.get('default')?.lastSwitch, { from: 2, outcome: 'rolled-back' });
  });
}

await t.test('a dry run tells the same, and moves no session', async (t) => {
  const { switchboard } = await rolledBack();
  const { draining } = only(switchboard.table);
  const answer = await switchboard.rollback(back({ ...ALL, dryRun: true }));
  t.match(answer, { generation: 3, from: 'green', to: 'blue', deployment: 1, changed: true });
  t.equal(only(switchboard.table).draining, draining);
});

await t.test('the same terms again change nothing', async (t) => {
  const { switchboard } = await rolledBack();
  await t.rejects(switchboard.rollback(back()), { code: 'nothing-to-roll-back-to' });
  t.match(await switchboard.rollback(back({ to: 'blue' })), { generation: 3, changed: false });
  await switchboard.rollback(back(ALL));
  await t.rejects(switchboard.rollback(back(ALL)), { code: 'nothing-to-roll-back-to' });
  t.match(await switchboard.rollback(back({ ...ALL, to: 'blue' })), { changed: false });
});

await t.test('another way is a rollback like any other', async (t) => {
  const { switchboard } = await rolledBack();
  const answer = await switchboard.rollback(back({ ...ALL, to: 'v2' }));
  t.match(answer, { deployment: 2, to: 'green' });
  t.match(only(switchboard.table).draining, [{ deployment: { number: 1 } }]);
});

await t.test('the sessions of a switch are not meant', async (t) => {
  const { switchboard } = await rolledBack();
  await switchboard.switch(to('green'));
  const [before] = only(switchboard.table).draining;
  t.match(await switchboard.rollback(back({ ...ALL, to: 'green' })), { changed: false });
  t.equal(only(switchboard.table).draining[0]?.sessionsUntilMs, before?.sessionsUntilMs);
});

await t.test('when the drain has ended there is nothing left to move', async (t) => {
  const { switchboard } = await rolledBack();
  await switchboard.endDrains(change(), new Set([2]));
  await t.rejects(switchboard.rollback(back(ALL)), { code: 'nothing-to-roll-back-to' });
});

await t.test('a freeze holds for it, too, and force overrides that', async (t) => {
  const { switchboard } = await rolledBack();
  const freeze = { actor: 'ann', atMs: 0, reason: 'black friday' };
  await switchboard.freeze.set(freeze, () => notes());
  await t.rejects(switchboard.rollback(back(ALL)), { code: 'switching-frozen' });
  const forced = back({ ...ALL, force: true, reason: 'they lose their carts' });
  t.match(await switchboard.rollback(forced), { changed: true });
});
