// Changes of two services in random orders, against a model of which one may wait for which: no
// deadlock, no lost wake-up, nothing that shouts ever waits for a change that holds requests.

import * as fc from 'fast-check';
import t from 'tap';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import {
  ChangeQueue,
  type Lines,
  type Turn,
} from '../../../../src/control-plane/publishing/change-queue.ts';

interface Kind {
  readonly lines: Lines;
  readonly way: 'quick' | 'holds' | 'shouts';
}

type Step =
  | { readonly do: 'come'; readonly kind: Kind; readonly isAlone: boolean }
  /** One of those that run goes on: it passes its last moment, or it ends. */
  | { readonly do: 'pass' | 'end' | 'fail'; readonly which: number };

type State = 'waits' | 'runs' | 'passed' | 'called-off' | 'over';

/** One change as the model sees it. */
interface Known extends Kind {
  readonly number: number;
  state: State;
  turn: Turn | undefined;
  readonly gate: PromiseWithResolvers<void>;
}

const kind: fc.Arbitrary<Kind> = fc.record({
  lines: fc.constantFrom<Lines>(['shop'], ['bank'], ['shop', 'bank'], ['bank', 'shop'], 'all'),
  way: fc.constantFrom('quick', 'quick', 'holds', 'shouts'),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('come' as const), kind, isAlone: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('pass' as const, 'end' as const, 'end' as const, 'fail' as const),
      which: fc.nat(20),
    }),
  },
);

const ROOM = 1_000;
const seed = Number(process.env['TURNOUT_SEED'] ?? Date.now() % 2 ** 31);
t.comment(`seed ${seed}`);

function isAboutSame(a: Lines, b: Lines): boolean {
  return a === 'all' || b === 'all' || a.some((line) => b.includes(line));
}

function isRunning({ state }: Known): boolean {
  return state === 'runs' || state === 'passed' || state === 'called-off';
}

/** Lets all that can go on do so. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function come(queue: ChangeQueue, known: Known[], { lines, way }: Kind): void {
  const number = known.length;
  const gate = Promise.withResolvers<void>();
  gate.promise.catch(() => {});
  const one: Known = { number, lines, way, state: 'waits', turn: undefined, gate };
  known.push(one);
  const callsOff = way === 'shouts' ? new OperatorError('called-off', `by ${number}`) : undefined;
  const entry = { lines, what: `change ${number}`, callsOff, mayHold: way === 'holds' };
  const task = async (turn: Turn): Promise<void> => {
    one.state = 'runs';
    one.turn = turn;
    turn.signal.addEventListener('abort', () => {
      one.state = 'called-off';
      gate.reject(turn.signal.reason as Error);
    });
    await (way === 'holds' ? turn.holding(async () => gate.promise) : gate.promise);
  };
  void queue
    .run(entry, task)
    .catch(() => {})
    .finally(() => (one.state = 'over'));
}

/** Throws where something waits that has nothing to wait for, or runs beside what it must not. */
function check(known: readonly Known[]): void {
  const running = known.filter(isRunning);
  for (const a of running) {
    for (const b of running) {
      const isTwice = a !== b && isAboutSame(a.lines, b.lines);
      if (isTwice) throw new Error(`${a.number} and ${b.number} run at the same time`);
    }
  }
  const waiting = known.filter(({ state }) => state === 'waits');
  for (const one of waiting) {
    const inItsWay = running.filter((other) => isAboutSame(one.lines, other.lines));
    const before = waiting.filter((other) => goesBefore(other, one));
    const waitsForWaiting = before.some((other) => isAboutSame(one.lines, other.lines));
    if (inItsWay.length === 0 && !waitsForWaiting) {
      throw new Error(`${one.number} waits for nothing`);
    }
    const holding = inItsWay.find(({ way, state }) => way === 'holds' && state === 'runs');
    if (one.way === 'shouts' && holding !== undefined) {
      throw new Error(`${one.number} shouts and waits for ${holding.number}, which holds`);
    }
    if (one.way !== 'holds' && Array.isArray(one.lines) && one.lines.length === 1) {
      checkNeighbour(one, before, running);
    }
  }
}

/** Of those that wait: the urgent first, and each kind in the order it came. */
function goesBefore(a: Known, b: Known): boolean {
  if (a.way === 'shouts' && b.way !== 'shouts') return true;
  if (a.way !== 'shouts' && b.way === 'shouts') return false;
  return a.number < b.number;
}

/** Throws where a service waits because of the hold of another one. */
function checkNeighbour(one: Known, before: readonly Known[], running: readonly Known[]): void {
  const others = [...running, ...before].filter((other) => isAboutSame(one.lines, other.lines));
  const waitForHold = others.every((other) => {
    if (isRunning(other) || other.way === 'shouts') return false;
    const isWide = other.lines === 'all' || other.lines.length > 1;
    return (
      isWide &&
      running.some(
        (runs) =>
          runs.way === 'holds' && runs.state === 'runs' && isAboutSame(runs.lines, other.lines),
      )
    );
  });
  if (others.length > 0 && waitForHold) {
    throw new Error(`${one.number} waits for the hold of another service`);
  }
}

function act(known: readonly Known[], { do: what, which }: Exclude<Step, { do: 'come' }>): void {
  const running = known.filter(({ state }) => state === 'runs' || state === 'passed');
  const one = running[which % Math.max(1, running.length)];
  if (one === undefined) return;
  if (what === 'pass') {
    // One that holds passes only once that is over.
    if (one.way === 'holds') return;
    one.turn!.pass();
    one.state = 'passed';
  } else if (what === 'end') one.gate.resolve();
  else one.gate.reject(new Error('failed'));
}

await t.test('no deadlock, no lost wake-up, no shout that waits for a hold', async (t) => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const queue = new ChangeQueue({ waitersMax: ROOM });
    const known: Known[] = [];
    for (const one of steps) {
      if (one.do === 'come') come(queue, known, one.kind);
      else act(known, one);
      // Some come in the same moment as the one before.
      if (one.do === 'come' && !one.isAlone) continue;
      await settle();
      check(known);
    }
    // Whatever is left ends, one after the other, and brings all others to their turn.
    for (let left = known.length; left >= 0; left--) {
      const running = known.find(({ state }) => state === 'runs' || state === 'passed');
      running?.gate.resolve();
      await settle();
      check(known);
    }
    const stuck = known.filter(({ state }) => state !== 'over');
    if (stuck.length > 0) throw new Error(`${stuck.length} never had their turn`);
    await queue.idle();
  });
  await fc.assert(property, { seed, numRuns: 1_000 });
  t.pass();
});
