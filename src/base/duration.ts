// Durations as people write them: `500ms`, `2s`, `1m30s`, `24h`; and as they are told.

import { accept, refuse, type Parsed } from './parsed.ts';

/** From the largest on: parts of a duration stand in this order, each at most once. */
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** `1.5h`: one part may have a fraction. */
const ONE_PART = String.raw`\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d)`;
/** `1h30m`: several are whole. */
const PARTS = UNITS.map(([unit]) => String.raw`(?:\d{1,9}${unit})?`).join('');
const FORM = new RegExp(String.raw`^(?:${ONE_PART}|(?=\d)${PARTS})$`);

/** What a duration looks like, as a regular expression for JSON Schema. */
export const DURATION_PATTERN = FORM.source;

/** Returns the milliseconds of `raw`. Only 0 may stand without a unit: 30 could mean anything. */
export function parseDuration(raw: unknown): Parsed<number> {
  if (raw === 0 || raw === '0') return accept(0);
  const expected = 'a duration such as 500ms, 2s, 1m30s or 24h';
  if (typeof raw === 'number') return refuse(expected, raw, 'the unit is missing');
  if (typeof raw !== 'string' || !FORM.test(raw)) return refuse(expected, raw);
  let exactMs = 0;
  for (const [, count, unit] of raw.matchAll(/([\d.]+)([a-z]+)/g)) {
    exactMs += Number(count) * UNITS.find(([name]) => name === unit)![1];
  }
  // Rounded first: 1.001 × 1000 is not a whole number in binary floating point.
  const wholeMs = Math.round(exactMs);
  if (Math.abs(exactMs - wholeMs) > 1e-6) return refuse('whole milliseconds', raw);
  return accept(wholeMs);
}

/** Returns `ms` as one would write it: `1m30s`. It reads back as the same. */
export function durationText(ms: number): string {
  let left = Math.round(ms);
  if (left <= 0) return '0s';
  let text = '';
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(left / unitMs);
    if (count > 0) text += `${count}${unit}`;
    left -= count * unitMs;
  }
  return text;
}
