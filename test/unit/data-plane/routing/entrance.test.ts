// Links that the proxy gives: to https, and to the canonical host. Whatever a client asks, they lead to a
// host of ours.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { RUNS } from '../../../support/arbitrary-message.ts';
import { clientOf, Deciding, type Asking, type Outcome } from '../../../support/deciding.ts';

const HOSTS = ['shop.test', '*.wild.test', '[2001:db8::1]', 'www.shop.test'];
const HTML = 'Accept: text/html';
const FROM_HTTPS = 'X-Forwarded-Proto: https';

const REDIRECTING = new Deciding(
  {},
  { hosts: HOSTS },
  { hasCertificateFor: (host) => host === 'certified.test' },
);
const CANONICAL = new Deciding({ edge: { canonicalHost: 'www.shop.test' }, healthPath: '/up' });

function redirected(asking: Asking, fields: readonly string[] = [], port = 443): Outcome {
  return REDIRECTING.ask(fields, { client: clientOf({ redirectPort: port }), ...asking });
}

function canonical(asking: Asking, fields: readonly string[] = []): Outcome {
  return CANONICAL.ask(fields, asking);
}

await t.test('a listener for redirects sends each request to the same at https', async (t) => {
  const cases: readonly (readonly [asking: Asking, location: string])[] = [
    [{}, 'https://shop.test/'],
    [{ target: '/a?b=c&d' }, 'https://shop.test/a?b=c&d'],
    [{ method: 'POST', target: '/a' }, 'https://shop.test/a'],
    [{ method: 'OPTIONS', target: '*' }, 'https://shop.test/'],
    [{ host: 'SHOP.Test.' }, 'https://shop.test/'],
    [{ host: 'shop.test:8080' }, 'https://shop.test/'],
    [{ host: 'a.b.wild.test' }, 'https://a.b.wild.test/'],
    [{ host: '[2001:DB8::1]:80' }, 'https://[2001:db8::1]/'],
    [{ host: 'certified.test' }, 'https://certified.test/'],
    [{ target: 'http://shop.test' }, 'https://shop.test/'],
    [{ target: 'http://shop.test?a' }, 'https://shop.test/?a'],
    [{ target: 'http://shop.test/a//b?c' }, 'https://shop.test/a//b?c'],
    [{ target: '//evil.test/' }, 'https://shop.test//evil.test/'],
    [{ target: '/\\evil.test' }, 'https://shop.test/\\evil.test'],
    [{ target: '/@evil.test' }, 'https://shop.test/@evil.test'],
    [{ target: '/%0d%0aSet-Cookie:a' }, 'https://shop.test/%0d%0aSet-Cookie:a'],
  ];
  for (const [asking, location] of cases) {
    t.match(redirected(asking), { verdict: 'respond', location, to: 'nowhere' }, location);
  }
  t.match(redirected({}, [], 8_443), { location: 'https://shop.test:8443/' });
});

await t.test('hosts that are not ours are sent nowhere', async (t) => {
  const hosts = ['', 'evil.test', 'shop.test.evil.test', 'wild.test', 'evil.test%2f.wild.test'];
  for (const host of [...hosts, "a'b.wild.test", '[::1]']) {
    const outcome = redirected({ host });
    t.match(outcome, { verdict: 'refuse', refusal: { code: 'NO_ROUTE' }, location: '' }, host);
  }
  t.match(redirected({ host: 'shop.test', target: 'http://shop.test/' }), { verdict: 'respond' });
});

await t.test('links lead to the host that was checked, whatever the target is', async () => {
  const path = fc.stringMatching(/^\/[!-"$-~]{0,30}$/);
  const nasty = fc.constantFrom('//evil.test', '/\\evil.test', '/@evil.test', '/..//', '/?//');
  const target = fc.oneof(
    path,
    nasty,
    path.map((rest) => `http://shop.test${rest}`),
  );
  const listeners = [redirected, canonical];
  fc.assert(
    fc.property(target, fc.nat(1), fc.boolean(), (asked, index, isHttps) => {
      const client = clientOf({ isSecure: isHttps, redirectPort: index === 0 ? 443 : undefined });
      const { location } = listeners[index]!({ target: asked, client });
      if (index === 0 && isHttps) assert.equal(location, '');
      else {
        const host = index === 0 ? 'shop.test' : 'www.shop.test';
        assert.equal(new URL(location).host, host);
        assert.ok(location.startsWith(`http${index === 0 || isHttps ? 's' : ''}://${host}/`));
        assert.match(location, /^[!-~]+$/);
      }
    }),
    { numRuns: RUNS },
  );
});

await t.test('an ACME authority is answered before it is sent on', async (t) => {
  const entrance = {
    hasChallenges: true,
    answerFor: (token: string) => (token === 'abc' ? 'abc.key' : undefined),
  };
  const deciding = new Deciding({ edge: { canonicalHost: 'www.shop.test' } }, {}, entrance);
  const target = '/.well-known/acme-challenge/abc';
  for (const client of [clientOf(), clientOf({ redirectPort: 443 })]) {
    t.match(deciding.ask([], { target, client }), { verdict: 'respond', body: 'abc.key' });
    const foreign = deciding.ask([], { target, client, host: 'other.test' });
    t.equal(foreign.body, 'abc.key', 'whichever name it looks for');
  }
  t.equal(deciding.ask([], { target: `${target}d` }).to, 'active', 'a token of the app is its own');
});

await t.test('a client that has come by https is served, so that there is no circle', async (t) => {
  const redirectPort = 443;
  const told = redirected({ client: clientOf({ isProxy: true, redirectPort }) }, [FROM_HTTPS]);
  t.match(told, { verdict: 'forward', to: 'active' }, 'by the word of a trusted proxy');
  const plain = clientOf({ isProxy: true, redirectPort });
  t.equal(redirected({ client: plain }, ['X-Forwarded-Proto: http']).verdict, 'respond');
  t.equal(redirected({ client: plain }).verdict, 'respond');
  const untrusted = redirected({ client: clientOf({ redirectPort }) }, [FROM_HTTPS]);
  t.equal(untrusted.verdict, 'respond', 'what another client says is not believed');
  const balanced = redirected({ client: clientOf({ isSecure: true, redirectPort }) });
  t.equal(balanced.verdict, 'forward', 'by its PROXY header');
});

await t.test('other hosts of a service are sent to the canonical one', async (t) => {
  const secure = clientOf({ isSecure: true });
  const proxy = clientOf({ isProxy: true });
  const cases: readonly (readonly [Asking, string, (readonly string[])?])[] = [
    [{ target: '/a?b' }, 'http://www.shop.test/a?b'],
    [{ method: 'POST', target: '/a' }, 'http://www.shop.test/a'],
    [{ target: 'http://shop.test/a' }, 'http://www.shop.test/a'],
    [{ client: secure }, 'https://www.shop.test/'],
    [{ client: proxy }, 'https://www.shop.test/', [FROM_HTTPS]],
    [{ host: 'shop.test:8080' }, 'http://www.shop.test:8080/'],
    [{ host: 'shop.test:80' }, 'http://www.shop.test/'],
    [{ host: 'shop.test:443', client: secure }, 'https://www.shop.test/'],
    [{ host: '[::1]:8080' }, 'http://www.shop.test:8080/'],
    [{ client: proxy, host: 'inside' }, 'http://www.shop.test:81/', ['X-Forwarded-Host: a:81']],
    [{ target: '/up' }, 'http://www.shop.test/up', [HTML]],
    [{ method: 'POST', target: '/up' }, 'http://www.shop.test/up'],
  ];
  for (const [asking, location, fields] of cases) {
    t.match(canonical(asking, fields), { verdict: 'respond', location }, location);
  }
});

await t.test('what must be answered at any host is', async (t) => {
  const proxy = clientOf({ isProxy: true });
  const cases: readonly (readonly [what: string, Asking, (readonly string[])?])[] = [
    ['the canonical host', { host: 'WWW.Shop.test.' }],
    ['with a port', { host: 'www.shop.test:8080' }],
    ['no host', { host: '' }],
    ['a health check', { target: '/up', host: '10.0.0.1' }],
    ['a challenge of ACME', { target: '/.well-known/acme-challenge/a' }],
    [
      'a proxy that sends another host on',
      { host: 'inside', client: proxy },
      ['X-Forwarded-Host: www.shop.test, inside'],
    ],
  ];
  for (const [what, asking, fields] of cases) {
    t.match(canonical(asking, fields), { verdict: 'forward', to: 'active', location: '' }, what);
  }
  const preview = canonical({ client: clientOf({ isPreview: true }), host: 'idle.test' });
  t.match(preview, { verdict: 'forward', to: 'idle' }, 'the preview listener');
});

await t.test('https and the canonical host are one hop', async (t) => {
  const hosts = ['shop.test', 'www.shop.test'];
  const policy = { edge: { canonicalHost: 'www.shop.test' }, healthPath: '/up' };
  const deciding = new Deciding(policy, { hosts });
  const ask = (asking: Asking, port = 443): string =>
    deciding.ask([], { client: clientOf({ redirectPort: port }), ...asking }).location;
  t.equal(ask({ host: 'shop.test:80', target: '/a' }), 'https://www.shop.test/a');
  t.equal(ask({ host: 'shop.test' }, 8_443), 'https://www.shop.test:8443/');
  t.equal(ask({ host: 'www.shop.test' }), 'https://www.shop.test/');
  t.equal(ask({ host: 'evil.test' }), '');
  t.equal(ask({ target: '/up' }), 'https://shop.test/up');
});

await t.test('the canonical host comes before maintenance', async (t) => {
  const maintenance = { message: '', retryAfterSeconds: 9 };
  const deciding = new Deciding({ edge: { canonicalHost: 'www.shop.test' } }, { maintenance });
  t.equal(deciding.ask([]).location, 'http://www.shop.test/');
  t.match(deciding.ask([], { host: 'www.shop.test' }), { refusal: { code: 'MAINTENANCE' } });
});
