// Clients that lie about who they are, before a process with two workers: copies of what Turnout itself
// tells of certificates, chains that are not theirs, certificates as large as they like, sessions that
// outlive them.

import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { GET, HOST, openEdge, rssOf, toldIn, type Told } from '../e2e/edge-scene.ts';
import { skipWithout } from '../support/installed.ts';
import { pki, type Issued } from '../unit/control-plane/support/pki.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');

const V1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n';
const SPELLINGS = [
  'Client-Cert: :AAAA:',
  'client-cert: :AAAA:\r\nCLIENT-CERT: :BBBB:',
  'Client-Cert-Chain: :AAAA:, :BBBB:',
  'Client_Cert: :AAAA:',
  'CLIENT_CERT_CHAIN: :AAAA:',
  'Client-Cert_Chain: :AAAA:',
  'Client.Cert: :AAAA:',
  // Names by which other proxies tell of it, which apps behind them may still believe.
  'X-SSL-Client-Cert: AAAA\r\nSSL_CLIENT_CERT: AAAA\r\nssl-client-cert: AAAA',
  'X-Client-Cert: AAAA\r\nX-Amzn-Mtls-Clientcert: AAAA\r\nX-ARR-ClientCert: AAAA',
];

interface Shown {
  readonly key: string;
  readonly cert: string;
}

/** What a client presents: its own certificate, and others behind it. */
function shown(own: Issued, ...others: readonly Issued[]): Shown {
  return { key: own.keyText, cert: [own, ...others].map(({ certText }) => certText).join('') };
}

/** Returns the bytes of a certificate. */
function der({ certText }: Issued): Buffer {
  return Buffer.from(certText.replaceAll(/-----[^-]*-----/g, ''), 'base64');
}

/** Returns what the app was told in the fields with `name`, of whatever spelling. */
function told({ fields, trailers }: Told, name: RegExp): string[] {
  return [...fields, ...trailers].filter(([field]) => name.test(field)).map(([, value]) => value);
}

/** Returns so many names for a certificate, which has about 22 bytes for each. */
function names(count: number): string {
  return Array.from({ length: count }, (_, at) => `DNS:name-${at}.client.test`).join();
}

function withField(field: string): string {
  return GET.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`);
}

const ABOUT_CERTIFICATES = /client.?cert/;

await t.test('certificates of clients', { skip }, async (t) => {
  const { issue, write } = pki(t);
  const own = issue(HOST);
  const root = issue('root', { isAuthority: true, names: '' });
  const middle = issue('middle', { isAuthority: true, names: '', by: root });
  const lower = issue('lower', { isAuthority: true, names: '', by: middle });
  const direct = shown(issue('direct', { by: root }));
  const certificates = [{ cert: own.cert, key: own.key }];
  const known = write('known.pem', [root, middle, lower].map((one) => one.certText).join(''));
  const asked = { certificates, clientCa: root.cert };
  const scene = await openEdge(t, {
    plain: {},
    secure: { tls: { certificates } },
    optional: { tls: { ...asked, clients: 'optional' } },
    required: { tls: { ...asked, clients: 'required' } },
    knowing: { tls: { certificates, clientCa: known, clients: 'required' } },
    balanced: {
      tls: { ...asked, clients: 'optional' },
      proxyProtocol: { from: ['127.0.0.0/8'] },
    },
  });

  await t.test('what a client writes of a certificate never reaches the app', async (t) => {
    for (const field of SPELLINGS) {
      for (const request of [
        withField(field),
        withField(`${field}\r\nUpgrade: x`).replace('close', 'upgrade'),
        withField(`${field}\r\nX-Forwarded-For: 127.0.0.1`),
      ]) {
        const none = await Promise.all([
          scene.ask('plain', request),
          scene.ask('secure', request, {}),
          scene.ask('optional', request, {}),
          scene.ask('balanced', request, {}, V1),
        ]);
        for (const text of none) t.strictSame(told(toldIn(text), ABOUT_CERTIFICATES), [], field);
        const one = told(toldIn(await scene.ask('required', request, direct)), ABOUT_CERTIFICATES);
        t.match(one, [/^:MII[^,]*:$/], 'only what the handshake has shown');
        t.equal(one.length, 1);
      }
    }
  });

  await t.test('nor in a trailer, nor by taking ours away', async (t) => {
    for (const field of SPELLINGS) {
      const body = `1\r\na\r\n0\r\n${field}\r\n\r\n`;
      const head = GET.replace('GET', 'POST').replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked');
      const text = await scene.ask('optional', `${head}\r\n\r\n${body}`, {});
      if (text.startsWith('HTTP/1.1 400 ')) t.match(text, /the trailer section/);
      else t.strictSame(told(toldIn(text), ABOUT_CERTIFICATES), [], field);
    }
    const named = GET.replace('close', 'close, client-cert, client-cert-chain');
    t.equal(told(toldIn(await scene.ask('required', named, direct)), /^client-cert$/).length, 1);
  });

  await t.test('authorities in between are told in the order of RFC 9440', async (t) => {
    const client = issue('client', { by: lower });
    const expected = [`:${der(client).toString('base64')}:`];
    const chain = [lower, middle].map((one) => `:${der(one).toString('base64')}:`).join(', ');
    const unasked = issue('unasked', { isAuthority: true, names: '' });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const others of [
        [lower, middle],
        [lower, middle, root],
        [lower, middle, unasked],
      ]) {
        // A name that leads to a certificate of its own, and none at all.
        for (const servername of [HOST, '']) {
          const options = { ...shown(client, ...others), maxVersion, servername };
          const seen = toldIn(await scene.ask('required', GET, options));
          t.strictSame(told(seen, /^client-cert$/), expected);
          t.strictSame(told(seen, /^client-cert-chain$/), [chain], 'without the root');
        }
      }
    }
  });

  await t.test('a resumed session tells the same where we know all authorities', async (t) => {
    const client = issue('again', { by: lower });
    const connector = { ...shown(client, lower, middle), servername: HOST };
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await scene.open('knowing', { ...connector, maxVersion });
      first.send(GET.replace('close', 'keep-alive'));
      await first.until('response', () => (first.text.endsWith('}') ? true : undefined));
      const session = (first.socket as TLSSocket).getSession()!;
      first.socket.destroy();
      const second = await scene.open('knowing', { ...connector, maxVersion, session });
      t.ok((second.socket as TLSSocket).isSessionReused());
      second.send(GET);
      await second.ended();
      const [one, two] = [toldIn(first.text), toldIn(second.text)];
      t.strictSame(told(two, ABOUT_CERTIFICATES), told(one, ABOUT_CERTIFICATES));
      t.equal(told(one, /^client-cert-chain$/)[0]?.split(', ').length, 2);
    }
  });

  await t.test('an authority of the same name with another key is not told', async (t) => {
    // The client of the root itself: the one in between has nothing to do with it.
    const [fake, other] = [pki(t).issue('root', { isAuthority: true, names: '' }), pki(t)];
    const stranger = other.issue('root', { isAuthority: true, names: '', by: fake });
    for (const others of [[fake], [stranger], [stranger, fake]]) {
      const options = {
        key: direct.key,
        cert: direct.cert + others.map((one) => one.certText).join(''),
      };
      const text = await scene.ask('required', GET, options);
      if (text.startsWith('HTTP/1.1 400 ')) t.match(text, /is not accepted/);
      else t.strictSame(told(toldIn(text), /^client-cert-chain$/), []);
    }
  });

  await t.test('large ones cost a connection, and stay within bounds', async (t) => {
    const large = issue('large', { isAuthority: true, by: root, names: names(250) });
    const both = issue('both', { by: large, names: names(250) });
    const text = await scene.ask('required', GET, shown(both, large));
    t.ok(text.length < 8_192 * 2, 'certificate and chain together');
    t.equal(told(toldIn(text), /^client-cert$/).length, 1);
    const huge = issue('huge', { by: root, names: names(2_500) });
    t.ok(der(huge).length > 50_000);
    t.match(await scene.ask('required', GET, shown(huge)), /400 .*more than 8192 bytes/s);
    const crowd = Array.from({ length: 40 }, () => large);
    t.equal(await scene.ask('required', GET, shown(both, ...crowd)), '', 'more than TLS takes');
    t.match(await scene.ask('required', GET, direct), /^HTTP\/1\.1 200 /);
  });

  await t.test('chains leave nothing behind in memory', async (t) => {
    const pid = scene.running.process.pid!;
    const one = issue('padding', { isAuthority: true, names: names(200), by: root });
    const padding = Array.from({ length: 12 }, () => one);
    const good = shown(issue('good', { by: middle }), middle, ...padding);
    const bad = shown(issue('bad'), ...padding);
    const round = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await Promise.all([scene.ask('required', GET, good), scene.ask('optional', GET, bad)]);
      }
    };
    await round(10);
    const before = rssOf(pid);
    await round(30);
    const grown = (rssOf(pid) - before) / 1_048_576;
    // Where Node keeps what they have sent, it is 15 MiB.
    t.ok(grown < 9, `${grown.toFixed(1)} MiB more`);
    await scene.settled();
  });
});
