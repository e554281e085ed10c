// Shares as people write them: `1%`, `0.2%`. A bare number could be meant of 1 or of 100.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const FORM = /^(\d{1,3}(?:\.\d{1,4})?)%$/;

/** What a share looks like, as a regular expression for JSON Schema. */
export const PERCENT_PATTERN = FORM.source;

/** Returns a share of 1. Only 0 may stand without `%`. */
export function parsePercent(raw: unknown): Parsed<number> {
  if (raw === 0 || raw === '0') return accept(0);
  const expected = 'a share such as 1% or 0.2%';
  if (typeof raw === 'number') return refuse(expected, raw, 'the % is missing');
  const match = typeof raw === 'string' ? FORM.exec(raw) : null;
  if (match === null) return refuse(expected, raw);
  // In millionths first: 0.07 / 100 is not 0.0007 in binary floating point.
  const share = Math.round(Number(match[1]) * 10_000) / 1_000_000;
  return share <= 1 ? accept(share) : refuse('at most 100%', raw);
}
