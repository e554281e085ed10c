// What is a valid `traceparent`, compared with the grammar of W3C Trace Context §3.2 as an expression.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { NO_TRACE, traceFlags } from '../../../../src/http/forward/traceparent.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
/** Stands around a value, so that a look beyond it is noticed. */
const MARGIN = '0123456789abcdef-'.repeat(8);

function flagsOf(value: string): number {
  const bytes = Buffer.from(MARGIN + value + MARGIN, 'latin1');
  return traceFlags(bytes, MARGIN.length, bytes.length - MARGIN.length);
}

/** The grammar, and the rules that stand beside it. */
function flagsByGrammar(value: string): number {
  const found =
    /^(?<version>[0-9a-f]{2})-(?<trace>[0-9a-f]{32})-(?<parent>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/s.exec(
      value,
    )?.groups;
  if (found === undefined || found['version'] === 'ff') return NO_TRACE;
  if (found['version'] === '00' && found['more'] !== undefined) return NO_TRACE;
  if (/^0+$/.test(found['trace']!) || /^0+$/.test(found['parent']!)) return NO_TRACE;
  return Number.parseInt(found['flags']!, 16) & 3;
}

await t.test('the examples of the recommendation are read', async (t) => {
  t.equal(flagsOf(`00-${TRACE}-${PARENT}-01`), 1);
  t.equal(flagsOf(`00-${TRACE}-${PARENT}-00`), 0);
  t.equal(flagsOf(`00-${TRACE}-${PARENT}-03`), 3);
  t.equal(flagsOf(`00-${TRACE}-${PARENT}-ff`), 3, 'flags without a meaning are not known');
  t.equal(flagsOf(`cc-${TRACE}-${PARENT}-01`), 1, 'a later version is read as far as it is known');
  t.equal(flagsOf(`cc-${TRACE}-${PARENT}-01-what-the-future-brings`), 1);
});

await t.test('what breaks a rule is no value', async (t) => {
  const wrong = [
    '',
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE}-${PARENT}-01.`,
    `cc-${TRACE}-${PARENT}-01.`,
    `cc-${TRACE}-${PARENT}-011`,
    `ff-${TRACE}-${PARENT}-01`,
    `0-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT.toUpperCase()}-01`,
    `00-${TRACE.slice(1)}-${PARENT}-01`,
    `00_${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-0x`,
    `.0-${TRACE}-${PARENT}-01`,
  ];
  for (const value of wrong) t.equal(flagsOf(value), NO_TRACE, JSON.stringify(value));
});

/** Nearly right in one place, or anything. */
const VALUE = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('00', '00', '01', 'fe', 'ff', '0A'),
        fc.constantFrom(TRACE, '0'.repeat(32), `${'0'.repeat(31)}1`, `${TRACE.slice(1)}G`),
        fc.constantFrom(PARENT, '0'.repeat(16), PARENT.slice(1)),
        fc.constantFrom('00', '01', '02', '03', 'ab', '0', '001', 'zz'),
        fc.constantFrom('', '', '-', '-x', '.', ' '),
      )
      .map(
        ([version, trace, parent, flags, more]) => `${version}-${trace}-${parent}-${flags}${more}`,
      ),
  },
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF-_ \xff'.split('')), maxLength: 80 }),
);
/** Another character at one place. */
const SPOILED = fc
  .tuple(VALUE, fc.nat(60), fc.constantFrom(...'0fgF-_ \0\x7f\x80'.split('')))
  .map(([value, at, character]) => value.slice(0, at) + character + value.slice(at + 1));

await t.test('any text is read as the grammar says', async (t) => {
  let valid = 0;
  fc.assert(
    fc.property(fc.oneof(VALUE, SPOILED), (value) => {
      const flags = flagsOf(value);
      assert.equal(flags, flagsByGrammar(value));
      if (flags !== NO_TRACE) valid++;
    }),
    { numRuns: 10 * RUNS },
  );
  t.ok(valid > 0, `${valid} of them are values`);
});
