// Writes as much as the other side takes: bodies far larger than any buffer on the way.

import type { Writable } from 'node:stream';

/**
 * Writes `piece` again and again until `total` bytes have left or the stream is gone; resolves
 * with the number of bytes that were written. Never holds more than the stream's own buffer.
 */
export async function pump(stream: Writable, piece: Buffer, total: number): Promise<number> {
  let written = 0;
  while (written < total && !stream.destroyed) {
    const next = piece.subarray(0, Math.min(piece.length, total - written));
    written += next.length;
    if (!stream.write(next)) await roomOrClose(stream);
  }
  return written;
}

function roomOrClose(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.once('drain', done);
    stream.once('close', done);
    if (stream.destroyed) done();
  });
}
