// What is tried again where the target was reached and did not answer, or a session can't be served
// where it belongs.

import t, { type Test } from 'tap';
import { DECISION, HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { Judging } from '../../../../src/data-plane/routing/table/judging.ts';
import { judgedOf } from '../../../../src/control-plane/memory/judged.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import { GET, OK, POST, PUT } from '../support/exchange-texts.ts';
import { ExchangeWorld, isOver } from '../support/exchange-world.ts';

await t.test('a safe request goes to another target when a fresh connection dies', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.breaksOff('fresh');
  t.equal(world.retries, 1);
  t.strictSame(
    world.pools.map(({ asked }) => asked.length),
    [1, 1, 0],
  );
  world.target.opens();
  world.target.says(OK);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('that happens once', (t) => {
  const world = new ExchangeWorld({ blue: [1, 2, 3] }).asks(GET);
  for (let i = 0; i < 2; i++) {
    world.target.opens();
    world.target.breaksOff('fresh');
  }
  t.match(world.client.text, /^HTTP\/1.1 502 /);
  isOver(t, world, { deeds: ['over'], failures: { UPSTREAM_CLOSED: 1 } });
  t.equal(world.targets.length, 2);
  t.end();
});

/** It is sent once, and that it has failed is told. */
function isSentOnce(t: Test, world: ExchangeWorld): void {
  t.match(world.client.text, /^HTTP\/1.1 502 /);
  isOver(t, world, { deeds: ['over'], failures: { UPSTREAM_CLOSED: 1 } });
  t.equal(world.targets.length, 1);
}

await t.test('a request that may change something is not repeated for that', (t) => {
  const remove = 'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n';
  const empty = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
  for (const request of [POST, PUT, remove, empty]) {
    const world = new ExchangeWorld().asks(request);
    world.target.opens();
    world.target.breaksOff('fresh');
    isSentOnce(t, world);
  }
  t.end();
});

await t.test('a response that has begun is no reason to repeat anything', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.breaksOff('begun');
  isSentOnce(t, world);
  t.end();
});

await t.test('a safe request with a body that was sent is not repeated', (t) => {
  const world = new ExchangeWorld().asks(
    'QUERY / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
  );
  world.target.opens();
  world.target.breaksOff('fresh');
  isSentOnce(t, world);
  t.end();
});

await t.test('the same target is not asked twice, nor one that is down', (t) => {
  const alone = new ExchangeWorld({ blue: [1] }).asks(GET);
  alone.target.opens();
  alone.target.breaksOff('fresh');
  isSentOnce(t, alone);
  const world = new ExchangeWorld();
  for (const { endpoint } of world.pools) world.health[endpoint.slot] = HEALTH_WORD.down;
  world.asks(GET);
  world.target.opens();
  world.target.breaksOff('fresh');
  isSentOnce(t, world);
  t.end();
});

await t.test('what is sent again goes to no endpoint that is ejected or down', (t) => {
  for (const word of ['ejected', 'trial', 'down'] as const) {
    for (const how of ['fresh', 'stale'] as const) {
      const world = new ExchangeWorld();
      world.asks(GET);
      const first = world.pools.find(({ asked }) => asked.length > 0)!;
      for (const { endpoint } of world.pools) {
        const health = endpoint === first.endpoint ? 'up' : word;
        world.health[endpoint.slot] = HEALTH_WORD[health];
      }
      world.target.opens();
      world.target.breaksOff(how);
      if (how === 'fresh') {
        isSentOnce(t, world);
        continue;
      }
      t.strictSame(first.asked, [false, true], 'a used connection that closes is no fault of it');
      world.target.opens();
      world.target.says(OK);
      isOver(t, world, { deeds: ['over'] });
    }
  }
  t.end();
});

const HELD = { id: 'abcdefghijkl', idHash: 1, issuedS: 1, epoch: 1, carrier: 'cookie' } as const;

/** A session of green, which drains; blue is active. */
function sessionOfGreen(options: { readonly isStrict?: boolean } = {}): ExchangeWorld {
  const world = new ExchangeWorld();
  world.decided = {
    ...world.decided,
    deployment: world.rescuer!,
    reason: DECISION.session,
    hasSession: true,
    fallback: options.isStrict === true ? undefined : HELD,
  };
  const blue = world.decided.service!.active;
  world.moved = { deployment: blue, field: 'Set-Cookie: turnout=new\r\n' };
  return world;
}

await t.test('a session whose deployment refuses connections goes on at the active one', (t) => {
  for (const request of [GET, POST]) {
    const world = sessionOfGreen().asks(request);
    world.target.failsToConnect();
    t.equal(world.exchange.deployment.color, 'blue');
    t.equal(world.exchange.reason, DECISION.active);
    t.notOk(world.exchange.hasSession);
    world.target.opens();
    t.match(world.target.text, /x-turnout-color: blue/);
    t.notMatch(world.target.text, /x-turnout-color: green/);
    if (request === POST) world.sends('abcdefghij');
    world.target.says(OK);
    t.match(world.client.text, /^HTTP\/1.1 200 OK\r\n(?:.+\r\n)*Set-Cookie: turnout=new\r\n/);
    isOver(t, world, { deeds: ['over'] });
  }
  t.end();
});

await t.test('a canary that can not be reached is judged by it, one that drains is not', (t) => {
  for (const [reason, bad] of [
    [DECISION.split, 1],
    [DECISION.session, 0],
  ] as const) {
    const world = sessionOfGreen();
    const green = world.decided.deployment;
    world.decided = { ...world.decided, reason };
    world.asks(GET);
    world.target.failsToConnect();
    world.target.opens();
    world.target.says(OK);
    t.match(world.client.text, /^HTTP\/1.1 200 OK\r\n/);
    const totals = new Totals(world.memory, 1);
    const left = judgedOf(totals, green.block);
    t.match(left, { all: { judged: bad, bad }, split: { judged: bad, bad } });
    t.match(totals.clients(green.block, Math.floor(Date.now() / 1_000)), { bad });
    const blue = judgedOf(totals, world.decided.service!.active.block);
    t.match(blue, { all: { judged: 1, bad: 0 }, split: { judged: 0 } }, 'the other one is good');
  }
  t.end();
});

await t.test('a path that is ignored says nothing of a canary that can not be reached', (t) => {
  const world = sessionOfGreen();
  const judging = new Judging({ badStatuses: [], ignorePaths: ['/poll*'] });
  const deployment = { ...world.decided.deployment, judging };
  world.decided = { ...world.decided, reason: DECISION.split, deployment };
  world.asks(GET.replace(' / ', ' /poll/1 '));
  world.target.failsToConnect();
  t.equal(judgedOf(new Totals(world.memory, 1), deployment.block).all.judged, 0);
  t.end();
});

await t.test('where the active deployment can not be reached either, that is told', (t) => {
  const world = sessionOfGreen().asks(GET);
  world.target.failsToConnect();
  world.target.failsToConnect();
  world.target.failsToConnect();
  t.match(world.client.text, /^HTTP\/1.1 502 /);
  isOver(t, world, { deeds: ['over'], failures: { CONNECT_FAILED: 1 } });
  t.end();
});

await t.test('a session that must not move is tried where it belongs', (t) => {
  const world = sessionOfGreen({ isStrict: true }).asks(GET);
  world.target.failsToConnect();
  t.equal(world.exchange.deployment.color, 'green');
  world.target.failsToConnect();
  t.match(world.client.text, /^HTTP\/1.1 502 /);
  isOver(t, world, { deeds: ['over'], failures: { CONNECT_FAILED: 1 } });
  t.end();
});

await t.test('a deployment that has become the active one again is no other', (t) => {
  const world = sessionOfGreen();
  world.moved = { deployment: world.rescuer!, field: '' };
  world.asks(GET);
  world.target.failsToConnect();
  t.equal(world.exchange.deployment.color, 'green');
  world.target.opens();
  world.target.says(OK);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});
