// How settings must go together, and what is allowed but may not be meant.

import t, { type Test } from 'tap';
import { printFault } from '../../../../../src/config/fault.ts';
import { loadText } from '../../../../../src/config/load.ts';

const SOURCES = {
  environment: {},
  flags: {},
  machine: { platform: 'linux', cpus: 2, descriptors: Infinity },
};

function check(t: Test, text: string, lines: readonly RegExp[]): void {
  const loaded = loadText('t', text, SOURCES);
  const printed = loaded.ok ? [] : loaded.faults.map(printFault);
  t.match(printed, lines);
  t.equal(printed.length, lines.length, printed.join('\n'));
}

const BLUE = 'blue: { targets: [http://b:1] }';

await t.test('a service has targets on one color at least', async (t) => {
  check(t, 'services:\n  - name: a', [/^t:2:5: services\[0\]: expected targets on blue or green/]);
  check(t, `services: [{ ${BLUE} }]`, []);
});

await t.test('the active color has targets', async (t) => {
  check(t, `services: [{ ${BLUE}, active: green }]`, [
    /active: expected a color with targets, got green, which has none/,
  ]);
});

function oneService(text: string): string {
  return `services: [{ ${BLUE}, ${text} }]`;
}

await t.test('what clients are told leads back to the service', async (t) => {
  check(t, oneService('hosts: [shop.test, "*.a.test"], canonicalHost: www.shop.test'), [
    /canonicalHost: expected a host of the service, got www\.shop\.test/,
  ]);
  check(t, oneService('hosts: [shop.test, "*.a.test"], canonicalHost: a.test'), [/sent away/]);
  check(t, oneService('hosts: [shop.test, "*.a.test"], canonicalHost: Shop.test'), []);
  check(t, oneService('hosts: [shop.test, "*.a.test"], canonicalHost: b.a.test'), []);
  check(t, oneService('canonicalHost: www.shop.test'), []);
  check(t, oneService('upstreamTls: {cert: a}'), [/upstreamTls.cert: expected upstreamTls.key/]);
  check(t, oneService('upstreamTls: {key: a}'), [/upstreamTls.key: expected upstreamTls.cert/]);
  check(t, oneService('upstreamTls: {ca: a, cert: b, key: c, serverName: d}'), []);
  check(t, oneService('stripPrefix: true'), [/stripPrefix: expected paths beside it, got none/]);
  check(t, oneService('stripPrefix: true, paths: [/]'), [/got none but \/: there is no prefix/]);
  check(t, oneService('stripPrefix: true, paths: [/a, /]'), []);
  check(t, oneService('stripPrefix: true, paths: [/a]'), []);
});

function said(schema: string): string {
  return `services: [{ blue: { schema: { ${schema} }, targets: [http://b:1] } }]`;
}

await t.test('a release works with the schema that it brings', async (t) => {
  check(t, said('provides: 12, requires: 10..11'), [
    /blue\.schema\.requires: expected a range that has 12, which the release brings/,
  ]);
  check(t, said('requires: 10..11'), [/requires: expected provides beside it, got none/]);
  check(t, said('provides: 12, requires: 12'), []);
});

await t.test('services have different names', async (t) => {
  const text = `services: [{ name: a, hosts: [a], ${BLUE} }, { name: a, hosts: [b], ${BLUE} }]`;
  check(t, text, [/services\[1\]\.name: expected a name of its own, got a/]);
});

await t.test('no two services claim the same host and path', async (t) => {
  check(t, two('', ''), [/services\[1\]: .*got any host with any path, which service a has/]);
  check(t, two('hosts: [H], ', 'hosts: [h], '), [/got h with any path, which service a has/]);
  check(t, two('paths: [/x], ', 'paths: [/x/], '), [/got any host with \/x, which service a has/]);
  check(t, two('hosts: [h], ', 'hosts: [h], paths: [/x], '), []);
  check(t, two('hosts: [h], ', ''), []);
  check(t, two('hosts: [h, h], ', ''), [/got h with any path twice/]);
});

await t.test('the admin API has an address of its own', async (t) => {
  check(t, below('listen: 8081'), [/admin\.listen: expected an address of its own/]);
  check(t, below('listen: unix:/a\nadmin: { listen: unix:/a }'), [/address of its own/]);
  check(t, below('listen: 127.0.0.2:8081'), []);
  check(t, below('listen: 0\nadmin: { listen: 0 }'), []);
});

await t.test('the listener for metrics has an address of its own, too', async (t) => {
  check(t, below('metrics: { listen: 8081 }'), [/metrics\.listen: .*got that of admin\.listen/]);
  check(t, below('metrics: { listen: 9100 }'), []);
  check(t, `metrics: { listen: 9100 }\n${to('http://localhost:9100')}`, [/could read them/]);
});

function tls(text: string): string {
  return below(`admin: { tls: { ${text} } }`);
}

await t.test('certificate, key, authority and clients come together', async (t) => {
  check(t, tls('cert: c, key: k'), []);
  check(t, tls('cert: c, key: k, clientCa: a, clients: [ci=switch]'), []);
  check(t, tls('cert: c'), [/admin\.tls\.cert: expected admin\.tls\.key beside it/]);
  check(t, tls('key: k'), [/admin\.tls\.key: expected admin\.tls\.cert beside it/]);
  check(t, tls('clientCa: a, clients: [ci=read]'), [/clientCa: expected admin\.tls\.cert/]);
  check(t, tls('cert: c, key: k, clientCa: a'), [/clientCa: expected admin\.tls\.clients/]);
  check(t, tls('cert: c, key: k, clients: [ci=read]'), [/clients: expected admin\.tls\.clientCa/]);
  const twice = 'cert: c, key: k, clientCa: a, clients: [ci=read, ci=admin]';
  check(t, tls(twice), [/expected each name once, got ci twice/]);
});

function warnings(text: string): readonly string[] {
  return loadText('t', below(text), SOURCES).warnings;
}

await t.test('an admin API that others reach without TLS gets a warning', async (t) => {
  t.match(warnings('admin: { listen: "0.0.0.0:8081" }'), [/tokens travel in the clear/]);
  t.match(warnings('admin: { listen: "10.0.0.1:8081" }'), [/10\.0\.0\.1:8081 without TLS/]);
  t.same(warnings('admin: { listen: "0.0.0.0:8081", tls: { cert: c, key: k } }'), []);
  t.same(warnings('admin: { listen: 8081 }'), []);
  t.same(warnings('admin: { listen: "unix:/a" }'), []);
});

await t.test('failover that nobody can see the need of gets a warning', async (t) => {
  const warned = [/failover.mode is auto, but health.kind is none/];
  for (const [mode, kind, expected] of [
    ['auto', 'none', warned],
    ['auto', 'tcp', []],
    ['off', 'none', []],
  ] as const) {
    const text = `{ ${BLUE}, failover: { mode: ${mode} }, health: { kind: ${kind} } }`;
    t.match(loadText('t', `services: [${text}]`, SOURCES).warnings, expected, `${mode} ${kind}`);
    t.equal(loadText('t', `services: [${text}]`, SOURCES).warnings.length, expected.length);
  }
});

await t.test('a target is neither Turnout itself nor its admin API', async (t) => {
  check(t, to('http://localhost:8080'), [/requests would go in circles/]);
  check(t, to('http://127.0.0.1:8080'), [/requests would go in circles/]);
  check(t, to('http://127.0.0.1:8081'), [/every client could switch/]);
  check(t, to('http://localhost:8081'), [/every client could switch/]);
  check(t, to('http://0.0.0.0:8081'), [/every client could switch/]);
  check(t, to('http://127.0.0.2:8081'), []);
  check(t, to('http://other:8080'), []);
  check(t, `admin: { listen: "unix:/a" }\n${to('unix:/a')}`, [/every client could switch/]);
  check(t, `listen: "[::]:9"\n${to('http://[::1]:9')}`, [/circles/]);
});

await t.test(
  'a target stands once in its color, and on both colors it gets a warning',
  async (t) => {
    check(t, 'services: [{ blue: { targets: [http://b, http://B:80] } }]', [/b is listed twice/]);
    const text = 'services: [{ blue: { targets: [http://b] }, green: { targets: [http://b] } }]';
    t.match(loadText('t', text, SOURCES), {
      ok: true,
      warnings: [
        'service default: http://b is a target of both colors, so a switch changes nothing for it',
      ],
    });
  },
);

await t.test('services, and targets in all, are bounded', async (t) => {
  check(t, many(64, 16), []);
  check(t, many(17, 64), [/services: expected at most 1024 targets in all, got 1088/]);
  check(t, many(65, 1), [/services: expected at most 64 of them, got more/]);
  check(t, 'services: []', [/services: expected at least 1 of them, got none/]);
});

function below(head: string): string {
  return `${head}\nservices: [{ ${BLUE} }]`;
}

function to(target: string): string {
  return `services: [{ blue: { targets: ["${target}"] } }]`;
}

function two(first: string, second: string): string {
  return `services: [{ name: a, ${first}${BLUE} }, { name: b, ${second}${BLUE} }]`;
}

function many(serviceCount: number, targetCount: number): string {
  const services = Array.from({ length: serviceCount }, (_, index) => {
    const targets = Array.from(
      { length: targetCount },
      (_, port) => `http://t${index}:${port + 1}`,
    );
    return `  - { name: s${index}, hosts: [h${index}], blue: { targets: [${targets.join(', ')}] } }`;
  });
  return `services:\n${services.join('\n')}`;
}
