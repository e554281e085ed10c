// Bytes of HTTP as strings: latin1 keeps each byte as one character, so obs-text survives.

/** Returns `bytes[start, end)` as a string with one character per byte. */
export function text(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}
