// How long a session is worth something: what becomes of it when its environment dies while it
// drains, by mode, and when it ends by itself. One user at a time, so each answer is looked at.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startShop, type Shop } from '../support/shop-app.ts';
import { Operator } from '../support/shop-operator.ts';
import { ShopUser } from '../support/shop-user.ts';
import { startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

interface Scene {
  /** On blue; it can come back to its address, also in another process. */
  readonly old: Shop;
  readonly oldPath: string;
  readonly operator: Operator;
  readonly running: Running;
  /** Returns a user that is logged in, with tea in the cart. */
  readonly customer: (name: string) => Promise<ShopUser>;
}

/** A shop on blue, active, with release one; another on green with release two. */
async function open(t: Test, flags: readonly string[]): Promise<Scene> {
  const oldPath = join(temporaryDirectory(t), 'shop');
  const old = await startShop(t, oldPath);
  const { url } = await startShop(t);
  const sides = ['--blue', old.url, '--blue-release', 'one', '--green', url];
  const health = ['--health-interval', '100ms', '--green-release', 'two'];
  const running = await startTurnout(t, [...sides, ...health, ...flags]);
  await Promise.all([
    running.line((line) => line.includes(`blue ${old.url} is up`)),
    running.line((line) => line.includes(`green ${url} is up`)),
  ]);
  const door = { origin: `http://${running.proxy}` };
  const customer = async (name: string): Promise<ShopUser> => {
    const user = new ShopUser(name, door);
    t.teardown(async () => user.close());
    await user.login();
    await user.add('tea');
    t.strictSame(user.faults, []);
    return user;
  };
  return { old, oldPath, operator: new Operator(running.admin), running, customer };
}

/** Resolves with the first line from now on that has `text` in it. */
async function nextLine(running: Running, text: string): Promise<string> {
  const from = running.lines.length;
  return running.line((line) => line.includes(text) && running.lines.indexOf(line, from) !== -1);
}

/** The shop of `release` knows `user`, and has the tea. */
async function checkKnown(t: Test, user: ShopUser, release: string): Promise<void> {
  const { status, answer } = await user.look();
  t.match({ status, answer }, { status: 200, answer: { release, user: user.name } });
  t.strictSame(answer?.items, ['tea']);
}

/** `user` was sent to the shop of release two, where nobody knows who that is. */
async function checkStranger(t: Test, user: ShopUser): Promise<void> {
  const { status, answer } = await user.look();
  t.match({ status, answer }, { status: 401, answer: { release: 'two' } });
}

await t.test('drain: users move over when what they were on dies', async (t) => {
  const { old, oldPath, operator, running, customer } = await open(t, []);
  const user = await customer('ann');
  await operator.switch('green');
  await checkKnown(t, user, 'one');
  const isDown = nextLine(running, `blue ${old.url} is down`);
  await old.kill();
  await isDown;
  await checkStranger(t, user);
  await user.login();
  await user.add('tea');
  const isUp = nextLine(running, `blue ${old.url} is up`);
  await startShop(t, oldPath);
  await isUp;
  await checkKnown(t, user, 'two');
});

await t.test('strict: users wait for what they were on', async (t) => {
  const { old, operator, running, customer } = await open(t, ['--affinity-mode', 'strict']);
  const user = await customer('ann');
  await operator.switch('green');
  const isDown = nextLine(running, `blue ${old.url} is down`);
  await old.closeDoor();
  await isDown;
  for (let time = 1; time <= 3; time++) t.match(await user.look(), { status: 502 });
  await checkKnown(t, await customer('bob'), 'two');
  const isUp = nextLine(running, `blue ${old.url} is up`);
  await old.openDoor();
  await isUp;
  await checkKnown(t, user, 'one');
});

await t.test('a session that was not seen for its idle time has ended', async (t) => {
  const { operator, customer } = await open(t, ['--affinity-idle', '5s']);
  const [quiet, busy] = [await customer('quiet'), await customer('busy')];
  await operator.switch('green');
  // Until only one was seen lately. The wait is the pause between two looks of the busy one.
  for (;;) {
    const { draining } = await operator.drains('200ms');
    await checkKnown(t, busy, 'one');
    if (draining[0]?.sessions.seen === 1) break;
  }
  await checkStranger(t, quiet);
  await checkKnown(t, busy, 'one');
  const { draining, ended } = await operator.drains('60s');
  t.match({ draining, ended }, { draining: [], ended: [{ generation: 1, how: 'drained' }] });
  await checkStranger(t, busy);
});

/** Whoever is on release one looks all the time, until that is over; returns how long it took. */
async function untilStranger({ operator }: Scene, user: ShopUser, sinceMs: number) {
  for (;;) {
    const { status, answer } = await user.look();
    const tookMs = performance.now() - sinceMs;
    if (status !== 200 || answer?.release !== 'one') return { status, answer, tookMs };
    await operator.drains('100ms');
  }
}

await t.test('a session ends with its life, however busy it is', async (t) => {
  const scene = await open(t, ['--affinity-life', '4s']);
  const sinceMs = performance.now();
  const user = await scene.customer('ann');
  await scene.operator.switch('green');
  const { status, answer, tookMs } = await untilStranger(scene, user, sinceMs);
  t.match({ status, answer }, { status: 401, answer: { release: 'two' } });
  // Whole seconds, of a clock that may be late by a tick.
  t.ok(tookMs > 3_000, `after ${Math.round(tookMs)} ms`);
  const { draining } = await scene.operator.drains();
  t.match(draining, [{ release: 'one' }], 'release one would still take it');
});

await t.test(
  'all sessions of a generation end with its drain, however busy they are',
  async (t) => {
    const scene = await open(t, ['--drain-sessions', '3s']);
    const user = await scene.customer('ann');
    const sinceMs = performance.now();
    await scene.operator.switch('green');
    const { status, answer, tookMs } = await untilStranger(scene, user, sinceMs);
    t.match({ status, answer }, { status: 401, answer: { release: 'two' } });
    t.ok(tookMs > 2_900, `after ${Math.round(tookMs)} ms`);
  },
);
