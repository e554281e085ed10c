// Durations as people write them: `500ms`, `2s`, `30m`, `24h`.

import { accept, refuse, type Parsed } from './parsed.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const FORM = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;

/** What a duration looks like, as a regular expression for JSON Schema. */
export const DURATION_PATTERN = FORM.source;

/** Returns the milliseconds of `raw`. Only 0 may stand without a unit: 30 could mean anything. */
export function parseDuration(raw: unknown): Parsed<number> {
  if (raw === 0 || raw === '0') return accept(0);
  const expected = 'a duration such as 500ms, 2s, 30m or 24h';
  if (typeof raw === 'number') return refuse(expected, raw, 'the unit is missing');
  const match = typeof raw === 'string' ? FORM.exec(raw) : null;
  if (match === null) return refuse(expected, raw);
  // Rounded first: 1.001 × 1000 is not a whole number in binary floating point.
  const exactMs = Number(match[1]) * UNIT_MS[match[2]!]!;
  const wholeMs = Math.round(exactMs);
  if (Math.abs(exactMs - wholeMs) > 1e-6) return refuse('whole milliseconds', raw);
  return accept(wholeMs);
}
