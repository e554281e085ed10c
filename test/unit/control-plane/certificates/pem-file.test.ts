// Whatever lies at the path of a certificate: what is no PEM file is refused with a sentence.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readPemFile } from '../../../../src/control-plane/certificates/pem-file.ts';
import { openKeyText } from '../../../../src/control-plane/certificates/private-key.ts';
import { CERTIFICATE_FILE_BYTES_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { skipWithout } from '../../../support/installed.ts';
import { shortDir } from '../support/fixtures.ts';
import { openssl, pki } from '../support/pki.ts';

/** User and group of no one, by custom. */
const NOBODY = 65_534;

const BLOCK = '-----BEGIN X-----\nAAAA\n-----END X-----\n';

await t.test('files that cannot be read or are no PEM', async (t) => {
  const dir = shortDir(t);
  const path = join(dir, 'f');
  const refused = async (message: RegExp) =>
    t.rejects(readPemFile(path), { name: 'CertificateFault', message });
  await refused(/\/f does not exist: check the path$/);
  await t.rejects(readPemFile(join(dir, 'g')), /\/g does not exist/);
  const contents: readonly (readonly [string | Uint8Array, RegExp])[] = [
    ['', /\/f is empty$/],
    [' \n', /\/f is empty$/],
    ['hello', /\/f is no PEM file: there is no line "-----BEGIN/],
    [BLOCK.slice(0, -20), /\/f ends in the middle of a block/],
    [BLOCK + BLOCK.slice(0, 25), /\/f ends in the middle of a block/],
    ['-----BEGIN X-----\nAA\n'.repeat(2), /\/f ends in the middle/],
    [JSON.stringify(BLOCK), /\/f has lost its line ends/],
    [BLOCK.replaceAll('\n', ' '), /\/f has lost its line ends/],
    [Buffer.from(`\uFEFF${BLOCK}`, 'utf16le'), /\/f is UTF-16 text: save it as UTF-8/],
    [Buffer.from([0x30, 0x82, 0x01, 0x0a, 0x02]), /\/f is binary \(DER or PKCS #12\), not PEM/],
    ['A'.repeat(CERTIFICATE_FILE_BYTES_MAX + 1), /\/f is larger than 1 MiB/],
  ];
  for (const [content, message] of contents) {
    writeFileSync(path, content);
    await refused(message);
  }
  writeFileSync(path, `${BLOCK}${' '.repeat(CERTIFICATE_FILE_BYTES_MAX - BLOCK.length)}`);
  t.equal((await readPemFile(path)).blocks.length, 1, 'as large as a file may be');
});

await t.test('what is no regular file is not waited for', async (t) => {
  const dir = shortDir(t);
  mkdirSync(join(dir, 'd'));
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  symlinkSync('loop', join(dir, 'loop'));
  await t.rejects(readPemFile(join(dir, 'd')), /\/d is a directory: name the PEM file itself/);
  await t.rejects(readPemFile(join(dir, 'pipe')), /\/pipe is no regular file/);
  await t.rejects(readPemFile('/dev/zero'), /\/dev\/zero is no regular file/);
  await t.rejects(readPemFile(join(dir, 'loop')), /\/loop is a link that leads back to itself/);
  await t.rejects(readPemFile(join(dir, 'pipe', 'f')), /a part of its path is no directory/);
});

await t.test('a file that this user may not read', async (t) => {
  const dir = shortDir(t);
  chmodSync(dir, 0o755);
  const path = join(dir, 'f');
  writeFileSync(path, BLOCK);
  chmodSync(path, 0);
  // Root reads all, so it is no one for a moment.
  const isRoot = process.geteuid!() === 0;
  if (isRoot) process.seteuid!(NOBODY);
  try {
    await t.rejects(readPemFile(path), /\/f may not be read by user \d+, who runs this program/);
  } finally {
    if (isRoot) process.seteuid!(0);
  }
});

await t.test('binary forms as openssl writes them', { skip: skipWithout('openssl') }, async (t) => {
  const { issue, write } = pki(t);
  const { cert, key } = issue('a.test');
  const pkcs12 = ['pkcs12', '-export', '-in', cert, '-inkey', key, '-passout', 'pass:x'];
  const forms = [openssl('x509', '-in', cert, '-outform', 'der'), openssl(...pkcs12)];
  for (const bytes of forms) await t.rejects(readPemFile(write('f', bytes)), /is binary/);
});

await t.test('a key that others may read or write is told of', (t) => {
  t.equal(openKeyText('k', 0o100_600), undefined);
  t.equal(
    openKeyText('k', 0o100_640),
    undefined,
    'a group may be one that only this program is in',
  );
  t.match(openKeyText('k', 0o100_644), /^every user may read the private key k \(mode 644\): use/);
  t.match(openKeyText('k', 0o100_666), /^every user may read and write the private key/);
  t.end();
});
