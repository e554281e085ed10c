// Which paths an app may read in another way than they are written.

import t from 'tap';
import { isAmbiguousPath } from '../../../../src/data-plane/routing/ambiguous-path.ts';

const AMBIGUOUS = [
  '/assets/../debug',
  '/assets/..',
  '/assets/./a.js',
  '/.',
  '/assets/.../a.js',
  '/assets/%2e%2E/debug',
  '/assets/.%2e/debug',
  '/assets/..;/debug',
  '/assets/a.js;v=1',
  '/assets//a.js',
  '//assets/a.js',
  '/assets%2Fa.js',
  '/assets/%2fa.js',
  '/assets%5C..%5Cdebug',
  '/assets\\..\\debug',
];

await t.test('dots, doubled or encoded borders and parameters are ambiguous', async (t) => {
  for (const path of AMBIGUOUS) t.equal(isAmbiguousPath(path), true, path);
});

await t.test('dots inside of a name and other encoded bytes are not', async (t) => {
  for (const path of ['/', '/assets/a.js', '/a/..b/c', '/a/b../.c', '/a%20b/%2ex', '/a/b/']) {
    t.equal(isAmbiguousPath(path), false, path);
  }
});
