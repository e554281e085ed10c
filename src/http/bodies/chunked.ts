// The chunked transfer coding (RFC 9112 §7.1). Decoding finds where the data lies without
// copying it; encoding writes chunks of our own, so extensions and odd sizes end at the proxy.

import {
  CHUNK_EXTENSION_BYTES_MAX,
  ONE_WRITE_BYTES_MAX,
  TRAILER_BYTES_MAX,
  TRAILER_FIELDS_MAX,
} from '../../base/limits.ts';
import { Accumulator } from '../heads/accumulator.ts';
import { CHARS, CR, HEX, LF, SEMICOLON, SP, TAB, TOKEN, VALUE } from '../grammar/chars.ts';
import { lineEnd } from '../forward/copy-head.ts';
import { FAULT, INCOMPLETE } from '../grammar/faults.ts';
import { isForThisHop } from '../grammar/field-kind.ts';
import { FieldLines, findHeadEnd, parseFieldLines } from '../grammar/fields.ts';
import { text } from '../grammar/text.ts';

const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Digits of a size; leading zeros count, so that a size line is always short. */
const SIZE_DIGITS_MAX = 16;

// States, in the order in which a body passes through them.
const SIZE = 0;
const EXTENSION_NAME = 1;
const EXTENSION_VALUE_START = 2;
const EXTENSION_VALUE = 3;
const EXTENSION_QUOTED = 4;
const EXTENSION_ESCAPED = 5;
const EXTENSION_AFTER_QUOTED = 6;
const SIZE_LF = 7;
const DATA = 8;
const DATA_CR = 9;
const DATA_LF = 10;
const TRAILERS = 11;
const DONE = 12;
/** Of a loose decoder, behind a size: blanks, and whatever stands behind a semicolon. */
const LOOSE_BLANKS = 13;
const LOOSE_EXTENSION = 14;

/** Decodes one chunked body that arrives in any pieces. */
export class ChunkedDecoder {
  /** Start and end of each run of data in the bytes of the last `push`, alternating. */
  readonly ranges: number[] = [];
  /** Trailer field lines as they came, each with CRLF; complete once `isDone`. */
  trailers = '';
  #state = SIZE;
  #size = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  /** Bytes of the current token of an extension; a name or value is never empty. */
  #tokenBytes = 0;
  #trailerBytes: Accumulator | undefined = undefined;
  readonly #isLoose: boolean;

  /**
   * `isLoose`: takes what is odd and can be read in one way only, as responses of targets are taken:
   * blanks behind a size, any extension, trailers that may not be sent on (they are left out).
   */
  constructor(isLoose = false) {
    this.#isLoose = isLoose;
  }

  get isDone(): boolean {
    return this.#state === DONE;
  }

  /**
   * Decodes `bytes[start, end)`. Returns the offset after what belongs to the body (`end`, or
   * less once it is done), or a FAULT.
   */
  push(bytes: Buffer, start: number, end: number): number {
    this.ranges.length = 0;
    let p = start;
    while (p < end) {
      const state = this.#state;
      if (state === DATA) {
        const stop = Math.min(end, p + this.#size);
        this.ranges.push(p, stop);
        this.#size -= stop - p;
        p = stop;
        if (this.#size === 0) this.#state = DATA_CR;
      } else if (state === TRAILERS) {
        return this.#takeTrailers(bytes, p, end);
      } else if (state === DONE) {
        return p;
      } else {
        const fault = this.#step(state, bytes[p]!);
        if (fault !== 0) return fault;
        p++;
      }
    }
    return p;
  }

  /** One byte outside of data and trailers. */
  #step(state: number, byte: number): number {
    switch (state) {
      case SIZE:
        return this.#stepSize(byte);
      case SIZE_LF:
        if (byte !== LF) return FAULT.CHUNK_SIZE;
        this.#state = this.#size === 0 ? TRAILERS : DATA;
        return 0;
      case DATA_CR:
        if (byte !== CR) return FAULT.CHUNK_END;
        this.#state = DATA_LF;
        return 0;
      case DATA_LF:
        if (byte !== LF) return FAULT.CHUNK_END;
        this.#state = SIZE;
        this.#sizeDigits = 0;
        // A target that fills up all its sizes with blanks has one bound for each.
        if (this.#isLoose) this.#extensionBytes = 0;
        return 0;
      case LOOSE_BLANKS:
      case LOOSE_EXTENSION:
        return this.#stepLoose(state, byte);
      default:
        return this.#stepExtension(state, byte);
    }
  }

  #stepSize(byte: number): number {
    if ((CHARS[byte]! & HEX) !== 0) {
      this.#size = this.#size * 16 + hexValue(byte);
      this.#sizeDigits++;
      const fits = this.#sizeDigits <= SIZE_DIGITS_MAX && this.#size <= Number.MAX_SAFE_INTEGER;
      return fits ? 0 : FAULT.CHUNK_SIZE;
    }
    if (this.#sizeDigits === 0) return FAULT.CHUNK_SIZE;
    if (byte === CR) this.#state = SIZE_LF;
    else if (this.#isLoose && (byte === SP || byte === TAB)) this.#state = LOOSE_BLANKS;
    else if (byte !== SEMICOLON) return FAULT.CHUNK_SIZE;
    else if (this.#isLoose) this.#state = LOOSE_EXTENSION;
    else this.#startToken(EXTENSION_NAME);
    return 0;
  }

  /** RFC 9112 §7.1.1: blanks may stand around extensions, and extensions that mean nothing are ignored. */
  #stepLoose(state: number, byte: number): number {
    if (byte === CR) {
      this.#state = SIZE_LF;
      return 0;
    }
    if (++this.#extensionBytes > CHUNK_EXTENSION_BYTES_MAX) return FAULT.CHUNK_EXTENSION;
    if (state === LOOSE_EXTENSION) return (CHARS[byte]! & VALUE) === 0 ? FAULT.CHUNK_EXTENSION : 0;
    if (byte === SEMICOLON) this.#state = LOOSE_EXTENSION;
    else if (byte !== SP && byte !== TAB) return FAULT.CHUNK_SIZE;
    return 0;
  }

  /** RFC 9112 §7.1.1, without the optional blanks: `;name`, `;name=token`, `;name="text"`. */
  #stepExtension(state: number, byte: number): number {
    this.#extensionBytes++;
    if (this.#extensionBytes > CHUNK_EXTENSION_BYTES_MAX) return FAULT.CHUNK_EXTENSION;
    switch (state) {
      case EXTENSION_QUOTED:
        if (byte === QUOTE) this.#state = EXTENSION_AFTER_QUOTED;
        else if (byte === BACKSLASH) this.#state = EXTENSION_ESCAPED;
        else if ((CHARS[byte]! & VALUE) === 0) return FAULT.CHUNK_EXTENSION;
        return 0;
      case EXTENSION_ESCAPED:
        if ((CHARS[byte]! & VALUE) === 0) return FAULT.CHUNK_EXTENSION;
        this.#state = EXTENSION_QUOTED;
        return 0;
      case EXTENSION_VALUE_START:
        if (byte === QUOTE) {
          this.#state = EXTENSION_QUOTED;
          return 0;
        }
        this.#startToken(EXTENSION_VALUE);
        break;
      default:
    }
    if (state !== EXTENSION_AFTER_QUOTED) {
      if ((CHARS[byte]! & TOKEN) !== 0) {
        this.#tokenBytes++;
        return 0;
      }
      if (this.#tokenBytes === 0) return FAULT.CHUNK_EXTENSION;
    }
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#startToken(EXTENSION_NAME);
    else if (byte === EQUALS && state === EXTENSION_NAME) this.#state = EXTENSION_VALUE_START;
    else return FAULT.CHUNK_EXTENSION;
    return 0;
  }

  #startToken(state: number): void {
    this.#state = state;
    this.#tokenBytes = 0;
  }

  /** RFC 9112 §7.1.2. Returns the offset after the section, `end`, or FAULT.TRAILER. */
  #takeTrailers(bytes: Buffer, start: number, end: number): number {
    const kept = (this.#trailerBytes ??= new Accumulator());
    const before = kept.length;
    kept.append(bytes, start, Math.min(end, start + TRAILER_BYTES_MAX - before));
    const isEmpty = kept.length >= 2 && kept.bytes[0] === CR && kept.bytes[1] === LF;
    const sectionEnd = isEmpty ? 2 : findHeadEnd(kept.bytes, Math.max(0, before - 1), kept.length);
    if (sectionEnd === INCOMPLETE) return kept.length < TRAILER_BYTES_MAX ? end : FAULT.TRAILER;
    const trailers = sectionEnd < 0 ? undefined : trailersOf(kept.bytes, sectionEnd, this.#isLoose);
    if (trailers === undefined) return FAULT.TRAILER;
    this.trailers = trailers;
    this.#state = DONE;
    return start + sectionEnd - before;
  }
}

/**
 * Returns the lines of the section `bytes[0, end)`. RFC 9110 §6.5.1: no framing, routing or connection
 * field may hide there. `isLoose`: such lines are left out, else the section is refused (undefined).
 */
function trailersOf(bytes: Buffer, end: number, isLoose: boolean): string | undefined {
  const lines = new FieldLines(TRAILER_FIELDS_MAX);
  if (parseFieldLines(lines, bytes, 0, end) <= 0) return undefined;
  let trailers = '';
  for (let i = 0; i < lines.count; i++) {
    if (!isForThisHop(lines.kinds[i]!))
      trailers += text(bytes, lines.nameStart(i), lineEnd({ lines, end }, i));
    else if (!isLoose) return undefined;
  }
  return trailers;
}

function hexValue(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
}

/** Returns the last chunk with `trailers`, which are whole field lines or empty. */
export function lastChunk(trailers: string): string {
  return `0\r\n${trailers}\r\n`;
}

/** Returns how many bytes the ranges `[start, end, …]` cover. */
export function rangesLength(ranges: readonly number[]): number {
  let length = 0;
  for (let i = 0; i < ranges.length; i += 2) length += ranges[i + 1]! - ranges[i]!;
  return length;
}

/**
 * Returns `head`, the data in `ranges` of `bytes` between `before` and `after`, as one thing to
 * write: a latin1 string while it is small, else a buffer of its own. Copies the data.
 */
export function gather(
  bytes: Buffer,
  ranges: readonly number[],
  before: string,
  after: string,
): string | Buffer {
  const length = rangesLength(ranges);
  if (length <= ONE_WRITE_BYTES_MAX) {
    let gathered = before;
    for (let i = 0; i < ranges.length; i += 2) gathered += text(bytes, ranges[i]!, ranges[i + 1]!);
    return gathered + after;
  }
  const gathered = Buffer.allocUnsafe(before.length + length + after.length);
  let at = gathered.write(before, 0, 'latin1');
  for (let i = 0; i < ranges.length; i += 2) {
    at += bytes.copy(gathered, at, ranges[i], ranges[i + 1]);
  }
  gathered.write(after, at, 'latin1');
  return gathered;
}

/**
 * Returns `before` and then the data in `ranges` as one chunk of our own, and `last` (a last
 * chunk, or empty). Data of no length makes no chunk: that would end the body.
 */
export function encodeChunk(
  bytes: Buffer,
  ranges: readonly number[],
  before: string,
  last: string,
): string | Buffer {
  const length = rangesLength(ranges);
  if (length === 0) return before + last;
  return gather(bytes, ranges, `${before}${length.toString(16)}\r\n`, `\r\n${last}`);
}

/**
 * Writes framing of ours around the data in `ranges` where it lies: `lead` right before it, `tail`
 * right behind, and a chunk border into each gap, which held one before. Returns what is to be
 * sent, or undefined where it does not fit (then `bytes` may hold some of it already, but the data
 * is untouched). Sizes are padded with zeros, which §7.1 allows.
 */
export function frameInPlace(
  bytes: Buffer,
  ranges: readonly number[],
  lead: string,
  tail: string,
): Buffer | undefined {
  const start = ranges[0]! - lead.length;
  const stop = ranges.at(-1)! + tail.length;
  if (start < 0 || stop > bytes.length) return undefined;
  for (let i = 2; i < ranges.length; i += 2) {
    const gap = ranges[i]! - ranges[i - 1]!;
    const size = (ranges[i + 1]! - ranges[i]!).toString(16);
    const digits = gap - 4; // Two line ends stand beside the size.
    if (digits < size.length || digits > SIZE_DIGITS_MAX) return undefined;
    bytes.write(`\r\n${size.padStart(digits, '0')}\r\n`, ranges[i - 1]!, 'latin1');
  }
  bytes.write(lead, start, 'latin1');
  bytes.write(tail, ranges.at(-1)!, 'latin1');
  return bytes.subarray(start, stop);
}
