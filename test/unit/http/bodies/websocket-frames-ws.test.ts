// Frames of WebSocket as the ws package reads and writes them: the tracker and ws agree on every byte,
// and ws reads the Close frames that are made here.

import * as fc from 'fast-check';
import t from 'tap';
import * as ws from 'ws';
import { InvariantError } from '../../../../src/base/assert.ts';
import { closeFrame, FrameTracker } from '../../../../src/http/bodies/websocket-frames.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import {
  ANY_BYTES,
  bytesOf,
  CLOSE,
  expectSame,
  readWhole,
  SMALL,
  streamOf,
} from './websocket-streams.ts';

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
