// Random orders of what Node hands over and of what the owner wants, against what must hold: bytes in
// order and none lost, nothing while the owner is stopped, its last bytes untouched until it goes on,
// and the end behind all of them.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { SecureReading } from '../../../../src/data-plane/transport/secure-reading.ts';

interface Piece {
  readonly kind: 'piece';
  readonly bytes: number;
}

type Step = Piece | { readonly kind: 'resume' | 'turn' | 'end' | 'stop' };

/** An owner whose buffers have `room` bytes, and which stops after every `stopEvery`-th read. */
class Owner {
  readonly got: number[] = [];
  isStopped = false;
  ended: 'no' | 'looked at' | 'by alert' = 'no';
  readonly #area: Buffer;
  readonly #stopEvery: number;
  /** How it stops: by its answer, or before it. */
  readonly #stop: (() => void) | undefined;
  #reads = 0;
  /** What must still lie in the buffer. */
  #pending = Buffer.alloc(0);

  constructor(room: number, stopEvery: number, stop?: () => void) {
    this.#area = Buffer.alloc(room);
    this.#stopEvery = stopEvery;
    this.#stop = stop;
  }

  nextBuffer(): Buffer {
    return this.#area;
  }

  receive(bytes: Buffer, length: number): boolean {
    assert(!this.isStopped, 'nothing comes while it is stopped');
    assert.equal(this.ended, 'no', 'nothing comes behind the end');
    assert.equal(bytes, this.#area, 'all comes where it is wanted');
    this.got.push(...bytes.subarray(0, length));
    this.#reads++;
    this.isStopped = this.#reads % this.#stopEvery === 0;
    if (this.isStopped) this.#pending = Buffer.from(bytes.subarray(0, length));
    if (this.isStopped) this.#stop?.();
    return !this.isStopped || this.#stop !== undefined;
  }

  goOn(): void {
    if (!this.isStopped) return;
    const { length } = this.#pending;
    assert.ok(
      this.#area.subarray(0, length).equals(this.#pending),
      'what is not taken yet is untouched',
    );
    this.isStopped = false;
    this.#pending = Buffer.alloc(0);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('piece' as const),
        bytes: fc.integer({ min: 1, max: 40 }),
      }),
    },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: 'resume' }) },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'turn' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'stop' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'end' }) },
  ),
  { maxLength: 40 },
);

await t.test('whatever comes, and whenever the owner goes on', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      run,
    ),
    { numRuns: 400 },
  );
  t.pass('all orders hold');
});

async function run(
  order: readonly Step[],
  room: number,
  stopEvery: number,
  isStopFirst: boolean,
): Promise<void> {
  const owner = new Owner(room, stopEvery, isStopFirst ? () => reading.stop() : undefined);
  let hasRead = 0;
  const reading = new SecureReading({
    nextBuffer: () => owner.nextBuffer(),
    receive: (bytes, length) => owner.receive(bytes, length),
    end: (isByAlert) => {
      assert(!owner.isStopped, 'no end while it is stopped');
      owner.ended = isByAlert ? 'by alert' : 'looked at';
    },
    goOn: () => undefined,
    halt: () => undefined,
  });
  const { buffer: ask } = reading.onread;
  let node = ask();
  let isOver = false;
  let next = 0;
  for (const step of order) {
    if (step.kind === 'resume') {
      owner.goOn();
      reading.resume();
    } else if (step.kind === 'stop') {
      owner.goOn();
      owner.isStopped = true;
      reading.stop();
    } else if (step.kind === 'turn') {
      await turn();
    } else if (isOver) {
      continue;
    } else if (step.kind !== 'piece') {
      isOver = true;
      reading.end();
    } else {
      // As Node does it: as many reads as the buffers that it is given make of the piece.
      for (let left = step.bytes; left > 0;) {
        const length = Math.min(left, node.length);
        assert.ok(length > 0, 'Node would try for ever');
        for (let i = 0; i < length; i++) node[i] = (hasRead + i) % 251;
        hasRead += length;
        left -= length;
        reading.onread.callback(length, node);
        node = ask();
      }
    }
    next = owner.got.length;
  }
  const isDone = (): boolean => owner.got.length === hasRead && (!isOver || owner.ended !== 'no');
  while (!isDone()) {
    owner.goOn();
    reading.resume();
    await turn();
    assert.ok(owner.got.length > next || owner.ended !== 'no', 'going on leads on');
    next = owner.got.length;
  }
  assert.deepEqual(
    owner.got,
    Array.from({ length: hasRead }, (_, i) => i % 251),
  );
}

void t.test('what is kept is forgotten with the connection', async (t) => {
  const owner = new Owner(10, 1);
  const reading = new SecureReading({
    nextBuffer: () => owner.nextBuffer(),
    receive: (bytes, length) => owner.receive(bytes, length),
    end: () => t.fail('no end is told'),
    goOn: () => t.fail('nothing goes on'),
    halt: () => t.fail('nothing is stopped'),
  });
  const { buffer: ask } = reading.onread;
  for (const _ of [1, 2, 3]) reading.onread.callback(5, ask());
  reading.end();
  owner.goOn();
  reading.resume();
  reading.close();
  await turn();
  t.equal(owner.got.length, 5);
});

void t.test('an owner without a buffer costs no endless loop', (t) => {
  const reading = new SecureReading({
    nextBuffer: () => Buffer.alloc(0),
    receive: () => true,
    end: () => undefined,
    goOn: () => undefined,
    halt: () => undefined,
  });
  t.ok(reading.onread.buffer().length > 0);
  t.end();
});
