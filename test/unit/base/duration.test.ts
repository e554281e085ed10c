// A duration is told as it would be written, and reads back as the same.

import { array, assert, constantFrom, integer, oneof, property, string } from 'fast-check';
import t from 'tap';
import { DURATION_PATTERN, durationText, parseDuration } from '../../../src/base/duration.ts';

await t.test('what is told reads back, in any order of magnitude', (t) => {
  const form = new RegExp(DURATION_PATTERN);
  assert(
    property(integer({ min: 0, max: 2 ** 45 }), (ms) => {
      const text = durationText(ms);
      const parsed = parseDuration(text);
      return form.test(text) && parsed.ok && parsed.value === ms;
    }),
  );
  t.end();
});

await t.test('any text is a duration or is refused, and the pattern says which', (t) => {
  const form = new RegExp(DURATION_PATTERN);
  const part = constantFrom('1', '30', '.', '5', 'd', 'h', 'm', 's', 'ms', ' ', '-', '0');
  const text = array(part, { maxLength: 8 }).map((parts) => parts.join(''));
  assert(
    property(oneof(text, string()), (raw) => {
      const parsed = parseDuration(raw);
      if (!parsed.ok) return parsed.problem.startsWith('expected ');
      const isWritten = raw === '0' || form.test(raw);
      return isWritten && Number.isInteger(parsed.value) && parsed.value >= 0;
    }),
  );
  t.end();
});

await t.test('a number of units is told in the largest that fit', (t) => {
  const cases = [
    [90_000, '1m30s'],
    [600_000, '10m'],
    [1_500, '1s500ms'],
    [86_400_000, '1d'],
    [0, '0s'],
  ] as const;
  for (const [ms, text] of cases) t.equal(durationText(ms), text);
  t.end();
});
