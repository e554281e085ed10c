// Own cookies are found and cut out; all others stay as they are, byte for byte.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { takeCookies } from '../../../../src/http/forward/cookies.ts';
import { dropTable } from '../../../../src/http/forward/copy-head.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import { copiedText, requestWith } from '../../../support/heads.ts';
import { OwnCookies } from '../../../../src/http/forward/own-cookies.ts';
import { cookiesIn, naiveCopy, type TakenCookie } from '../../../support/naive-head.ts';

const OWN = new OwnCookies({
  prefix: 'turnout-i1',
  names: ['turnout', 'turnout-preview'],
  formerNames: [],
});
const NAMES = ['turnout', '__Host-turnout', '__Secure-turnout-preview', 'turnout-i1-shop'];

/** The same in one line. */
function isOwn({ name }: TakenCookie): boolean {
  return /^(?:__Host-|__Secure-)?turnout(?:-preview|-i1|-i1-.*)?$/s.test(name);
}
const HOST = 'Host: shop.test\r\n';

interface Outcome {
  readonly taken: TakenCookie[];
  /** Field lines as they are sent on. */
  readonly copied: string;
}

function take(fields: readonly string[]): Outcome {
  const head = requestWith(fields);
  const taken: TakenCookie[] = [];
  takeCookies(head, OWN, {
    onCookie(bytes, start, end, valueStart, stop) {
      const name = bytes.toString('latin1', start, end);
      taken.push({ name, value: bytes.toString('latin1', valueStart, stop) });
    },
  });
  const copied = copiedText(head, head.fieldsStart, head.end - 2, dropTable([]));
  assert.ok(copied.startsWith(HOST), 'the line before the cookies is whole');
  return { taken, copied: copied.slice(HOST.length) };
}

/** `copied`: the Cookie line that is left, without its line end; '' when the field is gone. */
function check(
  name: string,
  cases: readonly (readonly [line: string, copied: string, values?: readonly string[]])[],
): void {
  void t.test(name, async (t) => {
    for (const [line, copied, values = ['x']] of cases) {
      const seen = take([line]);
      t.equal(seen.copied, copied === '' ? '' : `${copied}\r\n`, line);
      t.strictSame(
        seen.taken.map(({ value }) => value),
        values,
        line,
      );
    }
  });
}

check('a field without own cookies stays as it is', [
  ['Cookie: a=1; b=2', 'Cookie: a=1; b=2', []],
  ['cookie:  ;; a ;\t=;b="x;y"; ', 'cookie:  ;; a ;\t=;b="x;y"; ', []],
  ['Cookie:', 'Cookie:', []],
]);

check('an own cookie goes, with one separator', [
  ['Cookie: turnout=x; a=1; b=2', 'Cookie: a=1; b=2'],
  ['Cookie: a=1; turnout=x; b=2', 'Cookie: a=1; b=2'],
  ['Cookie: a=1; b=2; turnout=x', 'Cookie: a=1; b=2'],
  ['Cookie: a=1; b=2; turnout=x;', 'Cookie: a=1; b=2'],
  ['Cookie: a=1;turnout=x;b=2', 'Cookie: a=1;b=2'],
  ['Cookie: a=1;\t turnout=x;\t b=2', 'Cookie: a=1;\t b=2'],
]);

check('a field of own cookies alone is gone', [
  ['Cookie: turnout=x', ''],
  ['Cookie:turnout=x;', ''],
  ['cOOKIE: turnout=x; turnout=y; __Host-turnout=z', '', ['x', 'y', 'z']],
]);

check('every own cookie is told of, in order', [
  ['Cookie: turnout=1; a=1; turnout=2; b=2; turnout=3', 'Cookie: a=1; b=2', ['1', '2', '3']],
  ['Cookie: a=1; turnout=1; turnout=2', 'Cookie: a=1', ['1', '2']],
]);

check('a value is everything up to the separator', [
  ['Cookie: turnout=', '', ['']],
  ['Cookie: turnout==x=y', '', ['=x=y']],
  ['Cookie: turnout="x y"', '', ['"x y"']],
  ['Cookie: turnout=\xff\t\x80; a=1', 'Cookie: a=1', ['\xff\t\x80']],
]);

check('blanks around a name are no part of it', [
  ['Cookie: a=1; turnout =x; b=2', 'Cookie: a=1; b=2'],
  ['Cookie:\t __Host-turnout\t=x', ''],
  ['Cookie: turn out=x', 'Cookie: turn out=x', []],
]);

check('a name is ours only as a whole, in its case and with an equals sign', [
  ['Cookie: turnout2=x; xturnout=x', 'Cookie: turnout2=x; xturnout=x', []],
  ['Cookie: Turnout=x; __host-turnout=x', 'Cookie: Turnout=x; __host-turnout=x', []],
  ['Cookie: turnout; turnout ; =turnout=x', 'Cookie: turnout; turnout ; =turnout=x', []],
  ['Cookie: a=turnout=x; "turnout=x"', 'Cookie: a=turnout=x; "turnout=x"', []],
]);

check('empty pairs of others stay', [
  ['Cookie: ;turnout=x', 'Cookie: '],
  ['Cookie: a=1;;turnout=x;;b=2', 'Cookie: a=1;;;b=2'],
  ['Cookie: a=1; ; turnout=x', 'Cookie: a=1; '],
]);

await t.test('each own cookie is told of by its name', async (t) => {
  const { taken } = take(['Cookie: turnout-i1-a=a; turnout =b; __Host-turnout=c']);
  t.strictSame(taken, [
    { name: 'turnout-i1-a', value: 'a' },
    { name: 'turnout', value: 'b' },
    { name: '__Host-turnout', value: 'c' },
  ]);
});

await t.test('several Cookie fields are read in order, each cut for itself', async (t) => {
  const { taken, copied } = take([
    'Cookie: a=1; turnout=x',
    'X-A: turnout=1',
    'cookie: turnout=y',
    'Cookie: turnout=z; b=2',
  ]);
  t.strictSame(
    taken.map(({ value }) => value),
    ['x', 'y', 'z'],
  );
  t.equal(copied, 'Cookie: a=1\r\nX-A: turnout=1\r\nCookie: b=2\r\n');
});

const VALUE_BYTE = fc
  .oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }))
  .map((code) => String.fromCharCode(code));
const PART = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(...NAMES, 'turnout2', 'Turnout', 'turnout-i', '-', ' ', 'a', ''),
  },
  { weight: 2, arbitrary: fc.constantFrom('=', '=', '==', ' =', '= ', '') },
  { weight: 2, arbitrary: fc.string({ unit: VALUE_BYTE, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom('"', 'turnout=', '%3B', '\t') },
);
const OWN_PAIR = fc.tuple(fc.constantFrom(...NAMES), PART).map((parts) => parts.join('='));
const PAIR = fc.oneof(
  OWN_PAIR,
  fc.array(PART, { maxLength: 4 }).map((parts) => parts.join('')),
);
const SEPARATOR = fc.constantFrom('; ', '; ', '; ', ';', ';\t', ' ; ', ';;', '; ; ', '');
const COOKIES = fc
  .array(fc.tuple(PAIR, SEPARATOR), { maxLength: 6 })
  .map((pairs) => pairs.flat().join(''));
const COOKIE_LINE = fc
  .tuple(fc.constantFrom('Cookie', 'cookie', 'COOKIE'), fc.constantFrom(':', ': ', ':\t '), COOKIES)
  .map((parts) => parts.join(''));
const OTHER_LINE = fc.constantFrom(
  'Accept: */*',
  'X-Cookie: turnout=x',
  'Set-Cookie: turnout=x',
  'Connection: close',
  'Connection: cookie',
  'Connection: x-a, keep-alive',
  'X-A: turnout=x; b=1',
  'TE: trailers',
  'Keep-Alive: timeout=5',
);
const FIELDS = fc.array(
  fc.oneof({ weight: 3, arbitrary: COOKIE_LINE }, { weight: 2, arbitrary: OTHER_LINE }),
  { maxLength: 6 },
);

const ENDS_HERE = new Set(['connection', 'te', 'keep-alive']);

await t.test('any Cookie fields lose the own cookies and nothing else', async (t) => {
  let takenCount = 0;
  fc.assert(
    fc.property(FIELDS, (fields) => {
      const { taken, copied } = take(fields);
      const values = fields
        .filter((line) => /^cookie:/i.test(line))
        .map((line) => line.slice(line.indexOf(':') + 1).replaceAll(/^[ \t]+|[ \t]+$/g, ''));
      const expected = values.flatMap((value) => cookiesIn(value, isOwn));
      takenCount += expected.length;
      const rules = { isOwn, isDropped: (name: string) => ENDS_HERE.has(name) };
      assert.deepEqual(taken, expected);
      assert.equal(copied, naiveCopy(fields, rules));
    }),
    { numRuns: RUNS },
  );
  t.ok(takenCount > RUNS, `${takenCount} own cookies were among them`);
});

/** Returns the cookies in all Cookie lines of `copied`; blank ones are none. */
function pairsOf(copied: string): string[] {
  return [...copied.matchAll(/^cookie:(.*?)\r\n/gims)]
    .flatMap(([, value = '']) => value.split(';'))
    .map((pair) => pair.replaceAll(/^[ \t]+|[ \t]+$/g, ''))
    .filter((pair) => pair !== '');
}

function isOurs(pair: string): boolean {
  return cookiesIn(pair, isOwn).length > 0;
}

await t.test('what is left holds no own cookie and every other one', async () => {
  fc.assert(
    fc.property(fc.array(COOKIE_LINE, { maxLength: 4 }), (fields) => {
      const sent = fields.map((line) => `${line}\r\n`).join('');
      assert.deepEqual(
        pairsOf(take(fields).copied),
        pairsOf(sent).filter((pair) => !isOurs(pair)),
      );
    }),
    { numRuns: RUNS },
  );
});
