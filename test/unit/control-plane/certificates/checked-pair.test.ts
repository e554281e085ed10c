// Which certificates with their keys are accepted, and what is said of the others.

import { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import t from 'tap';
import { CertificateFault } from '../../../../src/control-plane/certificates/certificate-fault.ts';
import {
  checkPair,
  untimelyText,
} from '../../../../src/control-plane/certificates/checked-pair.ts';
import { checkAuthorities } from '../../../../src/control-plane/certificates/client-authorities.ts';
import { readPem } from '../../../../src/control-plane/certificates/pem-text.ts';
import { skipWithout } from '../../../support/installed.ts';
import { openssl, pki } from '../support/pki.ts';

const skip = skipWithout('openssl');

function named(path: string, text: string) {
  return { path, blocks: readPem(text).blocks };
}

/** Arguments of openssl. */
function rsa(bits: number): string[] {
  return ['-newkey', `rsa:${bits}`];
}

function check(cert: string, key: string) {
  return checkPair(named('c.pem', cert), named('k.pem', key));
}

function authorities(text: string) {
  return checkAuthorities(named('ca.pem', text));
}

function faultOf(cert: string, key: string): string {
  try {
    check(cert, key);
    return '';
  } catch (error) {
    if (error instanceof CertificateFault) return error.message;
    throw error;
  }
}

await t.test('a chain with its key is a certificate for its names', { skip }, (t) => {
  const { issue } = pki(t);
  const root = issue('root', { isAuthority: true });
  const middle = issue('middle', { isAuthority: true, by: root });
  const names = 'DNS:Shop.Test,DNS:*.shop.test,DNS:shop.test,DNS:w*w.shop.test,IP:10.0.0.1';
  const own = issue('own', { names, by: middle });
  const { certificate, name, beginsAtMs, endsAtMs } = check(
    own.certText + middle.certText,
    own.keyText,
  );
  t.same(certificate.names, ['shop.test', '*.shop.test']);
  t.equal(name, 'shop.test');
  t.match(certificate.id, /^[0-9a-f]{64}$/);
  const { validFromDate, validToDate } = new X509Certificate(own.certText);
  t.same([beginsAtMs, endsAtMs], [validFromDate.getTime(), validToDate.getTime()]);
  t.equal(certificate.chain.match(/BEGIN CERTIFICATE/g)?.length, 2);
  const withRoot = check(own.certText + middle.certText + root.certText, own.keyText);
  t.not(withRoot.certificate.id, certificate.id, 'another chain is another certificate');
  t.end();
});

await t.test('how the text is written makes no difference', { skip }, (t) => {
  const { issue } = pki(t);
  const { certText, keyText } = issue('a.test');
  const { id } = check(certText, keyText).certificate;
  const written = (text: string) => check(text, keyText).certificate.id;
  t.equal(written(certText.replaceAll('\n', '\r\n')), id, 'CRLF');
  t.equal(written(`\uFEFF${certText}`), id, 'a byte order mark');
  t.equal(written(`subject=CN = a.test\n\n${certText}\n\n`), id, 'text around');
  t.equal(written(certText.trimEnd()), id, 'no line end at the end');
  t.equal(check(keyText + certText, keyText + certText).certificate.id, id, 'one file for both');
  const parameters = openssl('ecparam', '-name', 'prime256v1').toString();
  t.equal(check(certText, parameters + keyText).certificate.id, id, 'parameters before the key');
  t.end();
});

await t.test('keys of all kinds that OpenSSL takes', { skip }, (t) => {
  const { issue } = pki(t);
  for (const newKey of [
    ['rsa:2048'],
    ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'],
    ['ed25519'],
  ]) {
    const { certText, keyText } = issue('a.test', { newKey: ['-newkey', ...newKey] });
    t.equal(faultOf(certText, keyText), '', newKey[0]!);
  }
  t.end();
});

await t.test(
  'a certificate for addresses alone is one, for clients that name no host',
  { skip },
  (t) => {
    const { issue } = pki(t);
    const { certText, keyText } = issue('a', { names: 'IP:10.0.0.1' });
    const { certificate, name } = check(certText, keyText);
    t.same([certificate.names, name], [[], '10.0.0.1']);
    t.end();
  },
);

await t.test('what is wrong is said, with the file and what to do', { skip }, (t) => {
  const { issue, write } = pki(t);
  const root = issue('root', { isAuthority: true });
  const middle = issue('middle', { isAuthority: true, by: root });
  const own = issue('own.test', { by: middle });
  const other = issue('other.test');
  const small = issue('small.test', { newKey: rsa(1024) });
  const sha1 = issue('sha1.test', { by: root, newKey: rsa(2048), digest: '-sha1' });
  const nameless = issue('nameless', { names: '' });
  const odd = issue('odd', { names: 'DNS:*,email:a@b.test' });
  const encrypted = openssl('pkey', '-in', own.key, '-aes256', '-passout', 'pass:x').toString();
  const legacy = openssl('ec', '-in', own.key, '-aes256', '-passout', 'pass:x').toString();
  const publicKey = openssl('pkey', '-in', own.key, '-pubout').toString();
  const config = write('r.cnf', '[req]\ndistinguished_name = dn\n[dn]\n');
  const asking = ['req', '-new', '-key', own.key, '-subj', '/CN=own.test', '-config', config];
  const request = openssl(...asking).toString();
  const bundle = openssl('crl2pkcs7', '-nocrl', '-certfile', own.cert).toString();
  const trusted = openssl('x509', '-in', own.cert, '-trustout').toString();
  const damaged = own.certText.replace(/^MII..../m, 'MIIXXXXX');
  const chain = [own, middle, root].map(({ certText }) => certText);
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [own.certText, other.keyText, /^k\.pem is not the key of c\.pem: name the two/],
    [
      chain.toReversed().join(''),
      own.keyText,
      /^c\.pem: its key belongs to certificate 3: put the server's own/,
    ],
    [
      chain[0]! + chain[2]! + chain[1]!,
      own.keyText,
      /^c\.pem: certificate 2 \(root\) did not sign/,
    ],
    [
      own.certText + other.certText,
      own.keyText,
      /^c\.pem: certificate 2 \(other\.test\) did not sign/,
    ],
    [own.certText + middle.certText.repeat(10), own.keyText, /^c\.pem holds 11 certificates/],
    [damaged, own.keyText, /^c\.pem: the certificate is damaged .*copy the file again/],
    [own.certText + damaged, own.keyText, /^c\.pem: certificate 2 is damaged/],
    [own.keyText, own.keyText, /^c\.pem holds a key and no certificate/],
    [request, own.keyText, /^c\.pem holds a request for a certificate/],
    [bundle, own.keyText, /^c\.pem is PKCS #7: convert it by/],
    [trusted, own.keyText, /^c\.pem holds a certificate in a form of OpenSSL alone/],
    [own.certText, own.certText, /^k\.pem holds a certificate and no private key/],
    [own.certText, publicKey, /^k\.pem holds a public key/],
    [own.certText, own.keyText + other.keyText, /^k\.pem holds 2 private keys/],
    [own.certText, encrypted, /^k\.pem is encrypted, and no passphrase is asked for/],
    [own.certText, legacy, /^k\.pem is encrypted/],
    [
      own.certText,
      own.keyText.replace(/^M......./m, 'MXXXXXXX'),
      /^k\.pem: the private key is damaged/,
    ],
    [
      own.certText,
      own.keyText.replaceAll(' PRIVATE', ' OPENSSH PRIVATE'),
      /^k\.pem is a key of OpenSSH/,
    ],
    [small.certText, small.keyText, /^c\.pem has a key that is too small/],
    [
      sha1.certText,
      sha1.keyText,
      /^c\.pem: sha1\.test is signed by ecdsa-with-SHA1, .*have it issued anew/,
    ],
    [nameless.certText, nameless.keyText, /^c\.pem names no host .*subjectAltName=DNS:/],
    [odd.certText, odd.keyText, /^c\.pem names no host/],
  ];
  for (const [cert, key, message] of cases) t.match(faultOf(cert, key), message);
  const secrets = own.keyText.split('\n').filter((line) => line.length > 40);
  const said = cases.map(([cert, key]) => faultOf(cert, key)).join('\n');
  t.ok(
    secrets.length > 0 && secrets.every((line) => !said.includes(line)),
    'no key is in a message',
  );
  t.end();
});

await t.test(
  'an end that comes before that of the certificate counts, but not that of a root',
  { skip },
  (t) => {
    const { issue } = pki(t);
    const root = issue('root', { isAuthority: true, days: 1 });
    const middle = issue('middle', { isAuthority: true, by: root, days: 5 });
    const own = issue('own.test', { by: middle });
    const { endsAtMs } = check(own.certText + middle.certText + root.certText, own.keyText);
    t.equal(endsAtMs, new X509Certificate(middle.certText).validToDate.getTime());
    t.end();
  },
);

await t.test('what is over, and what has not begun', (t) => {
  const validity = { beginsAtMs: 1_000_000, endsAtMs: 2_000_000 };
  t.equal(untimelyText(validity, 1_000_000), undefined);
  t.equal(untimelyText(validity, 1_999_999), undefined);
  t.match(untimelyText(validity, 2_000_000), /^has expired 0 s ago, at 1970-01-01T00:33:20/);
  t.match(untimelyText(validity, 999_000), /^is not valid before 1970.*in 1 s: check the clock/);
  t.end();
});

await t.test('authorities of clients are one text', { skip }, (t) => {
  const { issue } = pki(t);
  const [one, two] = [
    issue('one', { isAuthority: true, days: 3 }),
    issue('two', { isAuthority: true }),
  ];
  const { text, name, endsAtMs } = authorities(`one\r\n${one.certText}${two.certText}`);
  t.equal(text, one.certText + two.certText);
  t.equal(name, 'one');
  t.equal(endsAtMs, new X509Certificate(two.certText).validToDate.getTime());
  const list = '-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n';
  t.throws(() => authorities(one.certText + list), /ca\.pem holds a list of revoked certificates/);
  t.throws(() => authorities(one.keyText), /ca\.pem holds a key and no certificate/);
  t.throws(() => authorities(one.certText.repeat(1_001)), /ca\.pem holds 1001 certificates/);
  t.end();
});

await t.test('a part of a file is refused, or it is whole without the rest', { skip }, (t) => {
  const { issue } = pki(t);
  const root = issue('root', { isAuthority: true });
  const own = issue('own.test', { by: root });
  const whole = own.certText + root.certText;
  const allowed = new Set([
    check(whole, own.keyText).certificate.id,
    check(own.certText, own.keyText).certificate.id,
  ]);
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(own.keyText.length), (certEnd, keyEnd) => {
      for (const [cert, key] of [
        [whole.slice(0, certEnd), own.keyText],
        [whole, own.keyText.slice(0, keyEnd)],
      ] as const) {
        // The reader of files refuses these already.
        if (readPem(cert).isCut || readPem(key).isCut) continue;
        if (cert === '' || key === '') continue;
        if (faultOf(cert, key) === '') t.ok(allowed.has(check(cert, key).certificate.id));
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});

await t.test(
  'of all orders of a chain those are accepted that begin with the own one and go up',
  { skip },
  (t) => {
    const { issue } = pki(t);
    const root = issue('root', { isAuthority: true });
    const middle = issue('middle', { isAuthority: true, by: root });
    const own = issue('own.test', { by: middle });
    const other = issue('other.test');
    const all = [own, middle, root, other];
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 1 }), (chain) => {
        const wanted = all.slice(0, chain.length);
        const isRight =
          chain.every((one, index) => one === wanted[index]) && !chain.includes(other);
        const text = chain.map(({ certText }) => certText).join('');
        t.equal(
          faultOf(text, own.keyText) === '',
          isRight,
          chain.map(({ cert }) => cert).join(' '),
        );
      }),
      { numRuns: 100 },
    );
    t.end();
  },
);

await t.test(
  'whatever stands in a file, it is accepted or refused with a sentence',
  { skip },
  (t) => {
    const { issue } = pki(t);
    const { certText, keyText } = issue('a.test');
    const piece = fc.oneof(
      fc.constantFrom(
        certText,
        keyText,
        '-----BEGIN CERTIFICATE-----\n',
        '-----END CERTIFICATE-----\n',
        '\r\n',
        '\0',
      ),
      fc.string(),
      fc.nat(certText.length).map((end) => certText.slice(end)),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.array(piece, { maxLength: 6 }),
        (cert, key) => {
          const { blocks } = readPem(cert.join(''));
          t.type(faultOf(cert.join(''), key.join('')), 'string');
          t.ok(
            blocks.every(({ text }) => text.startsWith('-----BEGIN ') && text.endsWith('-----\n')),
          );
        },
      ),
      { numRuns: 300 },
    );
    t.end();
  },
);

await t.test('reading takes time in proportion to the size', (t) => {
  const lines = '-----BEGIN A-----\n'.repeat(60_000);
  t.same(readPem(lines), { blocks: [], isCut: true });
  t.end();
});
