// Freeze windows, compared minute by minute with a clock on the wall that is only read, never reckoned
// with: a window begins at the first minute that shows its time or a later one, and ends behind the
// last minute that shows an earlier time than its end.

import * as fc from 'fast-check';
import t from 'tap';
import { parseFreezeWindow } from '../../../../src/config/values/freeze-window.ts';
import { nextChange, windowsAt } from '../../../../src/control-plane/freezes/windows.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

function windowOf(line: string) {
  const parsed = parseFreezeWindow(`${line} (why)`);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

/** Zones with a step at night, at midnight, of half an hour, of a whole day, in Ramadan, and none. */
const ZONES =
  'Europe/Berlin America/New_York America/Santiago Australia/Lord_Howe Pacific/Apia Africa/Casablanca Asia/Kathmandu Asia/Beirut UTC'.split(
    ' ',
  );

/** Around steps of the zones above, and some days without one. */
const MONDAYS =
  '2026-03-23 2026-10-19 2026-03-02 2026-10-26 2026-08-31 2026-03-30 2011-12-26 2024-03-04 2024-04-08 2028-02-28 2026-12-28 2026-07-06'.split(
    ' ',
  );

function clockOf(timeZone: string): (atMs: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  return (atMs) => format.format(atMs);
}

function textOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ');
}

/** The minutes from `fromMs` on, with what the clock shows. */
function minutesOf(zone: string, fromMs: number, days: number) {
  const show = clockOf(zone);
  return Array.from({ length: days * 1_440 }, (_, minute) => {
    const atMs = fromMs + minute * MINUTE_MS;
    return { atMs, shows: show(atMs) };
  });
}

interface Turn {
  readonly from: string;
  readonly until: string;
}

/** Returns the minutes in which one of `turns` is in force. */
function frozenMinutes(minutes: ReturnType<typeof minutesOf>, turns: readonly Turn[]): Set<number> {
  const frozen = new Set<number>();
  for (const { from, until } of turns) {
    const first = minutes.findIndex(({ shows }) => shows >= from);
    const last = minutes.findLastIndex(({ shows }) => shows < until);
    if (first === -1) continue;
    for (const { atMs } of minutes.slice(first, last + 1)) frozen.add(atMs);
  }
  return frozen;
}

const clockTime = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 5, 15, 30, 45));
const timeText = ([hours, minutes]: readonly [number, number]): string =>
  `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
const timeMs = ([hours, minutes]: readonly [number, number]): number =>
  (hours * 60 + minutes) * MINUTE_MS;

await t.test('a window of each week is in force as the clock on the wall shows', (t) => {
  const day = fc.integer({ min: 0, max: 6 });
  const property = fc.property(
    fc.record({
      zone: fc.constantFrom(...ZONES),
      monday: fc.constantFrom(...MONDAYS),
      day,
      from: clockTime,
      endDay: day,
      until: clockTime,
    }),
    ({ zone, monday, day, from, endDay, until }) => {
      const startMs = day * DAY_MS + timeMs(from);
      let endMs = endDay * DAY_MS + timeMs(until);
      fc.pre(startMs !== endMs);
      if (endMs < startMs) endMs += 7 * DAY_MS;
      const window = windowOf(
        `${DAYS[day]} ${timeText(from)} - ${DAYS[endDay]} ${timeText(until)} ${zone}`,
      );
      const weekMs = Date.parse(monday);
      // The model sees whole turns only: it reads days before and behind those that are compared.
      const minutes = minutesOf(zone, weekMs - 9 * DAY_MS, 25);
      const turns = [-1, 0, 1].map((week) => ({
        from: textOf(weekMs + week * 7 * DAY_MS + startMs),
        until: textOf(weekMs + week * 7 * DAY_MS + endMs),
      }));
      const frozen = frozenMinutes(minutes, turns);
      for (const { atMs } of minutes) {
        if (atMs < weekMs - DAY_MS || atMs > weekMs + 8 * DAY_MS || atMs % (15 * MINUTE_MS) !== 0) {
          continue;
        }
        const { present } = windowsAt([window], atMs);
        if ((present !== undefined) !== frozen.has(atMs)) {
          throw new Error(`${new Date(atMs).toISOString()}: ${JSON.stringify(present)}`);
        }
      }
    },
  );
  fc.assert(property, { numRuns: 12 });
  t.end();
});

await t.test('a window between two dates is in force as the clock on the wall shows', (t) => {
  const property = fc.property(
    fc.record({
      zone: fc.constantFrom(...ZONES),
      monday: fc.constantFrom(...MONDAYS),
      first: fc.integer({ min: 0, max: 6 }),
      from: clockTime,
      days: fc.integer({ min: 0, max: 3 }),
      until: clockTime,
    }),
    ({ zone, monday, first, from, days, until }) => {
      const dayMs = Date.parse(monday) + first * DAY_MS;
      const turn = {
        from: textOf(dayMs + timeMs(from)),
        until: textOf(dayMs + days * DAY_MS + timeMs(until)),
      };
      fc.pre(turn.from < turn.until);
      const window = windowOf(`${turn.from} - ${turn.until} ${zone}`);
      const minutes = minutesOf(zone, Date.parse(monday) - 2 * DAY_MS, 14);
      const frozen = frozenMinutes(minutes, [turn]);
      for (const { atMs } of minutes) {
        if (atMs % (5 * MINUTE_MS) !== 0) continue;
        const { present } = windowsAt([window], atMs);
        if ((present !== undefined) !== frozen.has(atMs)) {
          throw new Error(`${new Date(atMs).toISOString()}: ${JSON.stringify(present)}`);
        }
      }
    },
  );
  fc.assert(property, { numRuns: 12 });
  t.end();
});

await t.test('what it says holds until the next change', (t) => {
  const windows = ['Fri 16:00 - Mon 08:00 Europe/Berlin', 'daily 22:00 - 06:00 UTC'].map(windowOf);
  const property = fc.property(
    fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2028-01-01') }),
    (atMs) => {
      const change = nextChange(windows, atMs)!;
      const says = (ms: number): string => JSON.stringify(windowsAt(windows, ms));
      return change > atMs && says(atMs) === says(change - 1);
    },
  );
  fc.assert(property, { numRuns: 300 });
  t.end();
});

function text(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16);
}

/** Returns what `lines` say at a moment, as times in UTC. */
function said(lines: readonly string[], at: string) {
  const { present, freeAtMs, next } = windowsAt(lines.map(windowOf), Date.parse(at));
  return {
    from: text(present?.fromMs),
    until: text(present?.untilMs),
    free: text(freeAtMs),
    next: text(next?.fromMs),
  };
}

await t.test('02:30 that does not exist begins and ends when the clock jumps', async (t) => {
  // In Berlin, 02:00 is 03:00 at once on 29 March 2026 (01:00 UTC).
  const line = 'Sun 02:30 - Sun 05:00 Europe/Berlin';
  t.match(said([line], '2026-03-29T01:00Z'), {
    from: '2026-03-29T01:00',
    until: '2026-03-29T03:00',
  });
  t.match(said(['Sat 22:00 - Sun 02:30 Europe/Berlin'], '2026-03-29T00:59Z'), {
    until: '2026-03-29T01:00',
  });
  t.match(
    said(['Sun 02:15 - Sun 02:45 Europe/Berlin'], '2026-03-29T01:00Z'),
    { from: undefined, next: '2026-04-05T00:15' },
    'a time that is skipped as a whole is no freeze',
  );
});

await t.test('02:30 that exists twice begins at the first and ends at the second', async (t) => {
  // In Berlin, 03:00 is 02:00 again on 25 October 2026 (01:00 UTC).
  t.match(said(['Sun 02:30 - Sun 05:00 Europe/Berlin'], '2026-10-25T00:45Z'), {
    from: '2026-10-25T00:30',
    until: '2026-10-25T04:00',
  });
  t.match(said(['Sat 22:00 - Sun 02:30 Europe/Berlin'], '2026-10-25T01:10Z'), {
    until: '2026-10-25T01:30',
  });
});

await t.test('a weekend goes over the border of a week, and its length over a step', async (t) => {
  const weekend = 'Fri 16:00 - Mon 08:00 Europe/Berlin';
  t.match(said([weekend], '2026-03-27T14:59Z'), { from: undefined, next: '2026-03-27T15:00' });
  t.match(said([weekend], '2026-03-30T05:59Z'), {
    from: '2026-03-27T15:00',
    until: '2026-03-30T06:00',
  });
  t.match(said([weekend], '2026-03-30T06:00Z'), { from: undefined, next: '2026-04-03T14:00' });
});

await t.test('dates without a time are whole days, leap days too', async (t) => {
  const line = '2028-02-28 - 2028-02-29 America/New_York';
  t.match(said([line], '2028-02-28T05:00Z'), { until: '2028-03-01T05:00' });
  t.match(said([line], '2028-03-01T05:00Z'), { from: undefined, next: undefined });
});

await t.test('a day that a zone leaves out is no freeze', async (t) => {
  const line = '2011-12-30 - 2011-12-30 Pacific/Apia';
  t.match(said([line], '2011-12-30T10:00Z'), { from: undefined });
});

await t.test('windows that overlap or follow on each other end together', async (t) => {
  const lines = [
    'Fri 16:00 - Sun 12:00 Europe/Berlin',
    'Sun 12:00 - Mon 08:00 Europe/Berlin',
    '2026-12-18 - 2027-01-04 Europe/Berlin',
  ];
  t.match(said(lines, '2026-11-27T16:00Z'), { free: '2026-11-30T07:00' });
  t.match(said(lines, '2026-12-18T12:00Z'), {
    free: '2027-01-04T23:00',
    next: '2027-01-08T15:00',
  });
});

await t.test('windows that leave no gap have no end in sight', async (t) => {
  const lines = ['daily 00:00 - 12:00 UTC', 'daily 12:00 - 24:00 UTC'];
  t.match(said(lines, '2026-11-27T16:00Z'), { free: undefined });
});

await t.test('without windows nothing is said', async (t) => {
  t.strictSame(windowsAt([], 0), { present: undefined, freeAtMs: undefined, next: undefined });
  t.equal(nextChange([], 0), undefined);
});
