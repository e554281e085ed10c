// Reads a PEM file whatever lies at its path: nothing, a directory, a pipe, a gigabyte.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { CERTIFICATE_FILE_BYTES_MAX } from '../base/control-limits.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import { CertificateFault } from './certificate-fault.ts';
import { notPemText, readPem, type PemText } from './pem-text.ts';

export interface PemFile extends PemText {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
}

/** Resolves with a file that has at least one block; rejects with CertificateFault. */
export async function readPemFile(path: string): Promise<PemFile> {
  const { text, mode } = await readBounded(path);
  const pem = readPem(text);
  if (pem.isCut) {
    throw new CertificateFault(
      `${path} ends in the middle of a block: it was not written or copied to its end`,
    );
  }
  if (pem.blocks.length === 0) throw new CertificateFault(`${path} ${notPemText(text)}`);
  return { ...pem, path, mode };
}

async function readBounded(
  path: string,
): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    // Opening a pipe without a writer would wait for one.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) {
        const what = found.isDirectory() ? 'a directory' : 'no regular file';
        throw new CertificateFault(`${path} is ${what}: name the PEM file itself`);
      }
      const bytes = Buffer.alloc(CERTIFICATE_FILE_BYTES_MAX + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < bytes.length; length += read) {
        ({ bytesRead: read } = await file.read(bytes, length, bytes.length - length));
      }
      if (length > CERTIFICATE_FILE_BYTES_MAX) {
        const max = CERTIFICATE_FILE_BYTES_MAX / 1_048_576;
        throw new CertificateFault(
          `${path} is larger than ${max} MiB: that is no file of certificates or of a key`,
        );
      }
      return { text: bytes.toString('utf8', 0, length), mode: found.mode };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof CertificateFault) throw error;
    throw new CertificateFault(`${path} ${unreadable(error)}`, { cause: error });
  }
}

function unreadable(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOENT') return 'does not exist: check the path';
  if (code === 'ENOTDIR') return 'does not exist: a part of its path is no directory';
  if (code === 'ELOOP') return 'is a link that leads back to itself';
  if (code !== 'EACCES' && code !== 'EPERM') return `cannot be read: ${messageOf(error)}`;
  return `may not be read by user ${process.getuid?.() ?? '?'}, who runs this program: change its owner or mode`;
}
