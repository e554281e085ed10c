// Paths into JSON, as `$.items[0].id`: what an answer must hold, or what is taken from it. Names and
// indexes only, no wildcards and no filters: one path leads to one value, or nowhere.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

/** Steps from the outside in. */
export type JsonPath = readonly (string | number)[];
/** What a value can be compared with. */
export type JsonScalar = string | number | boolean | null;

const CHARS_MAX = 256;
const STEP = /\.([\w-]+)|\[(\d{1,6})\]|\["((?:[^"\\]|\\["\\])*)"\]/y;

/** Returns the steps of a path; `$["a b"]` is for names that are no words. */
export function parseJsonPath(raw: unknown): Parsed<JsonPath> {
  const expected = 'a path such as $.items[0].id';
  if (typeof raw !== 'string' || raw.length > CHARS_MAX || !raw.startsWith('$')) {
    return refuse(expected, raw);
  }
  const steps: (string | number)[] = [];
  for (STEP.lastIndex = 1; STEP.lastIndex < raw.length;) {
    const match = STEP.exec(raw);
    if (match === null) return refuse(expected, raw);
    const [, word, index, quoted] = match;
    if (index !== undefined) steps.push(Number(index));
    else steps.push(word ?? quoted!.replace(/\\(["\\])/g, '$1'));
  }
  return accept(steps);
}

/** Checks a path and keeps it as it was written. */
export function parseJsonPathText(raw: unknown): Parsed<string> {
  const path = parseJsonPath(raw);
  return path.ok ? accept(String(raw)) : path;
}

/** Returns what stands at `path` in `value`; undefined: nothing does. */
export function valueAt(value: unknown, path: JsonPath): unknown {
  let part = value;
  for (const step of path) {
    if (typeof part !== 'object' || part === null) return undefined;
    if (typeof step === 'number' ? !Array.isArray(part) : Array.isArray(part)) return undefined;
    if (!Object.hasOwn(part, step)) return undefined;
    part = (part as Record<string | number, unknown>)[step];
  }
  return part;
}

/** Returns a value that an answer can be compared with. */
export function parseJsonScalar(raw: unknown): Parsed<JsonScalar> {
  const isScalar = raw === null || typeof raw === 'boolean' || Number.isFinite(raw);
  if (isScalar) return accept(raw as JsonScalar);
  if (typeof raw === 'string' && raw.length <= 1_024) return accept(raw);
  return refuse('a text, a number, true, false or null', raw);
}
