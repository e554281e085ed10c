// Where WebSocket frames and messages end, however the bytes are cut: compared with a reader that
// has the whole stream before it.

import * as fc from 'fast-check';
import t from 'tap';
import { FrameTracker } from '../../../../src/http/bodies/websocket-frames.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import {
  ANY_BYTES,
  CUTS,
  endsOf,
  expectSame,
  placeOf,
  readWhole,
  SMALL_STREAM,
  STREAM,
  tellingPlaces,
} from './websocket-streams.ts';

const BEFORE = Buffer.from('8800', 'hex');
const BEHIND = Buffer.from('0300000000000000000000', 'hex');

/** Pushes `bytes[from, to)` with misleading bytes around it, as in a shared read buffer. */
function pushPiece(tracker: FrameTracker, bytes: Buffer, from: number, to: number): void {
  const piece = Buffer.concat([BEFORE, bytes.subarray(from, to), BEHIND]);
  tracker.push(piece, BEFORE.length, BEFORE.length + to - from);
}

/** Checks the tracker against the reference at each cut. */
function checkCuts(bytes: Buffer, cuts: readonly number[]): void {
  const tracker = new FrameTracker();
  let from = 0;
  for (const to of [...placesIn(bytes, cuts), bytes.length]) {
    pushPiece(tracker, bytes, from, to);
    expectSame(placeOf(tracker), readWhole(bytes.subarray(0, to)), `after ${to} bytes`);
    from = to;
  }
}

function placesIn(bytes: Buffer, cuts: readonly number[]): number[] {
  return cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
}

function everyPlace(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length + 1 }, (_, index) => index);
}

await t.test(
  'FrameTracker knows the place in a stream of frames, wherever it is cut',
  async (t) => {
    const property = fc.property(STREAM, CUTS, ({ frames, bytes }, cuts) => {
      checkCuts(bytes, cuts);
      checkCuts(bytes, tellingPlaces(frames));
    });
    fc.assert(property, { numRuns: RUNS / 5 });
    t.pass(`${RUNS / 5} streams`);
  },
);

await t.test('FrameTracker knows the place before and after every byte', async (t) => {
  const property = fc.property(SMALL_STREAM, (bytes) => checkCuts(bytes, everyPlace(bytes)));
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} streams`);
});

await t.test('FrameTracker never calls a valid stream broken', async (t) => {
  const property = fc.property(STREAM, ({ frames, bytes }) => {
    const tracker = new FrameTracker();
    tracker.push(bytes, 0, bytes.length);
    expectSame(tracker.isBroken, false, 'isBroken');
    expectSame(tracker.isAtMessageEnd, true, 'isAtMessageEnd');
    const hasClosed = frames.some(({ opcode }) => opcode === 8);
    expectSame(tracker.isClosing, hasClosed, 'isClosing');
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} streams`);
});

await t.test('pushUntilBoundary stops after the first end, and only there', async (t) => {
  const wanted = fc.constantFrom('message', 'frame');
  const property = fc.property(STREAM, CUTS, wanted, ({ frames, bytes }, cuts, wants) => {
    const ends = endsOf(frames)[wants];
    const places = [...placesIn(bytes, [...cuts, ...tellingPlaces(frames)]), bytes.length];
    for (const [index, from] of places.entries()) {
      const to = places[Math.min(index + 1 + ((cuts[0] ?? 0) % 40), places.length - 1)]!;
      const tracker = new FrameTracker();
      tracker.push(bytes, 0, from);
      const got = tracker.pushUntilBoundary(bytes, from, to, wants);
      expectSame(got, ends.find((end) => end >= from && end <= to) ?? -1, `${from} to ${to}`);
      const after = readWhole(bytes.subarray(0, got === -1 ? to : got));
      expectSame(placeOf(tracker), after, `${from} to ${got} of ${to}`);
    }
  });
  fc.assert(property, { numRuns: RUNS / 5 });
  t.pass(`${RUNS / 5} streams`);
});

await t.test('pushUntilBoundary walks a stream frame by frame in pieces of any size', async (t) => {
  const property = fc.property(
    STREAM,
    fc.integer({ min: 1, max: 70_000 }),
    ({ frames, bytes }, size) => {
      const tracker = new FrameTracker();
      const found = [0];
      let p = 0;
      while (p < bytes.length) {
        const to = Math.min(bytes.length, p + size);
        if (tracker.isAtFrameEnd) tracker.push(bytes, p, ++p);
        const stop = tracker.pushUntilBoundary(bytes, p, Math.max(p, to), 'frame');
        if (stop !== -1) found.push(stop);
        p = stop === -1 ? Math.max(p, to) : stop;
      }
      expectSame(found, endsOf(frames).frame, 'ends');
    },
  );
  fc.assert(property, { numRuns: RUNS / 5 });
  t.pass(`${RUNS / 5} streams`);
});

await t.test(
  'FrameTracker breaks on the same byte as the reference, and never throws',
  async (t) => {
    let broken = 0;
    const property = fc.property(ANY_BYTES, CUTS, (bytes, cuts) => {
      checkCuts(bytes, cuts);
      checkCuts(bytes, everyPlace(bytes));
      if (readWhole(bytes).isBroken) broken++;
    });
    fc.assert(property, { numRuns: RUNS });
    t.ok(broken > RUNS / 10, `${broken} of ${RUNS} were broken`);
    t.ok(broken < (RUNS * 9) / 10, 'and some were not');
  },
);

await t.test('a broken stream reaches no end any more', async (t) => {
  const property = fc.property(ANY_BYTES, ANY_BYTES, (bytes, behind) => {
    const tracker = new FrameTracker();
    tracker.push(bytes, 0, bytes.length);
    if (!tracker.isBroken) return;
    const { isClosing } = tracker;
    for (const wants of ['message', 'frame'] as const) {
      tracker.push(behind, 0, behind.length);
      expectSame(tracker.pushUntilBoundary(behind, 0, behind.length, wants), -1, wants);
    }
    const place = { isAtFrameEnd: false, isAtMessageEnd: false, isClosing, isBroken: true };
    expectSame(placeOf(tracker), place, 'after more bytes');
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} streams`);
});

/** What is wrong → bytes of which only the last one breaks the stream. */
const BREAKS: Readonly<Record<string, string>> = {
  'a reserved data opcode': '83',
  'a reserved control opcode': '8b',
  'a fragmented control frame': '09',
  'a control frame with a 16-bit length': '897e',
  'a control frame with a 64-bit length': '88ff',
  'a continuation of nothing': '80',
  'a continuation behind a whole message': '810000',
  'a new message within a fragmented one': '010082',
  'a new message after a control frame within a fragmented one': '01008a0001',
  'a 64-bit length with the top bit': '827f80000000000000',
  'a 64-bit length above 2^53 - 1': '82ff0020000000000000',
};
for (const [what, hex] of Object.entries(BREAKS)) {
  await t.test(`FrameTracker breaks on ${what}`, async (t) => {
    const bytes = Buffer.from(hex, 'hex');
    const tracker = new FrameTracker();
    tracker.push(bytes, 0, bytes.length - 1);
    t.equal(tracker.isBroken, false);
    tracker.push(bytes, bytes.length - 1, bytes.length);
    t.equal(tracker.isBroken, true);
  });
}

await t.test('the longest length is followed', async (t) => {
  const tracker = new FrameTracker();
  const head = Buffer.from('827f001fffffffffffff', 'hex');
  tracker.push(head, 0, head.length);
  tracker.push(Buffer.alloc(10_000), 0, 10_000);
  t.strictSame(placeOf(tracker), {
    isAtFrameEnd: false,
    isAtMessageEnd: false,
    isClosing: false,
    isBroken: false,
  });
});

await t.test('a new FrameTracker is at both ends and takes nothing', async (t) => {
  const tracker = new FrameTracker();
  t.equal(tracker.pushUntilBoundary(Buffer.from('8100'), 1, 4, 'message'), 1);
  t.equal(tracker.pushUntilBoundary(Buffer.alloc(0), 0, 0, 'frame'), 0);
  t.strictSame(placeOf(tracker), readWhole(Buffer.alloc(0)));
});

await t.test('FrameTracker jumps over payloads', async (t) => {
  const bytes = Buffer.from('8203', 'hex');
  const watched = new Proxy(bytes, {
    get(target, key): unknown {
      if (typeof key === 'string' && Number(key) > 1) throw new Error(`byte ${key} was read`);
      return Reflect.get(target, key, target);
    },
  });
  const tracker = new FrameTracker();
  tracker.push(watched, 0, 5);
  t.equal(tracker.isAtMessageEnd, true);
});
