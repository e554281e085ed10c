// The value of `traceparent` (W3C Trace Context, Level 2, §3.2):
//
//   version "-" trace-id "-" parent-id "-" flags        2, 32, 16 and 2 digits: 0-9, a-f
//
// A later version may put more behind that, after another "-"; what of it is known is read all the
// same. Knows bytes only, and nothing of what is done with a trace.

const DASH = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_A = 0x61;
const LETTER_F = 0x66;

/** Where the trace id begins in a value. */
export const TRACE_ID_AT = 3;
export const TRACE_ID_DIGITS = 32;
const PARENT_ID_AT = 36;
export const PARENT_ID_DIGITS = 16;
const FLAGS_AT = 53;
const VALUE_BYTES = 55;

/** Flags, §3.2.2.3: the caller may have recorded its part; the trace id is random. */
export const SAMPLED = 1;
const RANDOM_ID = 2;

/** No value of the field. */
export const NO_TRACE = -1;

/** Returns the flags that are known of the value `bytes[start, end)`, or NO_TRACE. Allocates nothing. */
export function traceFlags(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < VALUE_BYTES) return NO_TRACE;
  const version = number(bytes, start);
  // §3.2.2.1: 255 is forbidden; version 0 ends behind the flags.
  if (version === NO_TRACE || version === 0xff) return NO_TRACE;
  if (length > VALUE_BYTES && (version === 0 || bytes[start + VALUE_BYTES] !== DASH)) {
    return NO_TRACE;
  }
  const hasDashes =
    bytes[start + TRACE_ID_AT - 1] === DASH &&
    bytes[start + PARENT_ID_AT - 1] === DASH &&
    bytes[start + FLAGS_AT - 1] === DASH;
  if (!hasDashes) return NO_TRACE;
  if (!isId(bytes, start + TRACE_ID_AT, TRACE_ID_DIGITS)) return NO_TRACE;
  if (!isId(bytes, start + PARENT_ID_AT, PARENT_ID_DIGITS)) return NO_TRACE;
  const flags = number(bytes, start + FLAGS_AT);
  // Flags without a meaning yet are not passed on (§3.2.2.3.3).
  return flags === NO_TRACE ? NO_TRACE : flags & (SAMPLED | RANDOM_ID);
}

/** Digits, and not zeros alone. */
function isId(bytes: Uint8Array, start: number, digits: number): boolean {
  let isZero = true;
  for (let i = start; i < start + digits; i++) {
    const byte = bytes[i]!;
    if (digitOf(byte) === NO_TRACE) return false;
    if (byte !== ZERO) isZero = false;
  }
  return !isZero;
}

/** Returns the number of two digits, or NO_TRACE. */
function number(bytes: Uint8Array, at: number): number {
  const high = digitOf(bytes[at]!);
  const low = digitOf(bytes[at + 1]!);
  return high === NO_TRACE || low === NO_TRACE ? NO_TRACE : high * 16 + low;
}

/** Capital letters are no digits here. */
function digitOf(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  return byte >= LETTER_A && byte <= LETTER_F ? byte - LETTER_A + 10 : NO_TRACE;
}
