// The id of a request and its place in a trace (W3C Trace Context): what is kept of the fields of the
// client, what is made, and the fields that say so. One per worker, filled for each request and
// read at once. Knows heads; why a peer is trusted, and what is logged, it does not know.

import { isNamed, type CopyableHead } from './copy-head.ts';
import { FIELD } from '../grammar/field-kind.ts';
import type { HeadBuffer } from './head-buffer.ts';
import { RandomDigits } from './random-digits.ts';
import { text } from '../grammar/text.ts';
import {
  NO_TRACE,
  PARENT_ID_DIGITS,
  SAMPLED,
  TRACE_ID_AT,
  TRACE_ID_DIGITS,
  traceFlags,
} from './traceparent.ts';

export interface IdRules {
  /** Name of the field with the id of the request, which the parser knows too; empty: none. */
  readonly field: string;
  /** Whose traces go on: any, those of trusted peers, or `off`: the fields pass as they are. */
  readonly traces: 'continue' | 'trusted' | 'off';
  /** How a trace begins here, where none goes on. */
  readonly newTraces: 'sampled' | 'unsampled' | 'none';
}

/** What is longer is no id, but a try to fill logs. */
const ID_BYTES_MAX = 128;
const ID_DIGITS = TRACE_ID_DIGITS;
/** `trace id "-" span id`, as they stand in the field. */
const TRACE_BYTES = TRACE_ID_DIGITS + 1 + PARENT_ID_DIGITS;
const DASH = 0x2d;
const NO_LINE = -1;
const SEVERAL = -2;

const TRACE_START = ascii('traceparent: 00-');
/** By their number. */
const TRACE_ENDS = [0, 1, 2, 3].map((flags) => ascii(`-0${flags}\r\n`));
const LINE_END = ascii('\r\n');

export class RequestIds {
  /** Of the last request; empty: requests have none. */
  requestId = '';
  /** `trace id "-" span id`; the span is ours, the parent of what the target does. Empty: none. */
  trace = '';
  readonly #rules: IdRules;
  readonly #random = new RandomDigits();
  /** `name: `. */
  readonly #fieldStart: Uint8Array;
  readonly #newFlags: number;
  readonly #traceText = new Uint8Array(TRACE_BYTES).fill(DASH);
  /** The trace id in `#traceText`. */
  readonly #traceId = this.#traceText.subarray(0, TRACE_ID_DIGITS);
  readonly #idText = new Uint8Array(ID_DIGITS);
  /** The same memory as text is read from. */
  readonly #traceBytes = Buffer.from(this.#traceText.buffer);
  readonly #idBytes = Buffer.from(this.#idText.buffer);
  #isIdMade = false;
  #isIdOfTrace = false;
  #flags = 0;
  // What the scan of a head has found: the only line of its kind, NO_LINE or SEVERAL.
  #idLine = NO_LINE;
  #traceLine = NO_LINE;
  #hasState = false;

  constructor(rules: IdRules) {
    this.#rules = rules;
    this.#fieldStart = ascii(`${rules.field}: `);
    this.#newFlags = rules.newTraces === 'sampled' ? SAMPLED : 0;
  }

  /**
   * Fills itself for the request of `head`, and takes the lines that ours replace out of what is
   * sent on. `isTrusted`: the peer may name the request.
   */
  read(head: CopyableHead, isTrusted: boolean): void {
    const { field, traces } = this.#rules;
    this.#isIdMade = false;
    this.#isIdOfTrace = false;
    this.requestId = '';
    this.trace = '';
    if (field === '' && traces === 'off') return;
    this.#scan(head);
    const isIdKept = field !== '' && isTrusted && this.#keepId(head);
    this.#isIdMade = field !== '' && !isIdKept;
    const isTraceKept = traces !== 'off' && this.#keepTrace(head, isTrusted);
    if (this.#isIdMade && this.#idLine !== NO_LINE) drop(head, FIELD.requestId);
    if (traces !== 'off' && this.#traceLine !== NO_LINE) drop(head, FIELD.traceparent);
    // It tells more of a trace that does not go on (§3.3).
    if (traces !== 'off' && this.#hasState && !isTraceKept) drop(head, FIELD.tracestate);
    this.#make(isTraceKept);
  }

  /** Fills itself for a request that could not be read. */
  makeOnly(): void {
    this.#isIdMade = this.#rules.field !== '';
    this.#isIdOfTrace = false;
    this.requestId = '';
    this.trace = '';
    if (this.#isIdMade) this.#make(false);
  }

  /** Adds the fields that the target is sent for the request of the last `read`. */
  addFields(to: HeadBuffer): void {
    if (this.#isIdMade) {
      to.add(this.#fieldStart);
      to.add(this.#isIdOfTrace ? this.#traceId : this.#idText);
      to.add(LINE_END);
    }
    if (this.trace === '') return;
    to.add(TRACE_START);
    to.add(this.#traceText);
    to.add(TRACE_ENDS[this.#flags]!);
  }

  /** Takes the id that a target gives its response out of it: ours is the one that is known. */
  dropFromResponse(head: CopyableHead): void {
    if (this.#rules.field === '') return;
    drop(head, FIELD.requestId);
  }

  /** Adds the line of a response to the request with `requestId`. */
  addResponseField(to: HeadBuffer, requestId: string): void {
    if (requestId === '') return;
    to.add(this.#fieldStart);
    to.addText(requestId);
    to.add(LINE_END);
  }

  /** Returns the same line; empty without an id. */
  responseField(requestId: string): string {
    return requestId === '' ? '' : `${this.#rules.field}: ${requestId}\r\n`;
  }

  #scan(head: CopyableHead): void {
    const { kinds, count } = head.lines;
    this.#idLine = NO_LINE;
    this.#traceLine = NO_LINE;
    this.#hasState = false;
    for (let i = 0; i < count; i++) {
      switch (kinds[i]!) {
        case FIELD.requestId:
          this.#idLine = this.#idLine === NO_LINE ? i : SEVERAL;
          break;
        case FIELD.traceparent:
          this.#traceLine = this.#traceLine === NO_LINE ? i : SEVERAL;
          break;
        case FIELD.tracestate:
          this.#hasState = true;
          break;
        default:
      }
    }
  }

  /** Keeps the id that the peer gave; false where it is none. */
  #keepId(head: CopyableHead): boolean {
    const line = this.#idLine;
    if (line < 0 || isNamed(head, line)) return false;
    const { bytes, lines } = head;
    const start = lines.valueStart(line);
    const end = lines.valueEnd(line);
    if (!isUsableId(bytes, start, end)) return false;
    this.requestId = text(bytes, start, end);
    return true;
  }

  /** Takes over trace id and flags; false where no trace goes on. */
  #keepTrace(head: CopyableHead, isTrusted: boolean): boolean {
    const line = this.#traceLine;
    const isBelieved = isTrusted || this.#rules.traces === 'continue';
    if (line < 0 || !isBelieved || isNamed(head, line)) return false;
    const { bytes, lines } = head;
    const start = lines.valueStart(line);
    const flags = traceFlags(bytes, start, lines.valueEnd(line));
    if (flags === NO_TRACE) return false;
    this.#flags = flags;
    for (let i = 0; i < TRACE_ID_DIGITS; i++) {
      this.#traceText[i] = bytes[start + TRACE_ID_AT + i]!;
    }
    return true;
  }

  /** Makes what is missing. An id that is made is also the id of a trace that begins here. */
  #make(isTraceKept: boolean): void {
    const { traces, newTraces } = this.#rules;
    const hasTrace = isTraceKept || (traces !== 'off' && newTraces !== 'none');
    if (hasTrace) {
      if (!isTraceKept) {
        this.#random.write(this.#traceText, 0, TRACE_ID_DIGITS);
        this.#flags = this.#newFlags;
        this.#isIdOfTrace = this.#isIdMade;
      }
      this.#random.write(this.#traceText, TRACE_ID_DIGITS + 1, PARENT_ID_DIGITS);
      this.trace = text(this.#traceBytes, 0, TRACE_BYTES);
    }
    if (!this.#isIdMade) return;
    if (this.#isIdOfTrace) {
      this.requestId = this.trace.slice(0, ID_DIGITS);
      return;
    }
    this.#random.write(this.#idText, 0, ID_DIGITS);
    this.requestId = text(this.#idBytes, 0, ID_DIGITS);
  }
}

/** 1 to 128 visible characters of ASCII: it is written into logs and looked for there. */
function isUsableId(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > ID_BYTES_MAX) return false;
  for (let i = start; i < end; i++) if (bytes[i]! <= 0x20 || bytes[i]! >= 0x7f) return false;
  return true;
}

/** Takes all lines of `kind` out of what is sent on. */
function drop({ lines }: CopyableHead, kind: number): void {
  for (let i = 0; i < lines.count; i++) {
    if (lines.kinds[i] === kind) lines.kinds[i] = FIELD.replaced;
  }
}

function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
