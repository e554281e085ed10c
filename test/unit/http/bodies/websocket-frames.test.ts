// Where WebSocket frames and messages end, however the bytes are cut: compared with a reader that
// has the whole stream before it, and with the receiver and sender of the ws package.

import * as fc from 'fast-check';
import t from 'tap';
import * as ws from 'ws';
import { InvariantError } from '../../../../src/base/assert.ts';
import { closeFrame, FrameTracker } from '../../../../src/http/bodies/websocket-frames.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

/** What ws has besides its types. */
interface Receiver {
  readonly errored: Error | null;
  on(event: string, listener: (...values: unknown[]) => void): void;
  write(bytes: Buffer): void;
}
interface Parts {
  readonly Receiver: new (options: {
    readonly isServer: boolean;
    readonly skipUTF8Validation: boolean;
  }) => Receiver;
  readonly Sender: {
    frame(
      data: Buffer,
      options: Readonly<Record<'fin' | 'mask' | 'readOnly' | 'rsv1', boolean>> & {
        readonly opcode: number;
      },
    ): Buffer[];
  };
}
const { Receiver, Sender } = ws as unknown as Parts;

interface Place {
  readonly isAtFrameEnd: boolean;
  readonly isAtMessageEnd: boolean;
  readonly isClosing: boolean;
  readonly isBroken: boolean;
}

/** The reference: reads `bytes` from the first one on, with all of them at hand. */
function readWhole(bytes: Buffer): Place {
  let isClosing = false;
  const place = (isBroken: boolean): Place => {
    return { isAtFrameEnd: false, isAtMessageEnd: false, isClosing, isBroken };
  };
  let p = 0;
  let open = false;
  while (p < bytes.length) {
    const fin = bytes[p]! >= 128;
    const opcode = bytes[p]! % 16;
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return place(true);
    if (opcode === 0 && !open) return place(true);
    if ((opcode === 1 || opcode === 2) && open) return place(true);
    if (opcode >= 8 && !fin) return place(true);
    if (opcode < 8) open = !fin;
    if (p + 1 === bytes.length) return place(false);
    const isMasked = bytes[p + 1]! >= 128;
    let length = BigInt(bytes[p + 1]! % 128);
    p += 2;
    if (opcode >= 8 && length > 125n) return place(true);
    const size = length === 126n ? 2 : length === 127n ? 8 : 0;
    if (size > 0) {
      const known = bytes.subarray(p, p + size);
      length = BigInt(`0x0${known.toString('hex')}`);
      if (length > BigInt(Number.MAX_SAFE_INTEGER)) return place(true);
      if (known.length < size) return place(false);
      p += size;
    }
    if (isMasked) p += 4;
    if (p > bytes.length) return place(false);
    if (opcode === 8) isClosing = true;
    if (BigInt(bytes.length - p) < length) return place(false);
    p += Number(length);
  }
  return { isAtFrameEnd: true, isAtMessageEnd: !open, isClosing, isBroken: false };
}

function placeOf(tracker: FrameTracker): Place {
  const { isAtFrameEnd, isAtMessageEnd, isClosing, isBroken } = tracker;
  return { isAtFrameEnd, isAtMessageEnd, isClosing, isBroken };
}

function expectSame(got: unknown, expected: unknown, where: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${where}: expected ${b}, got ${a}`);
}

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

interface Frame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly rsv: number;
  readonly mask: boolean;
  readonly length: number;
  /** Bytes of the extended length; more than needed is followed too. */
  readonly lengthBytes: 0 | 2 | 8;
  /** Repeated to make the payload and the key; often looks like frames. */
  readonly filling: Uint8Array;
}

const CLOSE: Frame = {
  fin: true,
  opcode: 8,
  rsv: 0,
  mask: false,
  length: 0,
  lengthBytes: 0,
  filling: Uint8Array.of(0),
};

function encode({ fin, opcode, rsv, mask, length, lengthBytes, filling }: Frame): Buffer {
  const form = lengthBytes === 8 ? 127 : lengthBytes === 2 ? 126 : length;
  const extended = Buffer.alloc(8);
  extended.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (mask ? 0x80 : 0) | form]),
    extended.subarray(8 - lengthBytes),
    Buffer.alloc(mask ? 4 : 0, filling),
    Buffer.alloc(length, filling),
  ]);
}

const FILLING = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 16 }),
  fc.constantFrom(Uint8Array.of(0x81, 0), Uint8Array.of(0x88, 0x80), Uint8Array.of(0xff)),
);
const SMALL = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 40 }), fc.constantFrom(124, 125));
const ANY_SIZE = fc.oneof(
  { weight: 5, arbitrary: SMALL },
  { weight: 2, arbitrary: fc.constantFrom(126, 127, 128, 255, 256, 1_000) },
  { weight: 1, arbitrary: fc.constantFrom(65_534, 65_535, 65_536, 65_537, 200_000) },
);

interface Kind {
  readonly sizes: fc.Arbitrary<number>;
  readonly mask: fc.Arbitrary<boolean>;
  readonly rsv: fc.Arbitrary<number>;
  readonly controls: readonly number[];
}

const oneFrame = (
  { mask, rsv }: Kind,
  sizes: fc.Arbitrary<number>,
  { opcode, fin }: { readonly opcode: number; readonly fin: boolean },
): fc.Arbitrary<Frame> =>
  fc
    .tuple(sizes, mask, rsv, FILLING, fc.nat({ max: 9 }))
    .map(([length, mask, rsv, filling, odd]) => {
      // Now and then a longer form of length than needed.
      const least = length > 65_535 ? 8 : length > 125 ? 2 : 0;
      const lengthBytes = opcode >= 8 || odd > 1 ? least : odd === 0 && least < 8 ? 2 : 8;
      return { fin, opcode, rsv, mask, length, lengthBytes, filling };
    });

/** A control frame, or a message in fragments with control frames between them. */
function message(kind: Kind): fc.Arbitrary<Frame[]> {
  const control = fc
    .constantFrom(...kind.controls)
    .chain((opcode) => oneFrame(kind, SMALL, { opcode, fin: true }));
  const controls = fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(control, { maxLength: 2 }) },
  );
  const fragments = fc
    .tuple(fc.constantFrom(1, 2), fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 4 })))
    .chain(([opcode, count]) =>
      fc.tuple(
        ...Array.from({ length: count }, (_, index) => {
          const how = { opcode: index === 0 ? opcode : 0, fin: index === count - 1 };
          const between = index === 0 ? fc.constant([]) : controls;
          return fc
            .tuple(between, oneFrame(kind, kind.sizes, how))
            .map(([before, data]) => [...before, data]);
        }),
      ),
    )
    .map((parts) => parts.flat());
  return fc.oneof(
    { weight: 3, arbitrary: fragments },
    { weight: 1, arbitrary: control.map((frame) => [frame]) },
  );
}

const streamOf = (kind: Kind): fc.Arbitrary<Frame[]> =>
  fc.array(message(kind), { maxLength: 5 }).map((messages) => messages.flat());

const MIXED: Kind = {
  sizes: ANY_SIZE,
  mask: fc.boolean(),
  rsv: fc.oneof(fc.constant(0), fc.nat({ max: 7 })),
  controls: [8, 9, 10],
};
const STREAM = streamOf(MIXED).map((frames) => ({ frames, bytes: bytesOf(frames) }));
const SMALL_STREAM = streamOf({ ...MIXED, sizes: SMALL }).map(bytesOf);
const CUTS = fc.array(fc.nat({ max: 1_000_000 }), { maxLength: 12 });

function bytesOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map(encode));
}

/** Ends of frames and of messages by construction, without reading the bytes. */
function endsOf(frames: readonly Frame[]): { frame: number[]; message: number[] } {
  const ends = { frame: [0], message: [0] };
  let p = 0;
  let open = false;
  for (const frame of frames) {
    p += encode(frame).length;
    if (frame.opcode < 8) open = !frame.fin;
    ends.frame.push(p);
    if (!open) ends.message.push(p);
  }
  return ends;
}

/** Places up to a whole header away from an end of a frame. */
function tellingPlaces(frames: readonly Frame[]): number[] {
  const ends = endsOf(frames).frame;
  return ends
    .flatMap((end) => Array.from({ length: 32 }, (_, index) => end - 16 + index))
    .filter((place) => place >= 0 && place <= ends.at(-1)!);
}

/** Bytes that are framing at first: a stream with some bytes replaced, put in or taken out. */
const SPOILT = fc
  .tuple(
    SMALL_STREAM,
    fc.array(fc.tuple(fc.nat({ max: 80 }), fc.nat({ max: 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([bytes, edits]) => {
    const spoilt = [...bytes];
    for (const [at, removed, put] of edits) spoilt.splice(at, removed, put);
    return Buffer.from(spoilt);
  });
const RANDOM = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
/** Only bytes that matter in headers, so that deep states are reached. */
const HEADERISH = fc
  .array(
    fc.constantFrom(0, 1, 2, 3, 8, 0x0a, 0x41, 0x7e, 0x7f, 0x80, 0x81, 0x88, 0x89, 0xfe, 0xff),
    {
      maxLength: 40,
    },
  )
  .map((bytes) => Buffer.from(bytes));
const ANY_BYTES = fc.oneof(SPOILT, RANDOM, HEADERISH);

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

interface Seen {
  readonly tracker: FrameTracker;
  readonly receiver: Receiver;
  /** What ws has read with the last byte. */
  event: string;
}

/** Gives `bytes` to the tracker and to ws, one at a time; `look` is called after each. */
function readBoth(
  bytes: Buffer,
  isServer: boolean,
  look: (seen: Seen, offset: number) => void,
): Seen {
  const receiver = new Receiver({ isServer, skipUTF8Validation: true });
  const seen: Seen = { tracker: new FrameTracker(), receiver, event: '' };
  receiver.on('error', () => undefined);
  for (const event of ['message', 'ping', 'pong', 'conclude']) {
    receiver.on(event, () => {
      seen.event = event;
    });
  }
  for (let i = 0; i < bytes.length && seen.event !== 'conclude'; i++) {
    seen.event = '';
    seen.tracker.push(bytes, i, i + 1);
    // ws unmasks in place, so it gets a copy.
    if (receiver.errored === null) receiver.write(Buffer.from(bytes.subarray(i, i + 1)));
    look(seen, i + 1);
  }
  return seen;
}

/** What both must agree on after each byte that ws accepts. */
function checkAgreement({ tracker, receiver, event }: Seen, offset: number): void {
  if (receiver.errored !== null) return;
  const where = `after ${offset} bytes (${event})`;
  if (event !== '') expectSame(tracker.isAtFrameEnd, true, `isAtFrameEnd ${where}`);
  if (event === 'message') expectSame(tracker.isAtMessageEnd, true, `isAtMessageEnd ${where}`);
  if (tracker.isAtMessageEnd) expectSame(event !== '', true, `an event ${where}`);
  expectSame(tracker.isClosing && tracker.isAtFrameEnd, event === 'conclude', `isClosing ${where}`);
}

await t.test('FrameTracker sees the messages that ws sees', async (t) => {
  const streams = fc.boolean().chain((isServer) => {
    const kind = { sizes: SMALL, mask: fc.constant(isServer), rsv: fc.constant(0) };
    return fc.tuple(fc.constant(isServer), streamOf({ ...kind, controls: [9, 10] }), fc.boolean());
  });
  const property = fc.property(streams, ([isServer, frames, closes]) => {
    const close = { ...CLOSE, mask: isServer };
    const bytes = bytesOf(closes ? [...frames, close] : frames);
    const { receiver } = readBoth(bytes, isServer, checkAgreement);
    expectSame(receiver.errored, null, 'fault found by ws');
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} streams`);
});

/** Errors of ws that are not about RSV bits, masks or what a Close frame holds. */
const FRAMING_FAULT = /invalid opcode|FIN must be|payload length (?:12[67]|>)/;

await t.test('FrameTracker and ws find the same faults of framing', async (t) => {
  let broken = 0;
  const property = fc.property(ANY_BYTES, fc.boolean(), (bytes, isServer) => {
    const { tracker, receiver } = readBoth(bytes, isServer, checkAgreement);
    if (receiver.errored !== null && FRAMING_FAULT.test(receiver.errored.message)) {
      expectSame(tracker.isBroken, true, receiver.errored.message);
    }
    if (!tracker.isBroken) return;
    broken++;
    // ws reads whole header fields: it may need a few bytes more.
    for (let i = 0; i < 8; i++) receiver.write(Buffer.alloc(1));
    expectSame(receiver.errored !== null, true, 'an error in ws');
  });
  fc.assert(property, { numRuns: RUNS });
  t.ok(broken > RUNS / 10, `${broken} of ${RUNS} were broken`);
});

for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
  for (const mask of [false, true]) {
    const what = `${size} bytes, ${mask ? 'masked' : 'not masked'}`;
    await t.test(`FrameTracker finds the end of a frame from ws: ${what}`, async (t) => {
      const options = { fin: true, mask, opcode: 2, readOnly: false, rsv1: true };
      const bytes = Buffer.concat(Sender.frame(Buffer.alloc(size, 0x88), options));
      const tracker = new FrameTracker();
      tracker.push(bytes, 0, 1);
      const whole = Buffer.concat([bytes, bytes]);
      t.equal(tracker.pushUntilBoundary(whole, 1, whole.length, 'message'), bytes.length);
    });
  }
}

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

await t.test('closeFrame makes what ws reads', async (t) => {
  const code = fc.oneof(
    fc.constantFrom(1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014),
    fc.integer({ min: 3000, max: 4999 }),
  );
  const reason = fc.string({ unit: 'binary-ascii', maxLength: 123 });
  const property = fc.property(code, reason, (code, reason) => {
    const bytes = closeFrame(code, reason);
    const receiver = new Receiver({ isServer: false, skipUTF8Validation: false });
    const read: unknown[] = [];
    receiver.on('error', () => undefined);
    receiver.on('conclude', (code, reason) => read.push(code, String(reason)));
    receiver.write(Buffer.from(bytes));
    expectSame(read, [code, reason], 'read by ws');
    const closing = { isAtFrameEnd: true, isAtMessageEnd: true, isClosing: true, isBroken: false };
    expectSame(readWhole(bytes), closing, 'read by the reference');
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} frames`);
});

await t.test('closeFrame takes a reason of 123 bytes', async (t) => {
  const bytes = closeFrame(1012, 'x'.repeat(123));
  t.equal(bytes.length, 127);
  t.equal(readWhole(bytes).isAtFrameEnd, true);
});

const NO_CLOSE: readonly (readonly [what: string, code: number, reason: string])[] = [
  ['a reason of 124 bytes', 1001, 'x'.repeat(124)],
  ['a reason that is not ASCII', 1001, 'a\u00e9'],
  ['a code that says nothing', 1004, ''],
  ['a code that is never sent', 1005, ''],
  ['the code for a lost connection', 1006, ''],
  ['the code for a failed handshake of TLS', 1015, ''],
  ['a code of an unknown standard', 2999, ''],
  ['a code that is too low', 999, ''],
  ['a code that is too high', 5000, ''],
  ['half a code', 3000.5, ''],
];
for (const [what, code, reason] of NO_CLOSE) {
  await t.test(`closeFrame refuses ${what}`, async (t) => {
    t.throws(() => closeFrame(code, reason), InvariantError);
  });
}
