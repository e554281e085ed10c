// Numbers at a glance: what is nothing, what is everything, and what is neither.

import t, { type Test } from 'tap';
import { spanText } from '../../../../src/base/span-text.ts';
import {
  agoText,
  inText,
  millisecondsText,
  rateText,
  shareText,
  sparkline,
  timeText,
} from '../../../../src/cli/terminal/numbers.ts';
import { UNICODE_SIGNS } from '../../../../src/cli/terminal/signs.ts';

function check(
  t: Test,
  read: (value: never) => string,
  cases: readonly (readonly [unknown, string])[],
) {
  for (const [value, text] of cases) t.equal(read(value as never), text, String(value));
}
await t.test('a share is in percent, and only all is 100', (t) => {
  check(t, shareText, [
    [undefined, '-'],
    [null, '-'],
    [0, '0%'],
    [1, '100%'],
    [0.99999, '99.9%'],
    [0.5, '50.0%'],
    [0.0123, '1.2%'],
    [0.0012, '0.12%'],
    [0.00001, '<0.01%'],
  ]);
  t.end();
});

await t.test('a time that something took has its unit', (t) => {
  check(t, millisecondsText, [
    [null, '-'],
    [0.25, '0.3 ms'],
    [9.94, '9.9 ms'],
    [12.4, '12 ms'],
    [999, '999 ms'],
    [1_234, '1.2 s'],
    [60_000, '60 s'],
  ]);
  t.end();
});

await t.test('a rate is short', (t) => {
  check(t, rateText, [
    [undefined, '-'],
    [0, '0'],
    [0.4, '0.4'],
    [12.6, '13'],
    [12_345.6, '12,346'],
  ]);
  t.end();
});

await t.test('a span is in its largest unit', (t) => {
  check(t, spanText, [
    [-5_000, '0 s'],
    [119_000, '119 s'],
    [120_000, '2 min'],
    [7_140_000, '119 min'],
    [7_200_000, '2 h'],
    [47 * 3_600_000, '47 h'],
    [48 * 3_600_000, '2 d'],
  ]);
  t.end();
});

await t.test('times are told from now', (t) => {
  const nowMs = Date.parse('2026-01-02T03:04:05.678Z');
  t.equal(agoText('2026-01-02T03:03:05Z', nowMs), '61 s ago');
  t.equal(agoText('2026-01-02T04:00:00Z', nowMs), '0 s ago', 'a clock that is behind');
  t.equal(inText('2026-01-02T03:14:05Z', nowMs), 'in 10 min');
  t.equal(inText('2026-01-02T03:04:05Z', nowMs), 'now');
  t.equal(timeText('2026-01-02T03:04:05.678Z'), '2026-01-02T03:04:05Z');
  for (const none of [undefined, null, '', 'soon', 5]) {
    t.equal(agoText(none, nowMs), '-');
    t.equal(inText(none, nowMs), '-');
  }
  t.equal(timeText('a\u001b[2Jb'), String.raw`a\u{1b}[2Jb`);
  t.equal(timeText(null), '-');
  t.end();
});

function line(values: readonly number[], max: number, width: number): string {
  return sparkline(values, { bars: UNICODE_SIGNS.bars, max, width });
}

await t.test('a sparkline shows the latest, and is as wide as there is room', (t) => {
  t.equal(line([0, 1, 2, 3, 4, 5, 6, 7], 7, 8), '▁▂▃▄▅▆▇█');
  t.equal(line([7, 0, 7], 7, 2), '▁█');
  t.equal(line([7, 0, 7], 7, 0), '');
  t.equal(line([7], 14, 60), '▅', 'as high as it is beside the other color');
  t.equal(line([0, 0], 0, 60), '▁▁');
  t.equal(line([-1, 99], 7, 60), '▁█');
  t.end();
});
