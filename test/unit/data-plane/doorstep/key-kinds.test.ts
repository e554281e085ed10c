// One name with an RSA and an ECDSA certificate: each client gets one that it can verify.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { CertificateSet } from '../../../../src/contract/certificates.ts';
import { keyOfListener } from '../../../../src/contract/worker-settings.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import { certificateFor, serveDoor } from '../support/tls-client.ts';
import { tlsListener } from '../support/test-door.ts';

const certificates = [
  certificateFor('first-rsa', ['first.test'], 'rsa'),
  certificateFor('first-ec', ['first.test']),
  certificateFor('second-ec', ['second.test', 'second.ec.test']),
  certificateFor('second-rsa', ['second.test'], 'rsa'),
];
const set: CertificateSet = {
  version: 1,
  certificates,
  doors: [
    {
      listener: keyOfListener(tlsListener(1)),
      certificates: certificates.map(({ id }) => id),
      clientAuthorities: '',
    },
  ],
  ticketKeys: new Uint8Array(48),
  upstreams: [],
  challenges: [],
};
const doors = new Doors(set);
const ask = await serveDoor(t, () => doors.of(tlsListener(1))!);

/** Resolves with the common name that `openssl s_client` is shown; empty: the handshake failed. */
async function shown(...options: readonly string[]): Promise<string> {
  const where = ['-connect', `127.0.0.1:${ask.port}`];
  const child = spawn('openssl', ['s_client', ...where, ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return /^subject=CN ?= ?(\S+)/m.exec(await text(child.stdout))?.[1] ?? '';
}

for (const version of ['-tls1_3', '-tls1_2']) {
  await t.test(`openssl s_client ${version}`, async (t) => {
    for (const name of ['first', 'second']) {
      const sni = [version, '-servername', `${name}.test`];
      t.equal(await shown(...sni), `${name}-ec`, 'a client that takes both');
      t.equal(await shown(...sni, '-sigalgs', 'rsa_pss_rsae_sha256'), `${name}-rsa`);
      t.equal(await shown(...sni, '-sigalgs', 'ecdsa_secp256r1_sha256'), `${name}-ec`);
    }
    t.equal(await shown(version, '-noservername', '-sigalgs', 'rsa_pss_rsae_sha256'), 'first-rsa');
    t.equal(
      await shown(version, '-noservername', '-sigalgs', 'ecdsa_secp256r1_sha256'),
      'first-ec',
    );
    const onlyEc = [version, '-servername', 'second.ec.test', '-sigalgs', 'rsa_pss_rsae_sha256'];
    t.equal(await shown(...onlyEc), '', 'a name without an RSA certificate');
  });
}

await t.test('a client of TLS 1.2 whose ciphers are for RSA alone', async (t) => {
  const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256';
  const maxVersion = 'TLSv1.2';
  t.match(await ask({ servername: 'first.test', ciphers, maxVersion }), { presented: 'first-rsa' });
});

await t.test('a session goes on, whichever it began with', async (t) => {
  for (const sigalgs of ['RSA-PSS+SHA256', 'ECDSA+SHA256']) {
    const { ticket } = await ask({ servername: 'second.test', sigalgs });
    const again = await ask({ servername: 'second.test', session: ticket! });
    t.match(again, { isResumed: true, error: undefined });
  }
});
