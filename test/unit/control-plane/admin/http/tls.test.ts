// The admin API over TLS, and operators who prove who they are by certificate.

import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { mock } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { AdminConfig, AdminTls } from '../../../../../src/config/config.ts';
import { Access } from '../../../../../src/control-plane/admin/calls/authorization.ts';
import { namesIn } from '../../../../../src/control-plane/admin/calls/client-certificate.ts';
import { openCertificates } from '../../../../../src/control-plane/admin/http/admin-certificates.ts';
import { CERTIFICATES_LOOK_EVERY_MS } from '../../../../../src/control-plane/base/control-limits.ts';
import {
  authority,
  pemsOf,
  type Authority,
  type CertificateFiles,
} from '../../../../support/certificates.ts';
import { skipWithout } from '../../../../support/installed.ts';
import { Tokens } from '../../../../../src/control-plane/access/tokens.ts';
import { ask, openAdmin } from '../../support/admin.ts';
import { TestLog } from '../../support/fixtures.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { notes } from '../../support/notes.ts';

const skip = skipWithout('openssl');

const CLIENTS: AdminTls['clients'] = [
  { name: 'ci', role: 'switch' },
  { name: 'spiffe://test/watcher', role: 'read' },
  { name: 'ops@example.com', role: 'admin' },
  { name: 'runner.internal', role: 'read' },
];

async function open(t: Test, changes: Partial<AdminTls> = {}, listen?: AdminConfig['listen']) {
  const ca = authority(t);
  const tls = { ...ca.sign('server'), clientCa: ca.cert, clients: CLIENTS, ...changes };
  const admin = await openAdmin(t, { tls, ...(listen === undefined ? {} : { listen }) });
  const { address } = admin;
  const port = address.kind === 'tcp' ? address.port : 0;
  return { ...admin, ca, port, tls };
}

interface Calling {
  readonly ca: Authority;
  readonly port: number;
  readonly client?: CertificateFiles | undefined;
  readonly method?: 'GET' | 'POST';
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks over TLS; resolves with status and code of the answer. */
async function call({ ca, port, client, method = 'POST', path = '/v1/switch', headers }: Calling) {
  const asked = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    ca: pemsOf(ca).cert,
    ...(client === undefined ? {} : pemsOf(client)),
    headers: {
      'content-type': 'application/json',
      ...headers,
    },
  });
  asked.end(method === 'POST' ? '{}' : undefined);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response) text += String(part);
  const { code, detail } = JSON.parse(text) as { readonly code?: string; readonly detail?: string };
  return { status: response.statusCode, code, detail };
}

await t.test('a certificate is what its name says', { skip }, async (t) => {
  const { ca, port, audit } = await open(t);
  const rows = [
    ['ci', {}, 200, 200],
    ['watcher', { names: ['URI:spiffe://test/watcher'] }, 403, 200],
    ['ops', { names: ['email:ops@example.com'] }, 200, 200],
    ['runner', { names: ['DNS:runner.internal'] }, 403, 200],
    ['somebody', { names: ['DNS:other.internal'] }, 401, 401],
    ['CI', {}, 401, 401],
  ] as const;
  for (const [name, options, change, read] of rows) {
    const client = ca.sign(name, options);
    t.match(await call({ ca, port, client }), { status: change }, `${name} changes`);
    const look = await call({ ca, port, client, method: 'GET', path: '/v1/status' });
    t.match(look, { status: read }, `${name} looks`);
  }
  const entries = await audit.latest({ services: undefined, before: undefined, limit: 9 });
  t.same(
    entries.map(({ actor }) => actor),
    [
      'nobody',
      'nobody',
      'cert:runner.internal',
      'cert:ops@example.com',
      'cert:spiffe://test/watcher',
      'cert:ci',
    ],
  );
  t.match(entries[1]?.detail, /has somebody, localhost, other\.internal, and admin\.tls\.clients/);
});

await t.test(
  'who has none, or not a good one, is told so and written down',
  { skip },
  async (t) => {
    const { ca, port, audit } = await open(t);
    const stranger = authority(t).sign('ci');
    const expired = ca.sign('ci', { isExpired: true });
    const rows = [
      [undefined, /send a token or a client certificate/],
      [stranger, /the client certificate is not accepted: \w/],
      [expired, /the client certificate is not accepted: CERT_HAS_EXPIRED/],
    ] as const;
    for (const [client, detail] of rows) {
      t.match(await call({ ca, port, client }), { status: 401, code: 'unauthenticated', detail });
      const live = await call({ ca, port, client, method: 'GET', path: '/livez' });
      t.match(live, { status: 200 }, 'but may ask whether we live');
    }
    const entries = await audit.latest({ services: undefined, before: undefined, limit: 9 });
    t.equal(entries.length, rows.length);
  },
);

await t.test('a token does as well, and counts before a certificate', { skip }, async (t) => {
  const { ca, port, tokens } = await open(t);
  const wanted = { name: 'reader', role: 'read', services: [], lifeMs: undefined } as const;
  const { text } = await tokens.create(wanted, () => notes());
  const headers = { authorization: `Bearer ${text}` };
  const look = { ca, port, method: 'GET', path: '/v1/status', headers } as const;
  t.match(await call(look), { status: 200 });
  t.match(await call({ ...look, client: ca.sign('somebody') }), { status: 200 });
  t.match(await call({ ca, port, headers, client: ca.sign('ci') }), { status: 403 });
});

await t.test(
  'a certificate and a token of the same name are two, also to history and keys',
  { skip },
  async (t) => {
    const { ca, port, tokens, audit, switchboard, store } = await open(t);
    const wanted = { name: 'ci', role: 'switch', services: [], lifeMs: undefined } as const;
    const { text } = await tokens.create(wanted, () => notes());
    const key = { 'idempotency-key': 'k1' };
    const client = ca.sign('ci');
    t.match(await call({ ca, port, client, headers: key }), { status: 200 });
    const headers = { ...key, authorization: `Bearer ${text}` };
    const theirs = await call({ ca, port, headers });
    t.match(theirs, { status: 422, code: 'idempotency-mismatch' }, 'nor are their answers one');
    t.match(await call({ ca, port, headers: { ...headers, 'idempotency-key': 'k2' } }), {
      status: 200,
    });
    const switches = store.history({ service: undefined, limit: 9 });
    t.same(
      switches.map(({ actor }) => actor),
      ['ci', 'cert:ci'],
    );
    t.equal(switchboard.table.epoch, 3);
    const entries = await audit.latest({ services: undefined, before: undefined, limit: 3 });
    t.same(
      entries.map(({ actor }) => actor),
      ['ci', 'ci', 'cert:ci'],
    );
  },
);

await t.test(
  'a certificate that is called like the process itself is not taken for it',
  async (t) => {
    const tls = {
      cert: '',
      key: '',
      clientCa: '',
      clients: [{ name: 'failover', role: 'switch' }],
    };
    const listen = { kind: 'tcp', host: '0.0.0.0', port: 1 } as const;
    const access = new Access(
      { listen, hosts: [], tls } as AdminConfig,
      new Tokens(new MemoryStore()),
    );
    const certificate = { fault: undefined, names: ['failover'] };
    const caller = await access.admit({
      address: '10.0.0.1',
      authorization: undefined,
      certificate,
    });
    t.match(caller, { actor: 'cert:failover', role: 'switch' });
  },
);

await t.test('TLS without client certificates is TLS', { skip }, async (t) => {
  const { ca, port } = await open(t, { clientCa: undefined, clients: [] });
  t.match(await call({ ca, port }), { status: 200 }, 'on loopback nobody has to prove anything');
  const origin = { host: `127.0.0.1:${port}`, origin: `https://127.0.0.1:${port}` };
  t.match(await call({ ca, port, headers: origin }), { status: 200 });
  const plain = { ...origin, origin: `http://127.0.0.1:${port}` };
  t.match(await call({ ca, port, headers: plain }), { status: 403, code: 'origin-not-allowed' });
});

await t.test('plain HTTP gets nothing from a TLS listener', { skip }, async (t) => {
  const { address } = await open(t);
  await t.rejects(
    Promise.race([
      ask(address, '/v1/status'),
      new Promise((_, reject) => {
        setTimeout(() => reject(new Error('no answer')), 2_000);
      }),
    ]),
  );
});

await t.test('old versions of TLS are refused', { skip }, async (t) => {
  const { ca, port } = await open(t);
  const options = { ca: pemsOf(ca).cert, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' } as const;
  const socket = connect({ host: '127.0.0.1', port, ...options, ciphers: 'DEFAULT@SECLEVEL=0' });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  t.match(error.code, /^ERR_SSL_|^ECONNRESET/);
});

await t.test('renewed files are used without a restart, bad ones are not', { skip }, async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const { ca, port, tls, log } = await open(t);
  const commonName = async (): Promise<string> => {
    const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca: pemsOf(ca).cert });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  };
  const lookUntil = async (pattern: RegExp): Promise<void> => {
    while (!log.has(pattern)) {
      mock.timers.tick(CERTIFICATES_LOOK_EVERY_MS);
      await immediate();
    }
  };
  t.equal(await commonName(), 'server');
  const renewed = ca.sign('renewed');
  writeFileSync(tls.cert, 'half of it');
  await lookUntil(/server\.pem has changed, but what was in use stays: .*server\.pem is no PEM/);
  t.equal(await commonName(), 'server');
  copyFileSync(renewed.cert, tls.cert);
  copyFileSync(renewed.key, tls.key);
  await lookUntil(/server\.pem has changed, and what it holds now is in use/);
  t.equal(await commonName(), 'renewed');
});

await t.test('files that are no certificates are told at the start', { skip }, async (t) => {
  const ca = authority(t);
  const server = ca.sign('server');
  const other = ca.sign('other');
  const tls = { ...server, clientCa: ca.cert, clients: CLIENTS };
  const refused = async (changes: Partial<AdminTls>, message: RegExp): Promise<void> => {
    const opening = openCertificates({ ...tls, ...changes }, new TestLog());
    await t.rejects(opening, { name: 'NamedFilesError', message });
  };
  await refused({ cert: '/nowhere.pem' }, /admin\.tls: \/nowhere\.pem does not exist/);
  await refused({ key: other.key }, /other\.key is not the key of .*server\.pem/);
  await refused({ key: server.cert }, /server\.pem holds a certificate and no private key/);
  await refused({ clientCa: '/nowhere' }, /admin\.tls: \/nowhere does not exist/);
});

await t.test('one name in a certificate never looks like two', async (t) => {
  t.same(namesIn('DNS:a, URI:spiffe://x/y, email:e@x, IP Address:10.0.0.1'), [
    'a',
    'spiffe://x/y',
    'e@x',
  ]);
  t.same(namesIn('DNS:"a, DNS:admin"'), ['a, DNS:admin'], 'as Node writes a name with a comma');
  t.same(namesIn('DNS:"say \\"hi\\", DNS:admin", DNS:b'), ['say "hi", DNS:admin', 'b']);
  t.same(namesIn('othername:<unsupported>, DNS:a'), ['a']);
  for (const none of [undefined, '', 'nonsense', 'DNS:"open']) t.same(namesIn(none), []);
});
