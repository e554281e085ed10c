// Orders over restarts and reloads: what goes on, what is called off, and what is not ordered again.

import t from 'tap';
import { settled } from '../support/manual-timers.ts';
import { acmeSettings, AcmeWorld, CA, DAY_MS } from './acme-world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const TWO = acmeSettings(['a.shop.test', 'b.shop.test']);

function domainsOf(world: AcmeWorld): string[] {
  return world.orders.map(({ brief }) => brief.domain);
}

await t.test(
  'an authority that asks to be left alone is, also after a restart or a reload',
  async (t) => {
    const world = new AcmeWorld(acmeSettings(['a.test']));
    world.acme.start();
    await world.fail(world.orders[0]!, 'too many', 5 * HOUR_MS);
    await world.timers.pass(HOUR_MS);
    await world.restart(acmeSettings(['a.test']));
    world.acme.follow(acmeSettings(['a.test']));
    await world.timers.pass(4 * HOUR_MS - 2 * MINUTE_MS);
    t.equal(world.orders.length, 1);
    await world.timers.pass(3 * MINUTE_MS);
    t.equal(world.orders.length, 2);
  },
);

await t.test('a reload tries again soon what waits after failures', async (t) => {
  const settings = acmeSettings(['a.test']);
  const world = new AcmeWorld(settings);
  world.acme.start();
  for (let tries = 0; tries < 6; tries++) {
    while (world.open.length === 0) await world.timers.pass(MINUTE_MS);
    await world.fail(world.open[0]!);
  }
  world.acme.follow(settings);
  t.equal(world.open.length, 0, 'but never within a minute');
  await world.timers.pass(2 * MINUTE_MS);
  t.equal(world.open.length, 1);
});

await t.test('a restart needs no order', async (t) => {
  const world = new AcmeWorld(TWO);
  world.acme.start();
  for (const order of world.open) await world.issue(order);
  const { obtained } = world;
  await world.restart(TWO);
  t.equal(world.orders.length, 2);
  t.same(world.obtained, obtained);
  t.same(world.acme.certificates, obtained, 'which workers are born with');
});

await t.test('a program that is killed in every order does not order on and on', async (t) => {
  const settings = acmeSettings(['a.test']);
  const world = new AcmeWorld(settings);
  world.acme.start();
  for (let kills = 0; kills < 60; kills++) {
    await world.timers.pass(MINUTE_MS);
    await world.restart(settings);
  }
  t.ok(world.orders.length <= 5, `${world.orders.length} orders within an hour`);
  t.match(world.acme.status()[0]?.problem, /ended in the middle of the order/);
});

await t.test('a stop calls off what runs; the next process orders it at once', async (t) => {
  const settings = acmeSettings(['a.test']);
  const world = new AcmeWorld(settings);
  world.acme.start();
  await world.orders[0]!.hands.answer({ kind: 'http-01', token: 'x', answer: 'x.y' });
  await world.acme.stop();
  t.ok(world.orders[0]!.isOver);
  t.same(world.challenges, []);
  await world.timers.pass(DAY_MS);
  t.equal(world.orders.length, 1, 'and it orders nothing any more');
  world.acme.start();
  t.equal(world.orders.length, 2, 'unless it is in charge again, as after an upgrade that failed');
  await world.acme.stop();
  await world.restart(settings);
  t.equal(world.orders.length, 3);
  t.match(world.acme.status(), [{ failures: 0, problem: '' }], 'none of which counts as a failure');
});

await t.test(
  'a domain that is not configured any more is called off, not presented, and kept',
  async (t) => {
    const world = new AcmeWorld(TWO);
    world.acme.start();
    await world.issue(world.orders[0]!);
    const [a] = world.obtained;
    world.acme.follow(acmeSettings(['c.shop.test']));
    t.ok(world.orders[1]!.isOver, 'the order of b is called off');
    await settled();
    t.match(world.obtained, [{ domain: 'c.shop.test', isSelfSigned: true }]);
    t.same(domainsOf(world), ['a.shop.test', 'b.shop.test', 'c.shop.test']);
    await world.issue(world.orders[2]!);
    world.acme.follow(acmeSettings(['a.shop.test']));
    await settled();
    t.same(world.obtained, [a], 'and is there when it comes back');
    t.equal(world.orders.length, 3);
    world.acme.follow(undefined);
    t.same(world.obtained, []);
  },
);

await t.test('a listener of a reload has something to present before it opens', async (t) => {
  const world = new AcmeWorld(acmeSettings(['a.test']));
  world.acme.start();
  await world.issue(world.orders[0]!);
  const [a] = world.obtained;
  const next = acmeSettings(['b.test']);
  await world.acme.prepare(next);
  t.match(world.obtained, [a, { domain: 'b.test', isSelfSigned: true }], 'beside what is in use');
  t.equal(world.orders.length, 1, 'and nothing is ordered yet');
  world.acme.follow(acmeSettings(['a.test']));
  t.same(world.obtained, [a], 'a reload that is refused takes it back');
  world.acme.follow(next);
  t.match(world.obtained, [{ domain: 'b.test', isSelfSigned: true }]);
  t.match(world.open, [{ brief: { domain: 'b.test' } }]);
});

await t.test(
  'a domain that goes and comes back while its order ends is not ordered twice',
  async (t) => {
    const world = new AcmeWorld(acmeSettings(['a.test']));
    world.acme.start();
    world.acme.follow(acmeSettings([]));
    world.acme.follow(acmeSettings(['a.test']));
    t.equal(world.open.length, 0, 'the first has been told to end, and has not ended');
    t.equal(world.orders.length, 1);
    await settled();
    t.equal(world.open.length, 1);
  },
);

await t.test(
  'another authority gets a new account and new orders, the old certificate stays until then',
  async (t) => {
    const world = new AcmeWorld(acmeSettings(['a.test']));
    world.acme.start();
    world.orders[0]!.hands.account(`${CA}/1`);
    await world.issue(world.orders[0]!);
    const [old] = world.obtained;
    world.acme.follow(acmeSettings(['a.test'], { ca: 'https://other.test/dir' }));
    t.match(world.open[0]?.brief, { directory: 'https://other.test/dir', accountUrl: '' });
    t.not(world.open[0]?.brief.accountKey, world.orders[0]?.brief.accountKey);
    t.same(world.obtained, [old]);
    await world.fail(world.open[0]!);
    t.same(world.obtained, [old]);
    await world.timers.pass(2 * MINUTE_MS);
    await world.issue(world.open[0]!);
    t.not(world.obtained[0]?.chain, old?.chain);
  },
);
