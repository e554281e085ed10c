// What is told of a change, from the states before it and after it.

import t from 'tap';
import { changeEvents } from '../../../../src/control-plane/deployments/change-events.ts';
import { board, to } from '../support/board.ts';

const AT = { generation: 2, rollout: 'r-7', nowMs: Date.parse('2026-12-01T01:00:00Z') };

async function switched() {
  const { switchboard, store } = board();
  const before = new Map(switchboard.states);
  await switchboard.switch(to('green'));
  return { before, after: new Map(switchboard.states), records: store.records };
}

await t.test('a switch is told with the drain that it begins', async (t) => {
  const { before, after, records } = await switched();
  const told = { ...AT, before, after: [...after.values()], records, nextDeployment: 3 };
  const events = changeEvents(told);
  t.match(events, [
    { kind: 'switch', rollout: 'r-7', atMs: AT.nowMs, data: { from: 'blue', to: 'green' } },
    { kind: 'drain.started', rollout: 'r-7', data: { deployment: 1, color: 'blue' } },
  ]);
  t.equal(events.length, 2);
});

await t.test('what ends of itself is safe to stop; what is active again is not', async (t) => {
  const { after: second } = await switched();
  const [state] = second.values();
  const ended = { ...state!, draining: [] };
  const { endsAtMs } = state!.draining[0]!;
  const kinds = (before: typeof second, after: typeof state, nowMs = endsAtMs - 1): unknown[] =>
    changeEvents({ ...AT, nowMs, before, after: [after!], records: [], nextDeployment: 3 }).map(
      ({ kind, data }) => [kind, data['how'] ?? null],
    );
  for (const [nowMs, how] of [
    [endsAtMs - 1, 'drained'],
    [endsAtMs, 'deadline'],
  ] as const) {
    t.strictSame(kinds(second, ended, nowMs), [
      ['drain.ended', how],
      ['drain.safe', how],
    ]);
  }
  t.strictSame(kinds(second, { ...ended, active: 'blue' }), [['drain.ended', 'resumed']]);
  t.strictSame(kinds(second, state), [], 'nothing has changed');
});

await t.test('deployments from the given number on are registered', async (t) => {
  const { after } = await switched();
  const told = { ...AT, before: after, after: [...after.values()], records: [] };
  t.match(changeEvents({ ...told, nextDeployment: 2 }), [
    { kind: 'release.registered', data: { deployment: 2, color: 'green' } },
  ]);
});
