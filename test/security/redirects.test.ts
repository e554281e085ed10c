// Clients that try to make of the listener for redirects, and of the canonical host, a link to a host of
// theirs or a circle; and what looks like the path of an ACME proof. Against a process with two workers.

import t from 'tap';
import { HOST, openEdge } from '../e2e/edge-scene.ts';
import { skipWithout } from '../support/installed.ts';
import { scriptedAuthority } from '../support/scripted-authority.ts';
import { pki } from '../unit/control-plane/support/pki.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');
const V4 = '192.0.2.7';
const CANONICAL = `www.${HOST}`;

/** Hosts that lead nowhere. */
const EVIL_HOSTS = [
  'evil.test',
  'shop.test.evil.test',
  'evil.test/shop.test',
  'evil.test#shop.test',
  'evil.test?shop.test',
  'evil.test\\shop.test',
  'shop.test@evil.test',
  'shop.test:80@evil.test',
  'evil.test:80#@shop.test',
  'shop.test:evil.test',
  'shop.test:99999',
  'shop.test:-1',
  'shop.test: 80',
  'shop.test,evil.test',
  'shop.test, evil.test',
  'shop.test evil.test',
  'shop.test\tevil.test',
  'shop.test%00.evil.test',
  'shop.test%2eevil.test',
  '%65vil.test',
  'shop.test..',
  '.shop.test',
  'xn--.test',
  '[::1]',
  '[::1%25eth0]',
  '[evil.test]',
  '[::ffff:192.0.2.9]',
  '2130706433',
  'a.b.wild.test',
  'wild.test',
  '*.wild.test',
  '.wild.test',
  "a'.wild.test",
  'a<b>.wild.test',
  'a".wild.test',
  'a(b).wild.test',
  'a;b.wild.test',
  'a&b.wild.test',
  '\xe9.wild.test',
  '',
];

/** Heads, and where they lead on the listener for redirects. */
const HEADS: readonly (readonly [head: string, location: string | undefined])[] = [
  ['GET / HTTP/1.0', undefined],
  ['GET /a?b HTTP/1.1\r\nHost: SHOP.test.', `https://${CANONICAL}/a?b`],
  ['GET / HTTP/1.1\r\nHost: shop.test:8080', `https://${CANONICAL}/`],
  ['GET / HTTP/1.1\r\nHost: WWW.shop.test.:8080', `https://${CANONICAL}/`],
  [`GET / HTTP/1.1\r\nHost: ${V4}:80`, `https://${V4}/`],
  ['GET / HTTP/1.1\r\nHost: [2001:DB8::7]:80', 'https://[2001:db8::7]/'],
  ['GET //evil.test HTTP/1.1\r\nHost: shop.test', `https://${CANONICAL}//evil.test`],
  ['GET /\\evil.test HTTP/1.1\r\nHost: shop.test', `https://${CANONICAL}/\\evil.test`],
  ['GET /%0d%0aa:b HTTP/1.1\r\nHost: shop.test', `https://${CANONICAL}/%0d%0aa:b`],
  [
    'GET http://shop.test//evil.test HTTP/1.1\r\nHost: shop.test',
    `https://${CANONICAL}//evil.test`,
  ],
  [
    'GET http://shop.test?@evil.test HTTP/1.1\r\nHost: shop.test',
    `https://${CANONICAL}/?@evil.test`,
  ],
  ['GET http://shop.test/ HTTP/1.1\r\nHost: evil.test', undefined],
  ['GET http:///evil.test HTTP/1.1\r\nHost: shop.test', undefined],
  ['GET http:/evil.test HTTP/1.1\r\nHost: shop.test', undefined],
  ['GET javascript://shop.test/%0aalert(1) HTTP/1.1\r\nHost: shop.test', undefined],
  ['GET http://user@shop.test/ HTTP/1.1\r\nHost: shop.test', undefined],
  ['GET @evil.test/ HTTP/1.1\r\nHost: shop.test', undefined],
  ['GET /a#b HTTP/1.1\r\nHost: shop.test', undefined],
  ['GET /a\tb HTTP/1.1\r\nHost: shop.test', undefined],
  ['CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443', undefined],
  ['OPTIONS * HTTP/1.1\r\nHost: shop.test', `https://${CANONICAL}/`],
  ['POST /p?q HTTP/1.1\r\nContent-Length: 0\r\nHost: shop.test', `https://${CANONICAL}/p?q`],
  [
    'GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.test;proto=https',
    `https://${CANONICAL}/`,
  ],
];

const PROOF = '/.well-known/acme-challenge/';

await t.test('links of a running process', { skip }, async (t) => {
  const { issue, write } = pki(t);
  const own = issue(HOST, { names: `DNS:${HOST},IP:${V4},IP:2001:db8::7` });
  const authority = await scriptedAuthority(t, 'ordered.test');
  // It is told that the proof is there, and never says what it has found.
  authority.instead('challenge', () => {});
  const certificates = [{ cert: own.cert, key: own.key }];
  const scene = await openEdge(
    t,
    { secure: { tls: { certificates, acme: true } }, redirect: { redirect: 443 }, plain: {} },
    {
      hosts: [HOST, CANONICAL, '*.wild.test'],
      service: { canonicalHost: CANONICAL },
      more: {
        acme: {
          domains: ['ordered.test'],
          email: 'ops@shop.test',
          ca: authority.directory,
          caFile: write('authority.pem', authority.trusted),
          challenge: 'http-01',
        },
      },
    },
  );
  await authority.until('challenge');
  const ask = async (at: 'redirect' | 'plain' | 'secure', head: string): Promise<string> =>
    scene.ask(at, `${head}\r\nConnection: close\r\n\r\n`, at === 'secure' ? {} : undefined);

  await t.test('no host of a client becomes one', async (t) => {
    for (const host of EVIL_HOSTS) {
      for (const head of [
        `GET / HTTP/1.1\r\nHost: ${host}`,
        `GET http://${host}/ HTTP/1.1\r\nHost: ${HOST}`,
        `GET / HTTP/1.0\r\nHost: ${host}`,
        `GET / HTTP/1.1\r\nHost: ${HOST}\r\nHost: ${host}`,
      ]) {
        for (const at of ['redirect', 'plain'] as const) {
          const text = await ask(at, head);
          const location = locationIn(text);
          // A wildcard of a service is for more than a link may hold: then it is the canonical host.
          if (location === undefined) t.match(text, /^HTTP\/1\.1 40[04] /, `${at} ${head}`);
          else t.match(location, /^https?:\/\/www\.shop\.test\/$/, `${at} ${head}`);
        }
      }
    }
  });

  await t.test('path and query go on, and nothing else', async (t) => {
    for (const [head, location] of HEADS) {
      const text = await ask('redirect', head);
      t.equal(locationIn(text), location, head);
      t.match(text, location === undefined ? /^HTTP\/1\.1 (?:40[04]|501) / : /^HTTP\/1\.1 308 /);
      t.equal(text.split('\r\n\r\n').length, 2, 'one response');
      for (const at of ['plain', 'secure'] as const) {
        const link = locationIn(await ask(at, head)) ?? `http://${CANONICAL}`;
        t.match(link, /^https?:\/\/www\.shop\.test(?::\d+)?(?:\/|$)/, `${at} ${head}`);
      }
    }
  });

  await t.test('the canonical host leads nowhere further', async (t) => {
    for (const host of [CANONICAL, 'WWW.SHOP.TEST', `${CANONICAL}.`, `${CANONICAL}:1234`]) {
      for (const at of ['plain', 'secure'] as const) {
        t.match(await ask(at, `GET / HTTP/1.1\r\nHost: ${host}`), /^HTTP\/1\.1 200 /);
      }
    }
  });

  await t.test('a proof is for its very path, and in the clear', async (t) => {
    for (const host of ['ordered.test', HOST, 'evil.test']) {
      for (const at of ['redirect', 'plain'] as const) {
        const head = `GET ${PROOF}token HTTP/1.1\r\nHost: ${host}`;
        t.match(await ask(at, head), /^HTTP\/1\.1 200 [^]*\r\n\r\ntoken\.[\w-]{43}$/, at);
      }
    }
    for (const path of [
      PROOF,
      `${PROOF}%74oken`,
      `${PROOF}./token`,
      `${PROOF}../acme-challenge/token`,
      `${PROOF}token/`,
      `${PROOF}token%00`,
      `${PROOF}Token`,
      `${PROOF}__proto__`,
      `${PROOF}${'token'.repeat(1_000)}`,
      `/${PROOF}token`,
    ]) {
      for (const at of ['redirect', 'plain', 'secure'] as const) {
        const text = await ask(at, `GET ${path} HTTP/1.1\r\nHost: ${HOST}`);
        t.notMatch(text, /\r\n\r\ntoken\./, `${at} ${path.slice(0, 60)}`);
      }
    }
    const head = `GET ${PROOF}token HTTP/1.1\r\nHost: ${HOST}`;
    t.notMatch(await ask('secure', head), /\r\n\r\ntoken\./);
  });
});

function locationIn(text: string): string | undefined {
  return /^location: ([^\r]*)\r$/im.exec(text)?.[1];
}
