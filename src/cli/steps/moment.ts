// A moment as an operator types it: with its offset, as a date and time of a zone, or as the next such
// time of the day there. Pure.

import { firstMoment, isZone, wallMsAt } from '../../base/zone-time.ts';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const EXPECTED = 'a time such as 03:00, "2026-12-01 03:00" or 2026-12-01T03:00+01:00';
const FORM =
  /^(?:(\d{4}-\d{2}-\d{2})[T ])?(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s?(Z|[+-]\d{2}:\d{2}))?$/;

/** Returns the moment in ms since the epoch. A time that a clock shows twice means the first. */
export function parseMoment(
  text: string,
  { nowMs, zone }: { readonly nowMs: number; readonly zone: string },
): Parsed<number> {
  const [, date, hours = '', minutes = '', seconds = '0', offset] = FORM.exec(text.trim()) ?? [];
  const isTime = hours !== '' && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60;
  if (!isTime) return refuse(EXPECTED, text);
  const timeMs = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS + Number(seconds) * 1_000;
  if (date === undefined) {
    if (offset !== undefined) return refuse(EXPECTED, text, 'an offset needs a date');
    return accept(nextTime(timeMs, nowMs, zone));
  }
  const dayMs = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(dayMs) || !new Date(dayMs).toISOString().startsWith(date)) {
    return refuse(EXPECTED, text, 'there is no such date');
  }
  if (offset === undefined) return accept(firstMoment(zone, dayMs + timeMs));
  const [offsetHours = 0, offsetMinutes = 0] = offset.slice(1).split(':').map(Number);
  const offsetMs = (offsetHours * 60 + offsetMinutes) * MINUTE_MS;
  return accept(dayMs + timeMs - (offset.startsWith('-') ? -offsetMs : offsetMs));
}

function nextTime(timeMs: number, nowMs: number, zone: string): number {
  const todayMs = Math.floor(wallMsAt(zone, nowMs) / DAY_MS) * DAY_MS;
  for (const day of [0, 1]) {
    const atMs = firstMoment(zone, todayMs + day * DAY_MS + timeMs);
    if (atMs > nowMs) return atMs;
  }
  return firstMoment(zone, todayMs + 2 * DAY_MS + timeMs);
}

/** Returns the zone that is meant; left out: that of this machine. */
export function zoneOf(flag: string | undefined): Parsed<string> {
  const zone = flag ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isZone(zone) ? accept(zone) : refuse('a zone such as Europe/Berlin or UTC', zone);
}
