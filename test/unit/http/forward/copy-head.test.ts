// A copied head is the head without the lines that end at this hop, and without what was cut.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { takeCookies } from '../../../../src/http/forward/cookies.ts';
import { dropTable, isNamed, lineEnd } from '../../../../src/http/forward/copy-head.ts';
import { FIELD } from '../../../../src/http/grammar/field-kind.ts';
import { OwnCookies } from '../../../../src/http/forward/own-cookies.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import { copiedText, responseWith, parsedRequest, requestWith } from '../../../support/heads.ts';
import { naiveCopy, type IsOwn } from '../../../support/naive-head.ts';

const OWN = new OwnCookies({ prefix: 'turnout-test', names: ['turnout'], formerNames: [] });
const isOwn: IsOwn = ({ name }) => name === 'turnout' || name === '__Host-turnout';
const IGNORE = { onCookie(): void {} };
/** The tables of src/http/forward/forwarding.ts and src/data-plane/exchange/response-relay.ts are made of such parts. */
const DROPPED = dropTable([
  FIELD.xTurnout,
  FIELD.lookalike,
  FIELD.xForwardedFor,
  FIELD.cacheControl,
]);

/** Says of a name in lower case, by other means, what DROPPED says. */
function isDropped(name: string): boolean {
  const hopByHop =
    /^(connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade|http2-settings)$/;
  const isLookalike = /^x[-_]forwarded[-_](for|proto|host)$/.test(name) && name.includes('_');
  return (
    hopByHop.test(name) ||
    isLookalike ||
    /^x[-_]turnout[-_]/.test(name) ||
    name === 'x-forwarded-for' ||
    name === 'cache-control'
  );
}

const NAME = fc.constantFrom(
  ...'Cookie Cookie cookie COOKIE Accept x-a X-A X-B Cache-Control Via Expect Content-Type'.split(
    ' ',
  ),
  ...'Keep-Alive Proxy-Connection TE Upgrade HTTP2-Settings X-Forwarded-For X-Forwarded-Proto'.split(
    ' ',
  ),
  ...'X_Forwarded_For X-Forwarded_Proto X-Turnout-Color x_turnout_x X-Turnout Set-Cookie2'.split(
    ' ',
  ),
);
const VALUE = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.constantFrom('turnout=x', '__Host-turnout=y', 'a=1', 'b', '', 'turnout', '=', '\xfc=\t'),
        { maxLength: 5 },
      )
      .chain((pairs) =>
        fc.constantFrom('; ', ';', ';;', ' ; ').map((separator) => pairs.join(separator)),
      ),
  },
  fc.constantFrom('', ' ', 'websocket', 'text/html, */*', '\t x \t'),
);
const LINE = fc
  .tuple(NAME, fc.constantFrom(':', ': ', ':\t'), VALUE)
  .map((parts) => parts.join(''));
const CONNECTION = fc
  .array(
    fc.constantFrom('close', 'keep-alive', 'upgrade', 'cookie', 'Cookie', 'x-a', 'X-B', 'accept'),
    { maxLength: 4 },
  )
  .map((options) => `Connection: ${options.join(', ')}`);
const LINES = fc.array(
  fc.oneof({ weight: 6, arbitrary: LINE }, { weight: 1, arbitrary: CONNECTION }),
  { maxLength: 10 },
);

await t.test('a copied head is what plain reading leaves of it', async () => {
  fc.assert(
    fc.property(LINES, LINES, fc.boolean(), (before, after, hasCuts) => {
      const lines = [...before, 'Host: shop.test', ...after];
      const head = parsedRequest('GET /a?b HTTP/1.1\r\n', lines);
      if (hasCuts) takeCookies(head, OWN, IGNORE);
      const rules = { isOwn: hasCuts ? isOwn : () => false, isDropped };
      assert.equal(
        copiedText(head, head.start, head.end - 2, DROPPED),
        `GET /a?b HTTP/1.1\r\n${naiveCopy(lines, rules)}`,
      );
    }),
    { numRuns: RUNS },
  );
});

await t.test('a copy may leave out the first line and take bytes behind the head', async (t) => {
  const head = requestWith(['Cookie: turnout=x', 'X-A: 1', 'Cookie: a=1; turnout=x']);
  takeCookies(head, OWN, IGNORE);
  t.equal(
    copiedText(head, head.fieldsStart, head.end + 6, DROPPED),
    'Host: shop.test\r\nX-A: 1\r\nCookie: a=1\r\n\r\nCookie',
  );
});

await t.test('cuts at both ends of a head are left out too', async (t) => {
  const head = parsedRequest('GET / HTTP/1.1\r\n', [
    'Cookie: turnout=x',
    'Host: shop.test',
    'Cookie: turnout=x',
  ]);
  takeCookies(head, OWN, IGNORE);
  t.equal(
    copiedText(head, head.start, head.end, DROPPED),
    'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  );
});

await t.test('cuts of one head do not reach into the next', async (t) => {
  const head = requestWith(['Cookie: turnout=x']);
  takeCookies(head, OWN, IGNORE);
  const next = `GET / HTTP/1.1\r\nHost: a\r\nCookie: turnout=${'x'.repeat(200)}\r\n\r\n`;
  const bytes = Buffer.from(next, 'latin1');
  const end = head.parse(bytes, 0, bytes.length);
  t.equal(copiedText(head, 0, end, DROPPED), next);
});

await t.test('dropTable drops what ends at this hop, but keeps what it is told to', async (t) => {
  const head = responseWith(101, ['Upgrade: websocket', 'Keep-Alive: timeout=5', 'X-A: 1']);
  const copied = (kept: readonly number[]): string =>
    copiedText(head, head.fieldsStart, head.end - 2, dropTable([], kept));
  t.equal(copied([]), 'X-A: 1\r\n');
  t.equal(copied([FIELD.upgrade]), 'Upgrade: websocket\r\nX-A: 1\r\n');
});

await t.test('lineEnd and isNamed speak of one line', async (t) => {
  const head = requestWith(['Connection: x-a', 'X-A: 1', 'X-B: 2']);
  t.equal(lineEnd(head, 2), head.lines.nameStart(3), 'a line ends where the next begins');
  t.equal(lineEnd(head, 3), head.end - 2, 'the last one before the empty line');
  t.strictSame(
    [0, 1, 2, 3].map((line) => isNamed(head, line)),
    [false, false, true, false],
  );
});
