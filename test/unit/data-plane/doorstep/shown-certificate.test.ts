// Client certificates: which are good enough, and how targets are told of them, by the grammar of
// structured fields (RFC 9651) and of RFC 9440.

import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { TlsPolicy } from '../../../../src/contract/worker-settings.ts';
import { WallClock } from '../../../../src/data-plane/base/wall-clock.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import {
  certificateFields,
  certificateProblem,
} from '../../../../src/data-plane/doorstep/shown-certificate.ts';
import { authority, pemsOf, type Authority } from '../../../support/certificates.ts';
import { skipWithout } from '../../../support/installed.ts';
import {
  TEST_ADDRESS,
  testCertificates,
  TLS_TEST_POLICY,
} from '../../../support/test-certificates.ts';
import { serveDoor, type AskDoor } from '../support/tls-client.ts';

const skip = skipWithout('openssl');
const BYTES = /^:((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?):$/;

/** Serves clients of `ca`; each is told why it may not come in, or what targets get. */
async function serve(
  t: Test,
  ca: Authority,
  clients: TlsPolicy['clients'],
  wall: Pick<WallClock, 'untilMs'> = new WallClock(),
): Promise<AskDoor> {
  const set = testCertificates();
  const doors = new Doors({
    ...set,
    doors: set.doors.map((door) => ({ ...door, clientAuthorities: pemsOf(ca).cert })),
  });
  const policy = { ...TLS_TEST_POLICY, clients };
  const listener = { address: TEST_ADDRESS, use: 'traffic', redirectPort: 443 } as const;
  const door = doors.of({ ...listener, tls: policy, proxyFrom: [] })!;
  const greet = (socket: TLSSocket): string =>
    certificateProblem(socket, clients, wall) ?? certificateFields(socket);
  return serveDoor(t, () => door, greet);
}

/** Returns what a structured field that holds byte sequences says. */
function bytesOf(line: string): Buffer[] {
  const value = line.slice(line.indexOf(': ') + 2);
  return value.split(', ').map((item) => Buffer.from(BYTES.exec(item)![1]!, 'base64'));
}

await t.test('one that is accepted, at first and resumed', { skip }, async (t) => {
  const ca = authority(t);
  const client = pemsOf(ca.sign('client'));
  const { raw } = new X509Certificate(client.cert);
  for (const clients of ['required', 'optional'] as const) {
    const ask = await serve(t, ca, clients);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { text, ticket } = await ask({ ...client, maxVersion });
      const lines = text.split('\r\n');
      t.match(lines, [/^Client-Cert: /, ''], 'one line: the authority is known anyway');
      t.strictSame(bytesOf(lines[0]!), [raw]);
      const again = await ask({ ...client, maxVersion, session: ticket! });
      t.match(again, { isResumed: true, text }, `${maxVersion}, resumed`);
    }
  }
});

await t.test('none, and those that are not accepted', { skip }, async (t) => {
  const [ca, other] = [authority(t), authority(t)];
  const required = await serve(t, ca, 'required');
  const optional = await serve(t, ca, 'optional');
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    t.match(await required({ maxVersion }), { text: 'this port needs a client certificate' });
    t.match(await optional({ maxVersion }), { text: '', error: undefined });
    const wrong = [
      pemsOf(ca.sign('expired', { isExpired: true })),
      pemsOf(other.sign('unknown')),
      pemsOf(other),
    ];
    for (const shown of wrong) {
      for (const ask of [required, optional]) {
        const first = await ask({ ...shown, maxVersion });
        t.match(first.text, /^the client certificate is not accepted: [A-Z_]+$/);
        const again = await ask({ ...shown, maxVersion, session: first.ticket! });
        t.equal(again.text, first.text, 'nor in a second connection');
      }
    }
  }
  const none = await serve(t, ca, 'none');
  t.match(await none(pemsOf(other.sign('unasked'))), { text: '' }, 'none is asked for');
});

await t.test('one that has expired since its session began', { skip }, async (t) => {
  const ca = authority(t);
  const client = pemsOf(ca.sign('client'));
  let passedMs = 0;
  const wall = { untilMs: (atMs: number) => Math.max(0, atMs - Date.now() - passedMs) };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    passedMs = 0;
    const ask = await serve(t, ca, 'required', wall);
    const { text, ticket } = await ask({ ...client, maxVersion });
    t.match(text, /^Client-Cert: /);
    passedMs = 3 * 24 * 3_600_000;
    t.match(await ask({ ...client, maxVersion, session: ticket! }), {
      isResumed: true,
      text: 'the client certificate is not accepted: CERT_HAS_EXPIRED',
    });
  }
});

await t.test('one that is too large', { skip }, async (t) => {
  const ca = authority(t);
  const names = Array.from({ length: 500 }, (_, at) => `DNS:name-${at}.client.test`);
  const ask = await serve(t, ca, 'optional');
  const shown = pemsOf(ca.sign('large', { names }));
  t.match(await ask(shown), { text: 'the client certificate has more than 8192 bytes' });
});
