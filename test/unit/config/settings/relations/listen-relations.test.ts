// How addresses, TLS, certificates and ACME must go together, and what they become.

import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { printFault } from '../../../../../src/config/fault.ts';
import { loadText, type Loaded } from '../../../../../src/config/load.ts';
import type { Config } from '../../../../../src/config/config.ts';
import { keyOfListener } from '../../../../../src/contract/worker-settings.ts';

const MACHINE = { platform: 'linux', cpus: 2, descriptors: Infinity };
const BLUE = 'services: [{ blue: { targets: [http://b:1] } }]';
const CERT = 'certificates: [{ cert: a.crt, key: a.key }]';

function load(text: string, flags: Readonly<Record<string, string>> = {}): Loaded {
  return loadText('t', `${text}\n${BLUE}`, { environment: {}, flags, machine: MACHINE });
}

function check(t: Test, text: string, lines: readonly RegExp[], flags = {}): void {
  const loaded = load(text, flags);
  const printed = loaded.ok ? [] : loaded.faults.map(printFault);
  t.match(printed, lines);
  t.equal(printed.length, lines.length, `${text}: ${printed.join('\n')}`);
}

/** Two addresses, the second one with `entry`. */
function second(entry: string): string {
  return `listen: [{ address: 1 }, { address: 2, ${entry} }]`;
}

function configOf(text: string, flags: Readonly<Record<string, string>> = {}): Config {
  const loaded = load(text, flags);
  if (!loaded.ok) throw new Error(loaded.faults.map(printFault).join('\n'));
  return loaded.config;
}

function warningsOf(text: string, flags: Readonly<Record<string, string>> = {}): readonly string[] {
  return load(text, flags).warnings;
}

const TCP_8443 = { kind: 'tcp', host: '0.0.0.0', port: 8443 } as const;
const PLAIN = { redirectPort: 0, tls: undefined, proxyFrom: [] };

await t.test('one address may be written as it is, or as a list', (t) => {
  const { listeners } = configOf('listen: 127.0.0.1:80').dataPlane;
  t.strictSame(listeners, [
    { address: { kind: 'tcp', host: '127.0.0.1', port: 80 }, use: 'traffic', ...PLAIN },
  ]);
  t.strictSame(configOf('listen: [{ address: 127.0.0.1:80 }]').dataPlane.listeners, listeners);
  t.strictSame(configOf('', { listen: '127.0.0.1:80' }).dataPlane.listeners, listeners);
  t.match(configOf('').dataPlane.listeners, [{ address: { host: '0.0.0.0', port: 8080 } }]);
  t.match(configOf('listen: 80').dataPlane.listeners, [{ address: { port: 80 } }]);
  t.end();
});

await t.test('a flag stands in place of the whole list, and that is said', (t) => {
  const text = `listen: [{ address: ":443", tls: { ${CERT} } }, { address: ":80", redirect: true }]`;
  t.equal(configOf(text, { listen: ':1' }).dataPlane.listeners.length, 1);
  t.strictSame(warningsOf(text, { listen: ':1' }), [
    '--listen stands in place of all that the file lists under listen, TLS included',
  ]);
  t.strictSame(warningsOf('listen: 2', { listen: ':1' }), []);
  t.end();
});

await t.test('listeners become what was said of each, previews last', (t) => {
  const config = configOf(
    `
preview: { listen: 81 }
listen:
  - address: ':8443'
    tls: { ${CERT}, minVersion: 1.3, unknownNames: refuse, clientCa: ca.pem, clients: optional }
    proxyProtocol: { from: [10.0.0.0/8] }
  - { address: ':80', redirect: true, proxyProtocol: { from: ['::1'] } }
  - { address: ':82', redirect: 443 }
  - unix:/t`.replace('- unix:/t', '- { address: unix:/t }'),
  );
  t.strictSame(config.dataPlane.listeners, [
    {
      address: TCP_8443,
      use: 'traffic',
      redirectPort: 0,
      tls: { minVersion: 'TLSv1.3', unknownNames: 'refuse', clients: 'optional' },
      proxyFrom: ['10.0.0.0/8'],
    },
    {
      address: { ...TCP_8443, port: 80 },
      use: 'redirect',
      redirectPort: 8443,
      tls: undefined,
      proxyFrom: ['::1'],
    },
    {
      address: { ...TCP_8443, port: 82 },
      use: 'redirect',
      redirectPort: 443,
      tls: undefined,
      proxyFrom: [],
    },
    { address: { kind: 'unix', path: '/t' }, use: 'traffic', ...PLAIN },
    { address: { kind: 'tcp', host: '127.0.0.1', port: 81 }, use: 'preview', ...PLAIN },
  ]);
  t.strictSame(config.tls, [
    {
      listener: 'traffic 0.0.0.0:8443',
      certificates: [{ cert: 'a.crt', key: 'a.key' }],
      usesAcme: false,
      clientCa: 'ca.pem',
    },
  ]);
  t.equal(config.acme, undefined);
  t.strictSame(config.dataPlane.ownSockets, ['/t']);
  t.end();
});

await t.test('a redirect without TLS of our own leads to the usual port', (t) => {
  const { listeners } = configOf(
    'listen: [{ address: 1 }, { address: 2, redirect: true }]',
  ).dataPlane;
  t.equal(listeners[1]!.redirectPort, 443);
  t.end();
});

await t.test('a redirect to a port that the system chooses leads there', (t) => {
  const tls = `{ address: "127.0.0.1:0", tls: { ${CERT} } }`;
  const { listeners } = configOf(`listen: [{ address: 2, redirect: true }, ${tls}]`).dataPlane;
  t.equal(listeners[0]!.redirectPort, 0);
  t.end();
});

await t.test('where one address has traffic, certificates may stand beside it', (t) => {
  const flags = { 'tls-cert': 'c.crt', 'tls-key': 'c.key' };
  const one = { cert: 'c.crt', key: 'c.key' };
  t.match(configOf('listen: 443', flags), {
    dataPlane: { listeners: [{ tls: { minVersion: 'TLSv1.2', clients: 'none' } }] },
    tls: [{ listener: 'traffic 0.0.0.0:443', certificates: [one], usesAcme: false }],
  });
  const both =
    'listen: [{ address: 443, tls: { minVersion: "1.3" } }, { address: 80, redirect: true }]';
  t.match(configOf(both, flags), {
    dataPlane: { listeners: [{ tls: { minVersion: 'TLSv1.3' } }, { redirectPort: 443 }] },
    tls: [{ certificates: [one] }],
  });
  check(
    t,
    'listen: [{ address: 1 }, { address: 2 }]',
    [/^--tls-cert: expected one address for traffic beside it, got 2/],
    flags,
  );
  check(t, 'tls: { cert: a }', [/^t:1:14: tls\.cert: expected tls\.key beside it/]);
  check(t, 'tls: { key: a }', [/tls\.key: expected tls\.cert beside it/]);
  t.end();
});

await t.test('names for ACME make the only address one with TLS', (t) => {
  t.match(configOf('listen: 443', { 'acme-domain': 'Shop.test,b.test.' }), {
    tls: [
      { listener: 'traffic 0.0.0.0:443', certificates: [], usesAcme: true, clientCa: undefined },
    ],
    acme: {
      domains: ['shop.test', 'b.test'],
      email: undefined,
      ca: 'https://acme-v02.api.letsencrypt.org/directory',
      challenge: 'tls-alpn-01',
      caFile: undefined,
      externalAccount: undefined,
    },
  });
  const eab = { keyId: 'kid-1', hmacKeyFile: '/run/secrets/hmac' };
  t.match(configOf(`acme: { domains: [a.test], eab: ${JSON.stringify(eab)} }`).acme, {
    externalAccount: eab,
  });
  const several = 'listen: [{ address: 1, tls: { acme: true } }, { address: 2 }]';
  check(t, several, [/listen\[0\]\.tls\.acme: expected names in acme\.domains, got none/]);
  const config = configOf(`${several}\nacme: { domains: [a.test], email: a@b.test }`);
  t.match(config.tls, [{ listener: 'traffic 0.0.0.0:1', usesAcme: true }]);
  t.equal(config.dataPlane.listeners[1]!.tls, undefined);
  t.end();
});

await t.test('names for ACME need an address that presents them, and are names', (t) => {
  const acme = 'acme: { domains: [a.test] }';
  check(t, `listen: [{ address: 1 }, { address: 2 }]\n${acme}`, [
    /acme\.domains: expected an address of listen with tls\.acme: true, got none/,
  ]);
  check(t, 'acme: { domains: [a.test, A.test] }', [/expected each name once, got a\.test twice/]);
  for (const [name, why] of [
    ['"*.a.test"', /a name with \* needs a file/],
    ['127.0.0.1', /an address is no name/],
    ['a_b.test', /expected a name such as/],
    ['"a b"', /expected a name such as/],
    ['1', /expected a name such as/],
  ] as const) {
    check(t, `acme: { domains: [${name}] }`, [why]);
  }
  check(t, 'acme: { eab: { keyId: a } }', [/keyId: expected acme\.eab\.hmacKeyFile beside it/]);
  check(t, 'acme: { eab: { hmacKeyFile: a } }', [
    /hmacKeyFile: expected acme\.eab\.keyId beside it/,
  ]);
  check(t, 'acme: { domains: [a.test], ca: "http://ca.test/dir" }', [/expected an https: URL/]);
  t.end();
});

await t.test('a challenge over HTTP needs an address without TLS', (t) => {
  const acme = 'acme: { domains: [a.test], challenge: http-01 }';
  const warning = /the authority comes to port 80/;
  t.match(warningsOf(`listen: 443\n${acme}`), [warning]);
  t.match(
    warningsOf(`listen: [{ address: 1, tls: { acme: true } }, { address: "unix:/a" }]\n${acme}`),
    [warning],
  );
  for (const plain of ['{ address: 80, redirect: true }', '{ address: 80 }']) {
    const listen = `listen: [{ address: 443, tls: { acme: true } }, ${plain}]`;
    t.strictSame(warningsOf(`${listen}\n${acme}`), [], plain);
  }
  t.strictSame(warningsOf('acme: { domains: [a.test] }'), []);
  t.end();
});

await t.test('each listener has an address of its own', (t) => {
  check(t, 'listen: [{ address: 9 }, { address: "127.0.0.1:9" }]', [
    /^t:1:37: listen\[1\]\.address: .*got that of listen\[0\] \(0\.0\.0\.0:9\)/,
  ]);
  check(t, 'listen: [{ address: 9 }, { address: 9, redirect: true }]', [/of its own/]);
  check(t, 'listen: [{ address: "unix:/a" }, { address: "unix:/a" }]', [/of its own/]);
  check(t, 'listen: [{ address: 9 }, { address: 8 }]\npreview: { listen: 8 }', [
    /preview\.listen: .*got that of listen\[1\]/,
  ]);
  check(t, 'listen: [{ address: ":0" }, { address: ":0" }]', [/of its own/]);
  check(t, 'listen: [{ address: "127.0.0.1:0" }, { address: "127.0.0.2:0" }]', []);
  t.end();
});

await t.test('a section says enough, and nothing that does not fit', (t) => {
  check(t, second('tls: {}'), [/listen\[1\]\.tls: expected certificates or acme: true in it/]);
  check(t, second('tls: { minVersion: "1.2" }'), [/expected certificates or acme: true/]);
  check(t, second(`tls: { ${CERT} }, redirect: true`), [/expected no tls beside redirect/]);
  check(t, second(`tls: { ${CERT}, clientCa: ca }`), [/clientCa: expected clients beside it/]);
  check(t, second(`tls: { ${CERT}, clients: required }`), [/clients: expected clientCa beside it/]);
  check(t, second('tls: { certificates: [{ cert: a }] }'), [/certificates\[0\]\.key: expected/]);
  check(t, second(`tls: { minVersion: 1.1, ${CERT} }`), [/one of 1\.2, 1\.3/]);
  check(t, second('proxyProtocol: {}'), [/proxyProtocol\.from: expected .*, got/]);
  check(t, second('proxyProtocol: { from: [] }'), [/from: expected at least 1 of them, got none/]);
  check(t, second('proxyProtocol: { from: [a] }'), [/expected an IP address or a range/]);
  check(t, second('redirect: 0'), [/true, false or a port/]);
  check(t, second('redirect: "yes"'), [/true, false or a port/]);
  check(t, second('tsl: {}'), [/listen\[1\]\.tsl: unknown setting: did you mean tls\?/]);
  check(t, 'listen: []', [/listen: expected at least 1 of them/]);
  check(t, 'listen: { address: 1 }', [/listen: expected a list, got/]);
  check(t, 'listen: [1]', [/listen\[0\]: expected a mapping/]);
  check(t, 'listen: [{}]', [/listen\[0\]\.address: expected/]);
  check(t, 'listen: [{ address: 1, redirect: true }]', [/expected an address for traffic/]);
  t.end();
});

await t.test('no target may be an address of ours, whichever', (t) => {
  const text = 'listen: [{ address: 9 }, { address: 8, redirect: true }]';
  const loaded = loadText('t', `${text}\nservices: [{ blue: { targets: [http://127.0.0.1:8] } }]`, {
    environment: {},
    flags: {},
    machine: MACHINE,
  });
  t.match(loaded, { ok: false, faults: [{ message: /requests would go in circles/ }] });
  t.end();
});

await t.test('workers share ports; a socket file alone has one worker', (t) => {
  t.equal(configOf('listen: [{ address: "unix:/a" }, { address: "unix:/b" }]').workers, 1);
  t.equal(configOf('listen: [{ address: "unix:/a" }, { address: 1 }]').workers, 2);
  t.end();
});

await t.test('any list of addresses is answered; what is accepted is told apart', (t) => {
  const address = fc.constantFrom<unknown>(0, 1, ':2', '127.0.0.1:1', 'unix:/a', 'x', null, {});
  const tls = fc.constantFrom<unknown>(
    undefined,
    {},
    null,
    { acme: true },
    { certificates: [{ cert: 'c', key: 'k' }], clientCa: 'a', clients: 'required' },
  );
  const entry = fc.record({
    address,
    tls,
    redirect: fc.constantFrom<unknown>(undefined, true, false, 443, 'x'),
    proxyProtocol: fc.constantFrom<unknown>(undefined, {}, { from: ['10.0.0.0/8'] }),
  });
  const acme = fc.constantFrom<unknown>(undefined, { domains: ['a.test'] }, { domains: [1] });
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(address, fc.array(entry, { maxLength: 4 })), acme, (listen, names) => {
      const services = [{ blue: { targets: ['http://b.test:1'] } }];
      const text = JSON.stringify({ listen, acme: names, services });
      const loaded = loadText('t', text, { environment: {}, flags: {}, machine: MACHINE });
      if (!loaded.ok) return loaded.faults.every(({ message }) => message !== '');
      accepted++;
      const { listeners } = loaded.config.dataPlane;
      const keys = listeners.map(keyOfListener);
      const withTls = listeners.filter((one) => one.tls !== undefined).map(keyOfListener);
      return (
        new Set(keys).size === keys.length &&
        listeners.some(({ use }) => use === 'traffic') &&
        String(withTls) === String(loaded.config.tls.map(({ listener }) => listener))
      );
    }),
    { numRuns: 2_000 },
  );
  t.ok(accepted > 0);
  t.end();
});
