// The head of a response: status line and fields (RFC 9112 §4, §5), and where its body ends
// (§6.3). A broken response is refused as strictly as a broken request.

import { CHARS, CR, LF, NINE, SP, VALUE, ZERO } from '../grammar/chars.ts';
import { ConnectionOptions, parseConnection } from '../grammar/connection.ts';
import { namesConnectionLogin } from '../grammar/connection-login.ts';
import { FAULT, INCOMPLETE } from '../grammar/faults.ts';
import { FIELD, USUAL_NAMES, type FieldNames } from '../grammar/field-kind.ts';
import { FieldLines, parseFieldLines } from '../grammar/fields.ts';
import {
  CHUNKED,
  UNTIL_CLOSE,
  parseContentLength,
  parseTransferEncoding,
} from '../grammar/framing.ts';

export interface ResponseHeadLimits {
  readonly headBytesMax: number;
  readonly headFieldsMax: number;
}

const NO_LINE = -1;

/** A parsed response head. Valid until the next parse; all numbers are offsets into `bytes`. */
export class ResponseHead {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  /** After the status line. */
  fieldsStart = 0;
  /** After the empty line that ends the head. */
  end = 0;
  status = 0;
  /** HTTP/1.`minor`. */
  minor = 1;
  /** The status line may be sent on as it came: our version, and the space that §4 demands. */
  isLineWhole = true;
  readonly lines: FieldLines;
  readonly connection = new ConnectionOptions();
  /** Bytes, CHUNKED or UNTIL_CLOSE. */
  bodyLength = 0;
  /** Says `chunked`, even where the response has no body (HEAD). */
  isChunked = false;
  /** The target keeps the connection open after this response (RFC 9112 §9.3). */
  keepAlive = false;
  /** Seconds of `Keep-Alive: timeout=`; -1 when the target says nothing. */
  keepAliveSeconds = -1;
  /** Has an Upgrade field; with 101 the protocol changes here. */
  upgrade = false;
  /** The protocol it switches to is WebSocket. */
  isWebSocket = false;
  /** Content-Type is `text/event-stream`. */
  isEventStream = false;
  /** A challenge that offers a login of the connection. */
  offersConnectionLogin = false;
  readonly limits: ResponseHeadLimits;

  constructor(limits: ResponseHeadLimits, names: FieldNames = USUAL_NAMES) {
    this.limits = limits;
    this.lines = new FieldLines(limits.headFieldsMax, names);
  }

  /**
   * Parses `bytes[start, end)` as the response to a request; `isHead` says that it was HEAD.
   * Returns the offset after the head, INCOMPLETE, or a FAULT. Allocates only short strings, for a
   * transfer coding or options of Connection.
   */
  parse(bytes: Buffer, start: number, end: number, isHead: boolean): number {
    this.bytes = bytes;
    this.start = start;
    const fieldsStart = this.#parseStatusLine(bytes, start, end);
    if (fieldsStart <= 0) return fieldsStart;
    this.fieldsStart = fieldsStart;
    const headEnd = parseFieldLines(this.lines, bytes, fieldsStart, end);
    if (headEnd <= 0) return headEnd;
    if (headEnd - start > this.limits.headBytesMax) return FAULT.HEAD_BYTES;
    this.end = headEnd;
    const fault = this.#readFields(bytes, isHead);
    return fault === 0 ? headEnd : fault;
  }

  /** RFC 9112 §4. The reason phrase, and the space before it, may be missing. */
  #parseStatusLine(bytes: Buffer, start: number, end: number): number {
    if (start + 13 > end) return this.#isPrefix(bytes, start, end) ? INCOMPLETE : FAULT.STATUS;
    const minor = bytes[start + 7]! - ZERO;
    if (!this.#isPrefix(bytes, start, start + 7) || (minor !== 0 && minor !== 1))
      return FAULT.STATUS;
    if (bytes[start + 8] !== SP) return FAULT.STATUS;
    let status = 0;
    for (let p = start + 9; p < start + 12; p++) {
      const byte = bytes[p]!;
      if (byte < ZERO || byte > NINE) return FAULT.STATUS;
      status = status * 10 + byte - ZERO;
    }
    if (status < 100) return FAULT.STATUS;
    let p = start + 12;
    if (bytes[p] === SP) {
      p++;
      while (p < end && (CHARS[bytes[p]!]! & VALUE) !== 0) p++;
    }
    if (p >= end) return INCOMPLETE;
    if (bytes[p] !== CR) return bytes[p] === LF ? FAULT.LINE_END : FAULT.STATUS;
    if (p + 1 >= end) return INCOMPLETE;
    if (bytes[p + 1] !== LF) return FAULT.LINE_END;
    this.minor = minor;
    this.isLineWhole = minor === 1 && bytes[start + 12] === SP;
    this.status = status;
    return p + 2;
  }

  /** Compares what has come with `HTTP/1.`, so that another protocol is noticed at once. */
  #isPrefix(bytes: Buffer, start: number, end: number): boolean {
    const length = Math.min(end - start, VERSION_PREFIX.length);
    for (let i = 0; i < length; i++) if (bytes[start + i] !== VERSION_PREFIX[i]) return false;
    return true;
  }

  #readFields(bytes: Buffer, isHead: boolean): number {
    this.connection.reset();
    this.upgrade = false;
    this.isWebSocket = false;
    this.isEventStream = false;
    this.offersConnectionLogin = false;
    this.keepAliveSeconds = -1;
    let lengthLine = NO_LINE;
    let codingLine = NO_LINE;
    const { lines } = this;
    const { kinds, count } = lines;
    for (let i = 0; i < count; i++) {
      switch (kinds[i]!) {
        case FIELD.contentLength:
          if (lengthLine !== NO_LINE) return FAULT.LENGTH;
          lengthLine = i;
          break;
        case FIELD.transferEncoding:
          if (codingLine !== NO_LINE) return FAULT.CODING;
          codingLine = i;
          break;
        case FIELD.upgrade:
          this.upgrade = true;
          this.isWebSocket = startsWith(bytes, lines.valueStart(i), lines.valueEnd(i), WEBSOCKET);
          break;
        case FIELD.contentType:
          this.isEventStream = startsWith(
            bytes,
            lines.valueStart(i),
            lines.valueEnd(i),
            EVENT_STREAM,
          );
          break;
        case FIELD.wwwAuthenticate:
        case FIELD.proxyAuthenticate:
          if (this.status !== 401 && this.status !== 407) break;
          if (namesConnectionLogin(bytes, lines.valueStart(i), lines.valueEnd(i))) {
            this.offersConnectionLogin = true;
          }
          break;
        case FIELD.keepAlive:
          this.keepAliveSeconds = timeoutSeconds(bytes, lines.valueStart(i), lines.valueEnd(i));
          break;
        case FIELD.connection:
          if (
            parseConnection(this.connection, bytes, lines.valueStart(i), lines.valueEnd(i)) !== 0
          ) {
            return FAULT.CONNECTION;
          }
          break;
        default:
      }
    }
    this.isChunked = codingLine !== NO_LINE;
    const fault = this.#readFraming(bytes, lengthLine, codingLine);
    if (fault !== 0) return fault;
    // RFC 9112 §6.3, item 1: these responses never have a body, no matter what their fields say.
    if (isHead || this.status < 200 || this.status === 204 || this.status === 304)
      this.bodyLength = 0;
    const { close, keepAlive } = this.connection;
    this.keepAlive = this.bodyLength !== UNTIL_CLOSE && !close && (this.minor === 1 || keepAlive);
    return 0;
  }

  /** RFC 9112 §6.3. */
  #readFraming(bytes: Buffer, lengthLine: number, codingLine: number): number {
    const { lines } = this;
    this.bodyLength = UNTIL_CLOSE;
    if (codingLine !== NO_LINE) {
      if (this.minor === 0) return FAULT.CODING_VERSION;
      if (lengthLine !== NO_LINE) return FAULT.LENGTH_AND_CODING;
      const from = lines.valueStart(codingLine);
      this.bodyLength = parseTransferEncoding(bytes, from, lines.valueEnd(codingLine));
      return this.bodyLength === CHUNKED ? 0 : this.bodyLength;
    }
    if (lengthLine !== NO_LINE) {
      const from = lines.valueStart(lengthLine);
      this.bodyLength = parseContentLength(bytes, from, lines.valueEnd(lengthLine));
      if (this.bodyLength < 0) return this.bodyLength;
    }
    return 0;
  }
}

const VERSION_PREFIX: Uint8Array = Buffer.from('HTTP/1.', 'latin1');

const TIMEOUT: Uint8Array = Buffer.from('timeout=', 'latin1');
const WEBSOCKET: Uint8Array = Buffer.from('websocket', 'latin1');
const EVENT_STREAM: Uint8Array = Buffer.from('text/event-stream', 'latin1');

/** Compares without case, as far as `prefix` has letters. */
function startsWith(bytes: Buffer, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if ((bytes[start + i]! | 0x20) !== (prefix[i]! | 0x20)) return false;
  }
  return true;
}

/** Reads the seconds of `timeout=N`, the first parameter of a Keep-Alive field; -1: not there. */
function timeoutSeconds(bytes: Buffer, start: number, end: number): number {
  if (!startsWith(bytes, start, end, TIMEOUT)) return -1;
  let p = start + TIMEOUT.length;
  let seconds = -1;
  for (; p < end && bytes[p]! >= ZERO && bytes[p]! <= NINE; p++) {
    seconds = Math.min(Math.max(seconds, 0) * 10 + bytes[p]! - ZERO, KEEP_ALIVE_SECONDS_MAX);
  }
  return seconds;
}

/** More is as good as for ever. */
const KEEP_ALIVE_SECONDS_MAX = 86_400;
