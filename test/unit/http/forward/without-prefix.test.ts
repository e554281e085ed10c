// Path prefixes that targets are not sent.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { withoutPrefix } from '../../../../src/http/forward/without-prefix.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

const FIELDS = 'Host: shop.test\r\nx-a: /shop\r\n';

function sent(target: string): string {
  const head = withoutPrefix(`GET ${target} HTTP/1.1\r\n${FIELDS}\r\n`, '/shop', true);
  assert.ok(head.endsWith(` HTTP/1.1\r\n${FIELDS}X-Forwarded-Prefix: /shop\r\n\r\n`), head);
  return head.slice('GET '.length, head.indexOf(' HTTP/1.1'));
}

await t.test('the prefix is left out, and nothing else changes', async (t) => {
  const cases: Readonly<Record<string, string>> = {
    '/shop': '/',
    '/shop/': '/',
    '/shop?x=/shop': '/?x=/shop',
    '/shop/?x': '/?x',
    '/shop/a/b?c#': '/a/b?c#',
    '/shop/shop/a': '/shop/a',
    '/shop/a%2Fb/%2e%2e/': '/a%2Fb/%2e%2e/',
    '/shop/%2Fevil.test': '/%2Fevil.test',
    '/shop//evil.test/a//b': '/evil.test/a//b',
    '/shop////': '/',
    '/shop/a?//b': '/a?//b',
    'http://shop.test/shop': 'http://shop.test/',
    'http://shop.test/shop?x': 'http://shop.test/?x',
    'HTTPS://shop.test:1/shop//a/b': 'HTTPS://shop.test:1/a/b',
  };
  for (const [target, expected] of Object.entries(cases)) t.equal(sent(target), expected);
});

await t.test('a target need not be told', async (t) => {
  const head = `GET /shop/a HTTP/1.1\r\n${FIELDS}\r\n`;
  t.equal(withoutPrefix(head, '/shop', false), `GET /a HTTP/1.1\r\n${FIELDS}\r\n`);
});

await t.test('what is sent is a path that begins with one slash', async () => {
  const rest = fc.oneof(fc.stringMatching(/^\/[/!-"$-~]{0,20}$/), fc.constant(''));
  fc.assert(
    fc.property(rest, (tail) => {
      const path = sent(`/shop${tail}`);
      assert.match(path, /^\/(?!\/)/);
      assert.equal(path.slice(1), tail.replace(/^\/+/, ''));
    }),
    { numRuns: RUNS },
  );
});
