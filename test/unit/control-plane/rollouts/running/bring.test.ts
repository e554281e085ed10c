// What refuses a step of a rollout, or its way back, in the moment in which it is made: the schema of the
// data, a point of no return, and freezes. What was fine when the rollout began may not be so any more.

import t from 'tap';
import { Bringer, OWN } from '../../../../../src/control-plane/rollouts/running/bring.ts';
import type {
  Rollout,
  WayBack,
} from '../../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import type { HealthState } from '../../../../../src/control-plane/targets/health-verdict.ts';
import type { RolloutEdit } from '../../../../../src/control-plane/rollouts/machine/transition.ts';
import { board, change, wanted } from '../../support/board.ts';
import { notes } from '../../support/notes.ts';
import { rollout as rolloutOf } from '../../support/rollouts.ts';

const UNFIT = { code: 'schema-incompatible' };
const FROZEN = { code: 'switching-frozen' };

const BACK: WayBack = {
  cause: 'guard',
  reason: 'errors',
  actor: 'turnout',
  restick: 'all',
  rampMs: 0,
  lockOut: false,
};
const SPLIT = { kind: 'split', share: 1_000, rampMs: 0 } as const;
const MOVE = { kind: 'move', share: 5_000, rampMs: 0 } as const;
const PROMOTE = { kind: 'promote' } as const;
const RETURN = { kind: 'return', back: BACK } as const;
const ABORT = { kind: 'abort', back: BACK } as const;

function up() {
  return [{ state: 'up', reason: '' } as const];
}

function targets(port: number): string[] {
  return [`http://127.0.0.1:${port}`];
}

/** A rollout of v42 (schema 12), which leaves v41 (works with 10 to 12), that has its service to itself. */
async function begun() {
  const parts = board();
  const { switchboard } = parts;
  const v41 = { release: 'v41', targets: targets(4_001) };
  const old = { ...v41, color: 'green', schema: { provides: 10, requires: [10, 12] } } as const;
  await switchboard.register(change(), wanted(old));
  await switchboard.switch({ ...change(), to: 'green', holdMs: 0 });
  const v42 = { release: 'v42', targets: targets(4_002) };
  const next = { ...v42, color: 'blue', schema: { provides: 12, requires: [10, 12] } } as const;
  await switchboard.register(change(), wanted(next));
  const state = switchboard.states.get('default')!;
  const leg = {
    service: 'default',
    from: { deployment: state.green.deployment, release: 'v41', color: 'green' },
    to: { deployment: state.blue.deployment, release: 'v42', color: 'blue' },
  } as const;
  const { changes, freeze } = switchboard;
  const serving: { state: HealthState } = { state: 'up' };
  const bringer = new Bringer({
    ...parts,
    changes,
    freeze,
    health: up,
    serving: () => [{ state: serving.state, reason: '5 requests in a row failed there' }],
    guard: undefined,
    viewOf: () => ({}),
  });
  let rollout = rolloutOf({ legs: [leg], terms: { guard: 'off' } });
  /** Wants an edit, from a rollout with `changed`; where it is made, the rollout is in `stage`. */
  const bring = async (
    edit: RolloutEdit,
    stage: Rollout['stage'],
    { changed = {}, force = false }: { changed?: Partial<Rollout>; force?: boolean } = {},
  ) => {
    const from = { ...rollout, ...changed };
    const move = { to: { ...from, stage }, edit, effects: [], told: [] };
    const request = force ? { ...change(), force, reason: 'restored' } : OWN;
    const made = { rollout: from, effects: [], told: [], move };
    const check = edit.kind === 'claim' ? () => {} : undefined;
    await bringer.bring(made, { request, turn: undefined, nowMs: Date.now(), check });
    rollout = move.to;
  };
  await bring({ kind: 'claim' }, 'gated');
  return {
    ...parts,
    bring,
    serving,
    active: () => switchboard.states.get('default')!.active,
    /** Another system has brought the data to `schema`. */
    bringData: async (schema: number) =>
      changes.edit(change(), 'data', (now) => ({ states: [{ ...now, schema }] })),
  };
}

await t.test('each step looks at the data anew', async (t) => {
  for (const made of [0, 1, 2]) {
    const { bring, bringData, active } = await begun();
    const wishes = [
      [SPLIT, 'shifting'],
      [MOVE, 'shifting'],
      [PROMOTE, 'baking'],
    ] as const;
    for (const [edit, stage] of wishes.slice(0, made)) await bring(edit, stage);
    const [edit, stage] = wishes[made]!;
    await bringData(13);
    await t.rejects(bring(edit, stage), UNFIT, edit.kind);
    t.equal(active(), 'green');
    await bring(edit, stage, { changed: { isForced: true } });
  }
});

await t.test('no further share goes where a target is left out, unless one wants it', async (t) => {
  for (const edit of [MOVE, PROMOTE]) {
    const { bring, serving } = await begun();
    await bring(SPLIT, 'shifting');
    serving.state = 'down';
    const stage = edit === MOVE ? 'shifting' : 'baking';
    const changed = { stage: 'shifting' } as const;
    await t.rejects(bring(edit, stage, { changed }), {
      code: 'target-unhealthy',
      message: /blue does not serve with all .* is down \(5 requests in a row failed there\)/,
    });
    serving.state = 'unknown';
    await bring(edit, stage, { changed });
  }
  for (const wish of [{ hurry: 'skip' }, { hurry: 'promote' }, { isForced: true }] as const) {
    const { bring, serving, active } = await begun();
    await bring(SPLIT, 'shifting');
    serving.state = 'down';
    await bring(MOVE, 'shifting', { changed: { stage: 'shifting', ...wish } });
    await bring(ABORT, 'rolled-back', { changed: { stage: 'shifting', back: BACK } });
    t.equal(active(), 'green', 'and the way back is open');
  }
  const { bring, serving } = await begun();
  await bring(SPLIT, 'shifting');
  serving.state = 'down';
  await bring(MOVE, 'shifting', { changed: { stage: 'shifting' }, force: true });
});

await t.test('the way back looks at them, too, and force overrides it', async (t) => {
  const { bring, bringData, active } = await begun();
  await bring(SPLIT, 'shifting');
  await bring(PROMOTE, 'baking');
  await bringData(13);
  await t.rejects(bring(RETURN, 'rolled-back'), UNFIT);
  const operators = { kind: 'return', back: { ...BACK, cause: 'operator' } } as const;
  await t.rejects(bring(operators, 'rolled-back'), UNFIT, 'also where an operator wants it');
  t.equal(active(), 'blue');
  await bring(operators, 'rolled-back', { force: true });
  t.equal(active(), 'green');
});

await t.test('a way back that the data allow is made', async (t) => {
  const { bring, active } = await begun();
  await bring(SPLIT, 'shifting');
  await bring(PROMOTE, 'baking');
  await bring(RETURN, 'rolled-back');
  t.equal(active(), 'green');
});

await t.test('behind a point of no return of the service there is no way back', async (t) => {
  const { bring, switchboard } = await begun();
  await bring(PROMOTE, 'baking');
  const end = { actor: 'ann', reason: 'mails are out', atMs: 1 };
  await switchboard.noReturn.set(change(), end);
  await t.rejects(bring(RETURN, 'rolled-back'), { code: 'point-of-no-return' });
});

await t.test('the canary can always be taken back, whatever the data are', async (t) => {
  const { bring, bringData, switchboard } = await begun();
  await bring(SPLIT, 'shifting');
  await bringData(13);
  await bring(ABORT, 'rolled-back');
  t.equal(switchboard.states.get('default')!.split, undefined);
});

await t.test(
  'a freeze, of the service too, stops steps and ways back but those of operators',
  async (t) => {
    const freeze = { actor: 'ann', reason: 'incident', atMs: 1 };
    for (const isOfService of [true, false]) {
      const { bring, switchboard } = await begun();
      const freezes = async (what: typeof freeze | undefined): Promise<unknown> =>
        isOfService
          ? switchboard.serviceFreezes.set(change(), what)
          : switchboard.freeze.set(what, () => notes());
      await freezes(freeze);
      await t.rejects(bring(SPLIT, 'shifting'), FROZEN);
      await freezes(undefined);
      await bring(SPLIT, 'shifting');
      await freezes(freeze);
      await t.rejects(bring(MOVE, 'shifting'), FROZEN);
      await t.rejects(bring(ABORT, 'rolled-back'), FROZEN);
      await bring({ kind: 'abort', back: { ...BACK, cause: 'operator' } }, 'rolled-back');
    }
  },
);
