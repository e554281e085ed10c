// A file as text: bounded, and UTF-8 or nothing.

import { closeSync, openSync, readSync } from 'node:fs';

/** Far above any sane file (the example has 10 KiB), far below what would hurt. */
export const FILE_BYTES_MAX = 1024 * 1024;

export type ReadFile =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly problem: string };

/** Reads a file without trusting its size, which a pipe does not tell. */
export function readText(path: string): ReadFile {
  const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
  let length = 0;
  try {
    const handle = openSync(path, 'r');
    try {
      for (let count = -1; count !== 0 && length < buffer.length; length += count) {
        count = readSync(handle, buffer, length, buffer.length - length, null);
      }
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { ok: false, problem: `expected a file that can be read, got ${code} for ${path}` };
  }
  return decoded(buffer.subarray(0, length), path);
}

/** As `readText`, from a stream; `name` stands in messages. */
export async function readTextFrom(
  stream: AsyncIterable<Uint8Array>,
  name: string,
): Promise<ReadFile> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    parts.push(part);
    length += part.length;
    if (length > FILE_BYTES_MAX) break;
  }
  return decoded(Buffer.concat(parts), name);
}

function decoded(bytes: Buffer, name: string): ReadFile {
  if (bytes.length > FILE_BYTES_MAX) {
    return { ok: false, problem: `expected at most ${FILE_BYTES_MAX} bytes, got more in ${name}` };
  }
  const text = bytes.toString('utf8');
  // UTF-8 that does not come back the same was not UTF-8.
  if (!Buffer.from(text).equals(bytes)) {
    return { ok: false, problem: `expected UTF-8, got other bytes in ${name}` };
  }
  return { ok: true, value: text };
}
