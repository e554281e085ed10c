// The clock on the wall of a time zone: what it shows at a moment, and at which moment it shows a time.
// It may skip a time (spring) and show one twice (autumn). What it shows is kept as the milliseconds
// that would have passed since 1970 if that clock had always gone as UTC does. Rules of zones are those
// that come with Node (`process.versions.tz`). Knows nothing of what the times are good for.

/** A step of a clock that lies on the way is found within this; the largest was of 24 hours. */
const REACH_MS = 27 * 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Letters first: an offset such as +01:00 would not follow the summer. */
const ZONE_NAME = /^[A-Za-z][\w+-]*(?:\/[\w+-]+){0,2}$/;
const ZONE_CHARS_MAX = 64;

/** Tells whether `name` is a zone such as Europe/Berlin or UTC. */
export function isZone(name: string): boolean {
  if (name.length > ZONE_CHARS_MAX || !ZONE_NAME.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** Returns what the clock of `zone` shows at `atMs`, to the second. */
export function wallMsAt(zone: string, atMs: number): number {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(zone).formatToParts(atMs)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/**
 * Returns the first moment at which the clock of `zone` shows `wallMs`, or a later time where it
 * skips that one.
 */
export function firstMoment(zone: string, wallMs: number): number {
  const { before, after, changeMs } = offsetsNear(zone, wallMs);
  const early = wallMs - before;
  return early < changeMs ? early : Math.max(changeMs, wallMs - after);
}

/**
 * Returns the moment from which on the clock of `zone` shows `wallMs` or later for good: the second
 * one where it shows that time twice.
 */
export function lastMoment(zone: string, wallMs: number): number {
  const { before, after, changeMs } = offsetsNear(zone, wallMs);
  const late = wallMs - after;
  return late > changeMs ? late : Math.min(changeMs, wallMs - before);
}

interface Offsets {
  readonly before: number;
  readonly after: number;
  /** When the one becomes the other; Infinity: they are the same. */
  readonly changeMs: number;
}

function offsetsNear(zone: string, wallMs: number): Offsets {
  let low = wallMs - REACH_MS;
  let high = wallMs + REACH_MS;
  const before = offsetAt(zone, low);
  const after = offsetAt(zone, high);
  if (before === after) return { before, after, changeMs: Infinity };
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle) === before) low = middle;
    else high = middle;
  }
  return { before, after, changeMs: high };
}

/** Returns by how much the clock of `zone` is ahead of UTC. */
function offsetAt(zone: string, atMs: number): number {
  return wallMsAt(zone, atMs) - Math.floor(atMs / 1_000) * 1_000;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(zone, made);
  return made;
}
