// What is kept of one response to compare it: status, chosen fields, and the beginning of the body.

import type { ResponseHead } from '../../http/heads/response-head.ts';
import { Accumulator } from '../../http/heads/accumulator.ts';
import { text } from '../../http/grammar/text.ts';
import type { ShadowRules } from '../../contract/shadow-rules.ts';

export class Observed {
  /** 0 until the head has come. */
  status = 0;
  /** Values in the order of `ShadowRules.fields`; undefined: the response has no such field. */
  fields: readonly (string | undefined)[] = [];
  /** When the head came. */
  headMs = 0;
  /** All that is compared has come. */
  isDone = false;
  /** The body goes on behind what is compared. */
  isCut = false;
  /** As the head says; below 0: it does not. */
  declaredBytes = -1;
  readonly #rules: ShadowRules;
  readonly #body = new Accumulator();

  constructor(rules: ShadowRules) {
    this.#rules = rules;
  }

  head(head: ResponseHead, nowMs: number): void {
    this.status = head.status;
    this.headMs = nowMs;
    this.declaredBytes = head.bodyLength;
    this.fields = this.#rules.fields.map((name) => valueOf(head, name));
  }

  /** Takes a part of the body: data runs in `bytes`. `isLast`: the body is whole. */
  body(bytes: Buffer, part: readonly number[], isLast: boolean): void {
    if (this.isDone) return;
    for (let i = 0; i < part.length; i += 2) this.#take(bytes, part[i]!, part[i + 1]!);
    if (isLast || this.isCut) this.isDone = true;
  }

  /** The beginning of the body, one character per byte. */
  get text(): string {
    return text(this.#body.bytes, 0, this.#body.length);
  }

  hasSameBytes(other: Observed): boolean {
    const mine = this.#body;
    const its = other.#body;
    if (mine.length !== its.length) return false;
    return mine.bytes.compare(its.bytes, 0, its.length, 0, mine.length) === 0;
  }

  #take(bytes: Buffer, start: number, end: number): void {
    const room = this.#rules.bodyBytesMax - this.#body.length;
    const stop = Math.min(end, start + room);
    if (stop < end) this.isCut = true;
    if (stop > start) this.#body.append(bytes, start, stop);
  }
}

/** Returns the values of all fields `name`, which is in small letters, as one list. */
function valueOf({ bytes, lines }: ResponseHead, name: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < lines.count; i++) {
    const start = lines.nameStart(i);
    const end = lines.nameEnd(i);
    if (end - start !== name.length || text(bytes, start, end).toLowerCase() !== name) continue;
    const one = text(bytes, lines.valueStart(i), lines.valueEnd(i));
    value = value === undefined ? one : `${value}, ${one}`;
  }
  return value;
}
