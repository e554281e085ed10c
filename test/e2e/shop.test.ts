// A shop whose environments keep logins and carts in memory, each its own: whoever is sent to
// another one has lost both. Releases come and go under load, and no user notices.
//
// TURNOUT_TEST_SEED repeats the order of what users do.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { DrainSaid, Said } from '../support/shop-operator.ts';
import { openTown, type Release, type Town } from '../support/shop-town.ts';
import { ShopUser } from '../support/shop-user.ts';

const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
/** Users of the first release. */
const USERS = 500;
/** Users that come while a change is made, and as many that come after it. */
const NEWCOMERS = 50;

/** What the tests of one town go by. */
interface Scene {
  readonly t: Test;
  readonly town: Town;
}

async function open(t: Test, flags: readonly string[] = []): Promise<Scene> {
  t.comment(`TURNOUT_TEST_SEED=${SEED}`);
  return { t, town: await openTown(t, { seed: SEED, flags }) };
}

/** `change` comes while users come: all stay where they are, and newcomers get to `release`. */
async function keeps(
  { t, town: { crowd } }: Scene,
  release: Release,
  change: () => Promise<unknown>,
): Promise<void> {
  const before = crowd.places();
  const amid = crowd.arrive(NEWCOMERS);
  crowd.newcomersGoTo = undefined;
  await change();
  crowd.newcomersGoTo = { release };
  await amid;
  const newcomers = await crowd.arrive(NEWCOMERS);
  await crowd.everyone();
  t.strictSame(crowd.movedSince(before), [], 'every user is where the session began');
  t.ok(
    newcomers.every(({ place }) => place?.release === release),
    `newcomers are users of release ${release}`,
  );
  checkNoFault({ t, crowd });
}

/** `change` ends the sessions of `release`: its users log in again, and no other. */
async function evicts(
  { t, town: { crowd } }: Scene,
  release: Release,
  change: () => Promise<Said>,
): Promise<void> {
  const leaving = crowd.usersOf(release);
  const others = crowd.places((user) => !leaving.includes(user));
  const { newcomersGoTo } = crowd;
  crowd.mayLose = release;
  t.match(await change(), { status: 200, json: { changed: true } });
  await crowd.everyone(); // Where they are strangers now, and sent to the login;
  await crowd.everyone(); // and where they have logged in.
  t.ok(
    leaving.every(({ place }) => place?.release === newcomersGoTo?.release),
    `all ${leaving.length} users of release ${release} have moved to ${newcomersGoTo?.release}`,
  );
  t.strictSame(crowd.movedSince(others), [], 'nobody else has');
  checkNoFault({ t, crowd });
  crowd.mayLose = undefined;
}

function checkNoFault({ t, crowd }: { readonly t: Test; readonly crowd: Town['crowd'] }): void {
  const { faults, details } = crowd;
  t.strictSame(
    { faults, details },
    { faults: {}, details: [] },
    'no request failed, no cart is lost',
  );
}

/** These releases drain, each with about as many sessions as it has users. */
async function checkDrains(
  { t, town: { operator, crowd } }: Scene,
  releases: readonly Release[],
): Promise<readonly DrainSaid[]> {
  const { draining } = await operator.drains();
  t.strictSame(
    draining.map(({ release }) => release),
    releases,
    `what drains: ${releases.join(' and ')}`,
  );
  for (const { release, sessions } of draining) {
    const users = crowd.usersOf(release).length;
    // Three standard errors; of few users the estimate has to round.
    const allowed = Math.max(3, 3 * sessions.standardError * users);
    t.ok(
      Math.abs(sessions.seen - users) <= allowed,
      `release ${release}: about ${sessions.seen} sessions of ${users} users, ±${allowed}`,
    );
  }
  return draining;
}

/** Release three takes the place of two on green, which still drains, and becomes active. */
async function bringThird({ t, town }: Scene): Promise<void> {
  const { operator, shops } = town;
  const { url } = shops[2];
  const said = await operator.register('green', { release: 'three', targets: [url] });
  t.match(said, { status: 200, json: { changed: true } }, 'green is idle, though it drains');
  await town.untilUp('green', url);
  await operator.switch('green');
}

await t.test('users keep their carts while three releases and a rollback go by', async (t) => {
  const scene = await open(t);
  const { crowd, operator, shops } = scene.town;
  await crowd.arrive(USERS);
  t.equal(crowd.usersOf('one').length, USERS, 'the first users are users of release one');

  await keeps(scene, 'two', async () => operator.switch('green'));
  await checkDrains(scene, ['one']);
  await keeps(scene, 'one', async () => operator.rollback('new'));
  await checkDrains(scene, ['two']);
  await keeps(scene, 'three', async () => bringThird(scene));
  const [two, one] = await checkDrains(scene, ['two', 'one']);

  await evicts(scene, 'two', async () => operator.evict(two!.deployment));
  const four = { release: 'four', targets: [shops[0].url] };
  t.match(
    await operator.register('blue', four),
    {
      status: 409,
      json: {
        code: 'address-in-use',
        uses: [{ deployment: one!.deployment, release: 'one', use: 'draining' }],
      },
    },
    'an address that drains is not given to another release',
  );
  await crowd.everyone();
  checkNoFault({ t, crowd });
  await evicts(scene, 'one', async () => operator.register('blue', { ...four, evict: true }));
  const { draining } = await operator.drains('30s');
  t.strictSame(draining, [], 'nothing drains any more');
  t.ok(crowd.busyMax >= 50, `${crowd.requestCount} requests, up to ${crowd.busyMax} at once`);
});

await t.test('a rollback takes all users off the release that it leaves', async (t) => {
  const scene = await open(t);
  const { crowd, operator } = scene.town;
  await crowd.arrive(NEWCOMERS);
  await keeps(scene, 'two', async () => operator.switch('green'));
  crowd.newcomersGoTo = { release: 'one' };
  await evicts(scene, 'two', async () => operator.rollback('all'));
});

await t.test('who was away is known afterwards, who closed the browser is not', async (t) => {
  const scene = await open(t);
  const { crowd, operator } = scene.town;
  const away = await crowd.arrive(NEWCOMERS);
  crowd.sleep(away);
  await keeps(scene, 'two', async () => operator.switch('green'));
  await keeps(scene, 'one', async () => operator.rollback('new'));
  await keeps(scene, 'three', async () => bringThird(scene));
  crowd.wake();
  await crowd.everyone();
  t.ok(
    away.every(({ place }) => place?.release === 'one'),
    'they are users of release one, as before',
  );
  checkNoFault({ t, crowd });
  await crowd.rest();
  await Promise.all(away.map(async (user) => user.forget()));
  crowd.work();
  await crowd.everyone();
  t.ok(
    away.every(({ place }) => place?.release === 'three'),
    'without a cookie they are newcomers',
  );
  checkNoFault({ t, crowd });
});

await t.test('a restart in the middle of two drains moves nobody', async (t) => {
  const scene = await open(t);
  const { crowd, operator } = scene.town;
  await crowd.arrive(NEWCOMERS);
  await keeps(scene, 'two', async () => operator.switch('green'));
  await keeps(scene, 'one', async () => operator.rollback('new'));
  await keeps(scene, 'three', async () => bringThird(scene));
  const before = crowd.places();
  await crowd.rest();
  await scene.town.restart();
  // Long enough for a drain that nobody is known of to be ended by mistake.
  const { draining } = await operator.drains('2s');
  t.strictSame(
    draining.map(({ release }) => release),
    ['two', 'one'],
    'users may take their time to come back',
  );
  crowd.work();
  await crowd.everyone();
  t.strictSame(crowd.movedSince(before), [], 'every user is where the session began');
  await crowd.arrive(NEWCOMERS);
  checkNoFault({ t, crowd });
});

await t.test('the same users do notice a switch without affinity', async (t) => {
  const { town } = await open(t, ['--affinity-mode', 'off']);
  const { crowd, operator } = town;
  await crowd.arrive(NEWCOMERS);
  checkNoFault({ t, crowd });
  await operator.switch('green'); // and where newcomers get now is not told
  await crowd.everyone();
  await crowd.everyone();
  const { lost = 0, astray = 0, ...others } = crowd.faults;
  t.ok(lost >= NEWCOMERS, `${lost} requests came to an environment that did not know the user`);
  t.equal(astray, NEWCOMERS, 'each logged in where it was not expected');
  t.strictSame(others, {});
});

await t.test('a user sees every fault of a cart', async (t) => {
  const good = {
    shop: 's',
    color: 'blue',
    release: 'one',
    cookies: ['sid'],
    user: 'ann',
    items: [],
  };
  let said: { readonly status: number; readonly answer: object } = { status: 200, answer: good };
  const server = createServer((_, response) => {
    response.statusCode = said.status;
    response.end(JSON.stringify(said.answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const user = new ShopUser('ann', { origin: `http://127.0.0.1:${port}` });
  t.teardown(async () => {
    await user.close();
    server.close();
  });
  const faultsOf = async (status: number, answer: object): Promise<string[]> => {
    said = { status, answer };
    await user.look();
    return user.faults.splice(0).map(({ fault }) => fault);
  };
  await user.login();
  t.strictSame(user.faults, []);
  t.strictSame(await faultsOf(200, good), []);
  t.strictSame(await faultsOf(200, { ...good, user: 'bob' }), ['mixed']);
  t.strictSame(await faultsOf(200, { ...good, items: ['tea'] }), ['mixed']);
  t.strictSame(await faultsOf(200, { ...good, shop: 't' }), ['moved']);
  t.strictSame(await faultsOf(200, { ...good, color: 'green' }), ['moved']);
  t.strictSame(await faultsOf(200, { ...good, release: 'two' }), ['moved']);
  t.strictSame(await faultsOf(200, { ...good, cookies: ['sid', 'turnout'] }), ['leaked']);
  t.strictSame(await faultsOf(502, {}), ['failed']);
  t.strictSame(await faultsOf(401, good), ['lost']);
});
