// Which schemas of the data the code of a release works with: `10..12`, or one number. Knows no release.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const FORM = /^(\d{1,14})(?:\.\.(\d{1,14}))?$/;

/** What a range looks like, as a regular expression for JSON Schema. */
export const SCHEMA_RANGE_PATTERN = FORM.source;

/** Returns the lowest and the highest, both included. */
export function parseSchemaRange(raw: unknown): Parsed<readonly [least: number, most: number]> {
  const text = typeof raw === 'number' ? String(raw) : raw;
  const match = typeof text === 'string' ? FORM.exec(text) : null;
  if (match === null) return refuse('a range such as 10..12, or one number', raw);
  const [, first = '', last = first] = match;
  const [least, most] = [Number(first), Number(last)];
  return least <= most ? accept([least, most]) : refuse('the lower end first', raw);
}
