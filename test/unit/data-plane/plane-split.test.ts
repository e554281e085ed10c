// Ten thousand sessions in two workers, through a rollout that ends well and through one that does
// not: each is where it was placed, and moves once at the most.

import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import type { Split } from '../../../src/contract/table.ts';
import {
  splitAborted,
  splitBegun,
  splitMoved,
} from '../../../src/control-plane/deployments/split-edit.ts';
import { switched, type SwitchTerms } from '../../../src/control-plane/deployments/state-edit.ts';
import { judgedOf, type Judged } from '../../../src/control-plane/memory/judged.ts';
import { becomes } from '../../support/shared-counters.ts';
import { testPolicy } from '../../support/policy.ts';
import { newSessions, openSplitScene, type Session } from '../../support/split-scene.ts';
import { serviceConfig } from '../control-plane/support/fixtures.ts';

t.setTimeout(120_000);

const POLICY = testPolicy({ affinity: { mode: 'drain' } });
const CONFIG = serviceConfig({ policy: POLICY });

/** Of 10,000, one after the other; as many sessions begin in each step. */
const STEPS = [1_000, 2_500, 5_000] as const;

function begun(changes: Partial<Split> = {}) {
  return (epoch: number) =>
    splitBegun({
      share: STEPS[0],
      ramp: undefined,
      sessions: changes.sessions ?? 'new',
      by: 'session',
      epoch,
      nowMs: Date.now(),
    });
}

function terms(epoch: number): SwitchTerms {
  return {
    to: 2,
    movesSessions: false,
    lockOut: undefined,
    epoch,
    nowMs: Date.now(),
    policy: POLICY,
    outcome: 'switched',
    actor: 'test',
    longLivedCount: 0,
  };
}

function aborted(restick: 'all' | 'new') {
  return (epoch: number) => splitAborted({ ...terms(epoch), restick });
}

function partOn(color: string, sessions: readonly Session[]): number {
  return sessions.filter(({ colors }) => colors.at(-1) === color).length / sessions.length;
}

/** Returns when the session of `cookie` began, in seconds since the epoch. */
function issuedS(cookie: string): number {
  return Number.parseInt(cookie.split('.')[3]!, 36);
}

function idOf(cookie: string): string {
  return cookie.split('.')[2]!;
}

function moves(sessions: readonly Session[]): number {
  return Math.max(...sessions.map(({ colors }) => colors.length - 1));
}

await t.test('through 10, 25, 50 and 100 %, no session moves', async (t) => {
  const scene = await openSplitScene(t, CONFIG);
  let asked = 0;
  const ask = async (sessions: readonly Session[]): Promise<void> => {
    asked += sessions.length;
    await scene.ask(sessions);
  };
  const old = newSessions(500);
  await ask(old);
  t.equal(partOn('blue', old), 1);
  const all: Session[] = [...old];
  // It begins with a second, of which workers have not heard yet.
  const second = Math.floor(Date.now() / 1_000);
  while (Math.floor(Date.now() / 1_000) === second) await turn();
  for (const share of STEPS) {
    await scene.publish(share === STEPS[0] ? begun() : () => splitMoved(share, undefined));
    const fresh = newSessions(2_500);
    await ask(fresh);
    const part = partOn('green', fresh);
    // Within a point; and never outside of four standard deviations by chance.
    const error = Math.max(0.01, 4 * Math.sqrt(((share / 1e4) * (1 - share / 1e4)) / 2_500));
    t.ok(Math.abs(part - share / 1e4) <= error, `${part} of ${share / 1e4}`);
    all.push(...fresh);
    await ask(all);
    t.equal(moves(all), 0, `at ${share / 100} %`);
  }
  const { blue, green } = scene.table().services[0]!;
  const judged = (): Judged[] => [blue, green].map(({ block }) => judgedOf(scene.totals, block));
  // A request is counted after its client has the response.
  t.ok(await becomes(() => judged().reduce((sum, { all }) => sum + all.judged, 0) === asked));
  const [a, b] = judged();
  // Sessions of the second in which it began can't be told from those that it has placed.
  const { sinceS } = scene.table().services[0]!.split!;
  const earlier = old.filter(({ cookie }) => issuedS(cookie!) < sinceS).length;
  const isolated = old.length + STEPS.length * earlier;
  t.equal(a!.split.judged + b!.split.judged + isolated, a!.all.judged + b!.all.judged);
  t.equal(a!.split.bad + b!.split.bad, 0);
  await scene.publish((epoch) => switched(terms(epoch)));
  const fresh = newSessions(2_500);
  await scene.ask(fresh);
  t.equal(partOn('green', fresh), 1);
  await scene.ask(all);
  t.equal(moves(all), 0, 'the old color drains, the canary is the active one');
});

for (const restick of ['new', 'all'] as const) {
  await t.test(`an abort at 50 % with restick ${restick}`, async (t) => {
    const scene = await openSplitScene(t, CONFIG);
    await scene.publish(begun());
    await scene.publish(() => splitMoved(5_000, undefined));
    const sessions = newSessions(2_500);
    await scene.ask(sessions);
    const before = sessions.map(({ colors }) => colors.at(-1));
    const cookies = new Map(sessions.map((one) => [one, one.cookie!]));
    await scene.publish(aborted(restick));
    await scene.ask(sessions);
    await scene.ask(sessions);
    const fresh = newSessions(500);
    await scene.ask(fresh);
    t.equal(partOn('blue', fresh), 1);
    if (restick === 'new') {
      t.equal(moves(sessions), 0);
      t.strictSame(
        sessions.map(({ colors }) => colors.at(-1)),
        before,
      );
      return;
    }
    t.equal(partOn('blue', sessions), 1);
    t.equal(moves(sessions), 1, 'once, and not back');
    t.ok(
      sessions.every((one) => idOf(one.cookie!) === idOf(cookies.get(one)!)),
      'the same sessions',
    );
    const moved = sessions.filter((_, index) => before[index] === 'green');
    t.ok(
      moved.every((one) => one.cookie !== cookies.get(one)),
      'with a token of blue',
    );
    // The next rollout begins with the same sessions where they are.
    await scene.publish(begun());
    await scene.ask(sessions);
    t.equal(moves(sessions), 1);
  });
}

await t.test('with sessions: all, sessions move over as the share grows, once', async (t) => {
  const scene = await openSplitScene(t, CONFIG);
  const sessions = newSessions(2_500);
  await scene.ask(sessions);
  for (const share of STEPS) {
    const edit = () => splitMoved(share, undefined);
    await scene.publish(share === STEPS[0] ? begun({ sessions: 'all' }) : edit);
    await scene.ask(sessions);
    const part = partOn('green', sessions);
    const error = Math.max(0.01, 4 * Math.sqrt(((share / 1e4) * (1 - share / 1e4)) / 2_500));
    t.ok(Math.abs(part - share / 1e4) <= error, `${part} of ${share / 1e4}`);
    await scene.ask(sessions);
    t.equal(moves(sessions), 1);
  }
});

await t.test('two rollouts begin with other sessions', async (t) => {
  const scene = await openSplitScene(t, CONFIG);
  const sessions = newSessions(2_500);
  await scene.ask(sessions);
  const isTaken: boolean[][] = [];
  for (const round of [1, 2]) {
    await scene.publish(begun({ sessions: 'all' }));
    await scene.ask(sessions);
    isTaken.push(sessions.map(({ colors }) => colors.at(-1) === 'green'));
    await scene.publish(aborted('all'));
    await scene.ask(sessions);
    t.equal(partOn('blue', sessions), 1, `${round}`);
  }
  const both = sessions.filter((_, index) => isTaken[0]![index] && isTaken[1]![index]).length;
  t.ok(both < 60, `a tenth of a tenth, about 25 of 2500: ${both}`);
});
