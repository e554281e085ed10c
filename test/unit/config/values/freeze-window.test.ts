// Lines of `freezes`: what they mean, and what is refused.

import * as fc from 'fast-check';
import t from 'tap';
import { parseFreezeWindow } from '../../../../src/config/values/freeze-window.ts';

const HOUR_MS = 3_600_000;

function read(line: unknown) {
  const parsed = parseFreezeWindow(line);
  return parsed.ok ? parsed.value : parsed.problem;
}

await t.test('a time of each week', async (t) => {
  t.strictSame(read('Fri 16:00 - Mon 08:00 Europe/Berlin (no releases at weekends)'), {
    when: 'Fri 16:00 - Mon 08:00 Europe/Berlin',
    zone: 'Europe/Berlin',
    reason: 'no releases at weekends',
    everyMs: 168 * HOUR_MS,
    fromMs: Date.parse('1970-01-09T16:00Z'),
    untilMs: Date.parse('1970-01-12T08:00Z'),
  });
  const same = { fromMs: Date.parse('1970-01-09T16:00Z') };
  for (const line of [
    'friday 16:00 – monday 8:00 Europe/Berlin (why)',
    'FRI 16:00 to Mon 08:00 Europe/Berlin ( why )',
    '  Fri  16:00   -  Mon 08:00  Europe/Berlin   (why)  ',
  ]) {
    t.match(read(line), { ...same, reason: 'why' }, line);
  }
  t.match(read('Mon 08:00 - Sun 24:00 UTC (why)'), { untilMs: Date.parse('1970-01-12T00:00Z') });
});

await t.test('a time of each day, also over midnight', async (t) => {
  t.match(read('daily 22:00 - 06:00 UTC (night)'), {
    everyMs: 24 * HOUR_MS,
    fromMs: Date.parse('1970-01-05T22:00Z'),
    untilMs: Date.parse('1970-01-06T06:00Z'),
  });
});

await t.test('two dates, with times or as whole days', async (t) => {
  t.match(read('2026-12-20 - 2027-01-04 Europe/Berlin (holidays)'), {
    everyMs: undefined,
    fromMs: Date.parse('2026-12-20T00:00Z'),
    untilMs: Date.parse('2027-01-05T00:00Z'),
  });
  t.match(read('2026-12-20 18:00 - 2027-01-04T08:00 Europe/Berlin (holidays)'), {
    fromMs: Date.parse('2026-12-20T18:00Z'),
    untilMs: Date.parse('2027-01-04T08:00Z'),
  });
  t.match(read('2028-02-29 - 2028-02-29 UTC (leap day)'), {
    untilMs: Date.parse('2028-03-01T00:00Z'),
  });
});

await t.test('what is refused is told with an example and the reason', async (t) => {
  for (const [line, why] of [
    ['Fri 16:00 - Mon 08:00 Europe/Berlin', 'expected a freeze such as'],
    ['Fri 16:00 - Mon 08:00 (weekend)', 'expected a freeze such as'],
    ['Fri 16:00 - Mon 08:00 Europe/Berlin ( )', 'the reason is empty'],
    ['Fri 16:00 - Mon 08:00 Europe/Belrin (weekend)', 'the zone is not known'],
    ['Fri 16:00 - Mon 08:00 +01:00 (weekend)', 'the zone is not known'],
    ['Fry 16:00 - Mon 08:00 UTC (weekend)', 'days are Mon'],
    ['Fri 16:00 - Fri 16:00 UTC (always)', 'beginning and end are the same'],
    ['Mon 00:00 - Sun 24:00 UTC (always)', 'beginning and end are the same'],
    ['daily 00:00 - 24:00 UTC (always)', 'beginning and end are the same'],
    ['Fri 24:00 - Mon 08:00 UTC (weekend)', 'times of day'],
    ['Fri 16:60 - Mon 08:00 UTC (weekend)', 'times of day'],
    ['2026-02-29 - 2026-03-01 UTC (no leap year)', 'there is no such date'],
    ['2027-01-04 - 2026-12-20 UTC (turned round)', 'the end is not behind the beginning'],
    ['Fri 16:00 - Mon 08:00 UTC (a\u0007bell)', 'expected a freeze such as'],
    [`Fri 16:00 - Mon 08:00 UTC (${'x'.repeat(500)})`, 'at most 400 characters'],
    [{ from: 'Fri 16:00' }, 'put the line in quotes'],
    [16, 'expected a freeze such as'],
    ['', 'expected a freeze such as'],
  ] as const) {
    t.match(read(line), new RegExp(why), JSON.stringify(line));
  }
});

await t.test('whatever it is given, it accepts what it can name, or says why not', (t) => {
  const word = fc.constantFrom('Fri', 'daily', '16:00', '24:00', '-', '–', 'to', 'UTC', '(x)', ' ');
  const line = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 9 }).map((all) => all.join(' ')),
  );
  const property = fc.property(line, (text) => {
    const parsed = parseFreezeWindow(text);
    if (!parsed.ok) return parsed.problem.length > 0 && parsed.problem.length < 600;
    return parsed.value.untilMs > parsed.value.fromMs && parsed.value.reason !== '';
  });
  fc.assert(property, { numRuns: 1_000 });
  t.end();
});
