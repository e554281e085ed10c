// The life of one request between a client, targets and pools that are fakes: its phases in order,
// what is tried again, every way in which it ends, and that each counter comes back.

import { HEALTHY } from '../../../../src/data-plane/routing/responses/own-response.ts';
import t from 'tap';
import { REST_OF_REQUEST_BYTES_MAX } from '../../../../src/base/limits.ts';
import { refusalFor } from '../../../../src/data-plane/routing/responses/refusal.ts';
import { GET, HALF, OK, POST, PUT } from '../support/exchange-texts.ts';
import { ExchangeWorld, isOver } from '../support/exchange-world.ts';

await t.test('a request goes to a target, its response to the client', (t) => {
  const world = new ExchangeWorld().asks(GET);
  t.equal(world.counted.length, 2, 'by its deployment and by its endpoint');
  t.equal(world.target.text, '', 'nothing is sent before there is a connection');
  world.target.opens();
  t.match(world.target.text, /^GET \/ HTTP\/1.1\r\n[^]*x-turnout-color: blue[^]*\r\n\r\n$/);
  t.ok(world.target.isAsked);
  t.equal(world.client.text, '');
  world.target.says(OK);
  t.equal(world.client.text, OK);
  t.equal(world.client.keepAlive, true);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('a body is held until there is a connection, and the client waits', (t) => {
  const world = new ExchangeWorld().asks(`${POST}abc`);
  t.ok(world.client.isPaused);
  world.target.opens();
  t.equal(world.target.sentBody, 'abc');
  t.notOk(world.client.isPaused);
  t.notOk(world.target.isAsked);
  world.sends('defghij');
  t.equal(world.target.sentBody, 'abcdefghij');
  t.ok(world.target.isAsked, 'from now on the target owes a response');
  world.target.says(OK);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('a target that has no room makes the client wait, and the other way round', (t) => {
  const world = new ExchangeWorld().asks(POST);
  world.target.opens();
  world.target.hasRoom = false;
  world.sends('abc');
  t.ok(world.client.isPaused);
  world.target.gives(true);
  t.notOk(world.client.isPaused);
  world.sends('defghij');
  world.client.hasRoom = false;
  world.target.says(HALF);
  t.ok(world.target.isPaused);
  world.tells((exchange) => exchange.onClientRoom());
  t.notOk(world.target.isPaused);
  world.target.says(' done');
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('a connection that fails is tried again once, on another endpoint', (t) => {
  const world = new ExchangeWorld().asks(POST);
  const [first] = world.targets;
  first!.failsToConnect();
  t.equal(world.retries, 1);
  t.equal(world.targets.length, 2);
  t.strictSame(
    world.pools.map(({ asked }) => asked.length),
    [1, 1, 0],
    'each endpoint of blue was asked once, green never',
  );
  world.target.failsToConnect(true);
  t.match(world.client.text, /^HTTP\/1.1 504 /);
  isOver(t, world, { deeds: ['over'], failures: { CONNECT_TIMEOUT: 1 } });
  t.end();
});

await t.test('a second try goes where the color leads now, not where it did', (t) => {
  const world = new ExchangeWorld({ blue: [1, 2, 3] });
  const stays = world.pools[2]!;
  world.poolsNow = () => [stays];
  world.asks(GET);
  world.targets[0]!.failsToConnect();
  const asked = world.pools.map((pool) => pool.asked.length);
  t.equal(stays.asked.length, stays === world.pools[asked.indexOf(2)] ? 2 : 1);
  t.equal(asked[0]! + asked[1]! + stays.asked.length, 2);
  t.end();
});

await t.test('a color of one endpoint is asked again at that one', (t) => {
  const world = new ExchangeWorld({ blue: [1] }).asks(GET);
  world.target.failsToConnect();
  t.strictSame(world.pools[0]!.asked, [false, true], 'by a new connection');
  world.target.opens();
  world.target.says(OK);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

await t.test('a used connection that was closed is no failure of an idempotent request', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.breaksOff('stale');
  t.equal(world.retries, 1);
  world.target.opens();
  world.target.says(OK);
  isOver(t, world, { deeds: ['over'] });
  t.end();
});

for (const [name, request, body] of [
  ['a request that is not idempotent', POST, ''],
  ['a request of whose body a byte has left', PUT, 'abc'],
] as const) {
  await t.test(`${name} is not sent again`, (t) => {
    const world = new ExchangeWorld().asks(request);
    world.target.opens();
    if (body !== '') world.sends(body);
    world.target.breaksOff('stale');
    t.equal(world.targets.length, 1);
    t.match(world.client.text, /^HTTP\/1.1 502 /);
    isOver(t, world, { deeds: ['over'], failures: { UPSTREAM_CLOSED: 1 } });
    t.equal(world.client.keepAlive, false, 'the rest of its body is not read');
    t.end();
  });
}

await t.test('without a service, or a target, a request is refused', (t) => {
  const deployment = { ...new ExchangeWorld().nowhere, pools: [] };
  const lost = new ExchangeWorld({ decided: { service: undefined, deployment } }).asks(GET);
  t.match(lost.client.text, /^HTTP\/1.1 404 /);
  isOver(t, lost, { deeds: ['over'], failures: { NO_ROUTE: 1 } });
  const empty = new ExchangeWorld({ blue: [] }).asks(GET);
  t.match(empty.client.text, /^HTTP\/1.1 503 /);
  isOver(t, empty, { deeds: ['over'], failures: { NO_TARGET: 1 } });
  t.end();
});

await t.test('what was refused before and a health check go to no target', (t) => {
  const refusal = refusalFor('HOLD_FULL');
  const held = new ExchangeWorld({ decided: { verdict: 'refuse', refusal } }).asks(`${POST}abc`);
  t.match(held.client.text, /^HTTP\/1.1 503 /);
  isOver(t, held, { deeds: ['over'], failures: { HOLD_FULL: 1 } });
  t.equal(held.client.keepAlive, false, 'a body is not read');
  const healthy = new ExchangeWorld({ decided: { verdict: 'respond', response: HEALTHY } }).asks(
    GET,
  );
  t.match(healthy.client.text, /^HTTP\/1.1 200 /);
  isOver(t, healthy, { deeds: ['over'] });
  t.equal(held.targets.length + healthy.targets.length, 0);
  t.end();
});

await t.test('a body over the limit is refused: declared, and as it comes', (t) => {
  const patch = { client: { bodyBytesMax: 4 } };
  const declared = new ExchangeWorld({ patch }).asks(POST);
  t.equal(declared.targets.length, 0);
  isOver(t, declared, { deeds: ['over'], failures: { BODY_TOO_LARGE: 1 } });
  const chunked = POST.replace('Content-Length: 10', 'Transfer-Encoding: chunked');
  const coming = new ExchangeWorld({ patch }).asks(chunked);
  coming.target.opens();
  const [target] = coming.targets;
  coming.sends('5\r\nabcde\r\n');
  t.match(coming.client.text, /^HTTP\/1.1 413 /);
  t.ok(target!.isClosed);
  isOver(t, coming, { deeds: ['over'], failures: { BODY_TOO_LARGE: 1 } });
  t.end();
});

await t.test('after an early response the rest of the body is dropped, within a bound', (t) => {
  const early = (length: number): ExchangeWorld => {
    const world = new ExchangeWorld().asks(POST.replace('10', `${length}`));
    world.target.opens();
    world.sends('abc');
    world.target.says(OK);
    t.strictSame(world.client.deeds, ['awaits the rest']);
    t.equal(world.client.text, OK);
    return world;
  };
  const whole = early(10);
  whole.sends('defghij');
  t.equal(whole.targets[0]!.sentBody, 'abc');
  isOver(t, whole, { deeds: ['awaits the rest', 'over'] });
  t.equal(whole.client.keepAlive, true);
  const late = early(10);
  late.tells((exchange) => exchange.onClientDeadline());
  isOver(t, late, { deeds: ['awaits the rest', 'over'] });
  t.equal(late.client.keepAlive, false);
  const long = early(2 * REST_OF_REQUEST_BYTES_MAX);
  long.sends('x'.repeat(REST_OF_REQUEST_BYTES_MAX + 1));
  isOver(t, long, { deeds: ['awaits the rest', 'over'] });
  t.equal(long.client.keepAlive, false);
  t.end();
});

await t.test('informational responses are relayed before the final one', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.says('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n');
  world.target.says(OK);
  t.equal(world.client.text, `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${OK}`);
  isOver(t, world, { deeds: ['over'] });
  const old = new ExchangeWorld().asks('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  old.target.opens();
  old.target.says('HTTP/1.1 103 Early Hints\r\n\r\n');
  t.equal(old.client.text, '', 'HTTP/1.0 knows none');
  old.target.says(OK);
  isOver(t, old, { deeds: ['over'] });
  t.end();
});

/** Brings a request so far. */
const PHASES: Readonly<Record<string, (world: ExchangeWorld) => void>> = {
  connecting: (world) => world.asks(GET),
  'in the queue': (world) => {
    for (const pool of world.pools) pool.mode = 'queue';
    world.asks(GET);
  },
  'within its body': (world) => {
    world.asks(POST);
    world.target.opens();
    world.sends('abc');
  },
  'before the response': (world) => {
    world.asks(GET);
    world.target.opens();
  },
  'within the response': (world) => {
    world.asks(GET);
    world.target.opens();
    world.target.says(HALF);
  },
};

for (const [phase, reach] of Object.entries(PHASES)) {
  await t.test(`a client that leaves ${phase} takes its request along`, (t) => {
    for (const code of ['CLIENT_GONE', 'CLIENT_STALLED'] as const) {
      const world = new ExchangeWorld();
      reach(world);
      const [target] = world.targets;
      world.tells((exchange) => exchange.clientGone(code, false));
      t.notOk(target !== undefined && !target.isClosed, 'its connection is not used again');
      t.strictSame(
        world.pools.flatMap(({ waiting }) => waiting),
        [],
      );
      // One that has only ended its side reads what was written for it.
      const deeds = [code === 'CLIENT_GONE' ? 'end' : 'cut', 'over'];
      isOver(t, world, { deeds, failures: { [code]: 1 } });
    }
    t.end();
  });

  await t.test(`an error ${phase} is told, as far as the client can still be told`, (t) => {
    const world = new ExchangeWorld();
    reach(world);
    world.exchange.onFault(new Error('broken'));
    t.match(world.errors.splice(0), [{ message: 'broken' }]);
    const isCut = phase === 'within the response';
    if (!isCut) t.match(world.client.text, /^HTTP\/1.1 500 /);
    isOver(t, world, { deeds: isCut ? ['cut', 'over'] : ['over'], failures: { INTERNAL: 1 } });
    t.end();
  });
}

await t.test('a target that fails after the head was sent leaves a cut response', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.says(HALF);
  world.target.breaksOff();
  t.ok(world.client.text.endsWith('half'), 'no refusal follows');
  isOver(t, world, { deeds: ['end', 'over'], failures: { UPSTREAM_ABORTED: 1 } });
  t.end();
});

await t.test('a pool whose queue is full refuses; a place in it is bounded in time', (t) => {
  const full = new ExchangeWorld();
  for (const pool of full.pools) pool.mode = 'full';
  full.asks(GET);
  t.match(full.client.text, /^HTTP\/1.1 503 /);
  isOver(t, full, { deeds: ['over'], failures: { POOL_FULL: 1 } });
  const waiting = new ExchangeWorld();
  PHASES['in the queue']!(waiting);
  waiting.passTime(waiting.settings.upstream.connectTimeoutMs);
  isOver(t, waiting, { deeds: ['over'], failures: { POOL_TIMEOUT: 1 } });
  t.strictSame(
    waiting.pools.flatMap((pool) => pool.waiting),
    [],
  );
  const served = new ExchangeWorld();
  PHASES['in the queue']!(served);
  for (const pool of served.pools) pool.servesNext();
  served.passTime(served.settings.upstream.connectTimeoutMs);
  served.target.says(OK);
  isOver(t, served, { deeds: ['over'] });
  t.end();
});

await t.test('where a file may be is asked when the 404 has come, and only then', (t) => {
  const get = GET.replace('/ ', '/assets/a.js ');
  const missing = 'HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno';
  const ended = new ExchangeWorld().asks(get);
  ended.target.opens();
  ended.rescuer = undefined;
  ended.target.says(missing);
  t.equal(ended.client.text, missing, 'the drain has ended meanwhile');
  isOver(t, ended, { deeds: ['over'] });
  const began = new ExchangeWorld();
  const { rescuer } = began;
  began.rescuer = undefined;
  began.asks(get);
  began.target.opens();
  began.rescuer = rescuer;
  began.target.says(missing);
  t.equal(began.client.text, '', 'a drain has begun meanwhile');
  began.target.opens();
  began.target.says(OK);
  t.equal(began.client.text, OK);
  isOver(t, began, { deeds: ['over'] });
  t.end();
});

await t.test('a 404 for a file of another release is asked for at the other color', (t) => {
  const get = GET.replace('/ ', '/assets/a.js ');
  const rescued = new ExchangeWorld().asks(get);
  rescued.target.opens();
  rescued.target.says('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno');
  t.equal(rescued.client.text, '');
  t.strictSame(rescued.counted, ['requests of block 2: 1', 'requests at endpoint 2: 1']);
  t.equal(rescued.pools[2]!.targets.length, 1);
  rescued.target.opens();
  t.match(rescued.target.text, /x-turnout-color: green/);
  rescued.target.says(OK);
  t.equal(rescued.client.text, OK);
  isOver(t, rescued, { deeds: ['over'] });
  const lost = new ExchangeWorld().asks(get);
  lost.target.opens();
  lost.target.says('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno');
  for (let tries = 0; tries < 2; tries++) lost.target.failsToConnect();
  t.match(lost.client.text, /^HTTP\/1.1 404 /, 'no 502: the active color has no such file');
  isOver(t, lost, { deeds: ['over'], failures: { RESCUE_FAILED: 1 } });
  t.end();
});

await t.test('a body that does not come in time, or is none, is refused', (t) => {
  const late = new ExchangeWorld().asks(POST);
  late.tells((exchange) => exchange.onClientDeadline());
  t.match(late.client.text, /^HTTP\/1.1 408 /);
  isOver(t, late, { deeds: ['over'], failures: { REQUEST_TIMEOUT: 1 } });
  const wrong = new ExchangeWorld().asks(
    POST.replace('Content-Length: 10', 'Transfer-Encoding: chunked'),
  );
  wrong.sends('no chunk\r\n');
  t.match(wrong.client.text, /^HTTP\/1.1 400 /);
  isOver(t, wrong, { deeds: ['over'], failures: { BAD_REQUEST_BODY: 1 } });
  t.end();
});
