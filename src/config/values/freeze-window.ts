// One line of `freezes`: a time of each week, of each day, or between two dates, in which switching is
// frozen, with the zone whose clock counts and a reason. Pure; when it is in force is told by
// control-plane/freezes.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { isZone } from '../../base/zone-time.ts';

/** Times are what the clock of the zone shows: see base/zone-time.ts. */
export interface FreezeWindow {
  /** As an operator writes it, without the reason. */
  readonly when: string;
  readonly zone: string;
  readonly reason: string;
  /** It comes again after this long; undefined: it is there once. */
  readonly everyMs: number | undefined;
  /** Of one that comes again: the first, in the week of Monday, 5 January 1970. */
  readonly fromMs: number;
  readonly untilMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** 5 January 1970 was a Monday. */
const MONDAY_MS = 4 * DAY_MS;

const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** Windows of one service, or of all of them. */
export const FREEZES_MAX = 32;

export const FREEZE_EXAMPLES =
  '"Fri 16:00 - Mon 08:00 Europe/Berlin (weekend)", "daily 22:00 - 06:00 UTC (night)", ' +
  '"2026-12-20 - 2027-01-04 Europe/Berlin (holidays)"';

const EXPECTED = `a freeze such as ${FREEZE_EXAMPLES}`;

const LINE_CHARS_MAX = 400;
const CLOCK = String.raw`\d{1,2}:\d{2}`;
const DAY = String.raw`[A-Za-z]{3,9}`;
const DATE = String.raw`\d{4}-\d{2}-\d{2}`;
const TO = String.raw`\s+(?:-|–|to)\s+`;
const END = String.raw`\s+(?<zone>\S+)\s+\((?<reason>[^\p{C}]*)\)$`;
const WEEKLY = new RegExp(
  `^(?<day>${DAY})\\s+(?<from>${CLOCK})${TO}(?<endDay>${DAY})\\s+(?<until>${CLOCK})${END}`,
  'u',
);
const DAILY = new RegExp(`^daily\\s+(?<from>${CLOCK})${TO}(?<until>${CLOCK})${END}`, 'iu');
const DATED = new RegExp(
  `^(?<date>${DATE})(?:[ T](?<from>${CLOCK}))?${TO}(?<endDate>${DATE})(?:[ T](?<until>${CLOCK}))?${END}`,
  'u',
);

/** Returns the window that `raw` describes. */
export function parseFreezeWindow(raw: unknown): Parsed<FreezeWindow> {
  if (typeof raw !== 'string') {
    const because = typeof raw === 'object' && raw !== null ? 'put the line in quotes' : '';
    return refuse(EXPECTED, raw, because);
  }
  const text = raw.trim();
  if (text.length > LINE_CHARS_MAX) {
    return refuse(EXPECTED, raw, `at most ${LINE_CHARS_MAX} characters`);
  }
  for (const [form, timesOf] of FORMS) {
    const found = form.exec(text)?.groups;
    if (found === undefined) continue;
    const times = timesOf(found);
    if (typeof times === 'string') return refuse(EXPECTED, raw, times);
    const { zone = '', reason = '' } = found;
    if (!isZone(zone)) return refuse(EXPECTED, raw, NO_ZONE);
    if (reason.trim() === '') return refuse(EXPECTED, raw, 'the reason is empty');
    const when = text.slice(0, text.indexOf('(')).trim().replaceAll(/\s+/g, ' ');
    return accept({ when, zone, reason: reason.trim(), ...times });
  }
  return refuse(EXPECTED, raw);
}

const NO_ZONE = 'the zone is not known: see the names of the IANA, such as Europe/Berlin or UTC';

type Found = Readonly<Record<string, string | undefined>>;
type Times = Pick<FreezeWindow, 'everyMs' | 'fromMs' | 'untilMs'>;

/** Form of a line → its times, or what is wrong with them. */
const FORMS: readonly (readonly [RegExp, (found: Found) => Times | string])[] = [
  [WEEKLY, weeklyTimes],
  [DAILY, dailyTimes],
  [DATED, datedTimes],
];

function weeklyTimes(found: Found): Times | string {
  const [day, endDay] = [dayOf(found['day']), dayOf(found['endDay'])];
  if (day === undefined || endDay === undefined)
    return 'days are Mon, Tue, Wed, Thu, Fri, Sat, Sun';
  return recurring(found, [day * DAY_MS, endDay * DAY_MS], WEEK_MS);
}

function dailyTimes(found: Found): Times | string {
  return recurring(found, [0, 0], DAY_MS);
}

/** An end that lies before its beginning is that of the next day or week. */
function recurring(
  found: Found,
  [day, endDay]: readonly [number, number],
  everyMs: number,
): Times | string {
  const from = clockMs(found['from']);
  const until = clockMs(found['until']);
  if (from === undefined || from === DAY_MS || until === undefined) return NO_CLOCK;
  const fromMs = MONDAY_MS + day + from;
  const endMs = MONDAY_MS + endDay + until;
  if (fromMs === endMs || endMs - fromMs === everyMs) return 'beginning and end are the same';
  return { everyMs, fromMs, untilMs: endMs > fromMs ? endMs : endMs + everyMs };
}

/** A date without a time is the whole day, at the end too. */
function datedTimes(found: Found): Times | string {
  const [date, endDate] = [dateMs(found['date']), dateMs(found['endDate'])];
  if (date === undefined || endDate === undefined) return 'there is no such date';
  const from = clockMs(found['from'] ?? '00:00');
  const until = clockMs(found['until'] ?? '24:00');
  if (from === undefined || until === undefined) return NO_CLOCK;
  const [fromMs, untilMs] = [date + from, endDate + until];
  if (untilMs <= fromMs) return 'the end is not behind the beginning';
  return { everyMs: undefined, fromMs, untilMs };
}

const NO_CLOCK = 'times of day are 00:00 to 23:59, or 24:00 at the end';

function dayOf(name = ''): number | undefined {
  const word = name.toLowerCase();
  const index = DAYS.findIndex((day) => day === word || day.slice(0, 3) === word);
  return index === -1 ? undefined : index;
}

function clockMs(clock = ''): number | undefined {
  const [hours = NaN, minutes = NaN] = clock.split(':').map(Number);
  const isTime = hours <= 23 && minutes <= 59;
  return isTime || (hours === 24 && minutes === 0) ? (hours * 60 + minutes) * MINUTE_MS : undefined;
}

function dateMs(date = ''): number | undefined {
  const ms = Date.parse(`${date}T00:00:00Z`);
  // 30 February is read as 1 or 2 March.
  const isThere = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
  return isThere ? ms : undefined;
}
