// Moments as operators type them.

import * as fc from 'fast-check';
import t from 'tap';
import { parseMoment, zoneOf } from '../../../../src/cli/steps/moment.ts';

function read(text: string, { now = '2026-03-28T12:00Z', zone = 'Europe/Berlin' } = {}): string {
  const parsed = parseMoment(text, { nowMs: Date.parse(now), zone });
  return parsed.ok ? new Date(parsed.value).toISOString().slice(0, 19) : parsed.problem;
}

await t.test('with an offset it needs no zone', async (t) => {
  t.equal(read('2026-12-01T03:00+01:00'), '2026-12-01T02:00:00');
  t.equal(read('2026-12-01T03:00:30Z'), '2026-12-01T03:00:30');
  t.equal(read('2026-12-01 03:00 -05:30'), '2026-12-01T08:30:00');
});

await t.test('a date and a time are those of the zone', async (t) => {
  t.equal(read('2026-07-01 03:00'), '2026-07-01T01:00:00');
  t.equal(read('2026-12-01 03:00'), '2026-12-01T02:00:00');
  t.equal(read('2026-03-29 02:30'), '2026-03-29T01:00:00', 'skipped: when the clock jumps');
  t.equal(read('2026-10-25 02:30'), '2026-10-25T00:30:00', 'shown twice: the first');
});

await t.test('a time alone is the next one, by the clock of the zone', async (t) => {
  t.equal(read('14:00'), '2026-03-28T13:00:00', 'today');
  t.equal(read('13:00'), '2026-03-29T11:00:00', 'it is 13:00 there now, and tomorrow is summer');
  t.equal(read('02:30'), '2026-03-29T01:00:00');
  t.equal(read('03:00', { zone: 'Pacific/Auckland' }), '2026-03-28T14:00:00');
});

await t.test('whatever else is refused', async (t) => {
  for (const text of [
    '',
    '25:00',
    '03:60',
    '2026-02-30 03:00',
    '2026-12-01',
    '03:00+01:00',
    'tomorrow',
    '2026-12-01T03:00+1',
    '1764558000',
    '2026-12-01T03:00Z; rm -rf /',
  ]) {
    t.match(read(text), /^expected/, text);
  }
  t.match(zoneOf('Europe/Belrin'), { ok: false });
  t.match(zoneOf(undefined), { ok: true });
  const reads = fc.property(fc.string(), (text) => read(text).length > 0);
  fc.assert(reads, { numRuns: 500 });
});
