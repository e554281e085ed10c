// Pure: two responses → what they differ in. The order of the questions is written here: the first
// answer is the one that is told.

import { createHash } from 'node:crypto';
import type { DifferenceKind, ShadowDifference, ShadowRules } from '../../contract/shadow-rules.ts';
import type { Ignored } from './ignored.ts';
import type { Observed } from './observed.ts';

/** Enough to see that two are the same, too little to be found in a table. */
const HASH_CHARS = 12;

/** Returns how `copy` differs from `live`, which the client got; undefined: it does not. */
export function differenceOf(
  live: Observed,
  copy: Observed,
  rules: ShadowRules,
  ignored: Ignored,
): ShadowDifference | undefined {
  if (classOf(live) !== classOf(copy)) return difference('status', live, copy);
  const field = rules.fields.findIndex((_, index) => isOtherField(live, copy, index, ignored));
  if (field !== -1) return { ...difference('field', live, copy), field: rules.fields[field]! };
  const body = rules.bodyBytesMax === 0 ? undefined : bodyDifference(live, copy, ignored);
  if (body !== undefined) return body;
  const isSlower = rules.slowerMs > 0 && copy.headMs - live.headMs > rules.slowerMs;
  return isSlower ? difference('time', live, copy) : undefined;
}

/** Returns what is told of a copy that got no whole response. */
export function noResponse(live: Observed): ShadowDifference {
  return { ...difference('none', live, live), statuses: [live.status, 0] };
}

function difference(kind: DifferenceKind, live: Observed, copy: Observed): ShadowDifference {
  const statuses = [live.status, copy.status] as const;
  return { kind, field: '', statuses, bytes: [0, 0], hashes: ['', ''] };
}

function classOf({ status }: Observed): number {
  return Math.floor(status / 100);
}

function isOtherField(live: Observed, copy: Observed, index: number, ignored: Ignored): boolean {
  const a = live.fields[index];
  const b = copy.fields[index];
  if (a === b) return false;
  return a === undefined || b === undefined || ignored.strip(a, false) !== ignored.strip(b, false);
}

function bodyDifference(
  live: Observed,
  copy: Observed,
  ignored: Ignored,
): ShadowDifference | undefined {
  const isCut = live.isCut || copy.isCut;
  // What is not compared may be told by its length.
  const isOtherLength =
    isCut &&
    ignored.isEmpty &&
    live.declaredBytes >= 0 &&
    copy.declaredBytes >= 0 &&
    live.declaredBytes !== copy.declaredBytes;
  if (!isOtherLength && live.hasSameBytes(copy)) return undefined;
  const a = ignored.strip(live.text, live.isCut);
  const b = ignored.strip(copy.text, copy.isCut);
  if (!isOtherLength && isSame(a, b, live.isCut, copy.isCut)) return undefined;
  return {
    ...difference('body', live, copy),
    bytes: [a.length, b.length],
    hashes: [hash(a), hash(b)],
  };
}

/** Of a text that goes on, as much is compared as there is of the other. */
function isSame(a: string, b: string, isCutA: boolean, isCutB: boolean): boolean {
  if (isCutA && isCutB) return a.startsWith(b) || b.startsWith(a);
  if (isCutA) return b.startsWith(a);
  return isCutB ? a.startsWith(b) : a === b;
}

function hash(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex').slice(0, HASH_CHARS);
}
