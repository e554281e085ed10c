// The frames of one direction of a WebSocket (RFC 6455 §5.2), followed through a byte stream that
// arrives in any pieces: where a frame or a message ends, so that something of ours may be put
// there. It copies nothing, never looks at a payload, and does not know which side is sending.
//
//   FRAME_START ─► LENGTH ─► EXTENDED_LENGTH ─► MASKING_KEY ─► PAYLOAD ─► FRAME_START
//                  1 byte     2, 8 or none       4 or none      the rest
//   Bytes that can't be framing lead to BROKEN, which stays.

import { assert } from '../../base/assert.ts';

// What the next byte is.
const FRAME_START = 0;
const LENGTH = 1;
const EXTENDED_LENGTH = 2;
const MASKING_KEY = 3;
const PAYLOAD = 4;
const BROKEN = 5;

const FIN = 0x80;
const OPCODE_BITS = 0x0f;
const MASK = 0x80;
const LENGTH_BITS = 0x7f;

// RFC 6455 §11.8: 3 to 7 and 11 to 15 are reserved.
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PONG = 10;

/** RFC 6455 §5.2: the length is in the next 8 bytes. With 126 it is in the next 2. */
const LENGTH_IN_64_BITS = 127;
const MASKING_KEY_BYTES = 4;

/** RFC 6455 §5.5: a control frame has the short form of length only. */
const CONTROL_PAYLOAD_BYTES_MAX = 125;
/** What the two bytes of the code leave of that. */
const CLOSE_REASON_BYTES_MAX = 123;

/**
 * Follows the frames of one direction. RSV bits are let pass (an extension gives them a meaning),
 * so are lengths in a longer form than needed. Costs a few steps per frame, of any size.
 */
export class FrameTracker {
  #state = FRAME_START;
  #opcode = CONTINUATION;
  /** A data frame without FIN has passed, and none with FIN since (RFC 6455 §5.4). */
  #isMessageOpen = false;
  #isMasked = false;
  #isClosing = false;
  /** Bytes to come of the extended length or of the masking key. */
  #headerLeft = 0;
  /** Bytes to come of the payload; 0 between frames. While its length comes, what is known of it. */
  #payloadLeft = 0;

  /** All bytes so far are whole frames; true before the first one. */
  get isAtFrameEnd(): boolean {
    return this.#state === FRAME_START;
  }

  /** All bytes so far are whole messages and control frames. */
  get isAtMessageEnd(): boolean {
    return this.#state === FRAME_START && !this.#isMessageOpen;
  }

  /** The whole header of a Close frame has passed: nothing may follow that frame (RFC 6455 §5.5.1). */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** The bytes are no WebSocket framing. From then on nothing is followed and no end is reached. */
  get isBroken(): boolean {
    return this.#state === BROKEN;
  }

  /** Follows `bytes[start, end)`. */
  push(bytes: Buffer, start: number, end: number): void {
    let p = start;
    while (p < end && this.#state !== BROKEN) p = this.#pushFrame(bytes, p, end);
  }

  /**
   * Follows `bytes[start, end)` up to the first end of a frame or of a message. Returns the offset
   * after it, `start` when the stream is at such an end already, or -1 when all bytes were followed
   * without reaching one or the stream is broken.
   */
  pushUntilBoundary(bytes: Buffer, start: number, end: number, wants: 'message' | 'frame'): number {
    let p = start;
    for (;;) {
      if (wants === 'message' ? this.isAtMessageEnd : this.isAtFrameEnd) return p;
      if (p >= end || this.#state === BROKEN) return -1;
      p = this.#pushFrame(bytes, p, end);
    }
  }

  /** Follows at least one byte, up to the end of the frame it belongs to. Returns the offset after. */
  #pushFrame(bytes: Buffer, start: number, end: number): number {
    let p = start;
    while (p < end) {
      if (this.#state === PAYLOAD) {
        const taken = Math.min(this.#payloadLeft, end - p);
        this.#payloadLeft -= taken;
        if (this.#payloadLeft === 0) this.#state = FRAME_START;
        return p + taken;
      }
      this.#pushHeaderByte(bytes[p]!);
      p++;
      if (this.#state === FRAME_START || this.#state === BROKEN) return p;
    }
    return p;
  }

  #pushHeaderByte(byte: number): void {
    switch (this.#state) {
      case FRAME_START:
        this.#startFrame((byte & FIN) !== 0, byte & OPCODE_BITS);
        return;
      case LENGTH:
        this.#takeLength((byte & MASK) !== 0, byte & LENGTH_BITS);
        return;
      case EXTENDED_LENGTH:
        // RFC 6455 §5.2: the top bit is 0. No stream gets as far as the numbers that are not exact.
        this.#payloadLeft = this.#payloadLeft * 256 + byte;
        this.#headerLeft--;
        if (this.#payloadLeft > Number.MAX_SAFE_INTEGER) this.#state = BROKEN;
        else if (this.#headerLeft === 0) this.#endLength();
        return;
      default:
        this.#headerLeft--;
        if (this.#headerLeft === 0) this.#endHeader();
    }
  }

  /** RFC 6455 §5.4: control frames are never fragmented, and messages never mixed. */
  #startFrame(isFinal: boolean, opcode: number): void {
    this.#opcode = opcode;
    this.#state = LENGTH;
    if (opcode >= CLOSE) {
      if (opcode > PONG || !isFinal) this.#state = BROKEN;
      return;
    }
    const isContinuation = opcode === CONTINUATION;
    if (opcode > BINARY || isContinuation !== this.#isMessageOpen) this.#state = BROKEN;
    this.#isMessageOpen = !isFinal;
  }

  #takeLength(isMasked: boolean, length: number): void {
    this.#isMasked = isMasked;
    if (length <= CONTROL_PAYLOAD_BYTES_MAX) {
      this.#payloadLeft = length;
      this.#endLength();
      return;
    }
    this.#headerLeft = length === LENGTH_IN_64_BITS ? 8 : 2;
    this.#state = this.#opcode >= CLOSE ? BROKEN : EXTENDED_LENGTH;
  }

  #endLength(): void {
    if (this.#isMasked) {
      this.#headerLeft = MASKING_KEY_BYTES;
      this.#state = MASKING_KEY;
    } else {
      this.#endHeader();
    }
  }

  #endHeader(): void {
    if (this.#opcode === CLOSE) this.#isClosing = true;
    this.#state = this.#payloadLeft === 0 ? FRAME_START : PAYLOAD;
  }
}

/**
 * Returns a Close frame as a server sends it: whole and not masked (RFC 6455 §5.5.1). `code` is one
 * that may be sent (§7.4), `reason` is ASCII of at most 123 bytes.
 */
export function closeFrame(code: number, reason: string): Buffer {
  assert(isCloseCode(code), 'a Close frame carries a code that may be sent');
  assert(reason.length <= CLOSE_REASON_BYTES_MAX, 'a Close frame has at most 123 bytes of reason');
  for (let i = 0; i < reason.length; i++) {
    assert(reason.charCodeAt(i) < 0x80, 'the reason in a Close frame is ASCII');
  }
  const frame = Buffer.allocUnsafe(4 + reason.length);
  frame[0] = FIN | CLOSE;
  frame[1] = 2 + reason.length;
  frame.writeUInt16BE(code, 2);
  frame.write(reason, 4, 'latin1');
  return frame;
}

/**
 * RFC 6455 §7.4.1: 1004 means nothing yet, 1005, 1006 and 1015 are never sent. §7.4.2: 3000 to 4999
 * are for libraries and applications. 1012 to 1014 were registered later.
 */
function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  const isStandard = code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
  return isStandard || (code >= 3000 && code <= 4999);
}
