// Requests that wait: within bounds, let go in the order they came, and counted.

import t from 'tap';
import { BLOCK, blockOffset, REGION_SLOTS } from '../../../../src/contract/counters.ts';
import type { Hold } from '../../../../src/contract/table.ts';
import {
  HoldQueue,
  type Place,
  type Waiter,
} from '../../../../src/data-plane/routing/hold-queue.ts';
import type { RoutedService } from '../../../../src/data-plane/routing/table/routed-service.ts';
import type { RouteTable } from '../../../../src/data-plane/routing/table/route-table.ts';
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

/** A queue, the requests that wait there, and what became of them, in order. */
class Scene {
  readonly heard: string[] = [];
  readonly queue: HoldQueue;
  readonly #region = new Float64Array(REGION_SLOTS);
  readonly #places = new Map<string, Place>();

  constructor() {
    this.queue = new HoldQueue(new Tally(this.#region));
  }

  enter(name: string, bytes = 10, service: RoutedService = SHOP): void {
    const leave = (what: string) => (): void => {
      this.leave(name);
      this.heard.push(`${name} ${what}`);
    };
    const waiter: Waiter = {
      resume: leave('goes on'),
      pauseReading: () => this.heard.push(`${name} pauses`),
    };
    this.#places.set(name, this.queue.enter(waiter, service, bytes));
  }

  place(name: string): Place {
    return this.#places.get(name)!;
  }

  leave(name: string): void {
    this.queue.leave(this.place(name));
  }

  held(block = SHOP.active.block): number {
    return this.#region[blockOffset(block) + BLOCK.held]!;
  }
}

await t.test('requests wait up to their number', async (t) => {
  const scene = new Scene();
  for (const name of ['a', 'b', 'c']) {
    t.equal(scene.queue.hasRoom(SHOP, 1), true);
    scene.enter(name);
  }
  t.equal(scene.queue.hasRoom(SHOP, 1), false);
  scene.leave('b');
  t.equal(scene.queue.hasRoom(SHOP, 1), true, 'a request that leaves makes room');
});

await t.test('requests wait up to their bytes', async (t) => {
  const scene = new Scene();
  t.equal(scene.queue.hasRoom(SHOP, 100), true);
  t.equal(scene.queue.hasRoom(SHOP, 101), false, 'also the first');
  scene.enter('a', 60);
  t.equal(scene.queue.hasRoom(SHOP, 40), true);
  t.equal(scene.queue.hasRoom(SHOP, 41), false);
  scene.leave('a');
  t.equal(scene.queue.hasRoom(SHOP, 100), true);
});

await t.test('where no request may wait, not even the first does', async (t) => {
  const none = tableWith(HOLD, { requestsMax: 0, bytesMax: 100 }).services[0]!;
  t.equal(new Scene().queue.hasRoom(none, 1), false);
});

await t.test('what comes in later takes room too, and gives it back', async (t) => {
  const scene = new Scene();
  scene.enter('a', 60);
  scene.queue.grow(scene.place('a'), 30);
  t.equal(scene.queue.hasRoom(SHOP, 10), true);
  t.equal(scene.queue.hasRoom(SHOP, 11), false);
  scene.enter('b', 5);
  scene.leave('a');
  t.equal(scene.queue.hasRoom(SHOP, 95), true);
  t.equal(scene.queue.hasRoom(SHOP, 96), false);
});

await t.test('once all bytes are taken, no client is read any more', async (t) => {
  const scene = new Scene();
  scene.enter('a', 50);
  scene.enter('b', 40);
  scene.queue.grow(scene.place('a'), 9);
  t.strictSame(scene.heard, []);
  scene.queue.grow(scene.place('b'), 1);
  t.strictSame(scene.heard, ['a pauses', 'b pauses']);
  scene.queue.grow(scene.place('b'), 1);
  t.equal(scene.heard.length, 2, 'said once');
});

await t.test(
  'the request that takes the last bytes as it comes in pauses with the others',
  async (t) => {
    const scene = new Scene();
    scene.enter('a', 50);
    scene.enter('b', 50);
    t.strictSame(scene.heard, ['a pauses', 'b pauses']);
  },
);

await t.test('once no request waits, the bounds of the next table count', async (t) => {
  const scene = new Scene();
  scene.enter('a', 50);
  scene.leave('a');
  const narrow = tableWith(HOLD, { requestsMax: 3, bytesMax: 20 }).services[0]!;
  scene.enter('b', 20, narrow);
  t.strictSame(scene.heard, ['b pauses']);
});

await t.test('two services have bounds of their own', async (t) => {
  const scene = new Scene();
  for (const name of ['a', 'b', 'c']) scene.enter(name, 30);
  t.equal(scene.queue.hasRoom(SHOP, 1), false);
  t.equal(scene.queue.hasRoom(BLOG, 100), true);
});

await t.test('waiting requests are counted, each until it leaves, once', async (t) => {
  const scene = new Scene();
  scene.enter('a');
  scene.enter('b');
  t.equal(scene.held(), 2);
  scene.leave('a');
  scene.leave('a');
  t.equal(scene.held(), 1);
  scene.leave('b');
  scene.leave('b');
  t.equal(scene.held(), 0);
});

await t.test('a table that holds the service no more lets all go, in their order', async (t) => {
  const scene = new Scene();
  for (const name of ['c', 'a', 'b']) scene.enter(name);
  scene.queue.follow(FREE);
  t.strictSame(scene.heard, ['c goes on', 'a goes on', 'b goes on']);
  t.equal(scene.held(), 0);
});

await t.test(
  'a table that still holds the service in the same way lets no request go',
  async (t) => {
    const scene = new Scene();
    scene.enter('a');
    scene.queue.follow(tableWith({ ...HOLD }));
    t.strictSame(scene.heard, []);
  },
);

await t.test('a table that holds it in another way has all decided on anew', async (t) => {
  for (const change of [{ methods: 'writes' }, { untilMs: 2_000 }] as const) {
    const scene = new Scene();
    for (const name of ['a', 'b']) scene.enter(name);
    scene.queue.follow(tableWith({ ...HOLD, ...change }));
    t.strictSame(scene.heard, ['a goes on', 'b goes on']);
  }
});

await t.test('a table without the service lets go', async (t) => {
  const scene = new Scene();
  scene.enter('a');
  scene.queue.follow(routes([]));
  t.strictSame(scene.heard, ['a goes on']);
});

await t.test('only those of the service that is free are let go', async (t) => {
  const scene = new Scene();
  scene.enter('a', 10, SHOP);
  scene.enter('b', 10, BLOG);
  const [first, second] = [shop(), { ...shop(), name: 'blog', paths: ['/blog'], hold: HOLD }];
  scene.queue.follow(routes([first, second]));
  t.strictSame(scene.heard, ['a goes on']);
});

await t.test('a request that comes in again at once is not decided on twice', async (t) => {
  const { queue } = new Scene();
  const heard: string[] = [];
  const enter = (name: string): void => {
    const waiter: Waiter = {
      resume() {
        queue.leave(place);
        heard.push(name);
        if (heard.length > 10) throw new Error('round and round');
        enter(name); // By then, another table holds the service.
      },
      pauseReading() {},
    };
    const place = queue.enter(waiter, SHOP, 1);
  };
  enter('a');
  queue.follow(FREE);
  t.strictSame(heard, ['a'], 'alone');
  enter('b');
  queue.follow(FREE);
  queue.follow(FREE);
  t.strictSame(heard, ['a', 'a', 'b', 'a', 'b'], 'their order stays');
});

await t.test(
  'a switch during the hold keeps what waits, and counts it where it will go',
  async (t) => {
    const scene = new Scene();
    scene.enter('a');
    scene.enter('b');
    const switched = routes([{ ...shop(), name: 'shop', active: 'blue', hold: HOLD }]);
    const { block } = switched.services[0]!.active;
    t.not(block, SHOP.active.block);
    scene.queue.follow(switched);
    t.strictSame(scene.heard, [], 'they wait on');
    t.strictSame([scene.held(), scene.held(block)], [0, 2]);
    scene.leave('a');
    scene.leave('b');
    t.strictSame([scene.held(), scene.held(block)], [0, 0]);
  },
);
