// What a response that gets a cookie says to caches.

import * as fc from 'fast-check';
import t from 'tap';
import { CACHE_FIELDS, privateControl } from '../../../../src/http/heads/cache-control.ts';
import { FIELD } from '../../../../src/http/grammar/field-kind.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import { responseWith } from '../../../support/heads.ts';

interface TestedResponse {
  readonly status?: number;
  readonly isRead?: boolean;
  readonly fields: readonly string[];
}

function controlOf({ status = 200, isRead = true, fields }: TestedResponse): string {
  const line = privateControl(responseWith(status, fields), isRead);
  if (line === '') return '';
  t.match(line, /^Cache-Control: [^\r\n]+\r\n$/, 'one whole line');
  return line.slice('Cache-Control: '.length, -2);
}

function check(
  name: string,
  cases: readonly (readonly [fields: readonly string[], control: string, more?: object])[],
): void {
  void t.test(name, async (t) => {
    for (const [fields, control, more] of cases) {
      t.equal(controlOf({ fields, ...more }), control, JSON.stringify([fields, more]));
    }
  });
}

check('a response that a cache may keep by itself becomes private', [
  [[], 'private'],
  [['Content-Type: text/html', 'ETag: "x"'], 'private'],
  [[], 'private', { status: 404 }],
  [[], 'private', { status: 301 }],
]);

check('a response that no cache keeps by itself is left alone', [
  [[], '', { status: 201 }],
  [[], '', { status: 302 }],
  [[], '', { status: 500 }],
  [[], '', { isRead: false }],
  [['Cache-Control: no-cache'], '', { isRead: false }],
]);

check('a response with a time of its own becomes private whatever its status', [
  [['Expires: Thu, 01 Jan 2026 00:00:00 GMT'], 'private', { status: 302 }],
  [['Expires: 0'], 'private', { isRead: false }],
  [['Cache-Control: max-age=60'], 'private, max-age=60', { isRead: false }],
  [['Cache-Control: no-cache', 'Expires: 0'], 'private, no-cache', { status: 500 }],
]);

check('private and no-store stand as they are', [
  [['Cache-Control: private'], ''],
  [['Cache-Control: Private, max-age=5'], ''],
  [['Cache-Control: no-store'], ''],
  [['cache-control:NO-STORE , public'], ''],
  [['Cache-Control: max-age=5', 'Cache-Control: private'], ''],
]);

check('private for named fields is about those alone', [
  [['Cache-Control: private="x-a"'], 'private, private="x-a"'],
  [['Cache-Control: public, private="set-cookie"'], 'private, private="set-cookie"'],
]);

check('what speaks to shared caches goes, the rest stays in order', [
  [['Cache-Control: public, max-age=60'], 'private, max-age=60'],
  [['Cache-Control: max-age=60, PUBLIC, S-MaxAge=9, immutable'], 'private, max-age=60, immutable'],
  [['Cache-Control: s-maxage=5'], 'private'],
  [['Cache-Control: public'], 'private'],
  [['Cache-Control: no-cache, must-revalidate'], 'private, no-cache, must-revalidate'],
  [['Cache-Control: ,, max-age = 5 ,'], 'private, max-age = 5'],
  [['Cache-Control: max-age=5', 'X-A: 1', 'cache-control: public'], 'private, max-age=5'],
  [['Cache-Control:'], 'private'],
]);

check('a comma inside quotes separates nothing', [
  [['Cache-Control: ext="a, public, b", max-age=5'], 'private, ext="a, public, b", max-age=5'],
  [['Cache-Control: no-cache="a, private", public'], 'private, no-cache="a, private"'],
  [['Cache-Control: ext="a, no-store"'], 'private, ext="a, no-store"'],
]);

check('a quote behind a backslash ends nothing', [
  [['Cache-Control: ext="\\"", public'], 'private, ext="\\""'],
  [['Cache-Control: ext="\\\\", public'], 'private, ext="\\\\"'],
  [['Cache-Control: ext="\\"", max-age=5'], 'private, ext="\\"", max-age=5', { isRead: false }],
]);

check('fields for the caches of the operator are replaced, whatever Cache-Control says', [
  [['CDN-Cache-Control: max-age=600'], 'private'],
  [['Surrogate-Control: max-age=600'], 'private'],
  [['CDN-Cache-Control: max-age=600'], 'private', { status: 302, isRead: false }],
  [['Cache-Control: private, max-age=5', 'CDN-Cache-Control: max-age=600'], 'private, max-age=5'],
  [['Cache-Control: no-store', 'Surrogate-Control: max-age=600'], 'no-store'],
  [['Cache-Control: no-cache', 'CDN-Cache-Control: public'], 'private, no-cache'],
]);

await t.test('CACHE_FIELDS are the fields that the line stands in for', async (t) => {
  t.strictSame(
    [...CACHE_FIELDS].toSorted((a, b) => a - b),
    [FIELD.cacheControl, FIELD.cdnCacheControl, FIELD.surrogateControl],
  );
});

const DIRECTIVE = fc.constantFrom(
  'public',
  'max-age=60',
  's-maxage=60',
  'no-cache',
  'private="x-a"',
  'ext="public, x"',
  'must-revalidate',
  'immutable',
  'PRIVATE',
  'No-Store',
  '',
);
const CACHE_LINE = fc.oneof(
  fc.array(DIRECTIVE, { maxLength: 4 }).map((list) => `Cache-Control: ${list.join(', ')}`),
  fc.constantFrom('CDN-Cache-Control: max-age=5', 'Surrogate-Control: x', 'Expires: 0', 'Age: 1'),
);

/** RFC 9111 §3, said in words of its own: may a shared cache keep a response with these fields? */
function mayBeShared(lines: readonly string[], response: TestedResponse): boolean {
  if (lines.some((line) => /^(cdn-cache|surrogate)-control:/i.test(line))) return true;
  const given = lines
    .filter((line) => /^cache-control:/i.test(line))
    .join(',')
    .replaceAll(/="[^"]*"/g, '=_')
    .split(/[,:]/)
    .map((directive) => directive.trim().toLowerCase());
  if (given.includes('private') || given.includes('no-store')) return false;
  const isTimed =
    given.some((directive) => /^(public|max-age=.*|s-maxage=.*)$/.test(directive)) ||
    lines.some((line) => line.startsWith('Expires:'));
  return isTimed || (response.isRead === true && [200, 404].includes(response.status ?? 0));
}

await t.test('no response that gets a cookie may be kept by a shared cache', async (t) => {
  let changed = 0;
  fc.assert(
    fc.property(
      fc.array(CACHE_LINE, { maxLength: 4 }),
      fc.constantFrom(200, 201, 302, 404),
      fc.boolean(),
      (fields, status, isRead) => {
        const response = { status, isRead, fields };
        const control = controlOf(response);
        if (control === '') return !mayBeShared(fields, response);
        changed++;
        const left = fields.filter((line) => !/cache-control:|surrogate-control:/i.test(line));
        return !mayBeShared([...left, `Cache-Control: ${control}`], response);
      },
    ),
    { numRuns: RUNS },
  );
  t.ok(changed > RUNS / 4, `${changed} responses were changed`);
});
