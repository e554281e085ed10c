// What a client may claim about itself: nothing, unless it is a trusted peer. And what reaches the
// target untouched, because rewriting it would make room for a second reading.

import t from 'tap';
import {
  responseTo,
  withNodeTarget,
  type NodeTarget,
  type Reading,
} from '../support/node-target.ts';
import { CLAIM_NAMES, CLAIM_PREFIXES } from '../../src/http/grammar/client-claims.ts';
import { FIRST_EPOCH, openTestPlane } from '../support/plane.ts';

const CLAIMS = [
  'X-Forwarded-For: 6.6.6.6',
  'X-FORWARDED-FOR: 6.6.6.7',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.test',
  'Forwarded: for=6.6.6.6;host=evil.test;proto=https',
  'X-Turnout-Color: green',
  'x-turnout-release: evil',
  'X-TURNOUT-Generation: 999',
  'X-Turnout-Anything: evil',
].join('\r\n');

async function read(target: NodeTarget, fields: string): Promise<Reading> {
  const client = await target.connect();
  target.readings.length = 0;
  client.send(`GET /read HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n\r\n`);
  await client.until('answer', () =>
    client.text.includes(responseTo('/read')) ? true : undefined,
  );
  return target.readings[0]!;
}

await t.test('claims of an untrusted peer are replaced', async (t) => {
  await withNodeTarget(t, { forwarding: { forwarded: true } }, async (target) => {
    const { headers, rawHeaders } = await read(target, CLAIMS);
    t.notMatch(rawHeaders.join('\n'), /6\.6\.6|evil|999|https/);
    t.equal(headers['x-forwarded-for'], '127.0.0.1');
    t.equal(headers['x-forwarded-proto'], 'http');
    t.equal(headers['x-forwarded-host'], 'shop.test');
    t.match(headers['forwarded'], /^for=127\.0\.0\.1;host="shop\.test";proto=http$/);
    t.equal(headers['x-turnout-color'], 'blue');
    t.equal(headers['x-turnout-generation'], `${FIRST_EPOCH}`);
    t.equal(headers['x-turnout-release'], undefined);
    t.equal(headers['x-turnout-anything'], undefined);
  });
});

await t.test('names that some targets read as a forwarding field are dropped too', async (t) => {
  const twins = [
    'X_Forwarded_For: 6.6.6.6',
    'X-Forwarded_Proto: https',
    'X_FORWARDED-HOST: evil.test',
    'x_turnout_color: evil',
    'X-Turnout_Generation: 999',
  ].join('\r\n');
  await withNodeTarget(t, {}, async (target) => {
    const { rawHeaders } = await read(target, twins);
    t.notMatch(rawHeaders.join('\n'), /6\.6\.6|evil|999|https/);
    const { rawHeaders: kept } = await read(target, 'My_Own_Field: stays');
    t.ok(kept.includes('My_Own_Field'), 'other names with an underscore stay');
  });
});

/** Each claim in the spelling of the list; the value says which it was. */
const ALL_CLAIMS = [
  ...CLAIM_NAMES,
  ...CLAIM_PREFIXES.flatMap((prefix) => [
    `${prefix}ssl`,
    `${prefix}a`,
    `${prefix}scheme-${'x'.repeat(80)}`,
  ]),
];
/** Signs of a token that CGI, WSGI and PHP make an underscore of, as they do with `-`. */
const ODD_SIGNS = "_.!#$%&'*+^`|~";

await t.test('no field that frameworks believe comes from an untrusted peer', async (t) => {
  await withNodeTarget(
    t,
    { client: { headFieldsMax: 2_000, headBytesMax: 65_536 } },
    async (target) => {
      const spellings = ALL_CLAIMS.flatMap((name) => [
        name,
        name.toUpperCase(),
        ...(name.includes('-')
          ? ODD_SIGNS.split('').map((sign) => name.replaceAll('-', sign))
          : []),
        name.replace('-', '_'),
      ]);
      const { rawHeaders } = await read(
        target,
        spellings.map((name) => `${name}: 6.6.6.6`).join('\r\n'),
      );
      t.notMatch(rawHeaders.join('\n'), '6.6.6.6');
      const named = await read(
        target,
        `Connection: ${ALL_CLAIMS.join(', ')}\r\nX-Real-IP: 6.6.6.6`,
      );
      t.notMatch(named.rawHeaders.join('\n'), '6.6.6.6');
    },
  );
});

await t.test('a trusted peer may say all of it, in the usual spelling', async (t) => {
  const forwarding = { trustedProxies: ['127.0.0.1'] };
  await withNodeTarget(t, { client: { headFieldsMax: 2_000 }, forwarding }, async (target) => {
    const fields = ALL_CLAIMS.map((name) => `${name}: 6.6.6.6`).join('\r\n');
    const { rawHeaders } = await read(target, fields);
    for (const name of ALL_CLAIMS) t.ok(rawHeaders.includes(name), name);
    const odd = ALL_CLAIMS.filter((name) => /^[^$]*-/.test(name)).map((name) =>
      name.replace('-', '_'),
    );
    const other = await read(target, odd.map((name) => `${name}: 6.6.6.6`).join('\r\n'));
    t.notMatch(other.rawHeaders.join('\n'), '6.6.6.6', 'its client has written these');
  });
});

await t.test('names that are like a claim and none stay', async (t) => {
  const names = ['X-Real', 'X-Real-IPs', 'Client-IPX', 'X-Forwarde', 'X-Forwarder-For', 'Proxy-X'];
  await withNodeTarget(t, {}, async (target) => {
    const { rawHeaders } = await read(target, names.map((name) => `${name}: stays`).join('\r\n'));
    for (const name of names) t.ok(rawHeaders.includes(name), name);
  });
});

await t.test('further names can be kept from untrusted peers', async (t) => {
  const strip = ['x-auth-user', 'x-internal-*', 'ssl_client_verify'];
  const claims = [
    'X-Auth-User',
    'x_auth_user',
    'X-Internal-Role',
    'X_INTERNAL.A',
    'SSL-Client-Verify',
  ];
  const others = ['X-Auth-Users', 'X-Internal', 'X-Intern-A', 'SSL-Client'];
  const fields = [...claims, ...others].map((name) => `${name}: said`).join('\r\n');
  for (const trustedProxies of [[], ['127.0.0.1']]) {
    await withNodeTarget(t, { forwarding: { strip, trustedProxies } }, async (target) => {
      const { rawHeaders } = await read(target, fields);
      const isTrusted = trustedProxies.length > 0;
      for (const name of claims) t.equal(rawHeaders.includes(name), isTrusted, name);
      for (const name of others) t.ok(rawHeaders.includes(name), name);
    });
  }
});

await t.test('names to strip change nothing about fields that are read here', async (t) => {
  const strip = ['content-*', 'cookie', 'x-turnout-*', 'x-f*'];
  await withNodeTarget(t, { forwarding: { strip } }, async (target) => {
    const client = await target.connect();
    client.send('POST /p HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nContent-Length: 2\r\n\r\nab');
    await client.until('answer', () => (client.text.includes(responseTo('/p')) ? true : undefined));
    const { body, headers } = target.readings[0]!;
    t.equal(body, 'ab');
    t.match(headers, { cookie: 'a=b', 'x-forwarded-for': '127.0.0.1', 'x-turnout-hops': '1' });
  });
});

const TRUST: Readonly<Record<string, boolean>> = {
  '127.0.0.1': true,
  '127.0.0.0/8': true,
  '0.0.0.0/0': true,
  '::ffff:127.0.0.1': true,
  '::ffff:127.0.0.0/104': true,
  '127.0.0.2': false,
  '128.0.0.0/8': false,
  '10.0.0.0/8': false,
  '::1': false,
  'fd00::/8': false,
};

for (const [range, isTrusted] of Object.entries(TRUST)) {
  await t.test(`127.0.0.1 is ${isTrusted ? '' : 'not '}trusted by ${range}`, async (t) => {
    const patch = { forwarding: { trustedProxies: [range], forwarded: true } };
    await withNodeTarget(t, patch, async (target) => {
      const { headers } = await read(target, CLAIMS);
      const own = '127.0.0.1';
      const list = isTrusted ? `6.6.6.6, 6.6.6.7, ${own}` : own;
      t.equal(headers['x-forwarded-for'], list);
      t.equal(headers['x-forwarded-proto'], isTrusted ? 'https' : 'http');
      t.equal(headers['x-forwarded-host'], isTrusted ? 'evil.test' : 'shop.test');
      t.equal(headers['forwarded']?.startsWith('for=6.6.6.6;host=evil.test'), isTrusted);
      t.equal(headers['x-turnout-color'], 'blue', 'only the plane says the color');
      t.equal(headers['x-turnout-anything'], undefined);
    });
  });
}

await t.test('an empty X-Forwarded-For of a trusted peer adds no empty element', async (t) => {
  const patch = { forwarding: { trustedProxies: ['127.0.0.1'] } };
  await withNodeTarget(t, patch, async (target) => {
    const { headers } = await read(target, 'X-Forwarded-For:');
    t.equal(headers['x-forwarded-for'], '127.0.0.1');
  });
});

await t.test('Connection cannot take the proof of origin away', async (t) => {
  const names =
    'x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-turnout-color, forwarded, via';
  for (const trustedProxies of [[], ['127.0.0.1']]) {
    const forwarding = { trustedProxies, forwarded: true, via: 'edge' };
    await withNodeTarget(t, { forwarding }, async (target) => {
      const { headers } = await read(target, `Connection: ${names}\r\n${CLAIMS}`);
      t.match(headers['x-forwarded-for'], /127\.0\.0\.1$/);
      t.ok(headers['x-forwarded-proto']);
      t.equal(headers['x-forwarded-host'], 'shop.test');
      t.equal(headers['x-turnout-color'], 'blue');
      t.match(headers['forwarded'], /for=127\.0\.0\.1/);
      t.match(headers.via, /edge/);
    });
  }
});

await t.test('an IPv6 peer is named as its fields demand', async (t) => {
  const plane = await openTestPlane({ blue: [], green: [] }, {});
  t.teardown(() => plane.stop());
  const plain = { isTrusted: false, isSecure: false };
  const { describePeer } = await import('../../src/http/forward/forwarding.ts');
  t.match(describePeer({ ...plain, remoteAddress: '::1' }).fixedFields, /X-Forwarded-For: ::1\r\n/);
  t.equal(describePeer({ ...plain, remoteAddress: '::ffff:10.0.0.1' }).address, '10.0.0.1');
  t.equal(plane.plane.isTrusted('fe80::1%eth0'), false);
});

await t.test('a peer with a zone in its address does not end the worker', async (t) => {
  const patch = { forwarding: { trustedProxies: ['fe80::/10', '10.0.0.0/8'] } };
  const plane = await openTestPlane({ blue: [], green: [] }, patch);
  t.teardown(() => plane.stop());
  t.equal(plane.plane.isTrusted('fe80::1%eth0'), true);
  t.equal(plane.plane.isTrusted('::ffff:10.1.2.3'), true);
  t.equal(plane.plane.isTrusted('2001:db8::1'), false);
  t.equal(plane.plane.isTrusted(undefined), false);
});

const PATHS = [
  '/a/../b',
  '/a/./b',
  '/a//b',
  '//evil.test/a',
  '/a%2fb',
  '/a%2F..%2Fb',
  '/..;/admin',
  '/a;x=1/b',
  '/%2e%2e/b',
  '/a\\b',
  '/a%00b',
  '/%',
  '/%zz',
  '/?a=/../b',
  '/a?b?c',
  '/"<>^`{|}',
] as const;

await t.test('a path reaches the target as the client wrote it', async (t) => {
  await withNodeTarget(t, {}, async (target) => {
    const client = await target.connect();
    for (const path of PATHS) {
      const from = client.text.length;
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.until('answer', () =>
        client.text.includes(responseTo(path), from) ? true : undefined,
      );
    }
    t.strictSame(
      target.readings.map(({ url }) => url),
      PATHS,
    );
  });
});

await t.test('no value can add a line to the head that the target gets', async (t) => {
  const injections = [
    'Host: a\rX-Evil: 1',
    'Host: a\nX-Evil: 1',
    'Host: a%0d%0aX-Evil: 1\r\nHost: b',
    'Host: a"\r\nX: "',
    'Host: a\u0085X-Evil: 1',
    'Host: a\u2028X-Evil',
    'Host: a\r\nA: b\u0000c',
    'Host: a\r\nA: b\rX-Evil: 1',
    'Host: a\r\nX-Forwarded-For: 1\nX-Evil: 1',
    'Host: a;host=evil',
    'Host: a, b',
  ];
  await withNodeTarget(t, { forwarding: { forwarded: true } }, async (target) => {
    for (const fields of injections) {
      const client = await target.connect();
      client.send(`GET /x HTTP/1.1\r\n${fields}\r\n\r\n`);
      await client.until('answer', () => (client.text.includes('\r\n\r\n') ? true : undefined));
      for (const { headers } of target.readings) t.equal(headers['x-evil'], undefined, fields);
    }
  });
});

await t.test('obs-text in a value passes byte for byte and ends no line', async (t) => {
  const value = Array.from({ length: 128 }, (_, index) => String.fromCharCode(index + 128)).join(
    '',
  );
  await withNodeTarget(t, {}, async (target) => {
    const { rawHeaders } = await read(target, `X-Obs: ${value}`);
    t.equal(rawHeaders[rawHeaders.indexOf('X-Obs') + 1], value);
  });
});
