// Paths by pattern, next to what a regular expression makes of the same pattern.

import * as fc from 'fast-check';
import t from 'tap';
import { PathPatterns } from '../../../../../src/data-plane/routing/paths/path-patterns.ts';
import { RUNS } from '../../../../support/arbitrary-message.ts';

function check(
  name: string,
  patterns: readonly string[],
  cases: Readonly<Record<string, boolean>>,
): void {
  void t.test(name, async (t) => {
    const known = new PathPatterns(patterns);
    for (const [path, isMatch] of Object.entries(cases))
      t.equal(known.matches(path), isMatch, path);
  });
}

check('a pattern without a star is one path', ['/a.js'], {
  '/a.js': true,
  '/a.js/': false,
  '/a_js': false,
  '/b/a.js': false,
  '/': false,
});

check('a star stands for anything, also for nothing and for slashes', ['/assets/*'], {
  '/assets/': true,
  '/assets/a/b.js': true,
  '/assets': false,
  '/x/assets/': false,
});

check('what follows a star must end the path', ['/*.js'], {
  '/a.js': true,
  '/a/b.js': true,
  '/.js': true,
  '/a.js.map': false,
});

check('begin and end of a pattern do not share characters', ['/ab*ba'], {
  '/abba': true,
  '/abxba': true,
  '/aba': false,
  '/ab': false,
});

check('parts between stars come in their order and before the end', ['/*-*-*.css'], {
  '/a-b-c.css': true,
  '/--.css': true,
  '/a-bc.css': false,
  '/a-b.css-': false,
});

check('one of several patterns is enough', ['/a', '/b/*'], {
  '/a': true,
  '/b/': true,
  '/c': false,
});

check('without patterns nothing matches', [], { '/': false, '': false });

await t.test('isEmpty says that there are none', async (t) => {
  t.equal(new PathPatterns([]).isEmpty, true);
  t.equal(new PathPatterns(['/a']).isEmpty, false);
});

function few(characters: string, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...characters.split('')), maxLength });
}

await t.test('patterns mean what a regular expression says', async (t) => {
  let matches = 0;
  fc.assert(
    fc.property(few('ab.+*', 7), few('ab.+', 8), (pattern, path) => {
      const quoted = pattern.split('*').map((part) => part.replaceAll(/[.+]/g, '\\$&'));
      const expected = new RegExp(`^${quoted.join('.*')}$`).test(path);
      if (expected) matches++;
      return new PathPatterns([pattern]).matches(path) === expected;
    }),
    { numRuns: 5 * RUNS },
  );
  t.ok(matches > RUNS / 4, `${matches} matched`);
});

await t.test('the worst pattern costs no more than path times pattern', async (t) => {
  // Backtracking over four stars would take far longer than any test may.
  const path = '/'.padEnd(8_000, 'a');
  t.equal(new PathPatterns(['/*a*a*a*b']).matches(path), false);
  t.equal(new PathPatterns([`/*${'a'.repeat(200)}b*${'a'.repeat(200)}b*x`]).matches(path), false);
});
