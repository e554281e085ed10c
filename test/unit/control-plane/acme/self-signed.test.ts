// The certificate that is presented until there is a real one: OpenSSL and Node read it as it is meant.

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readIssued } from '../../../../src/control-plane/acme/issued-certificate.ts';
import { selfSigned } from '../../../../src/control-plane/acme/self-signed.ts';
import { shortDir } from '../support/fixtures.ts';
import { DAY_MS, START_MS } from './acme-world.ts';

const LIFE = { notBeforeMs: START_MS, notAfterMs: START_MS + 90 * DAY_MS };

await t.test('it is for the names that were asked for, and its key fits', async (t) => {
  const names = Array.from({ length: 100 }, (_, index) => `shop-${index}.example.test`);
  const { chain, key } = selfSigned(names, LIFE);
  for (const name of names) {
    t.match(readIssued(name, chain, key), { domain: name, ...LIFE });
  }
  t.throws(() => readIssued('other.test', chain, key), /not for other\.test/);
  const certificate = new X509Certificate(chain);
  t.match(certificate.subject, /CN=Turnout has no certificate yet/);
  t.ok(certificate.verify(certificate.publicKey));
});

await t.test('OpenSSL believes it where it is told to, and no two are alike', async (t) => {
  const dir = shortDir(t);
  const serials = new Set<string>();
  for (let made = 0; made < 20; made++) {
    const { chain } = selfSigned(['a.test'], LIFE);
    const path = join(dir, 'cert.pem');
    writeFileSync(path, chain);
    const at = String(START_MS / 1_000 + 60);
    const strict = ['verify', '-x509_strict', '-attime', at, '-CAfile', path, path];
    t.match(execFileSync('openssl', strict, { encoding: 'utf8' }), /OK/);
    serials.add(new X509Certificate(chain).serialNumber);
  }
  t.equal(serials.size, 20);
});

await t.test('a life that ends after 2049 is written with four digits', async (t) => {
  const life = { notBeforeMs: Date.UTC(2049, 11, 31), notAfterMs: Date.UTC(2050, 0, 2) };
  const { chain, key } = selfSigned(['a.test'], life);
  t.match(readIssued('a.test', chain, key), life);
});
