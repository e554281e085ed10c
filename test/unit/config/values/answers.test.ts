// What gates look for in answers: patterns, paths into JSON, values that are taken; and shares and URLs.

import * as fc from 'fast-check';
import t from 'tap';
import { parseHttpUrl } from '../../../../src/config/values/http-url.ts';
import {
  parseJsonPath,
  parseJsonScalar,
  valueAt,
} from '../../../../src/config/values/json-path.ts';
import { parsePercent } from '../../../../src/config/values/percent.ts';
import { filledIn, parseTaken, usedIn } from '../../../../src/config/values/taken.ts';
import { holds, parseTextPattern } from '../../../../src/config/values/text-pattern.ts';

function isHeld(pattern: string, text: string): boolean {
  const parsed = parseTextPattern(pattern);
  if (!parsed.ok) throw new Error(parsed.problem);
  return holds(text, parsed.value);
}

await t.test('a pattern is held where its parts stand in order', async (t) => {
  for (const [pattern, text, isThere] of [
    ['b', 'abc', true],
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['c*a', 'abc', false],
    ['ab*bc', 'abc', false],
    ['*b*', 'abc', true],
    ['a**c', 'abc', true],
    ['a\\*c', 'abc', false],
    ['a\\*c', 'a*c', true],
    ['a\\\\*c', 'a\\bc', true],
    ['a\\b', 'a\\b', true],
    ['.*', 'a.b', true],
    ['(a+)+$', 'aaaa', false],
    ['é', 'caf\u00e9', true],
  ] as const) {
    t.equal(isHeld(pattern, text), isThere, `${pattern} in ${text}`);
  }
  for (const bad of ['', '*', '***', 'x'.repeat(1_025), 'a*'.repeat(33), null, ['a']]) {
    t.equal(parseTextPattern(bad).ok, false, JSON.stringify(bad));
  }
  t.ok(parseTextPattern(42).ok, 'a number is its text');
});

function escaped(text: string): string {
  return text.replace(/[\\*]/g, (sign) => `\\${sign}`);
}

await t.test('a pattern finds what it was made from', async (t) => {
  const part = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.string(), (parts, between) =>
      isHeld(parts.map(escaped).join('*'), between + parts.join(between) + between),
    ),
  );
  t.pass();
});

await t.test('a path leads to one value, or nowhere', async (t) => {
  const value: unknown = JSON.parse('{"a":{"b":[1,{"c d":null}]},"0":"x","__proto__":7,"q\\"":1}');
  for (const [path, expected] of [
    ['$', value],
    ['$.a.b[0]', 1],
    ['$.a.b[1]["c d"]', null],
    ['$["q\\""]', 1],
    ['$.__proto__', 7],
    ['$.a.b[2]', undefined],
    ['$.a.b.length', undefined],
    ['$.a.toString', undefined],
    ['$.a.b[0].x', undefined],
    ['$[0]', undefined],
    ['$["0"]', 'x'],
  ] as const) {
    const parsed = parseJsonPath(path);
    t.ok(parsed.ok, path);
    if (parsed.ok) t.same(valueAt(value, parsed.value), expected, path);
  }
  for (const bad of [
    '',
    'a',
    '$a',
    '$.',
    '$..a',
    '$[*]',
    '$[-1]',
    '$["a]',
    `$${'.a'.repeat(128)}`,
  ]) {
    t.equal(parseJsonPath(bad).ok, false, bad);
  }
  t.same(
    [null, true, 0, 'x', NaN, [], {}].map((one) => parseJsonScalar(one).ok),
    [true, true, true, true, false, false, false],
  );
});

await t.test('any path and any value are answered', async (t) => {
  const step = fc.oneof(fc.constantFrom('.a', '[0]', '["', '"]', '$', '\\', '.'), fc.string());
  fc.assert(
    fc.property(fc.array(step), fc.jsonValue(), (steps, value) => {
      const path = parseJsonPath(`$${steps.join('')}`);
      if (path.ok) valueAt(value, path.value);
    }),
  );
  t.pass();
});

await t.test('a value is taken from JSON or a field, and filled in by its name', async (t) => {
  t.match(parseTaken('json:$.a'), { ok: true, value: { from: 'json', path: ['a'] } });
  t.match(parseTaken('field:Location'), { ok: true, value: { from: 'field', name: 'location' } });
  for (const bad of ['$.a', 'json:a', 'field:', 'field:a b', 1]) t.notOk(parseTaken(bad).ok);
  t.same(usedIn('/${a}/${b_1}?$c=${}'), ['a', 'b_1', '']);
  const values = new Map([
    ['a', '${b}'],
    ['b', '$&'],
  ]);
  t.equal(filledIn('${a}-${b}-${c}', values), '${b}-$&-${c}', 'nothing is filled in twice');
});

await t.test('a share has its sign', async (t) => {
  t.same(
    ['1%', '0.2%', '0.07%', '100%', '0', 0].map((text) => {
      const parsed = parsePercent(text);
      return parsed.ok ? parsed.value : parsed.problem;
    }),
    [0.01, 0.002, 0.0007, 1, 0, 0],
  );
  for (const bad of [1, '1', '101%', '-1%', '1 %', '1.00001%', '', null]) {
    t.notOk(parsePercent(bad).ok, String(bad));
  }
});

await t.test('a URL has a host, and neither user nor fragment', async (t) => {
  t.same(
    ['http://h', 'HTTPS://H:443/a?b=c', 'http://[::1]:9/'].map((text) => {
      const parsed = parseHttpUrl(text);
      return parsed.ok ? parsed.value : parsed.problem;
    }),
    ['http://h/', 'https://h/a?b=c', 'http://[::1]:9/'],
  );
  for (const bad of [
    'h',
    '//h',
    'ftp://h',
    'http://',
    'http://u:p@h',
    'http://h/#a',
    'http://h/ ',
    1,
  ]) {
    t.notOk(parseHttpUrl(bad).ok, String(bad));
  }
  t.notOk(parseHttpUrl(`http://h/${'a'.repeat(2_048)}`).ok);
});
