// The table of settings: every default fits its bounds, every bound holds, every document
// that comes from the table is fresh.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { printFault } from '../../../../../src/config/fault.ts';
import { loadConfig, loadText } from '../../../../../src/config/load.ts';
import { renderDocuments } from '../../../../../src/config/settings/schema/render.ts';
import {
  allSettings,
  entrySettings,
  type Setting,
} from '../../../../../src/config/settings/table/settings-list.ts';

const MACHINE = { platform: 'linux', cpus: 2, descriptors: Infinity };
const ROOT = new URL('../../../../../', import.meta.url);

function problemOf(setting: Setting, text: string): string {
  const flags = { blue: 'http://b:1', green: 'http://g:1', [setting.flag]: text };
  const loaded = loadConfig({ file: '', environment: {}, flags, machine: MACHINE });
  // How settings go together is for another test.
  const faults = loaded.ok ? [] : loaded.faults;
  const own = faults.filter(
    ({ message }) => !/client\.h|[tT]ls\.|eab\.|provides beside/.test(message),
  );
  return own.map(printFault).join('\n');
}

/** The row that `setting` has, as [value, fits]: the bounds and what is next to them. */
const EDGES: Readonly<Record<string, readonly (readonly [string, boolean])[]>> = {
  workers: edges('1', '64', '0', '65'),
  'stop.readyDelay': edges('0s', '5m', '-1s', '300001ms'),
  'stop.deadline': edges('0s', '1h', '-1s', '3600001ms'),
  'client.connections': edges('1', '1000000', '0', '1000001'),
  'client.headSize': edges('1KiB', '1MiB', '1023B', '1048577B'),
  'client.headFields': edges('10', '2000', '9', '2001'),
  'client.targetSize': edges('256B', '256KiB', '255B', '262145B'),
  'client.bodySize': edges('1B', '1024GiB', '-1B', '1025GiB').concat([['0', true]]),
  'client.headTimeout': edges('100ms', '10m', '99ms', '600001ms'),
  'client.bodyIdleTimeout': edges('100ms', '1h', '99ms', '3600001ms'),
  'client.sendIdleTimeout': edges('100ms', '1h', '99ms', '3600001ms'),
  'client.keepAliveTimeout': edges('1s', '24h', '999ms', '86400001ms'),
  'client.requests': edges('0', '1000000000', '-1', '1000000001'),
  'upstream.connectTimeout': edges('10ms', '60s', '9ms', '60001ms'),
  'upstream.headTimeout': edges('100ms', '1h', '99ms', '3600001ms'),
  'upstream.headSize': edges('1KiB', '1MiB', '1023B', '1048577B'),
  'upstream.headFields': edges('10', '2000', '9', '2001'),
  'upstream.bodyIdleTimeout': edges('100ms', '24h', '99ms', '86400001ms'),
  'upstream.tunnelIdleTimeout': edges('1s', '24h', '999ms', '86400001ms'),
  'upstream.idleTimeout': edges('100ms', '1h', '99ms', '3600001ms'),
  'upstream.connections': edges('1', '65536', '0', '65537'),
  'upstream.waiting': edges('0', '65536', '-1', '65537'),
  'accessLog.oneIn': edges('1', '1000000', '0', '1000001'),
  'resolve.servers': edges('[::1]', lots(8, server), 'dns.test', lots(9, server)),
  'services[].resolve.interval': edges('1s', '1h', '999ms', '3600001ms'),
  'services[].resolve.families': words(['ipv4-first', 'ipv6-first', 'both'], ['ipv4', 'any']),
  'services[].health.interval': edges('100ms', '5m', '99ms', '300001ms'),
  'services[].health.timeout': edges('10ms', '60s', '0', '60001ms'),
  'services[].health.rise': edges('1', '100', '0', '101'),
  'services[].health.fall': edges('1', '100', '0', '101'),
  'services[].health.status': edges('100', '599', '99', '600'),
  'services[].health.path': edges('/', `/${'a'.repeat(1_023)}`, 'a', `/${'a'.repeat(1_024)}`),
  'services[].health.kind': words(['http', 'tcp', 'none'], ['HTTP', 'grpc']),
  'services[].health.host': words(['app', 'app:1'], ['a b', 'http://a']),
  'services[].rollout.plan': words(
    ['all-at-once', 'canary-10-5m', '10%:5m,50%:pause', 'ECSLinear10PercentEvery1Minutes'],
    ['canari', '0%:5m', '50%:5m,20%'],
  ),
  'services[].rollout.bake': edges('0s', '7d', '-1s', '604800001ms'),
  'services[].rollout.guard.mode': words(['off', 'watch', 'rollback'], ['on', '']),
  'services[].blue.targets': edges('http://x:1', lots(64, target), 'x', lots(65, target)),
  'services[].green.targets': edges('http://x:1', lots(64, target), 'x', lots(65, target)),
  'services[].blue.release': words(
    ['v1', 'a'.repeat(128), 'sha256:0a/b@c+d_e-f.g'],
    ['a b', 'a,b', 'a"', 'a'.repeat(129)],
  ),
  'services[].blue.sendProxy': words(['off', 'v1', 'v2'], ['v3', 'on', '1']),
  'services[].green.sendProxy': words(['off', 'v1', 'v2'], ['v3', 'on', '1']),
  'services[].sendProxy': words(['off', 'v1', 'v2'], ['v3', 'on', '1']),
  'services[].blue.schema.provides': edges('0', '99999999999999', '-1', '100000000000000'),
  'services[].green.schema.provides': edges('0', '99999999999999', '-1', '100000000000000'),
  'services[].blue.schema.requires': words(['12', '10..12'], ['12..10', '10-12', '..12', 'x']),
  'services[].green.schema.requires': words(['12', '10..12'], ['12..10', '10-12', '..12', 'x']),
  'services[].green.release': words(['v1', 'a'.repeat(128)], ['a b', 'a'.repeat(129)]),
  'services[].hosts': edges(
    'a',
    lots(64, (n) => `h${n}`),
    'a b',
    lots(65, (n) => `h${n}`),
  ),
  'services[].paths': edges(
    '/',
    lots(64, (n) => `/${n}`),
    'a',
    lots(65, (n) => `/${n}`),
  ),
  'services[].active': words(['blue', 'green'], ['Blue', 'red']),
  'services[].ejection.mode': words(['off', 'on'], ['auto', 'On']),
  'services[].ejection.failures': edges('3', '1000', '2', '1001'),
  'services[].ejection.time': edges('1s', '1h', '999ms', '3600001ms'),
  'services[].ejection.timeMax': edges('1s', '24h', '999ms', '86400001ms'),
  'services[].retry.mode': words(['off', 'on'], ['auto', 'On']),
  'services[].retry.budget': edges('1', '100', '0', '101'),
  'services[].failover.mode': words(['off', 'auto'], ['on', 'Auto']),
  'services[].failover.after': edges('1s', '1h', '999ms', '3600001ms'),
  'services[].failover.pause': edges('1s', '7d', '999ms', '604800001ms'),
  'services[].affinity.mode': words(['off', 'drain', 'strict'], ['on', 'Drain']),
  'services[].affinity.idle': edges('1s', '7d', '999ms', '604800001ms'),
  'services[].affinity.life': edges('1s', '30d', '999ms', '2592000001ms'),
  'services[].affinity.cookie': words(['sid', 'a'.repeat(40)], ['a b', 'a;b', 'a'.repeat(41)]),
  'services[].affinity.sameSite': words(['lax', 'strict', 'none'], ['Lax', 'off']),
  instance: words(
    ['edge', 'edge_eu_1', '0', 'a'.repeat(32)],
    ['edge-eu', 'Edge', 'a b', 'a;b', 'a'.repeat(33)],
  ),
  'services[].affinity.path': words(
    ['/', '/shop', `/${'a'.repeat(1_023)}`],
    ['shop', '/a;b', '/a b', `/${'a'.repeat(1_024)}`],
  ),
  'services[].drain.requests': edges('0s', '1h', '-1s', '3600001ms'),
  'services[].drain.streams': edges('0s', '24h', '-1s', '86400001ms'),
  'services[].drain.sessions': edges('0s', '7d', '-1s', '604800001ms'),
  'services[].drain.longLived': words(['linger', 'spread', 'cut'], ['off', 'keep']),
  'services[].drain.closesPerSecond': edges('0', '1000000', '-1', '1000001'),
  'services[].skew.mode': words(['off', 'on'], ['true', 'On']),
  'services[].skew.rescue': words(
    ['/assets/*', '/*.js', '/a*b*c*d*e', lots(32, (n) => `/${n}`)],
    ['assets/*', '/a?b', '/a*b*c*d*e*f', lots(33, (n) => `/${n}`)],
  ),
  'services[].hold.requests': edges('0', '100000', '-1', '100001'),
  'services[].hold.size': edges('64KiB', '4GiB', '65535B', '4294967297B'),
  'services[].errors.page': words([import.meta.filename], ['a'.repeat(1_025), 'a\0b']),
  ...Object.fromEntries(
    [502, 503, 504].map((status) => [
      `services[].errors.pages.${status}`,
      words([import.meta.filename], ['a'.repeat(1_025), 'a\0b']),
    ]),
  ),
  'services[].maintenance.page': edges('<p>', 'a'.repeat(65_536), '', 'a'.repeat(65_537)).filter(
    ([text]) => text !== '',
  ),
  'client.methods': edges(
    'a'.repeat(32),
    lots(32, (n) => `LIST-${n}`),
    'a'.repeat(33),
    lots(33, (n) => `LIST-${n}`),
  ),
  'forwarding.trustedProxies': edges('::1', lots(256, range), 'a', lots(257, range)),
  'forwarding.strip': edges(
    'X-Auth-*',
    lots(64, (n) => `x-a${n}`),
    'a b',
    lots(65, (n) => `x-a${n}`),
  ),
  'forwarding.xForwarded': words(['true', 'false'], ['yes', '1']),
  'forwarding.forwarded': words(['true', 'false'], ['on', '0']),
  'forwarding.via': words(['turnout', 'a'.repeat(64)], ['a b', 'a'.repeat(65), 'a\r\nb']),
  'requestId.field': words(
    ['off', 'x-request-id', 'correlation-id', `${'a'.repeat(60)}-id`],
    [
      '',
      'X-Request-Id',
      'x-deployment-id',
      'x-turnout-id',
      'host',
      'x--id',
      `${'a'.repeat(61)}-id`,
    ],
  ),
  'tracing.mode': words(['continue', 'trusted', 'off'], ['on', 'Off']),
  'tracing.start': words(['sampled', 'unsampled', 'none'], ['off', '01']),
  'accessLog.format': words(['json', 'ecs', 'combined'], ['apache', 'JSON']),
  'accessLog.query': words(['true', 'false'], ['on']),
  'accessLog.mode': words(['off', 'sampled', 'all'], ['on', 'false']),
  freezes: [
    ['Fri 16:00 - Mon 08:00 UTC (weekend)', true],
    ['2026-02-28 - 2026-02-28 UTC (one day)', true],
    ['2026-02-29 - 2026-03-01 UTC (no leap year)', false],
    ['Fri 16:00 - Mon 08:00 UTC', false],
  ],
  exposeColor: words(['true', 'false'], ['maybe']),
  watch: words(['true', 'false'], ['on']),
  'log.level': words(['fatal', 'error', 'warn', 'info', 'debug'], ['trace', 'INFO']),
  'state.dir': words(['state', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  listen: words(['0', ':1', '[::]:65535', 'unix:/a'], ['65536', 'a', 'unix:a']),
  'tls.cert': words(['c.pem', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'tls.key': words(['c.key', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'acme.domains': edges('a.test', lots(100, name), '*.a.test', lots(101, name)),
  'acme.email': words(['a@b', 'ops+x@example.com'], ['a', 'a@', '@b', 'a b@c', 'a'.repeat(255)]),
  'acme.ca': words(['https://ca.test/dir'], ['http://ca.test/dir', 'ca.test', 'https://a:b@c/']),
  'acme.challenge': words(['tls-alpn-01', 'http-01'], ['dns-01', '']).filter(
    ([text]) => text !== '',
  ),
  'acme.eab.keyId': words(['a', 'a-b_c/9', 'a'.repeat(256)], ['a b', 'a'.repeat(257), 'é']),
  'acme.eab.hmacKeyFile': words(['hmac', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'acme.caFile': words(['ca.pem', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'services[].canonicalHost': words(['a', 'WWW.shop.test.', '[::1]'], ['*.a', 'a:1', 'a b']),
  'services[].upstreamTls.ca': words(['ca.pem', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'services[].upstreamTls.cert': words(['c.pem', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'services[].upstreamTls.key': words(['c.key', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'services[].upstreamTls.serverName': words(['a', 'App.shop.test'], ['*.a', 'a:1', 'a b']),
  'services[].stripPrefix': words(['false'], ['yes']),
  'services[].hsts': edges('1s', '730d', '999ms', '731d').concat([['0', true]]),
  'preview.listen': words(['0', '0.0.0.0:1', 'unix:/a'], ['65536', 'a', 'unix:a']),
  'admin.listen': words(['1', '127.0.0.1:1', '0.0.0.0:1', 'unix:/a'], ['65536', 'a', 'unix:a']),
  'admin.hosts': edges('a', lots(64, name), 'a:1', lots(65, name)),
  'admin.tls.cert': words(['c.pem', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'admin.tls.key': words(['c.key', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'admin.tls.clientCa': words(['ca.pem', 'a'.repeat(1_024)], ['a'.repeat(1_025), 'a\0b']),
  'admin.tls.clients': edges('ci=read', lots(256, client), 'ci=root', lots(257, client)),
  'metrics.listen': words(['0', '0.0.0.0:1', 'unix:/a'], ['65536', 'a', 'unix:a']),
  'metrics.hosts': edges('a', lots(64, name), 'a:1', lots(65, name)),
  'targets.allow': edges('10.0.0.0/8', lots(256, range), 'http://a', lots(257, range)),
};

function edges(
  low: string,
  high: string,
  below: string,
  above: string,
): (readonly [string, boolean])[] {
  return words([low, high], [below, above]);
}

function words(good: readonly string[], bad: readonly string[]): (readonly [string, boolean])[] {
  return [
    ...good.map((text): readonly [string, boolean] => [text, true]),
    ...bad.map((text): readonly [string, boolean] => [text, false]),
  ];
}

function lots(count: number, make: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => make(index)).join(',');
}

function name(index: number): string {
  return `h${index}.internal`;
}

function client(index: number): string {
  return `c${index}=switch`;
}

function target(index: number): string {
  return `http://t:${index + 1}`;
}

function server(index: number): string {
  return `10.0.0.${index}:5353`;
}

function range(index: number): string {
  return `10.0.${index >> 8}.${index & 255}`;
}

await t.test('every bound holds, on both of its sides', async (t) => {
  for (const setting of allSettings()) {
    if (setting.flag === '') continue;
    const cases = EDGES[setting.name];
    t.ok(cases, `${setting.name} has cases`);
    for (const [text, fits] of cases ?? []) {
      const problem = problemOf(setting, text);
      t.equal(problem === '', fits, `${setting.name} ${text.slice(0, 40)}: ${problem}`);
    }
  }
});

await t.test('every default is in its own bounds', async (t) => {
  for (const { name, row } of allSettings()) {
    if (row.kind !== 'row' || row.fallback === undefined) continue;
    t.match(row.parse(row.fallback), { ok: true }, name);
  }
});

await t.test(
  'every row says what it does and why, and no two share a flag or a variable',
  async (t) => {
    const settings = allSettings();
    for (const { name, row } of [...settings, ...entrySettings(settings)]) {
      t.match(row.doc, /^[A-Z].*\.$/, `${name} is explained in a sentence`);
      t.match(row.why, /[^.]$/, `${name} has a reason`);
    }
    const flags = settings.map(({ flag }) => flag).filter((flag) => flag !== '');
    t.equal(new Set(flags).size, flags.length);
    t.notOk(flags.includes('config') || flags.includes('json'), 'flags of commands are left alone');
  },
);

await t.test('no variable ends like one that Kubernetes adds', async (t) => {
  for (const { variable } of allSettings()) t.notMatch(variable, /_PORT$|_SERVICE_HOST$/);
});

await t.test('the documents are fresh: `npm run docs` renews them', async (t) => {
  for (const { path, text } of renderDocuments()) {
    t.equal(readFileSync(new URL(path, ROOT), 'utf8'), text, path);
  }
});

await t.test('the examples have no fault', async (t) => {
  for (const name of ['turnout.example.yaml', 'sidecar.yaml']) {
    const file = new URL(`config/${name}`, ROOT).pathname;
    const loaded = loadConfig({ file, environment: {}, flags: {}, machine: MACHINE });
    t.match(loaded, { ok: true, warnings: [] }, name);
  }
});

await t.test('the example names every setting, and its defaults are the defaults', async (t) => {
  const text = readFileSync(new URL('config/turnout.example.yaml', ROOT), 'utf8');
  for (const { path } of allSettings()) t.match(text, new RegExp(`\\b${path.at(-1)!}:`));
  const sources = { environment: {}, flags: {}, machine: MACHINE };
  const services = 'services: [{ blue: { targets: [http://b:1] } }]';
  const example = loadText('example', text, sources);
  const bare = loadText('bare', services, sources);
  if (!example.ok || !bare.ok) throw new Error('expected both to load');
  const { services: _, ...rest } = example.config;
  t.match(bare.config, rest);
  t.same(example.config.services[0]!.health, bare.config.services[0]!.health);
  t.same(example.config.services[0]!.resolve, bare.config.services[0]!.resolve);
});
