// The small grammars of settings: what each accepts, as which value, and what it refuses.

import t, { type Test } from 'tap';
import { printAddress } from '../../../../src/contract/worker-settings.ts';
import { isLocal, parseListen } from '../../../../src/config/values/address.ts';
import { parseDuration } from '../../../../src/base/duration.ts';
import {
  parseClientRule,
  parseHostField,
  parseHostName,
  parseHostRule,
  parsePathRule,
  parseRange,
  parseStatusRange,
} from '../../../../src/config/values/grammar.ts';
import type { Target } from '../../../../src/config/values/target.ts';
import { describe, type Parsed } from '../../../../src/base/parsed.ts';
import { parseSize } from '../../../../src/config/values/size.ts';
import { parseTarget } from '../../../../src/config/values/target.ts';

interface Cases<T> {
  readonly parse: (raw: unknown) => Parsed<T>;
  readonly good: readonly (readonly [unknown, T])[];
  readonly bad: readonly unknown[];
}

const NO_TARGETS = `
  h2c://h h2://h ftp://h h:1 //h http:// http:/// http:h
  https:// https://h:0 https://h/a https://u@h https://h?a
  http://h:0 http://h:65536 http://h: http://h:x http://h:1:2 http://::1
  http://h/a http://h// http://h?a http://h#a http://u@h http://u:p@h
  http://-h http://h..h http://[h] http://[::1%lo]
  http://127.1 http://300.1.1.1 http://0x7f.0x1 http://2130706433
  unix: unix:a unix:/${'a'.repeat(107)}
`
  .trim()
  .split(/\s+/);

const NO_SERVICES = `
  http+srv:// http+srv://a:80 http+srv://10.0.0.1 http+srv://[::1] http+srv://a/b http+srv://a?b
  http+srv://u@a http+srv://-a http+srv://a..b srv://_http._tcp.a
  https+srv:// https+srv://a:443 https+srv://10.0.0.1 https+srv://a/b
`
  .trim()
  .split(/\s+/);

function check<T>(t: Test, { parse, good, bad }: Cases<T>): void {
  for (const [raw, value] of good) t.same(parse(raw), { ok: true, value }, `takes ${String(raw)}`);
  for (const raw of bad) {
    const parsed = parse(raw);
    t.match(parsed, { ok: false, problem: /^expected .+, got ./ }, `refuses ${String(raw)}`);
  }
}

await t.test('a duration is milliseconds, and has a unit unless it is 0', async (t) => {
  check(t, {
    parse: parseDuration,
    good: [
      ['500ms', 500],
      ['2s', 2_000],
      ['1.5s', 1_500],
      ['1.001s', 1_001],
      ['30m', 1_800_000],
      ['24h', 86_400_000],
      ['7d', 604_800_000],
      ['1m30s', 90_000],
      ['1h30m', 5_400_000],
      ['1d2h3m4s5ms', 93_784_005],
      ['90s', 90_000],
      ['0s', 0],
      [0, 0],
      ['0', 0],
    ],
    bad: [
      30,
      '30',
      '2 s',
      '-1s',
      '0.5ms',
      '30m1h',
      '1m1m',
      '1.5m30s',
      '1m 30s',
      '1m30',
      '',
      's',
      '1e3s',
      null,
      [],
      {},
      true,
      Infinity,
    ],
  });
});

await t.test('a size is bytes, in binary units', async (t) => {
  check(t, {
    parse: parseSize,
    good: [
      ['512B', 512],
      ['16KiB', 16_384],
      ['16Ki', 16_384],
      ['16Mi', 16_777_216],
      ['1Gi', 1_073_741_824],
      ['1MiB', 1_048_576],
      ['2GiB', 2_147_483_648],
      [0, 0],
      ['0', 0],
    ],
    bad: [
      16,
      '16',
      '16KB',
      '16K',
      '16M',
      '16kib',
      '16mi',
      '1Mi5Ki',
      '1.5MiB',
      '-1B',
      '',
      null,
      [],
      {},
    ],
  });
});

await t.test('a target is http, https or a socket, and nothing else', async (t) => {
  check(t, {
    parse: parseTarget,
    good: [
      ['http://127.0.0.1:3001', tcp('127.0.0.1', 3001, '127.0.0.1:3001')],
      ['http://App.Internal', name('app.internal', 80, 'app.internal')],
      ['HTTP://app:80/', name('app', 80, 'app')],
      ['http://localhost:3000', tcp('localhost', 3_000, 'localhost:3000')],
      ['http://[2001:DB8:0:0::1]:8080', tcp('2001:db8::1', 8080, '[2001:db8::1]:8080')],
      ['http://[::1]', tcp('::1', 80, '[::1]')],
      ['http://my_app:1', name('my_app', 1, 'my_app:1')],
      ['http+srv://_http._tcp.App.Internal', srv('_http._tcp.app.internal', 'app.internal')],
      ['HTTP+SRV://web.service.consul/', srv('web.service.consul', 'web.service.consul')],
      ['http+srv://_web._tcp', srv('_web._tcp', '_tcp')],
      ['https://App.Internal', secured(name('app.internal', 443, 'app.internal'))],
      ['https://app.internal.:443', secured(name('app.internal.', 443, 'app.internal.'))],
      ['HTTPS://app:80/', secured(name('app', 80, 'app:80'))],
      ['http://app:443', name('app', 443, 'app:443')],
      ['https://127.0.0.1:3443', secured(tcp('127.0.0.1', 3_443, '127.0.0.1:3443'))],
      ['https://[::1]', secured(tcp('::1', 443, '[::1]'))],
      ['https+srv://_https._tcp.App', secured(srv('_https._tcp.app', 'app'))],
      [
        'unix:/run/app.sock',
        {
          url: 'unix:/run/app.sock',
          address: { kind: 'unix', path: '/run/app.sock' },
          authority: 'localhost',
        },
      ],
    ],
    bad: [
      ...NO_TARGETS,
      ...NO_SERVICES,
      'http://h h',
      'http://h\n',
      'unix:/a\0b',
      '',
      3001,
      null,
      {},
    ],
  });
});

await t.test('a target over HTTP/2 is refused with the reason', async (t) => {
  for (const raw of ['h2://app', 'h2c://app']) {
    t.match(parseTarget(raw), { ok: false, problem: /this version speaks HTTP\/1\.1/ });
  }
});

await t.test('a listen address may be as short as its port', async (t) => {
  check(t, {
    parse: (raw) => parseListen(raw, '0.0.0.0'),
    good: [
      [8080, { kind: 'tcp', host: '0.0.0.0', port: 8080 }],
      ['8080', { kind: 'tcp', host: '0.0.0.0', port: 8080 }],
      [':8080', { kind: 'tcp', host: '0.0.0.0', port: 8080 }],
      ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
      ['[::]:8080', { kind: 'tcp', host: '::', port: 8080 }],
      ['unix:/run/t.sock', { kind: 'unix', path: '/run/t.sock' }],
    ],
    bad: ['', 'localhost', '::1:80', ':::80', 'h:65536', 'h:-1', 'http://h:80', 80.5, -1, null, []],
  });
});

await t.test('an address is printed as it is written', async (t) => {
  for (const text of ['0.0.0.0:8080', '[::1]:80', 'unix:/run/t.sock']) {
    const parsed = parseListen(text, '');
    t.equal(parsed.ok && printAddress(parsed.value), text);
  }
});

function isLocalText(text: string): boolean {
  const parsed = parseListen(text, '127.0.0.1');
  return parsed.ok && isLocal(parsed.value);
}

await t.test('an address is local when only this machine can reach it', async (t) => {
  for (const text of ['8081', '127.9.9.9:1', '[::1]:1', 'localhost:1', 'LOCALHOST:1', 'unix:/a']) {
    t.equal(isLocalText(text), true, text);
  }
  const elsewhere = ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', '[::ffff:127.0.0.1]:1'];
  for (const text of [...elsewhere, 'localhost.evil:1', 'h:1', '127.evil.example:1']) {
    t.equal(isLocalText(text), false, text);
  }
});

await t.test('a host name of the admin API is one, without a port', async (t) => {
  check(t, {
    parse: parseHostName,
    good: [
      ['Turnout.Internal', 'turnout.internal'],
      ['10.0.0.1', '10.0.0.1'],
      ['::1', '::1'],
      ['[FE80::1]', 'fe80::1'],
    ],
    bad: ['', '*', '*.internal', 'h:80', 'http://h', 'a b', 'h/', 'u@h', 5, null, []],
  });
});

await t.test('the rule of a client certificate is a name and a role', async (t) => {
  check(t, {
    parse: parseClientRule,
    good: [
      ['ci=switch', { name: 'ci', role: 'switch' }],
      ['A B=read', { name: 'A B', role: 'read' }],
      ['spiffe://x/y=admin', { name: 'spiffe://x/y', role: 'admin' }],
      ['a=b=read', { name: 'a=b', role: 'read' }],
    ],
    bad: ['', 'ci', 'ci=', '=read', 'ci=root', 'ci=Read', 'ci=read ', 'c\ni=read', 'ü=read', 5, []],
  });
});

await t.test('a host rule is a name without its port', async (t) => {
  check(t, {
    parse: parseHostRule,
    good: [
      ['Shop.Example.com', 'shop.example.com'],
      ['shop.example.com.', 'shop.example.com'],
      ['*.example.com', '*.example.com'],
      ['10.0.0.1', '10.0.0.1'],
      ['[::1]', '[::1]'],
    ],
    bad: ['', '*', '*.', 'a.*.b', 'h:80', '[::1]:80', '::1', '*.10.0.0.1', 'http://h', 'é.fr', 1],
  });
});

await t.test('a path rule loses the slash at its end', async (t) => {
  check(t, {
    parse: parsePathRule,
    good: [
      ['/', '/'],
      ['/api', '/api'],
      ['/api/', '/api'],
      ['/a//', '/a'],
      ['//', '/'],
      ['/%2F', '/%2F'],
    ],
    bad: ['', 'api', '/a?b', '/a#b', '/a b', '/a/../b', '/.', '/é', `/${'a'.repeat(1_024)}`, 1],
  });
});

await t.test('a trusted proxy is an address or a range', async (t) => {
  check(t, {
    parse: parseRange,
    good: [
      ['10.0.0.1', '10.0.0.1'],
      ['10.0.0.0/8', '10.0.0.0/8'],
      ['0.0.0.0/0', '0.0.0.0/0'],
      ['fd00::/8', 'fd00::/8'],
      ['::1/128', '::1/128'],
    ],
    bad: [
      '',
      'localhost',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/',
      '10.0.0.0/a',
      '10/8',
      'fe80::1%a',
      1,
    ],
  });
});

await t.test('a passing status is one or a range', async (t) => {
  check(t, {
    parse: parseStatusRange,
    good: [
      [200, { min: 200, max: 200 }],
      ['204', { min: 204, max: 204 }],
      ['200-399', { min: 200, max: 399 }],
      ['100-599', { min: 100, max: 599 }],
    ],
    bad: [99, 600, '399-200', '200-', '2xx', '', null, '200-600', 2e2 + 0.5],
  });
});

await t.test('the host of a probe may have a port, or be left to the target', async (t) => {
  check(t, {
    parse: parseHostField,
    good: [
      ['', ''],
      ['app.internal', 'app.internal'],
      ['app:8080', 'app:8080'],
      ['[::1]:80', '[::1]:80'],
    ],
    bad: ['a b', 'a:', 'a:0', ':80', 'a\r\nb', 'http://a', 1, null],
  });
});

await t.test('a value in a message is short, on one line, and without secrets', async (t) => {
  const cases: readonly (readonly [unknown, string])[] = [
    ['http://user:secret@h:1/', '"http://***@h:1/"'],
    ['user:secret@h', '"***@h"'],
    ['http://h/?token=secret', '"http://h/?***"'],
    ['a\nb', String.raw`"a\nb"`],
    ['x'.repeat(100), `"${'x'.repeat(60)}..."`],
    [undefined, 'nothing'],
    [null, 'nothing'],
    [['secret'], 'a list'],
    [{ secret: 1 }, 'a mapping'],
    [7, '7'],
    [true, 'true'],
  ];
  for (const [raw, text] of cases) t.equal(describe(raw), text);
});

function name(host: string, port: number, authority: string): Target {
  return { url: `http://${authority}`, address: { kind: 'name', host, port }, authority };
}

function srv(records: string, authority: string): Target {
  return { url: `http+srv://${records}`, address: { kind: 'srv', name: records }, authority };
}

function tcp(host: string, port: number, authority: string): Target {
  return { url: `http://${authority}`, address: { kind: 'tcp', host, port }, authority };
}

/** The same over TLS: a certificate has to be for the name in the URL. */
function secured(target: Target): Target {
  const { address, authority } = target;
  const own = address.kind === 'srv' ? authority : address.kind === 'unix' ? '' : address.host;
  const tls = { name: own.replace(/\.$/, ''), service: '' };
  return { ...target, url: target.url.replace(/^http/, 'https'), tls };
}
