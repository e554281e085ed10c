// Takes a PEM file (RFC 7468) apart into its blocks and tells what else a file may be. Pure; what is
// in a block is judged by OpenSSL.

export interface PemBlock {
  /** Such as `CERTIFICATE`. */
  readonly label: string;
  /** With the lines around it, each ended by one line feed. */
  readonly text: string;
}

export interface PemText {
  readonly blocks: readonly PemBlock[];
  /** A block begins and does not end. */
  readonly isCut: boolean;
}

const BEGIN = /^-----BEGIN ([A-Z0-9 ]+)-----$/;

/** Returns the blocks of `text`; whatever stands between them is left out, as OpenSSL does it. */
export function readPem(text: string): PemText {
  const blocks: PemBlock[] = [];
  let isCut = false;
  let label = '';
  let lines: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    // A byte order mark may stand before the first line: U+FEFF is white space.
    const trimmed = line.trim();
    const begun = BEGIN.exec(trimmed)?.[1];
    if (begun !== undefined) {
      isCut ||= label !== '';
      label = begun;
      lines = [trimmed];
    } else if (label !== '') {
      lines.push(trimmed);
      if (trimmed !== `-----END ${label}-----`) continue;
      blocks.push({ label, text: `${lines.join('\n')}\n` });
      label = '';
    }
  }
  return { blocks, isCut: isCut || label !== '' };
}

/** Returns what a file without a single block seems to be, and what would mend it. */
export function notPemText(text: string): string {
  if (text.trim() === '') return 'is empty';
  if (/B\0E\0G\0I\0N/.test(text)) {
    return 'is UTF-16 text: save it as UTF-8 or ASCII';
  }
  if (text.includes('-----BEGIN ')) {
    return 'has lost its line ends: each line of a PEM file, such as "-----BEGIN …-----", must stand alone';
  }
  // An ASN.1 sequence of more than 255 bytes: its second byte is never valid in UTF-8.
  if (text.startsWith('0\uFFFD')) {
    return (
      'is binary (DER or PKCS #12), not PEM: convert it, by `openssl x509 -inform der`, ' +
      '`openssl pkey -inform der` or `openssl pkcs12 -nodes`'
    );
  }
  return 'is no PEM file: there is no line "-----BEGIN …-----" in it';
}
