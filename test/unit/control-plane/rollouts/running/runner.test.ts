// Rollouts as they run: on a switchboard with fake workers, a store in memory, looks that the test takes.

import t from 'tap';
import { Rollouts } from '../../../../../src/control-plane/rollouts/running/runner.ts';
import { parseRollout } from '../../../../../src/control-plane/rollouts/running/stored-rollout.ts';
import { RolloutStarts } from '../../../../../src/control-plane/rollouts/desk/starting.ts';
import type { RolloutSettings } from '../../../../../src/config/settings/rollout/rollout-settings.ts';
import type { GateAnswer } from '../../../../../src/control-plane/rollouts/machine/gate-runs.ts';
import { testRollout } from '../../../../support/rollout.ts';
import { board, change, DOWN, notReady, only, to } from '../../support/board.ts';
import { REFUSING, refusalOf, refuse } from '../../support/refused.ts';
import { serviceConfig } from '../../support/fixtures.ts';
import { settled } from '../../support/manual-timers.ts';

const QUICK = { plan: '10%:10s, 100%', bakeMs: 0, guard: 'off' } as const;
const NEVER = new AbortController().signal;

function scene(settings: Partial<RolloutSettings> = {}) {
  const config = serviceConfig({ rollout: testRollout(settings), isRolloutConfigured: true });
  const world = board([config]);
  const { switchboard, store, totals, log, health } = world;
  const clock = { ms: 0 };
  const asked: { attempt: string; answer: (answer: GateAnswer) => void }[] = [];
  const { changes, checks, freeze } = switchboard;
  const run = (): Rollouts =>
    new Rollouts({
      changes,
      freeze,
      totals,
      health: ({ slot }) => [health.get(slot) ?? { state: 'up', reason: '' }],
      serving: ({ slot }) => [health.get(slot) ?? { state: 'up', reason: '' }],
      guard: undefined,
      viewOf: ({ id }) => ({ id }),
      store,
      drains: { totals, names: world.names, leftBehind: () => 0 },
      hands: {
        ask: async (_rollout, { attempt }) =>
          new Promise((answer) => {
            asked.push({ attempt, answer });
          }),
        warm: async () => true,
      },
      onTold: () => {},
      log,
      now: () => clock.ms,
    });
  const rollouts = run();
  const { registrar } = switchboard;
  const starts = new RolloutStarts({
    rollouts,
    changes,
    checks,
    registrar,
    configs: () => [config],
  });
  const begin = async (
    more: Partial<Parameters<RolloutStarts['start']>[1]> = {},
    request = change(),
  ) =>
    starts.startNow(
      request,
      { services: [undefined], to: undefined, skipped: [], ...QUICK, ...more },
      () => ({}),
    );
  const look = async (ms = 1_000, of = rollouts): Promise<void> => {
    clock.ms += ms;
    of.look();
    await settled();
  };
  return { ...world, rollouts, starts, begin, look, run, asked, freezing: freeze };
}

await t.test('it goes from its first step to all traffic by looks alone', async (t) => {
  const { begin, look, rollouts, switchboard, store } = scene();
  const { rollout } = await begin();
  t.equal(only(switchboard.table).split?.share, 1_000, 'in force when it is answered');
  t.equal(switchboard.states.get('default')!.rollout?.id, rollout.id);
  await look(1_000);
  t.equal(rollouts.live.find(rollout.id).segment.observedMs, 1_000);
  await look(8_000);
  await look(1_000);
  t.equal(only(switchboard.table).active, 'green');
  t.equal(rollouts.live.find(rollout.id).stage, 'draining');
  t.same(switchboard.states.get('default')!.rollout, undefined);
  t.equal(parseRollout(store.rollouts.find(rollout.id)!.state)?.stage, 'draining');
});

await t.test('time in which nothing looked does not count', async (t) => {
  const { begin, look, rollouts } = scene();
  const { rollout } = await begin();
  await look(3_600_000);
  t.equal(rollouts.live.find(rollout.id).segment.observedMs, 0);
});

await t.test('observed time is stored every five seconds', async (t) => {
  const { begin, look, store } = scene();
  const { rollout } = await begin();
  const stored = (): number =>
    parseRollout(store.rollouts.find(rollout.id)!.state)!.segment.observedMs;
  for (let second = 1; second <= 7; second++) await look();
  t.ok(stored() >= 2_000, `${stored()} ms are stored`);
});

await t.test('a caller that waits is answered by the next transition', async (t) => {
  const { begin, rollouts } = scene();
  const { rollout } = await begin();
  const waits = rollouts.live.waitFor(rollout.id, rollout.transitions, NEVER);
  await rollouts.act(change({ actor: 'mia' }), rollout.id, { kind: 'pause' }, {});
  await waits;
  t.equal(rollouts.live.find(rollout.id).paused?.by, 'mia');
});

await t.test('two operators at once: one is heard, one is told', async (t) => {
  const { begin, look, rollouts } = scene();
  const { rollout } = await begin({ plan: '10%:10s:approve, 100%' });
  await look(10_000);
  t.equal(rollouts.live.find(rollout.id).waiting?.for, 'approval');
  const yes = { kind: 'approve', gate: undefined } as const;
  const codes = await Promise.all([
    refusalOf(rollouts.act(change(), rollout.id, yes, {})),
    refusalOf(rollouts.act(change(), rollout.id, yes, {})),
  ]);
  t.same(codes.toSorted(), ['none', 'not-waiting']);
});

await t.test('an abort calls off the step that is under way', async (t) => {
  const { begin, rollouts, switchboard, workers } = scene();
  const { rollout } = await begin();
  const { promise, resolve } = Promise.withResolvers<void>();
  workers.onPrepare = async () => promise;
  const skips = rollouts.act(change(), rollout.id, { kind: 'skip' }, {});
  await settled();
  workers.onPrepare = async () => {};
  const aborts = rollouts.act(change(), rollout.id, { kind: 'abort' }, {});
  resolve();
  t.equal(await refusalOf(skips), 'called-off');
  t.equal(await refusalOf(aborts), 'none');
  t.equal(only(switchboard.table).active, 'blue');
  t.equal(only(switchboard.table).split, undefined);
  t.equal(rollouts.live.find(rollout.id).end?.outcome, 'rolled-back');
});

await t.test(
  'a step that waits for its table is refused by a freeze that came first',
  async (t) => {
    const { begin, rollouts, switchboard, freezing } = scene();
    const { rollout } = await begin();
    const notes = { audit: undefined, answer: undefined };
    const steps = await switchboard.between(change(), async () => {
      const skips = refusalOf(rollouts.act(change(), rollout.id, { kind: 'skip' }, {}));
      await settled();
      await freezing.set({ actor: 'mia', atMs: 1, reason: 'incident' }, () => notes);
      return { skips };
    });
    t.equal(await steps.skips, 'switching-frozen');
    t.equal(only(switchboard.table).active, 'blue');
  },
);

await t.test('what workers or the store refuse is tried again, and then is', async (t) => {
  for (const fail of REFUSING) {
    const { begin, look, rollouts, switchboard, workers, store } = scene();
    const { rollout } = await begin();
    refuse(fail, { workers, store });
    await look(10_000);
    await settled();
    t.equal(only(switchboard.table).active, 'blue', fail);
    t.type(rollouts.live.find(rollout.id).blocked?.why, 'string', fail);
    workers.onPrepare = async () => {};
    store.onCommit = () => {};
    await rollouts.act(change({ reason: 'mended' }), rollout.id, { kind: 'promote' }, {});
    t.equal(only(switchboard.table).active, 'green', fail);
  }
});

await t.test('a verb that is refused leaves it as it is', async (t) => {
  const { begin, rollouts, workers } = scene();
  const { rollout } = await begin();
  const before = rollouts.live.find(rollout.id);
  workers.onPrepare = async () => {
    throw notReady();
  };
  const code = await refusalOf(rollouts.act(change(), rollout.id, { kind: 'skip' }, {}));
  t.equal(code, 'workers-not-ready');
  t.equal(rollouts.live.find(rollout.id), before);
});

await t.test('an abort that cannot be carried out is kept until it can', async (t) => {
  const { begin, rollouts, workers, switchboard } = scene();
  const { rollout } = await begin();
  workers.onPrepare = async () => {
    throw notReady();
  };
  t.equal(
    await refusalOf(rollouts.act(change(), rollout.id, { kind: 'abort' }, {})),
    'workers-not-ready',
  );
  t.equal(rollouts.live.find(rollout.id).back?.cause, 'operator');
  workers.onPrepare = async () => {};
  await rollouts.act(change(), rollout.id, { kind: 'abort' }, {});
  t.equal(only(switchboard.table).split, undefined);
});

await t.test('a switch with force beside it ends it', async (t) => {
  const { begin, look, rollouts, switchboard } = scene();
  const { rollout } = await begin();
  t.equal(await refusalOf(switchboard.switch(to('green'))), 'rollout-running');
  await switchboard.switch(to('green', { force: true, reason: 'now' }));
  await look();
  t.equal(rollouts.live.find(rollout.id).end?.outcome, 'superseded');
});

await t.test('a new process asks the same question again', async (t) => {
  const gates = [
    {
      name: 'each',
      at: 'step',
      kind: 'webhook',
      timeoutMs: 60_000,
      tryMs: 1_000,
      onFail: 'stop',
      url: 'http://127.0.0.1:1/',
      secretFile: '',
    },
  ] as unknown as RolloutSettings['gates'];
  const { begin, look, asked, run } = scene({ gates });
  const { rollout } = await begin();
  await look(10_000);
  t.same(
    asked.map(({ attempt }) => attempt),
    [`${rollout.id}.1`],
  );
  const next = run();
  next.start();
  await settled();
  t.same(
    asked.map(({ attempt }) => attempt),
    [`${rollout.id}.1`, `${rollout.id}.1`],
  );
  asked[1]!.answer({ verdict: 'ok', detail: '' });
  await settled();
  await settled();
  t.equal(next.live.find(rollout.id).stage, 'draining');
  await next.stop();
});

await t.test('a stored rollout that cannot be read is told, and no other is harmed', async (t) => {
  const { run, store, log } = scene();
  const about = { id: 'r-7', services: ['default'], startedAtMs: 1, endedAtMs: undefined };
  await store.rollouts.save({ ...about, state: '{"id":"r-7"}' }, { events: [] });
  const rollouts = run();
  t.same(rollouts.live.all(), []);
  t.match(
    log.lines.map(({ message }) => message),
    [/r-7 cannot be read/u],
  );
  t.equal(rollouts.live.nextId(), 'r-8');
});

await t.test('it does not start where it could not go', async (t) => {
  const { begin, ail, switchboard } = scene();
  t.equal(await refusalOf(begin({ plan: 'often' })), 'plan-invalid');
  t.equal(await refusalOf(begin({ skipped: ['smoke'] })), 'gate-unknown');
  t.equal(await refusalOf(begin({ to: 'blue' })), 'no-release');
  ail(3_002, DOWN);
  t.equal(await refusalOf(begin()), 'target-unhealthy');
  t.equal(only(switchboard.table).split, undefined);
});
