// The certificate that a listener presents until there is one of an authority: signed by itself, so
// every client warns. It is made here and at once, because a listener must open although no program can
// be started and no authority be reached; a health check that makes a handshake gets one.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { bits, der, integer, oid, time } from './der.ts';
import type { Life } from './renewal-times.ts';

/** What its subject and issuer are called: that is what browsers show beside the warning. */
const NAME = 'Turnout has no certificate yet';
const SERIAL_BYTES = 16;
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const ALTERNATIVE_NAMES = '2.5.29.17';
/** `dNSName` in a list of names: context tag 2. */
const DNS_NAME = 0x82;
/** Version and extensions: context tags 0 and 3, constructed. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

export interface KeyPair {
  /** PEM. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
}

/** Makes a certificate for `names`, which are DNS names in ASCII. */
export function selfSigned(names: readonly string[], life: Life): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der('sequence', oid(ECDSA_WITH_SHA256));
  const name = subject(NAME);
  const contents = der(
    'sequence',
    der(VERSION, der('integer', Buffer.from([2]))),
    integer(serial()),
    algorithm,
    name,
    der('sequence', time(life.notBeforeMs), time(life.notAfterMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS, der('sequence', alternativeNames(names))),
  );
  const signature = sign('sha256', contents, privateKey);
  return {
    chain: pem(der('sequence', contents, algorithm, bits(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Zero is no serial number, and a leading zero is not its shortest form. */
function serial(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0]! |= 0x80;
  return bytes;
}

function subject(text: string): Buffer {
  const attribute = der('sequence', oid(COMMON_NAME), der('text', Buffer.from(text, 'utf8')));
  return der('sequence', der('set', attribute));
}

function alternativeNames(names: readonly string[]): Buffer {
  const list = names.map((name) => der(DNS_NAME, Buffer.from(name, 'latin1')));
  return der('sequence', oid(ALTERNATIVE_NAMES), der('octets', der('sequence', ...list)));
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
