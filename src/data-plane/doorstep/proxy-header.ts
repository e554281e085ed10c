// The PROXY header, by which a balancer says for whom it has opened a connection: versions 1 and 2
// of the specification by HAProxy (proxy-protocol.txt, 2.1 and 2.2). Pure: bytes in, what they say out.

import type { ConnectionEnds } from '../../base/proxy-greeting.ts';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** What a header says of the client. */
export interface ProxyHeader {
  /** Bytes of the header. */
  readonly length: number;
  /** Undefined: the balancer speaks for itself (LOCAL), or can't say (UNKNOWN, AF_UNIX, AF_UNSPEC). */
  readonly ends: ConnectionEnds | undefined;
  /** The client speaks TLS with the balancer (PP2_TYPE_SSL). */
  readonly isSecure: boolean;
}

/** More bytes are needed to tell. */
export const INCOMPLETE = 'incomplete';

/** `107 chars including the CRLF` is the most that version 1 has. */
const TEXT_BYTES_MAX = 107;
const TEXT_START = Buffer.from('PROXY ');
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const FIXED_BYTES = 16;
/** Addresses take 36 bytes and TLS facts about 100; a header is meant to fit into one packet. */
const REST_BYTES_MAX = 2_048;
/** The longest header that is read. */
export const PROXY_HEADER_BYTES_MAX = FIXED_BYTES + REST_BYTES_MAX;

/** Family of a text header → whether an address is one of it. */
const ADDRESSES: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['TCP4', isIPv4],
  ['TCP6', isPlainIPv6],
]);

const VERSION_2 = 0x2;
const COMMAND = { local: 0x0, proxy: 0x1 } as const;
const FAMILY = { unspecified: 0x0, inet: 0x1, inet6: 0x2, unix: 0x3 } as const;
const FAMILY_BYTES: Readonly<Record<number, number>> = { 0x0: 0, 0x1: 12, 0x2: 36, 0x3: 216 };
const TYPE_SSL = 0x20;
/** The client connected by TLS; first byte of the value. */
const CLIENT_SSL = 0x01;

/** Returns what the header at the start of `bytes` says; a sentence where there is none, or a wrong one. */
export function readProxyHeader(
  bytes: Buffer,
): ProxyHeader | typeof INCOMPLETE | { readonly problem: string } {
  if (startsAs(bytes, SIGNATURE)) return readBinary(bytes);
  if (startsAs(bytes, TEXT_START)) return readText(bytes);
  return { problem: 'the connection does not begin with a PROXY header' };
}

/** Tells whether `bytes` are the beginning of `start`, or begin with it. */
function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function readText(bytes: Buffer): ReturnType<typeof readProxyHeader> {
  const end = bytes.subarray(0, TEXT_BYTES_MAX).indexOf('\r\n');
  if (end === -1) {
    if (bytes.length < TEXT_BYTES_MAX) return INCOMPLETE;
    return { problem: `the line of the PROXY header has more than ${TEXT_BYTES_MAX} bytes` };
  }
  const line = bytes.toString('latin1', 0, end);
  const length = end + 2;
  const [, family = '', from = '', to = '', ...ports] = line.split(' ');
  // What follows UNKNOWN is to be ignored.
  if (family === 'UNKNOWN') return { length, ends: undefined, isSecure: false };
  const isAddress = ADDRESSES.get(family);
  const isRight =
    isAddress?.(from) === true && isAddress(to) && ports.length === 2 && ports.every(isPort);
  if (!isRight)
    return { problem: 'the line of the PROXY header does not follow the specification' };
  const [source, target] = family === 'TCP4' ? [from, to] : [usual(from), usual(to)];
  const ends = endsIn(source, target, Number(ports[0]), Number(ports[1]));
  return { length, ends, isSecure: false };
}

/** A zone means nothing on another machine. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

/** Decimal, without leading zeros. */
function isPort(text: string): boolean {
  const port = Number(text);
  return Number.isInteger(port) && port >= 0 && port <= 65_535 && String(port) === text;
}

function readBinary(bytes: Buffer): ReturnType<typeof readProxyHeader> {
  if (bytes.length < FIXED_BYTES) return INCOMPLETE;
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 0xf;
  const family = bytes[13]! >> 4;
  const rest = bytes.readUInt16BE(14);
  if (version !== VERSION_2)
    return { problem: `version ${version} of the PROXY header is not known` };
  if (rest > REST_BYTES_MAX) {
    return {
      problem: `the PROXY header has ${rest} bytes after its start, at most ${REST_BYTES_MAX} are read`,
    };
  }
  if (bytes.length < FIXED_BYTES + rest) return INCOMPLETE;
  const length = FIXED_BYTES + rest;
  if (command === COMMAND.local) return { length, ends: undefined, isSecure: false };
  if (command !== COMMAND.proxy)
    return { problem: `command ${command} of the PROXY header is not known` };
  const addressBytes = FAMILY_BYTES[family];
  if (addressBytes === undefined) {
    return { problem: `family ${family} of the PROXY header is not known` };
  }
  if (rest < addressBytes) return { problem: 'the PROXY header is too short for its addresses' };
  const extras = bytes.subarray(FIXED_BYTES + addressBytes, length);
  const isSecure = family !== FAMILY.unspecified && saysTls(extras);
  const addresses = bytes.subarray(FIXED_BYTES, FIXED_BYTES + addressBytes);
  return { length, ends: endsAs(family, addresses), isSecure };
}

/** Reads both addresses and both ports; undefined: the family has none. */
function endsAs(family: number, bytes: Buffer): ConnectionEnds | undefined {
  const size = family === FAMILY.inet ? 4 : 16;
  if (family !== FAMILY.inet && family !== FAMILY.inet6) return undefined;
  const [from, to] = [bytes.subarray(0, size), bytes.subarray(size, 2 * size)].map((address) =>
    family === FAMILY.inet ? address.join('.') : usual(inGroups(address)),
  );
  return endsIn(from!, to!, bytes.readUInt16BE(2 * size), bytes.readUInt16BE(2 * size + 2));
}

function endsIn(from: string, to: string, fromPort: number, toPort: number): ConnectionEnds {
  return { from: { address: from, port: fromPort }, to: { address: to, port: toPort } };
}

function inGroups(address: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => address.readUInt16BE(2 * group).toString(16)).join(
    ':',
  );
}

/** One address has one spelling: limits and logs go by it. */
function usual(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address;
}

/** Looks for PP2_TYPE_SSL among the extras: type, length and value each. */
function saysTls(extras: Buffer): boolean {
  let at = 0;
  while (at + 3 <= extras.length) {
    const size = extras.readUInt16BE(at + 1);
    const value = extras.subarray(at + 3, at + 3 + size);
    if (extras[at] === TYPE_SSL) return value.length > 0 && (value[0]! & CLIENT_SSL) !== 0;
    at += 3 + size;
  }
  return false;
}
