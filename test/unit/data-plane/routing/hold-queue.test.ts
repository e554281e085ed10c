// Requests that wait: within bounds, let go in the order they came, and counted.

import t from 'tap';
import { BLOCK, blockOffset, REGION_SLOTS } from '../../../../src/contract/counters.ts';
import type { Hold } from '../../../../src/contract/table.ts';
import {
  HoldQueue,
  type Ticket,
  type Waiter,
} from '../../../../src/data-plane/routing/hold-queue.ts';
import type { RoutedService } from '../../../../src/data-plane/routing/routed-service.ts';
import type { RouteTable } from '../../../../src/data-plane/routing/route-table.ts';
import { Tally } from '../../../../src/data-plane/base/tally.ts';
import { routes, shop } from '../../../support/deciding.ts';
import { testPolicy } from '../../../support/policy.ts';

const HOLD: Hold = { methods: 'all', untilMs: 1_000, closesLongLived: false };

function tableWith(hold: Hold | undefined, limits = { requestsMax: 3, bytesMax: 100 }): RouteTable {
  const policy = testPolicy({ hold: limits });
  const services = ['shop', 'blog'].map((name) => ({
    ...shop(),
    name,
    paths: [`/${name}`],
    policy,
    hold,
  }));
  return routes(services);
}

const HELD = tableWith(HOLD);
const FREE = tableWith(undefined);
const SHOP = HELD.services[0]!;
const BLOG = HELD.services[1]!;

/** A parking, the requests that wait there, and what became of them, in order. */
class Lot {
  readonly heard: string[] = [];
  readonly parking: HoldQueue;
  readonly #region = new Float64Array(REGION_SLOTS);
  readonly #tickets = new Map<string, Ticket>();

  constructor() {
    this.parking = new HoldQueue(new Tally(this.#region));
  }

  enter(name: string, bytes = 10, service: RoutedService = SHOP): void {
    const leave = (what: string) => (): void => {
      this.leave(name);
      this.heard.push(`${name} ${what}`);
    };
    const waiter: Waiter = {
      resume: leave('goes on'),
      waitNoLonger: leave('waits no longer'),
      pauseReading: () => this.heard.push(`${name} pauses`),
    };
    this.#tickets.set(name, this.parking.enter(waiter, service, bytes));
  }

  ticket(name: string): Ticket {
    return this.#tickets.get(name)!;
  }

  leave(name: string): void {
    this.parking.leave(this.ticket(name));
  }

  held(): number {
    return this.#region[blockOffset(SHOP.active.block) + BLOCK.held]!;
  }
}

await t.test('requests wait up to their number', async (t) => {
  const lot = new Lot();
  for (const name of ['a', 'b', 'c']) {
    t.equal(lot.parking.hasRoom(SHOP, 1), true);
    lot.enter(name);
  }
  t.equal(lot.parking.hasRoom(SHOP, 1), false);
  lot.leave('b');
  t.equal(lot.parking.hasRoom(SHOP, 1), true, 'who leaves makes room');
});

await t.test('requests wait up to their bytes', async (t) => {
  const lot = new Lot();
  t.equal(lot.parking.hasRoom(SHOP, 100), true);
  t.equal(lot.parking.hasRoom(SHOP, 101), false, 'also the first');
  lot.enter('a', 60);
  t.equal(lot.parking.hasRoom(SHOP, 40), true);
  t.equal(lot.parking.hasRoom(SHOP, 41), false);
  lot.leave('a');
  t.equal(lot.parking.hasRoom(SHOP, 100), true);
});

await t.test('where nobody may wait, not even the first does', async (t) => {
  const none = tableWith(HOLD, { requestsMax: 0, bytesMax: 100 }).services[0]!;
  t.equal(new Lot().parking.hasRoom(none, 1), false);
});

await t.test('what comes in later takes room too, and gives it back', async (t) => {
  const lot = new Lot();
  lot.enter('a', 60);
  lot.parking.grow(lot.ticket('a'), 30);
  t.equal(lot.parking.hasRoom(SHOP, 10), true);
  t.equal(lot.parking.hasRoom(SHOP, 11), false);
  lot.enter('b', 5);
  lot.leave('a');
  t.equal(lot.parking.hasRoom(SHOP, 95), true);
  t.equal(lot.parking.hasRoom(SHOP, 96), false);
});

await t.test('once all bytes are taken, nobody is read any more', async (t) => {
  const lot = new Lot();
  lot.enter('a', 50);
  lot.enter('b', 40);
  lot.parking.grow(lot.ticket('a'), 9);
  t.strictSame(lot.heard, []);
  lot.parking.grow(lot.ticket('b'), 1);
  t.strictSame(lot.heard, ['a pauses', 'b pauses']);
  lot.parking.grow(lot.ticket('b'), 1);
  t.equal(lot.heard.length, 2, 'said once');
});

await t.test('who takes the last bytes by coming in pauses with the others', async (t) => {
  const lot = new Lot();
  lot.enter('a', 50);
  lot.enter('b', 50);
  t.strictSame(lot.heard, ['a pauses', 'b pauses']);
});

await t.test('once nobody waits, the bounds of the next table count', async (t) => {
  const lot = new Lot();
  lot.enter('a', 50);
  lot.leave('a');
  const narrow = tableWith(HOLD, { requestsMax: 3, bytesMax: 20 }).services[0]!;
  lot.enter('b', 20, narrow);
  t.strictSame(lot.heard, ['b pauses']);
});

await t.test('two services have bounds of their own', async (t) => {
  const lot = new Lot();
  for (const name of ['a', 'b', 'c']) lot.enter(name, 30);
  t.equal(lot.parking.hasRoom(SHOP, 1), false);
  t.equal(lot.parking.hasRoom(BLOG, 100), true);
});

await t.test('waiting requests are counted, each until it leaves, once', async (t) => {
  const lot = new Lot();
  lot.enter('a');
  lot.enter('b');
  t.equal(lot.held(), 2);
  lot.leave('a');
  lot.leave('a');
  t.equal(lot.held(), 1);
  lot.leave('b');
  lot.leave('b');
  t.equal(lot.held(), 0);
});

await t.test('a table that holds the service no more lets all go, in their order', async (t) => {
  const lot = new Lot();
  for (const name of ['c', 'a', 'b']) lot.enter(name);
  lot.parking.follow(FREE);
  t.strictSame(lot.heard, ['c goes on', 'a goes on', 'b goes on']);
  t.equal(lot.held(), 0);
});

await t.test('a table that holds it still, in the same way, lets nobody go', async (t) => {
  const lot = new Lot();
  lot.enter('a');
  lot.parking.follow(tableWith({ ...HOLD }));
  t.strictSame(lot.heard, []);
});

await t.test('a table that holds it in another way has all decided on anew', async (t) => {
  for (const change of [{ methods: 'writes' }, { untilMs: 2_000 }] as const) {
    const lot = new Lot();
    for (const name of ['a', 'b']) lot.enter(name);
    lot.parking.follow(tableWith({ ...HOLD, ...change }));
    t.strictSame(lot.heard, ['a goes on', 'b goes on']);
  }
});

await t.test('a table without the service lets go', async (t) => {
  const lot = new Lot();
  lot.enter('a');
  lot.parking.follow(routes([]));
  t.strictSame(lot.heard, ['a goes on']);
});

await t.test('only those of the service that is free are let go', async (t) => {
  const lot = new Lot();
  lot.enter('a', 10, SHOP);
  lot.enter('b', 10, BLOG);
  const [first, second] = [shop(), { ...shop(), name: 'blog', paths: ['/blog'], hold: HOLD }];
  lot.parking.follow(routes([first, second]));
  t.strictSame(lot.heard, ['a goes on']);
});

await t.test('who comes in again at once is not asked twice', async (t) => {
  const { parking } = new Lot();
  const heard: string[] = [];
  const enter = (name: string): void => {
    const waiter: Waiter = {
      resume() {
        parking.leave(ticket);
        heard.push(name);
        if (heard.length > 10) throw new Error('round and round');
        enter(name); // By then, another table holds the service.
      },
      waitNoLonger() {},
      pauseReading() {},
    };
    const ticket = parking.enter(waiter, SHOP, 1);
  };
  enter('a');
  parking.follow(FREE);
  t.strictSame(heard, ['a'], 'alone');
  enter('b');
  parking.follow(FREE);
  parking.follow(FREE);
  t.strictSame(heard, ['a', 'a', 'b', 'a', 'b'], 'their order stays');
});

await t.test('a worker that stops lets everybody go for good', async (t) => {
  const lot = new Lot();
  lot.enter('a', 10, SHOP);
  lot.enter('b', 10, BLOG);
  lot.enter('c', 10, SHOP);
  lot.parking.letAllGo();
  t.strictSame(lot.heard.toSorted(), [
    'a waits no longer',
    'b waits no longer',
    'c waits no longer',
  ]);
  t.equal(lot.held(), 0);
});
