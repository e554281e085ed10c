// Secrets that what is sent is signed with: a file of the operator, read each time it is used, so that a
// new secret counts at once and none is kept in memory, in a state or in a log.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { checkTrusted } from './file-trust.ts';

/** Of the whole file; a secret has some 64 characters. */
const SECRET_BYTES_MAX = 4_096;
/** While one secret takes the place of another, both sign. */
const SECRETS_MAX = 2;

/**
 * Returns the secrets in the file at `path`, one a line. Throws an error with one line for the operator, which holds
 * nothing of the content.
 */
export function readSecrets(path: string): readonly Buffer[] {
  checkTrusted(path);
  const bytes = readBounded(path);
  const lines = bytes
    .toString('latin1')
    .split(/\r?\n/)
    .map((line) => line.trim());
  const secrets = lines.filter((line) => line !== '');
  if (secrets.length === 0) throw new Error(`${path} holds no secret`);
  if (secrets.length > SECRETS_MAX) {
    throw new Error(
      `${path} has more than ${SECRETS_MAX} lines: one secret a line, the new one first`,
    );
  }
  return secrets.map((line) => Buffer.from(line, 'latin1'));
}

/** A pipe or a device would block the process, or never end. */
function readBounded(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`${path} is not a file`);
    const bytes = Buffer.alloc(SECRET_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const read = readSync(fd, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.subarray(0, length);
      length += read;
      if (length > SECRET_BYTES_MAX)
        throw new Error(`${path} has more than ${SECRET_BYTES_MAX} bytes`);
    }
  } finally {
    closeSync(fd);
  }
}
