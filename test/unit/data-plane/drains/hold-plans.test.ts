// What a hold does to requests that still run: at half of its time it cuts those of slow clients.

import t from 'tap';
import type { FailureCode } from '../../../../src/base/failures.ts';
import type { Progress } from '../../../../src/data-plane/base/progress.ts';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import { HoldPlans, type AwaitedExchange } from '../../../../src/data-plane/drains/hold-plans.ts';
import type {
  HoldOrder,
  RouteTable,
} from '../../../../src/data-plane/routing/table/route-table.ts';

const BLOCK = 3;

class FakeExchange implements AwaitedExchange {
  readonly block: number;
  readonly hasSession = false;
  readonly reason = 0;
  isLongLived = false;
  progress: Progress;
  failed: FailureCode | undefined;
  faults: unknown[] = [];
  onFail = (): void => {};

  constructor(progress: Partial<Progress>, block = BLOCK) {
    this.block = block;
    this.progress = { waitsFor: 'upload', movedBytes: 0, leftBytes: 100_000, ...progress };
  }

  fail(code: FailureCode): void {
    this.onFail();
    this.failed = code;
  }
  endGently(): void {}
  cutByDrain(): void {}
  onFault(error: unknown): void {
    this.faults.push(error);
  }
}

function scene(...exchanges: FakeExchange[]) {
  const wheel = new Wheel();
  const clients = exchanges.map((exchange) => ({ exchange }));
  const plans = new HoldPlans({
    wheel,
    clients: () => clients,
    contained: (error) => t.fail(String(error)),
  });
  return {
    wheel,
    plans,
    clients,
    follow: (...holds: HoldOrder[]) => plans.follow({ holds } as unknown as RouteTable),
  };
}

/** A hold of ten seconds that begins now. */
function tenSeconds(): HoldOrder {
  const fromMs = Date.now();
  return { service: 'shop', blocks: new Set([BLOCK]), quiet: { fromMs, byMs: fromMs + 10_000 } };
}

/** Turns the wheel to just after half of ten seconds. */
function half(wheel: Wheel): void {
  wheel.advance(52);
}

await t.test('at half of the time clients that are too slow are cut, and no others', async (t) => {
  const slow = new FakeExchange({});
  const reader = new FakeExchange({ waitsFor: 'reader', movedBytes: 5_000 });
  const poll = new FakeExchange({ waitsFor: 'target', leftBytes: undefined });
  const other = new FakeExchange({}, BLOCK + 1);
  const tunnel = new FakeExchange({});
  tunnel.isLongLived = true;
  const fast = new FakeExchange({});
  const { wheel, follow } = scene(slow, reader, poll, other, tunnel, fast);
  follow(tenSeconds());
  wheel.advance(40);
  t.equal(slow.failed, undefined, 'not before');
  fast.progress = { ...fast.progress, movedBytes: 90_000_000, leftBytes: 1_000 };
  half(wheel);
  t.equal(slow.failed, 'CLIENT_TOO_SLOW');
  t.equal(reader.failed, 'CLIENT_TOO_SLOW', 'what was read before the hold does not count');
  for (const one of [poll, other, tunnel, fast]) t.equal(one.failed, undefined);
});

await t.test('a hold that ends before half of its time cuts nothing', async (t) => {
  const slow = new FakeExchange({});
  const { wheel, follow } = scene(slow);
  follow(tenSeconds());
  follow();
  half(wheel);
  t.equal(slow.failed, undefined);
});

await t.test('a table that holds in the same way does not begin anew', async (t) => {
  const slow = new FakeExchange({});
  const { wheel, follow } = scene(slow);
  const order = tenSeconds();
  follow(order);
  wheel.advance(40);
  follow({ ...order, blocks: new Set([BLOCK]) });
  wheel.advance(12);
  t.equal(slow.failed, 'CLIENT_TOO_SLOW');
});

await t.test('a hold that is shorter than a rate can be measured cuts late', async (t) => {
  const slow = new FakeExchange({});
  const { wheel, follow } = scene(slow);
  const fromMs = Date.now();
  follow({ service: 'shop', blocks: new Set([BLOCK]), quiet: { fromMs, byMs: fromMs + 10 } });
  wheel.advance(4);
  t.equal(slow.failed, undefined);
  wheel.advance(3);
  t.equal(slow.failed, 'CLIENT_TOO_SLOW');
});

await t.test('a hold that closes ends uploads at once, whatever their rate', async (t) => {
  const upload = new FakeExchange({ movedBytes: 90_000_000, leftBytes: 1 });
  const reader = new FakeExchange({ waitsFor: 'reader' });
  const poll = new FakeExchange({ waitsFor: 'target' });
  const { follow } = scene(upload, reader, poll);
  follow({ service: 'shop', blocks: new Set([BLOCK]), quiet: undefined });
  t.equal(upload.failed, 'CLOSED_BY_HOLD');
  for (const one of [reader, poll]) t.equal(one.failed, undefined);
});

await t.test('an error in one does not keep the others running', async (t) => {
  const broken = new FakeExchange({});
  broken.onFail = () => {
    throw new Error('of ours');
  };
  const slow = new FakeExchange({});
  const { wheel, follow } = scene(broken, slow);
  follow(tenSeconds());
  half(wheel);
  t.equal(broken.faults.length, 1);
  t.equal(slow.failed, 'CLIENT_TOO_SLOW');
});

await t.test('a worker that stops cuts nothing any more', async (t) => {
  const slow = new FakeExchange({});
  const { wheel, follow, plans } = scene(slow);
  follow(tenSeconds());
  plans.stop();
  half(wheel);
  t.equal(slow.failed, undefined);
});
