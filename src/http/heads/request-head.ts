// The head of a request: request line and fields (RFC 9112 §3, §5). Parses a whole head in one
// pass over its bytes and keeps offsets only. Accepts a strict subset of the RFC; what two
// implementations have been seen to read differently is refused.

import { METHOD_CHARS_MAX } from '../../base/method-names.ts';
import { HOPS_MAX, LEADING_EMPTY_LINES_MAX } from '../../base/limits.ts';
import {
  ASTERISK,
  CHARS,
  COLON,
  CR,
  LF,
  SLASH,
  SP,
  TARGET,
  TOKEN,
  ZERO,
  NINE,
} from '../grammar/chars.ts';
import { ConnectionOptions, parseConnection } from '../grammar/connection.ts';
import { FAULT, INCOMPLETE } from '../grammar/faults.ts';
import { FIELD, USUAL_NAMES, type FieldNames } from '../grammar/field-kind.ts';
import { FieldLines, parseFieldLines } from '../grammar/fields.ts';
import { namesConnectionLogin } from '../grammar/connection-login.ts';
import { CHUNKED, parseContentLength, parseTransferEncoding } from '../grammar/framing.ts';
import { hopsOf } from '../grammar/hops.ts';
import { authorityEnd, hostEnd } from '../grammar/host.ts';
import { USUAL_METHODS, type Method, type Methods } from '../grammar/methods.ts';
import { text } from '../grammar/text.ts';

export interface HeadLimits {
  readonly headBytesMax: number;
  readonly headFieldsMax: number;
  readonly targetBytesMax: number;
}

const NO_LINE = -1;

/** A parsed request head. Valid until the next parse; all numbers are offsets into `bytes`. */
export class RequestHead {
  bytes: Buffer = Buffer.alloc(0);
  /** After a tolerated empty line. */
  start = 0;
  /** After the request line. */
  fieldsStart = 0;
  /** After the empty line that ends the head. */
  end = 0;
  method: Method | undefined = undefined;
  targetStart = 0;
  targetEnd = 0;
  /** HTTP/1.`minor`. */
  minor = 1;
  readonly lines: FieldLines;
  readonly connection = new ConnectionOptions();
  /** Bytes, or CHUNKED. */
  bodyLength = 0;
  /** `Host`, or the authority of an absolute target, as the client wrote it. */
  hostStart = 0;
  hostStop = 0;
  /** The connection may carry another request (RFC 9112 §9.3). */
  keepAlive = false;
  /** The client asks to switch protocols and may be let (RFC 9110 §7.8). */
  upgrade = false;
  /** Through how many Turnouts it has come; HOPS_MAX at the most. */
  hops = 0;
  /** Brings credentials that log in the connection. */
  hasConnectionLogin = false;
  /** The client sends the body once it is told to (RFC 9110 §10.1.1). */
  awaitsContinue = false;
  /** The fields of the last bytes were whole lines, whatever else is wrong with the head. */
  hasFields = false;
  #hostLine = NO_LINE;
  #lengthLine = NO_LINE;
  #codingLine = NO_LINE;

  readonly limits: HeadLimits;
  readonly #methods: Methods;

  constructor(
    limits: HeadLimits,
    names: FieldNames = USUAL_NAMES,
    methods: Methods = USUAL_METHODS,
  ) {
    this.limits = limits;
    this.#methods = methods;
    this.lines = new FieldLines(limits.headFieldsMax, names);
  }

  /**
   * Parses `bytes[start, end)`. Returns the offset after the head, INCOMPLETE, or a FAULT.
   * Allocates nothing for a usual GET or POST with a length; short strings for what is rarer.
   */
  parse(bytes: Buffer, start: number, end: number): number {
    this.bytes = bytes;
    this.hasFields = false;
    const fieldsStart = this.#parseRequestLine(bytes, start, end);
    if (fieldsStart <= 0) return fieldsStart;
    this.fieldsStart = fieldsStart;
    const headEnd = parseFieldLines(this.lines, bytes, fieldsStart, end);
    if (headEnd <= 0) return headEnd;
    if (headEnd - this.start > this.limits.headBytesMax) return FAULT.HEAD_BYTES;
    this.end = headEnd;
    this.hasFields = true;
    const fault = this.#readFields(bytes);
    return fault === 0 ? headEnd : fault;
  }

  get hasHostField(): boolean {
    return this.#hostLine !== NO_LINE;
  }

  get isChunked(): boolean {
    return this.bodyLength === CHUNKED;
  }

  target(): string {
    return text(this.bytes, this.targetStart, this.targetEnd);
  }

  /** RFC 9112 §3: method SP request-target SP HTTP-version CRLF. */
  #parseRequestLine(bytes: Buffer, start: number, end: number): number {
    let p = start;
    // RFC 9112 §2.2: an empty line before the request line is ignored.
    for (let skipped = 0; bytes[p] === CR && skipped < LEADING_EMPTY_LINES_MAX; skipped++) {
      if (p + 1 >= end) return INCOMPLETE;
      if (bytes[p + 1] !== LF) return FAULT.LINE_END;
      p += 2;
    }
    this.start = p;

    while (p < end && (CHARS[bytes[p]!]! & TOKEN) !== 0) p++;
    if (p >= end) return p - this.start > METHOD_CHARS_MAX ? FAULT.METHOD : INCOMPLETE;
    if (bytes[p] !== SP || p === this.start) return FAULT.METHOD;
    const methodEnd = p;
    p++;

    this.targetStart = p;
    while (p < end && (CHARS[bytes[p]!]! & TARGET) !== 0) p++;
    if (p - this.targetStart > this.limits.targetBytesMax) return FAULT.TARGET_LENGTH;
    if (p >= end) return INCOMPLETE;
    if (bytes[p] !== SP || p === this.targetStart) return FAULT.TARGET;
    this.targetEnd = p;
    p++;

    const version = this.#parseVersion(bytes, p, end);
    if (version <= 0) return version;
    this.method = this.#methods.of(bytes, this.start, methodEnd);
    return this.method === undefined ? FAULT.METHOD_UNKNOWN : version;
  }

  /** RFC 9112 §2.3. Returns the offset after the line. */
  #parseVersion(bytes: Buffer, start: number, end: number): number {
    if (start + 10 > end) return INCOMPLETE;
    const major = bytes[start + 5]!;
    const minor = bytes[start + 7]!;
    const isVersion =
      bytes[start] === 0x48 && // HTTP
      bytes[start + 1] === 0x54 &&
      bytes[start + 2] === 0x54 &&
      bytes[start + 3] === 0x50 &&
      bytes[start + 4] === SLASH &&
      bytes[start + 6] === 0x2e && // .
      major >= ZERO &&
      major <= NINE &&
      minor >= ZERO &&
      minor <= NINE;
    if (!isVersion) return FAULT.VERSION;
    if (bytes[start + 8] !== CR) return bytes[start + 8] === LF ? FAULT.LINE_END : FAULT.VERSION;
    if (bytes[start + 9] !== LF) return FAULT.LINE_END;
    if (major !== ZERO + 1 || minor > ZERO + 1) return FAULT.VERSION_UNSUPPORTED;
    this.minor = minor - ZERO;
    return start + 10;
  }

  /** Reads what the proxy must understand; returns 0 or a FAULT. */
  #readFields(bytes: Buffer): number {
    this.#hostLine = NO_LINE;
    this.#lengthLine = NO_LINE;
    this.#codingLine = NO_LINE;
    this.connection.reset();
    this.hops = 0;
    let hopsLine = NO_LINE;
    this.awaitsContinue = false;
    this.hasConnectionLogin = false;
    let upgradeLine = NO_LINE;
    let isUpgradeRepeated = false;
    const { kinds, count } = this.lines;
    for (let i = 0; i < count; i++) {
      switch (kinds[i]!) {
        case FIELD.host:
          if (this.#hostLine !== NO_LINE) return FAULT.HOST_REPEATED;
          this.#hostLine = i;
          break;
        case FIELD.contentLength:
          if (this.#lengthLine !== NO_LINE) return FAULT.LENGTH;
          this.#lengthLine = i;
          break;
        case FIELD.transferEncoding:
          if (this.#codingLine !== NO_LINE) return FAULT.CODING;
          this.#codingLine = i;
          break;
        case FIELD.upgrade:
          isUpgradeRepeated = upgradeLine !== NO_LINE;
          upgradeLine = i;
          break;
        case FIELD.expect:
          this.awaitsContinue =
            text(bytes, this.lines.valueStart(i), this.lines.valueEnd(i)).toLowerCase() ===
            '100-continue';
          break;
        case FIELD.turnoutHops:
          this.hops = hopsLine === NO_LINE ? hopsOf(this.lines, bytes, i) : HOPS_MAX;
          hopsLine = i;
          break;
        case FIELD.authorization:
        case FIELD.proxyAuthorization:
          if (namesConnectionLogin(bytes, this.lines.valueStart(i), this.lines.valueEnd(i))) {
            this.hasConnectionLogin = true;
          }
          break;
        case FIELD.connection: {
          const { lines } = this;
          if (
            parseConnection(this.connection, bytes, lines.valueStart(i), lines.valueEnd(i)) !== 0
          ) {
            return FAULT.CONNECTION;
          }
          break;
        }
        default:
      }
    }
    const fault = this.#readHost(bytes) || this.#readFraming(bytes);
    if (fault !== 0) return fault;
    if (this.bodyLength === 0 || this.minor === 0) this.awaitsContinue = false;
    const { close, keepAlive, upgrade } = this.connection;
    this.keepAlive = !close && (this.minor === 1 || keepAlive);
    this.upgrade =
      upgrade &&
      upgradeLine !== NO_LINE &&
      !isUpgradeRepeated &&
      this.minor === 1 &&
      this.#maySwitch(bytes, upgradeLine);
    return 0;
  }

  /**
   * An HTTP/2 upgrade would tunnel requests past the router, so it is not offered. A body comes before
   * the switch with the protocols of container tools alone (`docker exec`, `kubectl exec`).
   */
  #maySwitch(bytes: Buffer, line: number): boolean {
    const { lines } = this;
    const value = text(bytes, lines.valueStart(line), lines.valueEnd(line)).toLowerCase();
    if (value.includes('h2c')) return false;
    return this.bodyLength === 0 || value === 'tcp' || value.startsWith('spdy/');
  }

  /** RFC 9112 §3.2: exactly one valid Host, and the target in one of its forms. */
  #readHost(bytes: Buffer): number {
    const line = this.#hostLine;
    if (line === NO_LINE) {
      if (this.minor === 1) return FAULT.HOST_MISSING;
      this.hostStart = this.hostStop = 0;
    } else {
      this.hostStart = this.lines.valueStart(line);
      this.hostStop = this.lines.valueEnd(line);
      if (hostEnd(bytes, this.hostStart, this.hostStop) === -1) return FAULT.HOST;
      if (bytes[this.hostStop - 1] === COLON) this.hostStop--; // An empty port says nothing.
    }
    if (bytes[this.targetStart] === SLASH) return 0;
    return this.#readUnusualTarget(bytes, line !== NO_LINE);
  }

  /** RFC 9112 §3.2.2 absolute-form, §3.2.4 asterisk-form. */
  #readUnusualTarget(bytes: Buffer, hasHost: boolean): number {
    if (bytes[this.targetStart] === ASTERISK && this.targetEnd - this.targetStart === 1) {
      return this.method?.name === 'OPTIONS' ? 0 : FAULT.TARGET;
    }
    const target = this.target();
    const lower = target.toLowerCase();
    const schemeEnd = lower.startsWith('http://')
      ? HTTP_BYTES
      : lower.startsWith('https://')
        ? 8
        : 0;
    if (schemeEnd === 0) return FAULT.TARGET;
    let end = schemeEnd;
    while (end < target.length && target[end] !== '/' && target[end] !== '?') end++;
    const start = this.targetStart + schemeEnd;
    let stop = this.targetStart + end;
    if (start === stop || hostEnd(bytes, start, stop) === -1) return FAULT.TARGET;
    const usualPort = schemeEnd === HTTP_BYTES ? 80 : 443;
    stop = authorityEnd(bytes, start, stop, usualPort);
    // RFC 9112 §3.2: a client must send a Host that is identical to the authority.
    if (hasHost) {
      const hostStop = authorityEnd(bytes, this.hostStart, this.hostStop, usualPort);
      const host = text(bytes, this.hostStart, hostStop).toLowerCase();
      if (host !== lower.slice(schemeEnd, stop - this.targetStart)) return FAULT.HOST_DIFFERS;
    }
    this.hostStart = start;
    this.hostStop = stop;
    return 0;
  }

  /** RFC 9112 §6.1, §6.3. */
  #readFraming(bytes: Buffer): number {
    const length = this.#lengthLine;
    const coding = this.#codingLine;
    this.bodyLength = 0;
    if (coding !== NO_LINE) {
      if (this.minor === 0) return FAULT.CODING_VERSION;
      if (length !== NO_LINE) return FAULT.LENGTH_AND_CODING;
      const { lines } = this;
      this.bodyLength = parseTransferEncoding(
        bytes,
        lines.valueStart(coding),
        lines.valueEnd(coding),
      );
      return this.bodyLength === CHUNKED ? 0 : this.bodyLength;
    }
    if (length !== NO_LINE) {
      const { lines } = this;
      this.bodyLength = parseContentLength(bytes, lines.valueStart(length), lines.valueEnd(length));
    }
    return this.bodyLength >= 0 ? 0 : this.bodyLength;
  }
}

/** Of `http://`. */
const HTTP_BYTES = 7;
