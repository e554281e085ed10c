// Which paths an app may read in another way than they are written.

import t from 'tap';
import { isAmbiguousPath } from '../../../../../src/data-plane/routing/paths/ambiguous-path.ts';

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
  '/assets/..%20/debug',
  '/assets/%2e%2e%00/debug',
  '/debug%00a.js',
  '/debug#a.js',
  '/debug%23a.js',
  '/debug%3Fa.js',
  '/debug%3Ba.js',
  '/assets/a%7F.js',
  '/assets/a%0d%0a.js',
  // Decoded twice.
  '/assets/%252e%252e/debug',
  '/assets/%%32e%%32e/debug',
  '/assets/%2%65%2%65/debug',
  '/assets/..%252fdebug',
  '/assets/100%',
  '/assets/%4',
  '/assets/%zz.js',
  // One character in two bytes.
  '/assets/%c0%ae%C0%AE/debug',
  '/assets/..%c1%9cdebug',
  '/assets/..%C0%AFdebug',
  // One character in three and four bytes.
  '/assets/%e0%80%ae%e0%80%ae/debug',
  '/assets/..%E0%80%AFdebug',
  '/assets/%f0%80%80%ae./debug',
  // In the form of UTF-16 that IIS knew.
  '/assets/%u002e%u002e/debug',
  '/assets/..%u2215debug',
  // Other dots and slashes.
  '/assets/%ef%bc%8e%ef%bc%8e/debug',
  '/assets/%E2%80%A5/debug',
  '/assets/..%ef%bc%8fdebug',
  '/assets/..%e2%88%95debug',
  '/assets/..%ef%bc%bcdebug',
  // Nothing stands for something.
  '/assets/..%00/debug',
  '/assets%00/../debug',
  '/assets/a.js%00',
  '/assets/.%00./debug',
];

await t.test('dots, borders, parameters and what may become one are ambiguous', async (t) => {
  for (const path of AMBIGUOUS) t.equal(isAmbiguousPath(path), true, path);
});

await t.test('dots inside of a name and other encoded bytes are not', async (t) => {
  const plain = ['/', '/assets/a.js', '/a/..b/c', '/a/b../.c', '/a%20b/%2ex', '/a/b/'];
  const encoded = [
    '/%C3%A9',
    '/%E2%82%AC.js',
    '/%e0%a4%a8.js',
    '/%f0%9f%98%80',
    '/%ef%bc%a1',
    '/%5Bid%5D',
    '/%41',
    '/a%7e',
    '/%fe%FF',
  ];
  for (const path of [...plain, ...encoded, '/[id]-1|2^3"{x}.js', '/\u00e9']) {
    t.equal(isAmbiguousPath(path), false, path);
  }
});
