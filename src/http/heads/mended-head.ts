// Heads of responses that break a rule and can be read in one way only: written anew as the rules
// say, so that what is sent on is read by every client as it was read here. The strict parser has the
// last word on the result. Rare, so plain text serves; requests are never mended.

import { CHARS, NINE, SP, TAB, TOKEN, VALUE, ZERO } from '../grammar/chars.ts';
import { FIELD, USUAL_NAMES } from '../grammar/field-kind.ts';
import { INCOMPLETE } from '../grammar/faults.ts';
import { findLooseHeadEnd } from '../grammar/fields.ts';
import { text } from '../grammar/text.ts';

/** Of `HTTP/1.1 200`; what follows is the reason. */
const STATUS_BYTES = 12;
/** Digits of a length, with zeros before it. */
const LENGTH_DIGITS_MAX = 64;

interface Field {
  readonly name: string;
  readonly kind: number;
  value: string;
}

/**
 * Returns the bytes from `start` to `end` with a mended head in the first place of them, INCOMPLETE
 * where its end has not come, or undefined: it can't be mended.
 */
export function mendHead(
  bytes: Buffer,
  start: number,
  end: number,
): Buffer | typeof INCOMPLETE | undefined {
  const headEnd = findLooseHeadEnd(bytes, start, end);
  const [first = ''] = text(bytes, start, headEnd > 0 ? headEnd : end).split('\n', 1);
  if (headEnd <= 0) {
    // Another protocol is noticed at once.
    const isLineWhole = first.length < end - start;
    const mayBe = isLineWhole ? isStatusLine(first) : 'HTTP/1.'.startsWith(first.slice(0, 7));
    return mayBe && headEnd === INCOMPLETE ? INCOMPLETE : undefined;
  }
  const lines = linesOf(text(bytes, start, headEnd));
  if (lines === undefined) return undefined;
  const mended = mendLines(lines);
  if (mended === undefined) return undefined;
  return Buffer.concat([Buffer.from(mended, 'latin1'), bytes.subarray(headEnd, end)]);
}

function isStatusLine(line: string): boolean {
  return statusOf(line.endsWith('\r') ? line.slice(0, -1) : line) !== undefined;
}

/** RFC 9112 §2.2: a line feed alone ends a line, if it does so everywhere: a mixture has two readings. */
function linesOf(head: string): string[] | undefined {
  const lineEnd = head.includes('\r') ? '\r\n' : '\n';
  const lines = head.slice(0, -2 * lineEnd.length).split(lineEnd);
  const isOneKind = lines.every((line) => !line.includes('\r') && !line.includes('\n'));
  return isOneKind && head.endsWith(lineEnd + lineEnd) ? lines : undefined;
}

function mendLines([statusLine = '', ...rest]: readonly string[]): string | undefined {
  const status = statusOf(statusLine);
  if (status === undefined) return undefined;
  const fields = fieldsOf(rest);
  if (fields === undefined || !mendLength(fields)) return undefined;
  const lines = fields.map(({ name, value }) => `${name}: ${value}\r\n`);
  // RFC 9110 §6.2: a higher minor version is read as the highest that is known.
  const version = status.minor === '0' ? 'HTTP/1.0' : 'HTTP/1.1';
  return `${version} ${status.code} ${spaced(status.reason)}\r\n${lines.join('')}\r\n`;
}

interface Status {
  readonly minor: string;
  readonly code: string;
  readonly reason: string;
}

/** RFC 9112 §4. The reason, and the space before it, may be missing. */
function statusOf(line: string): Status | undefined {
  const minor = line.slice(7, 8);
  const code = line.slice(9, STATUS_BYTES);
  const rest = line.slice(STATUS_BYTES);
  const isStatus =
    line.startsWith('HTTP/1.') &&
    isDigits(minor) &&
    line[8] === ' ' &&
    code.length === 3 &&
    isDigits(code) &&
    (rest === '' || rest.startsWith(' ')) &&
    !line.includes('\0');
  return isStatus ? { minor, code, reason: rest.slice(1) } : undefined;
}

function fieldsOf(lines: readonly string[]): Field[] | undefined {
  const fields: Field[] = [];
  for (const line of lines) {
    if (line.startsWith(' ') || line.startsWith('\t')) {
      // RFC 9112 §5.2: a proxy replaces a fold by a space.
      const last = fields.at(-1);
      if (last === undefined || line.includes('\0')) return undefined;
      last.value = `${last.value} ${trimmed(line)}`;
      continue;
    }
    // RFC 9112 §5.1: a proxy removes blanks before the colon of a response.
    const colon = line.indexOf(':');
    const name = trimmed(line.slice(0, Math.max(0, colon)));
    if (name === '' || tokenAt(name) !== name || line.includes('\0')) return undefined;
    const bytes = Buffer.from(name, 'latin1');
    fields.push({
      name,
      kind: USUAL_NAMES.kindOf(bytes, 0, bytes.length),
      value: trimmed(line.slice(colon + 1)),
    });
  }
  for (const field of fields) {
    if (field.kind === FIELD.connection) field.value = mendConnection(field.value);
    else if (field.kind === FIELD.transferEncoding) field.value = withoutEmpty(field.value);
    else if (field.kind !== FIELD.contentLength) field.value = spaced(field.value);
  }
  return fields;
}

/**
 * Options as `keep-alive; timeout=5` count by their name. Fields without which the message would be read
 * differently stay, named or not (RFC 9110 §7.6.1).
 */
function mendConnection(value: string): string {
  const options = value.split(',').map((option) => tokenAt(trimmed(option)));
  return options.filter((option) => option !== '' && !isKept(option.toLowerCase())).join(', ');
}

function isKept(name: string): boolean {
  return name === 'host' || name === 'content-length' || name === 'transfer-encoding';
}

/** RFC 9110 §5.6.1.2: empty elements of a list say nothing. */
function withoutEmpty(value: string): string {
  const elements = value.split(',').map(trimmed);
  return elements.filter((element) => element !== '').join(', ');
}

/** RFC 9110 §8.6: one number, however often it is said and with whatever zeros. False: it is none. */
function mendLength(fields: Field[]): boolean {
  const said = fields.filter(({ kind }) => kind === FIELD.contentLength);
  const [first] = said;
  if (first === undefined) return true;
  const numbers = said.flatMap(({ value }) => value.split(',').map(trimmed));
  if (!numbers.every((number) => isDigits(number) && number.length <= LENGTH_DIGITS_MAX)) {
    return false;
  }
  const lengths = new Set(numbers.map((number) => BigInt(number).toString()));
  if (lengths.size !== 1) return false;
  [first.value = ''] = lengths;
  const kept = fields.filter((field) => field.kind !== FIELD.contentLength || field === first);
  fields.splice(0, fields.length, ...kept);
  return true;
}

/** RFC 9110 §5.5: control characters, other than those that end lines, may become spaces. */
function spaced(value: string): string {
  let spacedValue = '';
  let from = 0;
  for (let i = 0; i < value.length; i++) {
    if ((CHARS[value.charCodeAt(i)]! & VALUE) !== 0) continue;
    spacedValue += `${value.slice(from, i)} `;
    from = i + 1;
  }
  return trimmed(spacedValue + value.slice(from));
}

/** Returns the token at the start of `value`; empty: there is none. */
function tokenAt(value: string): string {
  let end = 0;
  while (end < value.length && (CHARS[value.charCodeAt(end)]! & TOKEN) !== 0) end++;
  return value.slice(0, end);
}

function isDigits(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const byte = value.charCodeAt(i);
    if (byte < ZERO || byte > NINE) return false;
  }
  return value !== '';
}

/** Without the blanks around it: spaces and tabs, nothing else. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === TAB;
}
