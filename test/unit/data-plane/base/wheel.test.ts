// The wheel of coarse timers, turned by hand.

import * as fc from 'fast-check';
import t from 'tap';
import { TICK_MS } from '../../../../src/base/limits.ts';
import { Timer, Wheel } from '../../../../src/data-plane/base/wheel.ts';

class Owner {
  fired = 0;
  readonly faults: unknown[] = [];
  readonly timer = new Timer(this);
  readonly #then: () => void;

  constructor(then: () => void = () => {}) {
    this.#then = then;
  }

  onDeadline(): void {
    this.fired++;
    this.#then();
  }

  onFault(error: unknown): void {
    this.faults.push(error);
  }
}

await t.test('a timer never fires early and at most two steps late', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200_000 }), fc.nat(1_000), (afterMs, startTicks) => {
      const wheel = new Wheel();
      wheel.advance(startTicks);
      const owner = new Owner();
      wheel.arm(owner.timer, afterMs);
      let ticks = 0;
      while (owner.fired === 0 && ticks < 3_000) {
        wheel.advance(1);
        ticks++;
      }
      return ticks * TICK_MS > afterMs && ticks * TICK_MS <= afterMs + 2 * TICK_MS;
    }),
  );
});

await t.test('a timer fires once', async (t) => {
  const wheel = new Wheel();
  const owner = new Owner();
  wheel.arm(owner.timer, 300);
  wheel.advance(2_000);
  t.equal(owner.fired, 1);
});

await t.test('a deadline moves back and forth', async (t) => {
  const wheel = new Wheel();
  const owner = new Owner();
  wheel.arm(owner.timer, 1_000);
  wheel.advance(8);
  wheel.arm(owner.timer, 1_000);
  wheel.advance(8);
  t.equal(owner.fired, 0, 'later');
  wheel.arm(owner.timer, 100);
  wheel.advance(3);
  t.equal(owner.fired, 1, 'earlier');
});

await t.test('a disarmed or removed timer does not fire, and may be armed again', async (t) => {
  for (const forget of ['disarm', 'remove'] as const) {
    const wheel = new Wheel();
    const owner = new Owner();
    wheel.arm(owner.timer, 500);
    wheel[forget](owner.timer);
    wheel.advance(20);
    t.equal(owner.fired, 0, forget);
    wheel.arm(owner.timer, 500);
    wheel.advance(20);
    t.equal(owner.fired, 1, `armed after ${forget}`);
  }
});

await t.test('an owner may remove the others of its slot while it runs', async (t) => {
  const wheel = new Wheel();
  const owners: Owner[] = [];
  for (let i = 0; i < 5; i++) {
    owners.push(
      new Owner(() => {
        for (const owner of owners) wheel.remove(owner.timer);
      }),
    );
  }
  for (const owner of owners) wheel.arm(owner.timer, 500);
  wheel.advance(20);
  t.equal(
    owners.reduce((sum, owner) => sum + owner.fired, 0),
    1,
    'the first one stops the rest',
  );
});

await t.test('an owner may arm its own timer while it runs', async (t) => {
  const wheel = new Wheel();
  const owner: Owner = new Owner(() => wheel.arm(owner.timer, 100));
  wheel.arm(owner.timer, 100);
  wheel.advance(20);
  t.equal(owner.fired, 10, 'every second tick');
});

await t.test('any history of timers agrees with a plain list of deadlines', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('arm' as const), who: fc.nat(7), ms: fc.nat(120_000) }),
    fc.record({ kind: fc.constant('disarm' as const), who: fc.nat(7), ms: fc.constant(0) }),
    fc.record({ kind: fc.constant('remove' as const), who: fc.nat(7), ms: fc.constant(0) }),
    fc.record({ kind: fc.constant('advance' as const), who: fc.constant(0), ms: fc.nat(90_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const wheel = new Wheel();
      const owners = Array.from({ length: 8 }, () => new Owner());
      const expected = owners.map(() => ({ fired: 0, deadline: Infinity }));
      let now = 0;
      for (const { kind, who, ms } of steps) {
        const ticks = Math.ceil(ms / TICK_MS);
        if (kind === 'advance') {
          now += ticks;
          wheel.advance(ticks);
          for (const one of expected) {
            if (one.deadline > now) continue;
            one.deadline = Infinity;
            one.fired++;
          }
        } else if (kind === 'arm') {
          wheel.arm(owners[who]!.timer, ms);
          expected[who]!.deadline = now + ticks + 1;
        } else {
          wheel[kind](owners[who]!.timer);
          expected[who]!.deadline = Infinity;
        }
      }
      return owners.every((owner, index) => owner.fired === expected[index]!.fired);
    }),
    { numRuns: 300 },
  );
});

await t.test(
  'what one owner throws is told to that owner, and the others still fire',
  async (t) => {
    const wheel = new Wheel();
    const broken = new Owner(() => {
      throw new Error('broken');
    });
    const others = [new Owner(), new Owner()];
    wheel.arm(others[0]!.timer, 100);
    wheel.arm(broken.timer, 100);
    wheel.arm(others[1]!.timer, 100);
    wheel.advance(5);
    t.match(broken.faults, [{ message: 'broken' }]);
    t.strictSame(
      others.map(({ fired, faults }) => [fired, faults.length]),
      [
        [1, 0],
        [1, 0],
      ],
    );
  },
);

await t.test('an owner that breaks even when it is told keeps no other from firing', async (t) => {
  const wheel = new Wheel();
  const other = new Owner();
  const broken = {
    onDeadline: () => {
      throw new Error('broken');
    },
    onFault: () => {
      throw new Error('broken again');
    },
  };
  wheel.arm(other.timer, 100);
  wheel.arm(new Timer(broken), 100);
  wheel.advance(5);
  t.equal(other.fired, 1);
});
