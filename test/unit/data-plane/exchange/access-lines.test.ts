// The lines of the access log: their fields by format, what is left out of them, and that no request can
// make two lines of one, or end a quote.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import {
  droppedLine,
  entryOf,
  lineOf,
  type AccessEntry,
} from '../../../../src/data-plane/exchange/access-lines.ts';
import { fieldIn, pathIn, queryOf } from '../../../../src/data-plane/exchange/request-text.ts';
import { refusalFor } from '../../../../src/data-plane/routing/responses/refusal.ts';
import type { AccessLogPolicy } from '../../../../src/contract/worker-settings.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import { OK } from '../support/exchange-texts.ts';
import { ExchangeWorld, type WorldOptions } from '../support/exchange-world.ts';

const POLICY: AccessLogPolicy = { mode: 'all', oneIn: 1, format: 'json', query: false };
const IDS = { field: 'x-request-id', traces: 'continue', newTraces: 'sampled' } as const;
const ASKED =
  'GET /shop/cart?id=7&token=s3cr3t HTTP/1.1\r\nHost: shop.test:8080\r\n' +
  'User-Agent: Mozilla/5.0 "x"\r\nReferer: http://a.test/page?code=s3cr3t&b=1\r\nCookie: a=s3cr3t\r\n\r\n';

/** Returns what is logged of a request that was answered. */
function logged(
  policy: Partial<AccessLogPolicy> = {},
  { asked = ASKED, ...options }: WorldOptions & { readonly asked?: string } = {},
): AccessEntry {
  const world = new ExchangeWorld({ patch: { ids: IDS }, ...options }).asks(asked);
  world.target?.opens();
  world.target?.says(OK);
  assert.ok(world.exchange.isOver);
  return entryOf(world.exchange, 12.3456, { ...POLICY, ...policy });
}

function parsed(entry: AccessEntry, format: AccessLogPolicy['format']): Record<string, unknown> {
  const line = lineOf(entry, format);
  assert.match(line, /^[^\n\r]*\n$/);
  return JSON.parse(line) as Record<string, unknown>;
}

await t.test('a line says who asked for what, and what became of it', async (t) => {
  const entry = logged();
  const line = parsed(entry, 'json');
  t.match(line, {
    kind: 'access',
    client: '192.0.2.1',
    protocol: 'HTTP/1.1',
    method: 'GET',
    host: 'shop.test:8080',
    path: '/shop/cart',
    userAgent: 'Mozilla/5.0 "x"',
    status: 200,
    requestId: /^[0-9a-f]{32}$/,
    traceId: /^[0-9a-f]{32}$/,
    spanId: /^[0-9a-f]{16}$/,
    service: 'default',
    color: 'blue',
    reason: 'active',
    target: /^http:/,
    ms: 12.346,
    retries: 0,
  });
  t.ok(Number(line['firstByteMs']) > 0);
  t.notMatch(JSON.stringify(line), 's3cr3t');
  t.notOk('query' in line || 'referrer' in line || 'failure' in line);
});

await t.test('the names of the Elastic Common Schema', async (t) => {
  t.match(parsed(logged({ format: 'ecs' }), 'ecs'), {
    '@timestamp': /Z$/,
    'ecs.version': '8.11.0',
    'event.dataset': 'turnout.access',
    'event.duration': 12_346_000,
    'event.outcome': 'success',
    'client.ip': '192.0.2.1',
    'http.version': '1.1',
    'http.request.method': 'GET',
    'http.request.id': /^[0-9a-f]{32}$/,
    'http.response.status_code': 200,
    'url.path': '/shop/cart',
    'url.domain': 'shop.test:8080',
    'user_agent.original': 'Mozilla/5.0 "x"',
    'trace.id': /^[0-9a-f]{32}$/,
    'span.id': /^[0-9a-f]{16}$/,
    'service.name': 'default',
    'turnout.color': 'blue',
  });
  const refused = parsed({ client: 'unknown', status: 400, failure: 'BAD_REQUEST' }, 'ecs');
  t.match(refused, { 'event.outcome': 'failure', 'error.code': 'BAD_REQUEST' });
  t.notOk('client.ip' in refused, 'a Unix socket has no address');
});

await t.test('the combined format is that of Apache', async (t) => {
  const line = lineOf(logged({ format: 'combined' }), 'combined');
  t.match(
    line,
    /^192\.0\.2\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/shop\/cart HTTP\/1\.1" 200 \d+ "http:\/\/a\.test\/page" "Mozilla\/5\.0 \\"x\\""\n$/,
  );
  const refused = lineOf(
    { client: 'unknown', status: 408, failure: 'REQUEST_TIMEOUT' },
    'combined',
  );
  t.match(refused, /^- - - \[[^\]]+\] "-" 408 - "-" "-"\n$/);
});

await t.test('queries are logged where that is asked for, secrets never', async (t) => {
  t.equal(parsed(logged({ query: true }), 'json')['query'], 'id=7&token=***');
  const combined = lineOf(logged({ format: 'combined', query: true }), 'combined');
  t.match(combined, '"GET /shop/cart?id=7&token=*** HTTP/1.1"');
  t.match(combined, '"http://a.test/page?code=***&b=1"');
  t.equal(
    queryOf('/?a=1&Access_Token=x&api-key=x&X-Amz-Signature=x&pwd=x&code=&sid=x&q=token&b&=c'),
    'a=1&Access_Token=***&api-key=***&X-Amz-Signature=***&pwd=***&code=***&sid=***&q=token&b&=c',
  );
  t.equal(queryOf('/?'), '');
  t.equal(queryOf('/'), undefined);
});

await t.test('where no target was asked, no release is named', async (t) => {
  const refusal = refusalFor('MAINTENANCE');
  const closed = logged({}, { decided: { verdict: 'refuse', refusal } });
  t.match(closed, {
    status: 503,
    service: 'default',
    failure: 'MAINTENANCE',
    host: 'shop.test:8080',
  });
  const nowhere = logged({}, { decided: { service: undefined }, blue: [] });
  t.match(nowhere, { status: 404, failure: 'NO_ROUTE' });
  for (const entry of [closed, nowhere]) {
    t.strictSame(
      [entry.color, entry.release, entry.generation, entry.reason, entry.target],
      [undefined, undefined, undefined, undefined, undefined],
    );
    t.match(entry.requestId, /^[0-9a-f]{32}$/);
    t.notMatch(lineOf(entry, 'json'), 's3cr3t');
  }
});

await t.test('a line has a bounded length', async (t) => {
  const long = 'x'.repeat(20_000);
  const asked = `GET /${long}?q=${long} HTTP/1.1\r\nHost: a\r\nUser-Agent: ${long}\r\nReferer: ${long}\r\n\r\n`;
  const world = new ExchangeWorld({ patch: { ids: IDS } });
  const entry = {
    ...logged(),
    ...entryOf(
      Object.assign(Object.create(world.asks(ASKED).exchange) as typeof world.exchange, {
        request: { head: asked, bytes: 0 },
      }),
      1,
      { ...POLICY, format: 'combined', query: true },
    ),
  };
  for (const format of ['json', 'ecs', 'combined'] as const) {
    t.ok(lineOf(entry, format).length < 6_500, format);
  }
});

await t.test('fields are found by their names alone', async (t) => {
  const head =
    'GET /a b HTTP/1.1\r\nX-Host: no\r\nHOST:  a.test \r\nhost: second\r\n\r\nhost: body';
  t.equal(fieldIn(head, 'host'), 'a.test');
  t.equal(fieldIn(head, 'user-agent'), undefined);
  t.equal(fieldIn('GET /', 'host'), undefined);
  t.equal(pathIn('GET /a?b=c HTTP/1.1\r\n'), '/a');
});

/** What a combined line is, read as log tools read it. */
const COMBINED =
  /^(?<client>\S+) - - \[(?<time>[^\]]+)\] "(?<request>(?:[^"\\]|\\.)*)" (?<status>\d{3}) (?<bytes>\d+|-) "(?<referrer>(?:[^"\\]|\\.)*)" "(?<agent>(?:[^"\\]|\\.)*)"\n$/;

function unescaped(text: string): string {
  return text.replaceAll(/\\(x[0-9a-f]{2}|.)/g, (_, one: string) =>
    one.startsWith('x') ? String.fromCharCode(Number.parseInt(one.slice(1), 16)) : one,
  );
}

await t.test('no text of a client forges a line, or another field', async () => {
  const TEXT = fc.string({
    unit: fc.constantFrom(...'ab"\\ \r\n\t\0\x1b\x7f\x85\x9b\xff[]-x22'.split('')),
    maxLength: 40,
  });
  fc.assert(
    fc.property(TEXT, TEXT, TEXT, (path, userAgent, referrer) => {
      const entry = { client: '::1', status: 200, method: 'GET', version: '1.1' };
      const whole = {
        ...entry,
        path: `/${path}`,
        userAgent: `u${userAgent}`,
        referrer: `r${referrer}`,
      };
      const found = COMBINED.exec(lineOf(whole, 'combined'))?.groups;
      assert.ok(found !== undefined);
      assert.equal(unescaped(found['request']!), `GET /${path} HTTP/1.1`);
      assert.equal(unescaped(found['agent']!), `u${userAgent}`);
      assert.equal(unescaped(found['referrer']!), `r${referrer}`);
      for (const format of ['json', 'ecs'] as const) {
        const line = lineOf(whole, format);
        assert.match(line, /^[ -~\xa0-\xff]*\n$/, 'no control reaches a terminal');
        const told = JSON.parse(line) as Readonly<Record<string, unknown>>;
        assert.equal(told['path'] ?? told['url.path'], `/${path}`);
      }
    }),
    { numRuns: RUNS },
  );
});

await t.test('what is told of dropped lines is JSON', async (t) => {
  t.match(JSON.parse(droppedLine(3)), { level: 'warn', kind: 'access', dropped: 3 });
});
