// Requests out of what one client sends: the same ones in order, however the bytes come and
// whenever their owner lets them begin.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { PIPELINED_BYTES_MAX } from '../../../../src/base/limits.ts';
import {
  RequestReader,
  type RequestReaderOwner,
} from '../../../../src/data-plane/clients/request-reader.ts';
import { FAULT } from '../../../../src/http/grammar/faults.ts';
import { RequestHead } from '../../../../src/http/heads/request-head.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

const LIMITS = { headBytesMax: 1_000, headFieldsMax: 20, targetBytesMax: 100 };

/** What an owner does with a request that begins. */
type Behavior = 'ends at once' | 'runs' | 'waits';

/** A client whose bytes pass through one buffer, as those of all clients do. */
class Owner implements RequestReaderOwner {
  readonly passing = Buffer.alloc(100_000);
  readonly reader: RequestReader;
  readonly targets: string[] = [];
  readonly faults: number[] = [];
  awaited = 0;
  pauses = 0;
  mayTakeRequest = true;
  wantsRest = true;
  behavior: (target: string) => Behavior;

  constructor(behavior: (target: string) => Behavior = () => 'ends at once') {
    this.behavior = behavior;
    this.reader = new RequestReader(this, new RequestHead(LIMITS), this.passing);
  }

  takeRequest(head: RequestHead, _bytes: Buffer, at: number, next: number): number {
    const target = head.target();
    const behavior = this.behavior(target);
    if (behavior !== 'ends at once') this.mayTakeRequest = false;
    if (behavior === 'waits') return at;
    this.targets.push(target);
    // An exchange that ends inside may ask for the next request: the loop takes it, not this.
    if (behavior === 'ends at once') this.reader.resume();
    return next;
  }

  onHeadFault(fault: number): void {
    this.faults.push(fault);
    this.mayTakeRequest = false;
    this.wantsRest = false;
  }

  awaitHead(): void {
    this.awaited++;
  }

  pauseReading(): void {
    this.pauses++;
  }

  /** Brings bytes in, as the phase demands; once they are read, others stand in their place. */
  receive(text: string): void {
    this.passing.write(text, 7, 'latin1');
    if (this.mayTakeRequest) this.reader.read(this.passing, 7, 7 + text.length);
    else this.reader.keep(this.passing, 7, 7 + text.length);
    this.passing.fill('!');
  }

  /** The request that runs or waits is over. */
  goOn(): void {
    this.mayTakeRequest = true;
    this.reader.resume();
  }
}

function get(target: string, ...fields: readonly string[]): string {
  return `GET ${target} HTTP/1.1\r\n${['Host: a', ...fields].map((line) => `${line}\r\n`).join('')}\r\n`;
}

await t.test('requests in one piece begin one after the other', async (t) => {
  const owner = new Owner();
  owner.receive(get('/1') + get('/2') + get('/3'));
  t.strictSame(owner.targets, ['/1', '/2', '/3']);
  t.equal(owner.reader.isIdle, true);
  t.equal(owner.awaited, 0);
});

await t.test('a head in pieces begins with its last byte', async (t) => {
  const owner = new Owner();
  const bytes = get('/1').split('');
  for (const byte of bytes.slice(0, -1)) owner.receive(byte);
  t.strictSame(owner.targets, []);
  t.equal(owner.reader.isIdle, false);
  t.equal(owner.awaited, 1, 'its time runs from the first byte on');
  owner.receive(bytes.at(-1)!);
  t.strictSame(owner.targets, ['/1']);
  t.equal(owner.reader.isIdle, true);
});

await t.test('while one request runs, what follows is kept', async (t) => {
  const owner = new Owner(() => 'runs');
  owner.receive(get('/1') + get('/2').slice(0, 5));
  owner.receive(get('/2').slice(5) + get('/3'));
  t.strictSame(owner.targets, ['/1']);
  t.equal(owner.reader.isIdle, false);
  owner.goOn();
  t.strictSame(owner.targets, ['/1', '/2']);
  owner.goOn();
  owner.goOn();
  t.strictSame(owner.targets, ['/1', '/2', '/3']);
  t.equal(owner.reader.isIdle, true);
});

await t.test('a request that has to wait begins when it is let go, and once', async (t) => {
  const owner = new Owner(() => 'waits');
  owner.receive(get('/1') + get('/2'));
  owner.goOn();
  t.strictSame(owner.targets, [], 'it may have to wait again');
  owner.behavior = () => 'ends at once';
  owner.goOn();
  t.strictSame(owner.targets, ['/1', '/2']);
  owner.goOn();
  t.strictSame(owner.targets, ['/1', '/2']);
});

await t.test('an empty line between requests is no request', async (t) => {
  const owner = new Owner();
  owner.receive(`${get('/1')}\r\n`);
  t.equal(owner.reader.isIdle, true);
  t.equal(owner.awaited, 0, 'and no head is awaited for it');
  owner.receive(get('/2'));
  t.strictSame(owner.targets, ['/1', '/2']);
});

await t.test('a fault ends the reading', async (t) => {
  const owner = new Owner();
  owner.receive(`${get('/1')}GET /x y HTTP/1.1\r\n\r\n${get('/2')}`);
  t.strictSame(owner.targets, ['/1']);
  t.strictSame(owner.faults, [FAULT.VERSION]);
});

await t.test('a fault is seen in a head that comes in pieces', async (t) => {
  const owner = new Owner();
  owner.receive('GET / HTTP/1.1\r\nHo');
  owner.receive('st: a\nX: y');
  t.strictSame(owner.faults, [FAULT.LINE_END]);
});

await t.test('a head over its bound is a fault as soon as that is certain', async (t) => {
  const owner = new Owner();
  owner.receive(get('/', `X-A: ${'x'.repeat(1_000)}`).slice(0, 500));
  t.strictSame(owner.faults, []);
  owner.receive('x'.repeat(600));
  t.strictSame(owner.faults, [FAULT.HEAD_BYTES]);
});

await t.test('an owner that wants no more keeps nothing', async (t) => {
  const owner = new Owner(() => 'runs');
  owner.wantsRest = false;
  owner.receive(get('/1') + get('/2'));
  t.equal(owner.reader.isIdle, true);
});

await t.test('reading pauses once as much is kept as may be', async (t) => {
  const owner = new Owner(() => 'runs');
  owner.receive(get('/1'));
  const piece = 'x'.repeat(PIPELINED_BYTES_MAX / 4);
  for (let i = 0; i < 3; i++) owner.receive(piece);
  owner.receive(piece.slice(1));
  t.equal(owner.pauses, 0);
  owner.receive('x');
  t.equal(owner.pauses, 1);
});

await t.test('what was kept can be taken away, as for a tunnel', async (t) => {
  const owner = new Owner(() => 'runs');
  owner.receive(`${get('/1')}early`);
  owner.reader.keep(Buffer.from(' bird'), 0, 5);
  const kept = owner.reader.takeKept()!;
  t.equal(kept.bytes.toString('latin1', 0, kept.length), 'early bird');
  t.equal(owner.reader.takeKept(), undefined);
  t.equal(owner.reader.isIdle, true);
});

await t.test('an owner that fails leaves a reader that can be used', async (t) => {
  const owner = new Owner(() => {
    throw new Error('broken');
  });
  t.throws(() => owner.receive(get('/1')), /broken/);
  owner.reader.abandonRead();
  owner.behavior = () => 'ends at once';
  owner.receive(get('/2').slice(0, 5));
  owner.receive(get('/2').slice(5));
  t.strictSame(owner.targets, ['/2']);
});

const BEHAVIORS = fc.array(fc.constantFrom('ends at once', 'runs', 'waits'), { minLength: 30 });

await t.test('cuts and waiting change neither requests nor their order', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(400), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(1_000), { maxLength: 12 }),
      BEHAVIORS,
      fc.boolean(),
      (lengths, cuts, behaviors, goesOnEarly) => {
        const targets = lengths.map((length, i) => `/${i}`.padEnd(1 + (length % 90), 'x'));
        const text = targets
          .map((target, i) => get(target, `X: ${'y'.repeat(lengths[i]!)}`))
          .join('');
        let turn = 0;
        const owner = new Owner(() => behaviors[turn++ % behaviors.length]!);
        const places = [...new Set([...cuts.map((cut) => cut % text.length), text.length])];
        let from = 0;
        for (const to of places.toSorted((a, b) => a - b)) {
          owner.receive(text.slice(from, to));
          if (goesOnEarly) owner.goOn();
          from = to;
        }
        owner.behavior = () => 'ends at once';
        owner.goOn();
        assert.deepEqual(owner.targets, targets);
        assert.deepEqual(owner.faults, []);
        assert.equal(owner.reader.isIdle, true);
      },
    ),
    { numRuns: RUNS },
  );
});
