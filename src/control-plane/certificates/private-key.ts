// Judges the private key of a certificate: that there is one, that it can be read without a
// passphrase, and whom its file lets read it.

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { messageOf } from '../base/problems.ts';
import { CertificateFault } from './certificate-fault.ts';
import type { PemBlock } from './pem-text.ts';

/** Throws CertificateFault unless `blocks` have one private key that can be used. */
export function privateKeyIn(
  path: string,
  blocks: readonly PemBlock[],
): { readonly key: KeyObject; readonly text: string } {
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [first] = keys;
  if (first === undefined) throw new CertificateFault(`${path} ${noKeyText(blocks)}`);
  if (keys.length > 1) {
    throw new CertificateFault(
      `${path} holds ${keys.length} private keys: leave the one of this certificate`,
    );
  }
  if (first.label === 'OPENSSH PRIVATE KEY') {
    throw new CertificateFault(
      `${path} is a key of OpenSSH: convert it by \`ssh-keygen -p -m PKCS8\`, or make a new one`,
    );
  }
  const isEncrypted =
    first.label.startsWith('ENCRYPTED') || first.text.includes('\nProc-Type: 4,ENC');
  if (isEncrypted) {
    throw new CertificateFault(
      `${path} is encrypted, and no passphrase is asked for: decrypt it by \`openssl pkey -in ${path} -out …\`, ` +
        'and let only the user that runs this program read the result',
    );
  }
  try {
    return { key: createPrivateKey(first.text), text: first.text };
  } catch (error) {
    throw new CertificateFault(
      `${path}: the private key is damaged or of an unknown kind (${messageOf(error)}): copy the file again`,
      { cause: error },
    );
  }
}

function noKeyText(blocks: readonly PemBlock[]): string {
  const labels = blocks.map(({ label }) => label);
  if (labels.some((label) => label.endsWith('PUBLIC KEY'))) {
    return 'holds a public key: name the file of the private one';
  }
  if (labels.some((label) => label.endsWith('CERTIFICATE'))) {
    return 'holds a certificate and no private key: certificate and key may have been mixed up';
  }
  return `holds no private key, but ${labels.join(', ')}`;
}

const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;

/** Returns what to tell of a key file that every user may read or write; undefined: none may. */
export function openKeyText(path: string, mode: number): string | undefined {
  const may = [
    ...((mode & OTHERS_READ) === 0 ? [] : ['read']),
    ...((mode & OTHERS_WRITE) === 0 ? [] : ['write']),
  ];
  if (may.length === 0) return undefined;
  const text = (mode & 0o777).toString(8);
  return `every user may ${may.join(' and ')} the private key ${path} (mode ${text}): use \`chmod 600\``;
}
