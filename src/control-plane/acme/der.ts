// The few forms of DER (ITU-T X.690 §8) that a certificate is made of. Pure bytes.

/** Universal tags; those of sequences and sets have the bit of constructed values. */
const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  text: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Returns one value: its tag, its length, its content. */
export function der(tag: keyof typeof TAGS | number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([
    Buffer.from([typeof tag === 'number' ? tag : TAGS[tag], ...lengthOf(body.length)]),
    body,
  ]);
}

/** Below 128 in one byte; else the number of its bytes comes first. */
function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

/** Returns an object identifier; `text` has its numbers with dots between them. */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return der('oid', Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest % 128));
  }
  return bytes;
}

/** Returns a positive integer; a first bit that is set would make it negative. */
export function integer(bytes: Uint8Array): Buffer {
  return der('integer', Buffer.from([0]), bytes);
}

/** Returns bits that fill whole bytes. */
export function bits(bytes: Uint8Array): Buffer {
  return der('bits', Buffer.from([0]), bytes);
}

/** Returns a moment, to the second: with two digits of its year up to 2049 (RFC 5280 §4.1.2.5). */
export function time(ms: number): Buffer {
  const date = new Date(ms);
  const text = date.toISOString().replaceAll(/[-:T]|\.\d{3}/g, '');
  const isShort = date.getUTCFullYear() < 2050;
  return isShort
    ? der('utcTime', Buffer.from(text.slice(2), 'latin1'))
    : der('generalizedTime', Buffer.from(text, 'latin1'));
}
