// A response with 502, 503 or 504 lets another endpoint of the same deployment be asked, where that is on,
// safe and within the budget.

import t, { type Test } from 'tap';
import { RETRY_BURST } from '../../../../src/base/limits.ts';
import { BLOCK, DECISION, HEALTH_WORD, RETRY_REASON } from '../../../../src/contract/counters.ts';
import { judgedOf } from '../../../../src/control-plane/memory/judged.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import { Judging } from '../../../../src/data-plane/routing/table/judging.ts';
import { RetryBudget } from '../../../../src/data-plane/routing/table/retry-budget.ts';
import { Bonds } from '../../../../src/data-plane/transport/bonds.ts';
import { sumOfBlocks } from '../../../support/shared-counters.ts';
import { GET, OK, POST, PUT, UPGRADE } from '../support/exchange-texts.ts';
import { ExchangeWorld, isOver, type WorldOptions } from '../support/exchange-world.ts';

function answer(status: number, fields = ''): string {
  return `HTTP/1.1 ${status} Sorry\r\nX-From: first\r\n${fields}Content-Length: 5\r\n\r\nfirst`;
}

function worldWith(options: WorldOptions = {}, isOn = true): ExchangeWorld {
  const world = new ExchangeWorld(options);
  const retries = new RetryBudget({ isOn, budgetPercent: 20 });
  world.decided = { ...world.decided, service: { ...world.decided.service!, retries } };
  return world;
}

/** The request is sent, and its first target answers with `text`. */
function first(world: ExchangeWorld, request: string, text: string): ExchangeWorld {
  world.asks(request);
  world.target.opens();
  world.target.says(text);
  return world;
}

/** The client got the first answer, as it was. */
function isAnswered(t: Test, world: ExchangeWorld, status: number, why: string): void {
  t.match(world.client.text, new RegExp(`^HTTP/1.1 ${status} [^]*first$`), why);
  t.equal(world.retries, 0, why);
  isOver(t, world, { deeds: ['over'] });
}

for (const status of [502, 503, 504]) {
  await t.test(`another endpoint is asked after a ${status}`, (t) => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const world = first(worldWith(), GET.replace('GET', method), answer(status));
      t.equal(world.client.text, '', 'nothing of the first answer is seen');
      t.strictSame(
        world.pools.map(({ asked }) => asked.length),
        [1, 1, 0],
      );
      world.target.opens();
      world.target.says(OK);
      t.match(world.client.text, /^HTTP\/1.1 200 OK\r\n/);
      t.notMatch(world.client.text, /first/);
      t.equal(sumOfBlocks(world.memory, BLOCK.retries + RETRY_REASON.status), 1);
      isOver(t, world, { deeds: ['over'] });
    }
    t.end();
  });
}

await t.test('a release is judged by the answer that the client does not see', (t) => {
  for (const [badStatuses, bad] of [
    [[{ min: 500, max: 599 }], 1],
    [[{ min: 500, max: 500 }], 0],
  ] as const) {
    const world = worldWith();
    const judging = new Judging({ badStatuses, ignorePaths: [] });
    world.decided = { ...world.decided, deployment: { ...world.decided.deployment, judging } };
    first(world, GET, answer(503));
    world.target.opens();
    world.target.says(OK);
    t.match(world.client.text, /^HTTP\/1.1 200 OK\r\n/);
    const { all } = judgedOf(new Totals(world.memory, 1), world.decided.deployment.block);
    t.match(all, { judged: 1, bad }, 'once');
  }
  t.end();
});

await t.test('that happens once: the second answer is the answer', (t) => {
  const world = first(worldWith({ blue: [1, 2, 4] }), GET, answer(503));
  world.target.opens();
  world.target.says(answer(502).replaceAll('first', 'again'));
  t.match(world.client.text, /^HTTP\/1.1 502 [^]*again$/);
  t.equal(world.targets.length, 2);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('a second endpoint that can not be reached is told', (t) => {
  const world = first(worldWith(), GET, answer(503));
  world.target.failsToConnect();
  t.match(world.client.text, /^HTTP\/1.1 502 /);
  isOver(t, world, { deeds: ['over'], failures: { CONNECT_FAILED: 1 } });
  t.end();
});

await t.test('a request that was sent again for another reason is not once more', (t) => {
  const world = worldWith({ blue: [1, 2, 4] }).asks(GET);
  world.target.failsToConnect();
  world.target.opens();
  world.target.says(answer(503));
  t.match(world.client.text, /^HTTP\/1.1 503 /);
  t.equal(world.targets.length, 2);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('what is not meant to be asked again is not', (t) => {
  isAnswered(t, first(worldWith({}, false), GET, answer(503)), 503, 'it is off');
  for (const status of [500, 501, 505, 429]) {
    isAnswered(t, first(worldWith(), GET, answer(status)), status, 'it is the answer of the app');
  }
  for (const field of ['Retry-After: 5', 'retry-after: Fri, 31 Dec 2027 23:59:59 GMT']) {
    const world = first(worldWith(), GET, answer(503, `${field}\r\n`));
    isAnswered(t, world, 503, 'it says when to come back');
    t.match(world.client.text, field);
  }
  isAnswered(t, first(worldWith({ blue: [1] }), GET, answer(503)), 503, 'there is no other');
  isAnswered(t, first(worldWith(), UPGRADE, answer(503)), 503, 'it wants a tunnel');
  const preview = worldWith({ decided: { reason: DECISION.preview } });
  isAnswered(t, first(preview, GET, answer(503)), 503, 'it is a preview');
  const login = worldWith();
  login.client.bonds = new Bonds();
  isAnswered(t, first(login, GET, answer(503)), 503, 'its login needs one connection');
  t.end();
});

await t.test('what may change something, or has a body, is not', (t) => {
  for (const request of [
    `${POST}0123456789`,
    `${PUT}0123456789`,
    'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
    'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ]) {
    isAnswered(t, first(worldWith(), request, answer(503)), 503, request);
  }
  t.end();
});

await t.test('nothing is asked again once the client has seen something', (t) => {
  const world = worldWith().asks(GET);
  world.target.opens();
  world.target.says('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n');
  world.target.says(answer(503));
  t.match(world.client.text, /^HTTP\/1.1 103 [^]*HTTP\/1.1 503 [^]*first$/);
  t.equal(world.retries, 0);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('an endpoint that is ejected, on trial or down is no other', (t) => {
  for (const word of ['ejected', 'trial', 'down'] as const) {
    const world = worldWith();
    world.asks(GET);
    for (const { endpoint, asked } of world.pools) {
      if (asked.length === 0) world.health[endpoint.slot] = HEALTH_WORD[word];
    }
    world.target.opens();
    world.target.says(answer(503));
    isAnswered(t, world, 503, word);
  }
  t.end();
});

await t.test('in an outage, few are asked again', (t) => {
  const { service } = worldWith().decided;
  let asked = 0;
  for (let i = 0; i < 200; i++) {
    const world = new ExchangeWorld();
    world.decided = { ...world.decided, service };
    first(world, GET, answer(503));
    asked += world.retries;
  }
  t.ok(asked >= 40 && asked <= 40 + RETRY_BURST, `${asked} of 200`);
  t.end();
});

await t.test('a client that leaves meanwhile ends it', (t) => {
  const world = first(worldWith(), GET, answer(503));
  world.exchange.clientGone('CLIENT_GONE', true);
  t.equal(world.client.text, '');
  t.strictSame(world.counted, []);
  t.strictSame(world.failures, { CLIENT_GONE: 1 });
  t.end();
});
