// PROXY headers of version 2 as a balancer writes them, and as one would that lies.

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

export interface BinaryHeader {
  /** Version and command. */
  readonly command?: number;
  /** Family and transport. */
  readonly family?: number;
  readonly addresses?: Buffer;
  readonly extras?: Buffer;
  /** What the header says follows, where that is a lie. */
  readonly length?: number;
}

export function binaryHeader(header: BinaryHeader = {}): Buffer {
  const rest = Buffer.concat([header.addresses ?? IPV4, header.extras ?? Buffer.alloc(0)]);
  const start = Buffer.alloc(4);
  start[0] = header.command ?? 0x21;
  start[1] = header.family ?? 0x11;
  start.writeUInt16BE(header.length ?? rest.length, 2);
  return Buffer.concat([SIGNATURE, start, rest]);
}

/** From 203.0.113.7, port 5000, to 192.0.2.1, port 443. */
export const IPV4: Buffer = Buffer.from('cb007107c0000201138801bb', 'hex');

/** From `source`, 16 bytes, to the address of the documentation. */
export function ipv6(source: string): Buffer {
  return Buffer.from(`${source}20010db8000000000000000000000001138801bb`, 'hex');
}

/** One of the extras: type, length and value. */
export function extra(type: number, value: Buffer, length = value.length): Buffer {
  return Buffer.concat([Buffer.from([type, length >> 8, length & 0xff]), value]);
}
