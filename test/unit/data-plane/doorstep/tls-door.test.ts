// Versions, ciphers, protocols and sessions of one door.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import type { Listener } from '../../../../src/contract/worker-settings.ts';
import type { CertificateSet } from '../../../../src/contract/certificates.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import { entryFor, type TlsDoor } from '../../../../src/data-plane/doorstep/tls-door.ts';
import { skipWithout } from '../../../support/installed.ts';
import {
  TEST_ADDRESS,
  testCertificates,
  TLS_TEST_POLICY,
} from '../../../support/test-certificates.ts';
import { testDoor } from '../support/test-door.ts';
import { certificateFor, serveDoor } from '../support/tls-client.ts';

const skip = skipWithout('openssl');

const LISTENER: Listener = {
  address: TEST_ADDRESS,
  use: 'traffic',
  redirectPort: 443,
  tls: TLS_TEST_POLICY,
  proxyFrom: [],
};
const ONLY_13: Listener = { ...LISTENER, tls: { ...TLS_TEST_POLICY, minVersion: 'TLSv1.3' } };

function doorOf(set: CertificateSet, listener = LISTENER): TlsDoor {
  return new Doors(set).of(listener)!;
}

await t.test('versions', { skip }, async (t) => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  const v12 = { maxVersion: 'TLSv1.2' } as const;
  const ask = await serveDoor(t, testDoor);
  t.match(await ask(old), { error: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  t.match(await ask(v12), { protocol: 'TLSv1.2' });
  t.match(await ask(), { protocol: 'TLSv1.3' });
  const door = doorOf(testCertificates(), ONLY_13);
  const only13 = await serveDoor(t, () => door);
  t.match(await only13(v12), { error: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  t.match(await only13({ ...v12, servername: 'localhost' }), {
    error: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  });
  t.match(await only13(), { protocol: 'TLSv1.3' });
});

await t.test('ciphers with forward secrecy and AEAD alone', { skip }, async (t) => {
  const rsa = certificateFor('rsa', ['localhost'], 'rsa');
  const set = testCertificates();
  const doors = set.doors.map((door) => ({ ...door, certificates: ['rsa'] }));
  const rsaDoor = doorOf({ ...set, certificates: [rsa], doors });
  for (const [door, key] of [
    [testDoor(), 'ECDSA'],
    [rsaDoor, 'RSA'],
  ] as const) {
    const ask = await serveDoor(t, () => door);
    const with12 = async (ciphers: string) =>
      ask({ maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0`, servername: 'localhost' });
    for (const rest of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']) {
      t.match(await with12(`ECDHE-${key}-${rest}`), { cipher: `ECDHE-${key}-${rest}` });
    }
    for (const weak of [`ECDHE-${key}-AES128-SHA256`, `ECDHE-${key}-AES256-SHA`]) {
      t.match(await with12(weak), { error: /HANDSHAKE_FAILURE/ }, weak);
    }
  }
  const ask = await serveDoor(t, () => rsaDoor);
  for (const ciphers of ['AES128-GCM-SHA256', 'DHE-RSA-AES128-GCM-SHA256', 'AES256-SHA']) {
    t.match(
      await ask({ maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` }),
      { error: /HANDSHAKE_FAILURE/ },
      ciphers,
    );
  }
});

await t.test('protocols', { skip }, async (t) => {
  const ask = await serveDoor(t, testDoor);
  t.match(await ask(), { alpn: false, error: undefined }, 'none offered');
  t.match(await ask({ ALPNProtocols: ['h2', 'http/1.1'] }), { alpn: 'http/1.1' });
  t.match(await ask({ ALPNProtocols: ['http/1.0', 'http/1.1'] }), { alpn: 'http/1.1' });
  t.match(await ask({ ALPNProtocols: ['http/1.0'] }), { alpn: 'http/1.0' });
  const refused = { error: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' };
  for (const unknown of ['h2', 'HTTP/1.1', 'acme-tls/1', '__proto__', 'x'.repeat(255)]) {
    t.match(await ask({ ALPNProtocols: [unknown] }), refused, unknown.slice(0, 20));
  }
});

await t.test('a session goes on in another worker, by the same keys', { skip }, async (t) => {
  const set = testCertificates();
  const [one, other] = [doorOf(set), doorOf(set)];
  const foreign = doorOf({ ...set, ticketKeys: new Uint8Array(48).fill(9) });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const servername of ['localhost', 'unknown.test']) {
      const asking = { maxVersion, servername };
      const [atOne, atOther, atForeign] = await Promise.all(
        [one, other, foreign].map(async (door) => serveDoor(t, () => door)),
      );
      const { ticket } = await atOne!(asking);
      const again = { ...asking, session: ticket! };
      t.match(await atOther!(again), { isResumed: true, error: undefined }, maxVersion);
      t.match(await atForeign!(again), { isResumed: false, error: undefined }, maxVersion);
    }
  }
});

await t.test('no second handshake within the first', { skip }, async (t) => {
  let written = '';
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    testDoor().receive(socket, {
      secured: (secure) => {
        secure.on('error', () => {});
        secure.on('data', (bytes) => (written += String(bytes)));
        secure.resume();
        secure.write('welcome\n');
      },
      failed: () => socket.destroy(),
    });
  });
  t.teardown(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-legacy_renegotiation'];
  const client = execFile('openssl', args);
  let text = '';
  client.stdout!.on('data', (bytes) => {
    const hadCome = text.includes('welcome');
    text += String(bytes);
    if (!hadCome && text.includes('welcome')) client.stdin!.write('R\n');
  });
  client.stderr!.on('data', (bytes) => (text += String(bytes)));
  await once(client, 'close');
  t.match(text, /RENEGOTIATING/);
  t.match(text, /no renegotiation/, 'refused by an alert');
  t.equal(written, '');
});

await t.test('names', async (t) => {
  const byName = new Map([
    ['a.test', 1],
    ['*.a.test', 2],
  ]);
  for (const [name, entry] of [
    ['a.test', 1],
    ['A.TEST.', 1],
    ['b.a.test', 2],
    ['*.a.test', 2],
    ['c.b.a.test', undefined],
    ['a.test..', undefined],
    ['test', undefined],
    ['', undefined],
    ['.', undefined],
  ] as const) {
    t.equal(entryFor(byName, name), entry, name);
  }
});
