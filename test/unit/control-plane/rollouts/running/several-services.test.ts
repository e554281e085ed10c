// Rollouts of several services: all of them move, or none, whatever stands in the way of one of them; and
// rollouts beside each other leave each other alone.

import t, { type Test } from 'tap';
import type { Color } from '../../../../../src/contract/table.ts';
import { Rollouts } from '../../../../../src/control-plane/rollouts/running/runner.ts';
import { back, change, DOWN, notReady, to, wanted } from '../../support/board.ts';
import { deskScene, wantedRollout } from '../../support/desk-scene.ts';
import { refusalOf } from '../../support/refused.ts';
import { serviceConfig, target } from '../../support/fixtures.ts';
import { settled } from '../../support/manual-timers.ts';

const NAMES = ['api', 'shop', 'mail'];

/** Services whose green is idle; that of the ones in `bare` has nothing. */
function open(bare: readonly string[] = []) {
  const configs = NAMES.map((name, at) =>
    serviceConfig({
      name,
      hosts: [`${name}.example`],
      blue: { release: 'v1', targets: [target(3_100 + at)] },
      green: bare.includes(name)
        ? { release: '', targets: [] }
        : { release: 'v2', targets: [target(3_200 + at)] },
    }),
  );
  const scene = deskScene(configs);
  const { desk, switchboard, runner } = scene;
  const serviceOf = (name: string) => switchboard.table.services.find((one) => one.name === name)!;
  const plan = '10%:10s, 50%:10s, 100%';
  return {
    ...scene,
    /** Its first step is in force when this resolves. */
    begin: async (services: readonly string[], terms: { readonly bakeMs?: number } = {}) => {
      const request = { ...to(undefined), plan, guard: 'rollback', ...terms } as const;
      const { rollout } = await desk.switchAllNow(services, request);
      return rollout!.id;
    },
    start: async (services: readonly string[]) =>
      desk.start(change(), wantedRollout({ plan }, services)),
    act: async (
      id: string,
      kind: 'skip' | 'promote' | 'abort' | 'pause',
      more: Parameters<typeof change>[0] = {},
    ) => desk.act(change({ reason: 'because', ...more }), id, { kind }),
    splits: () => NAMES.map((name) => serviceOf(name).split?.share ?? 0),
    actives: (): Color[] => NAMES.map((name) => serviceOf(name).active),
    claims: () => NAMES.map((name) => switchboard.states.get(name)!.rollout?.id),
    find: (id: string) => runner.live.find(id),
  };
}

type Scene = ReturnType<typeof open>;

const allUp = () => [{ state: 'up', reason: '' } as const];

const PLAIN = ['blue', 'blue', 'blue'];
const NONE = [undefined, undefined, undefined];
const BOTH = ['api', 'shop'];

/** All looks until nothing is under way. */
async function look({ runner }: Pick<Scene, 'runner'>): Promise<void> {
  for (let count = 0; count < 3; count++) {
    runner.look();
    await settled();
  }
}

function isUntouched(t: Test, { splits, actives, claims }: Scene): void {
  t.same([splits(), actives(), claims()], [[0, 0, 0], PLAIN, NONE], 'nothing has moved');
}

await t.test('all services take each step in the same table', async (t) => {
  const scene = open();
  const seen: number[][] = [];
  scene.hooks.onPublished = () => seen.push(scene.splits());
  const id = await scene.begin(BOTH);
  t.same(scene.claims(), [id, id, undefined]);
  await scene.act(id, 'skip');
  t.same(scene.splits(), [5_000, 5_000, 0]);
  await scene.act(id, 'promote');
  t.same(scene.actives(), ['green', 'green', 'blue']);
  t.same(
    seen.filter(([api, shop]) => api !== shop),
    [],
    'at no time is one of them ahead',
  );
});

await t.test('while one of them is frozen, none goes on; an operator takes all back', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH);
  const frozen = change({ service: 'shop', reason: 'stocktaking' });
  await scene.switchboard.serviceFreezes.set(frozen, {
    actor: 'mia',
    reason: 'stocktaking',
    atMs: Date.now(),
  });
  const { transitions } = scene.find(id);
  t.equal(await refusalOf(scene.act(id, 'skip')), 'switching-frozen');
  t.same(scene.splits(), [1_000, 1_000, 0]);
  t.equal(scene.find(id).transitions, transitions, 'what was refused is no transition');
  await scene.act(id, 'abort');
  isUntouched(t, scene);
  t.equal(scene.find(id).end?.outcome, 'rolled-back');
});

await t.test('while one is frozen, the guard waits with all of them', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH);
  await scene.switchboard.serviceFreezes.set(change({ service: 'shop', reason: 'no' }), {
    actor: 'mia',
    reason: 'no',
    atMs: Date.now(),
  });
  scene.ail(3_200, DOWN);
  await look(scene);
  t.equal(scene.find(id).blocked?.why, 'switching-frozen');
  t.equal(scene.find(id).back?.cause, 'down');
  t.same(scene.splits(), [1_000, 1_000, 0], 'neither goes back alone');
  const view = scene.desk.view(id);
  t.match(view.next, { what: 'rolled back', needs: [/stocktaking|no/u] });
  await scene.act(id, 'abort');
  isUntouched(t, scene);
});

await t.test('one whose targets are all down takes all back', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH);
  scene.ail(3_201, DOWN);
  await look(scene);
  t.match(scene.find(id).end, { outcome: 'rolled-back', cause: 'down', reason: /^shop: / });
  isUntouched(t, scene);
});

await t.test('where one release is locked out, none begins', async (t) => {
  const scene = open();
  const { desk, switchboard } = scene;
  await switchboard.switch(to('green', { service: 'shop' }));
  await switchboard.rollback(back({ service: 'shop', reason: 'it leaks' }));
  t.equal(await refusalOf(scene.begin(BOTH)), 'release-locked-out');
  t.equal(await refusalOf(scene.start(BOTH)), 'release-locked-out');
  isUntouched(t, scene);
  t.same(desk.list({ service: undefined, isActive: undefined }), [], 'and none is kept');
});

await t.test('where one has nothing on its idle color, none begins', async (t) => {
  const scene = open(['shop']);
  t.equal(await refusalOf(scene.begin(BOTH)), 'no-targets');
  t.equal(await refusalOf(scene.start(BOTH)), 'no-targets');
  isUntouched(t, scene);
});

await t.test('a way back that workers refuse is kept for all, and made for all', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH);
  scene.workers.onPrepare = async () => {
    throw notReady();
  };
  t.equal(await refusalOf(scene.act(id, 'abort')), 'workers-not-ready');
  t.same(scene.splits(), [1_000, 1_000, 0]);
  t.match(scene.find(id), { back: { cause: 'operator' }, blocked: { why: 'workers-not-ready' } });
  scene.workers.onPrepare = async () => {};
  await scene.act(id, 'abort');
  isUntouched(t, scene);
});

await t.test('where one has no old target up, none goes back but with force', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH, { bakeMs: 60_000 });
  await scene.act(id, 'promote');
  t.equal(scene.find(id).stage, 'baking');
  scene.ail(3_101, DOWN);
  t.equal(await refusalOf(scene.act(id, 'abort')), 'target-unhealthy');
  t.same(scene.actives(), ['green', 'green', 'blue']);
  t.equal(scene.find(id).blocked?.why, 'target-unhealthy');
  await scene.act(id, 'abort', { force: true });
  isUntouched(t, scene);
});

await t.test('one that is switched by force beside it ends it for all', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH);
  const forced = to('green', { service: 'shop', force: true, reason: 'now', actor: 'mia' });
  await scene.switchboard.switch(forced);
  await look(scene);
  t.match(scene.find(id).end, { outcome: 'superseded', reason: /^shop: .*by mia/u });
  t.same(scene.splits(), [0, 0, 0], 'what it has placed elsewhere is let go');
  t.same(scene.actives(), ['blue', 'green', 'blue'], 'what others have moved stays');
  t.same(scene.claims(), NONE);
  t.type(await scene.begin(['api']), 'string', 'the other may move again');
});

await t.test('the deployments that it moves cannot be registered over', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH);
  const next = wanted({ color: 'green', release: 'v3' });
  for (const evict of [false, true]) {
    const asked = change({ service: 'shop', actor: 'mia' });
    const code = await refusalOf(scene.switchboard.register(asked, { ...next, evict }));
    t.not(code, 'none', `evict: ${evict}`);
  }
  await look(scene);
  t.equal(scene.find(id).end, undefined);
  t.same(scene.splits(), [1_000, 1_000, 0]);
});

await t.test('two of other services run beside each other', async (t) => {
  const scene = open();
  const [one, other] = await Promise.all([scene.begin(BOTH), scene.begin(['mail'])]);
  t.not(one, other);
  t.same(scene.claims(), [one, one, other]);
  await Promise.all([scene.act(one, 'skip'), scene.act(other, 'pause')]);
  t.same(scene.splits(), [5_000, 5_000, 1_000]);
  await scene.act(one, 'abort');
  await look(scene);
  t.same(scene.splits(), [0, 0, 1_000]);
  t.equal(scene.find(other).end, undefined);
  t.equal(scene.find(other).paused?.by, '127.0.0.1');
});

await t.test(
  'one that wants a service of another does not begin, for none of its own',
  async (t) => {
    const scene = open();
    const id = await scene.begin(BOTH);
    t.equal(await refusalOf(scene.begin(['shop', 'mail'])), 'rollout-running');
    t.equal(await refusalOf(scene.start(['mail', 'shop'])), 'rollout-running');
    t.same(scene.claims(), [id, id, undefined]);
  },
);

await t.test('of two that want the same services at once, in any order, one begins', async (t) => {
  const scene = open();
  const found = await Promise.all([
    refusalOf(scene.begin(['api', 'shop'])),
    refusalOf(scene.begin(['shop', 'api'])),
    refusalOf(scene.begin(['mail', 'shop'])),
  ]);
  t.equal(found.filter((code) => code === 'none').length, 1);
  t.same(
    [...new Set(found.filter((code) => code !== 'none'))],
    ['rollout-running'],
    'the others are told why',
  );
});

await t.test('what only drains is done once one of its services moves again', async (t) => {
  const scene = open();
  const id = await scene.begin(BOTH, { bakeMs: 0 });
  await scene.act(id, 'promote');
  t.equal(scene.find(id).stage, 'draining');
  const next = await scene.begin(['shop']);
  await settled();
  t.match(scene.find(id).end, { outcome: 'done' });
  t.equal(scene.find(next).end, undefined);
  t.same(scene.actives(), ['green', 'green', 'blue'], 'and its other service stays where it is');
});

await t.test('a new process goes on with all of them', async (t) => {
  const scene = open();
  const one = await scene.begin(BOTH);
  const other = await scene.begin(['mail']);
  const parts = { ...scene, changes: scene.switchboard.changes, freeze: scene.switchboard.freeze };

  const next = new Rollouts({
    ...parts,
    health: allUp,
    serving: allUp,
    guard: undefined,
    viewOf: ({ id }) => ({ id }),
    drains: { totals: scene.totals, names: scene.names, leftBehind: () => 0 },
    hands: { ask: async () => ({ verdict: 'ok', detail: '' }), warm: async () => true },
    onTold: () => {},
    now: () => 0,
  });
  t.same(
    next.live.all().map(({ id, legs }) => [id, legs.map(({ service }) => service)]),
    [
      [one, BOTH],
      [other, ['mail']],
    ],
  );
});
