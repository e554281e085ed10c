// Streams of WebSocket frames, valid, spoilt and random, and a reader that has the whole stream before it:
// what tests of frames compare with.

import * as fc from 'fast-check';
import { FrameTracker } from '../../../../src/http/bodies/websocket-frames.ts';

interface Place {
  readonly isAtFrameEnd: boolean;
  readonly isAtMessageEnd: boolean;
  readonly isClosing: boolean;
  readonly isBroken: boolean;
}

/** The reference: reads `bytes` from the first one on, with all of them at hand. */
export function readWhole(bytes: Buffer): Place {
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

export function placeOf(tracker: FrameTracker): Place {
  const { isAtFrameEnd, isAtMessageEnd, isClosing, isBroken } = tracker;
  return { isAtFrameEnd, isAtMessageEnd, isClosing, isBroken };
}

export function expectSame(got: unknown, expected: unknown, where: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${where}: expected ${b}, got ${a}`);
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

export const CLOSE: Frame = {
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
export const SMALL = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 40 }), fc.constantFrom(124, 125));
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

export const streamOf = (kind: Kind): fc.Arbitrary<Frame[]> =>
  fc.array(message(kind), { maxLength: 5 }).map((messages) => messages.flat());

const MIXED: Kind = {
  sizes: ANY_SIZE,
  mask: fc.boolean(),
  rsv: fc.oneof(fc.constant(0), fc.nat({ max: 7 })),
  controls: [8, 9, 10],
};
export const STREAM = streamOf(MIXED).map((frames) => ({ frames, bytes: bytesOf(frames) }));
export const SMALL_STREAM = streamOf({ ...MIXED, sizes: SMALL }).map(bytesOf);
export const CUTS = fc.array(fc.nat({ max: 1_000_000 }), { maxLength: 12 });

export function bytesOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map(encode));
}

/** Ends of frames and of messages by construction, without reading the bytes. */
export function endsOf(frames: readonly Frame[]): { frame: number[]; message: number[] } {
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
export function tellingPlaces(frames: readonly Frame[]): number[] {
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
export const ANY_BYTES = fc.oneof(SPOILT, RANDOM, HEADERISH);
