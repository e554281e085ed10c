// One receiver by manual time: order, tries, what is given up, and what the next process repeats.

import t from 'tap';
import {
  Sink,
  type Delivery,
  type GivenUp,
} from '../../../../src/control-plane/notifications/sink.ts';
import type { StoredEvent } from '../../../../src/control-plane/store/rollout-store.ts';
import { drafts, EventMemory } from '../../../support/event-memory.ts';
import { ManualTimers, settled } from '../support/manual-timers.ts';

const TAKEN: Delivery = { kind: 'taken' };
const FAILED: Delivery = { kind: 'failed', reason: 'connection refused' };
const DAY_MS = 86_400_000;

function build(log = new EventMemory(), answer: (row: StoredEvent) => Delivery = () => TAKEN) {
  const timers = new ManualTimers();
  const tried: number[] = [];
  const triedAtMs: number[] = [];
  const givenUp: GivenUp[] = [];
  const scene = {
    log,
    timers,
    tried,
    triedAtMs,
    givenUp,
    answer,
    wallMs: Date.now(),
    wants: (row: StoredEvent) => row.kind !== 'noise',
    open(): Sink {
      return new Sink(
        {
          key: 'one',
          log,
          wants: (row) => scene.wants(row),
          deliver: async (row) => {
            tried.push(row.seq);
            triedAtMs.push(timers.nowMs);
            return scene.answer(row);
          },
          onGivenUp: (given) => givenUp.push(given),
          timers,
          now: () => timers.nowMs,
          wallNow: () => scene.wallMs,
        },
        log.last(),
      );
    },
    async add(sink: Sink, count: number, kind = 'switch'): Promise<void> {
      const before = log.last();
      await log.add(drafts(count, { kind, atMs: scene.wallMs }));
      sink.take(log.after(before, count));
      await settled();
    },
  };
  return scene;
}

void t.test(
  'a new receiver hears of nothing that was before it, and of all that comes',
  async (t) => {
    const scene = build();
    await scene.log.add(drafts(3));
    const sink = scene.open();
    t.equal(scene.log.positions.get('one'), 3, 'its position is stored at once');
    await scene.add(sink, 2);
    t.strictSame(scene.tried, [4, 5]);
    t.match(sink.status, { waiting: 0, delivered: 2, givenUp: 0, dropped: 0, fault: '' });
  },
);

void t.test(
  'what fails is tried eight times within fifteen minutes, and others wait in order',
  async (t) => {
    const scene = build();
    const sink = scene.open();
    scene.answer = ({ seq }) => (seq === 1 ? FAILED : TAKEN);
    await scene.add(sink, 3);
    t.match(sink.status, { waiting: 3, fault: 'connection refused' });
    await scene.timers.pass(900_000);
    t.strictSame(
      scene.triedAtMs,
      [0, 5, 20, 50, 110, 230, 470, 900].map((s) => s * 1_000),
    );
    t.match(scene.givenUp, [{ row: { seq: 1 }, tries: 8, reason: 'connection refused' }]);
    await scene.timers.pass(430_000);
    t.strictSame(scene.tried.slice(8), [2, 3], 'the next ones are delivered, in order');
    t.match(sink.status, { waiting: 0, delivered: 2, givenUp: 1, fault: '' });
  },
);

void t.test('a receiver that comes back gets what has waited, at once and in order', async (t) => {
  const scene = build(undefined, () => FAILED);
  const sink = scene.open();
  await scene.add(sink, 20);
  await scene.timers.pass(60_000);
  scene.answer = () => TAKEN;
  await scene.timers.pass(60_000);
  t.strictSame(
    scene.tried.slice(-20),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  t.equal(scene.givenUp.length, 0);
});

void t.test('a receiver that is away for hours loses little of what waits', async (t) => {
  const scene = build(undefined, () => FAILED);
  const sink = scene.open();
  await scene.add(sink, 100);
  await scene.timers.pass(2 * 3_600_000);
  t.ok(scene.givenUp.length < 20, `${scene.givenUp.length} were given up`);
  t.ok(scene.tried.length < 40, `it was asked ${scene.tried.length} times`);
  scene.answer = () => TAKEN;
  await scene.timers.pass(430_000);
  t.equal(sink.status.waiting, 0);
  t.equal(sink.status.delivered + scene.givenUp.length, 100);
});

void t.test('an event that is refused for good stops the next one for a second only', async (t) => {
  const scene = build(undefined, ({ seq }) =>
    seq === 1 ? { kind: 'refused', reason: 'status 400' } : TAKEN,
  );
  const sink = scene.open();
  await scene.add(sink, 2);
  await scene.timers.pass(900_000);
  t.equal(scene.givenUp.length, 1);
  await scene.timers.pass(1_000);
  t.strictSame(scene.tried.at(-1), 2);
});

void t.test('the wait that a receiver asks for is kept, within a bound', async (t) => {
  const scene = build(undefined, () => ({ ...FAILED, retryAfterMs: 20_000 }));
  const sink = scene.open();
  await scene.add(sink, 1);
  await scene.timers.pass(20_000);
  t.strictSame(scene.triedAtMs, [0, 20_000]);
  scene.answer = () => ({ ...FAILED, retryAfterMs: DAY_MS });
  await scene.timers.pass(20_000 + 300_000);
  t.strictSame(scene.triedAtMs, [0, 20_000, 40_000, 340_000]);
});

void t.test('of a thousand and more that wait the oldest are dropped, which is told', async (t) => {
  const scene = build(undefined, () => FAILED);
  const sink = scene.open();
  await scene.add(sink, 1_005);
  t.match(sink.status, { waiting: 1_000, dropped: 5 });
  t.strictSame(
    scene.givenUp.map(({ row, tries }) => [row.seq, tries]),
    [1, 2, 3, 4, 5].map((seq) => [seq, 0]),
  );
  t.match(scene.givenUp[0]!.reason, /dropped: 1000 events wait already/);
});

void t.test('after the end of the process only what was not confirmed is repeated', async (t) => {
  const log = new EventMemory();
  const before = build(log, ({ seq }) => (seq < 4 ? TAKEN : FAILED));
  const sink = before.open();
  await before.add(sink, 5);
  t.strictSame(before.tried, [1, 2, 3, 4]);
  // Nothing is told to it: it was killed.
  const after = build(log);
  const again = after.open();
  await settled();
  t.strictSame(after.tried, [4, 5]);
  t.equal(again.status.waiting, 0);
  const third = build(log);
  third.open();
  await settled();
  t.strictSame(third.tried, []);
});

void t.test('what the log has no more is counted as dropped', async (t) => {
  const log = new EventMemory(10);
  const before = build(log, () => FAILED);
  const sink = before.open();
  await before.add(sink, 1);
  sink.stop();
  await log.add(drafts(30));
  const after = build(log);
  const again = after.open();
  await settled();
  t.strictSame(
    after.tried,
    Array.from({ length: 10 }, (_, i) => 22 + i),
  );
  t.equal(again.status.dropped, 21);
});

void t.test('after days without Turnout, what is older than a day is not delivered', async (t) => {
  const log = new EventMemory();
  const before = build(log, () => FAILED);
  const sink = before.open();
  await before.add(sink, 1);
  sink.stop();
  const after = build(log);
  after.wallMs = before.wallMs + DAY_MS + 1;
  const again = after.open();
  await after.add(again, 1);
  t.strictSame(after.tried, [2]);
  t.match(after.givenUp, [{ row: { seq: 1 }, tries: 0, reason: /older than a day/ }]);
});

void t.test(
  'what says nothing to a receiver moves its position, so that no gap appears',
  async (t) => {
    const log = new EventMemory(100);
    const scene = build(log);
    const sink = scene.open();
    await scene.add(sink, 50, 'noise');
    await scene.add(sink, 60, 'noise');
    t.equal(log.positions.get('one'), 100, 'it is written down now and then');
    const after = build(log);
    const again = after.open();
    await settled();
    t.equal(again.status.dropped, 0);
    t.strictSame(after.tried, []);
  },
);

void t.test('a stop calls the try off and counts nothing', async (t) => {
  const log = new EventMemory();
  const timers = new ManualTimers();
  const seen = Promise.withResolvers<AbortSignal>();
  const sink = new Sink(
    {
      key: 'one',
      log,
      wants: () => true,
      deliver: async (_row, signal) => {
        seen.resolve(signal);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(FAILED));
        });
      },
      onGivenUp: () => t.fail('nothing is given up'),
      timers,
      now: () => timers.nowMs,
      wallNow: () => Date.now(),
    },
    0,
  );
  await log.add(drafts(1));
  sink.take(log.after(0, 1));
  const signal = await seen.promise;
  sink.stop();
  await settled();
  t.ok(signal.aborted);
  t.match(sink.status, { waiting: 1, fault: '' });
  t.equal(timers.count, 0);
  t.equal(log.positions.get('one'), 0);
});

void t.test('an error of a delivery is a try that has failed', async (t) => {
  const scene = build(undefined, () => {
    throw new Error('no memory');
  });
  const sink = scene.open();
  await scene.add(sink, 1);
  t.equal(sink.status.fault, 'no memory');
});
