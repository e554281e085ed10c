// The PROXY header that a connection to a target begins with (proxy-protocol.txt, 2.1 and 2.2): for whom
// the connection is, and where that client came in. Pure: addresses in, bytes out.

export const PROXY_VERSIONS = ['v1', 'v2'] as const;

export type ProxyVersion = (typeof PROXY_VERSIONS)[number];

/** One end of a connection. */
interface ConnectionEnd {
  /** IPv4 or IPv6, in any spelling; a zone is left out. */
  readonly address: string;
  readonly port: number;
}

/** Where a client connection comes from, and where it came in. */
export interface ConnectionEnds {
  readonly from: ConnectionEnd;
  readonly to: ConnectionEnd;
}

/** What a socket says of its own ends; Unix sockets, and those that are gone, say nothing. */
interface SocketEnds {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** What a connection to a target begins with. */
export interface ProxyGreeting {
  readonly version: ProxyVersion;
  /** Of the client that the connection is for; undefined: it is for none, or it has no address. */
  readonly ends: ConnectionEnds | undefined;
}

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const COMMAND = { local: '20', proxy: '21' } as const;
/** Family and stream, and the bytes that the two ends take. */
const FAMILY = { none: '000000', inet: '11000c', inet6: '210024' } as const;

const MAPPED_IPV4 = '::ffff:';

/** Returns the ends of a connection that came in; undefined where it has no addresses. */
export function endsOf(socket: SocketEnds): ConnectionEnds | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  if (localAddress === undefined || localPort === undefined) return undefined;
  return {
    from: { address: remoteAddress, port: remotePort },
    to: { address: localAddress, port: localPort },
  };
}

/**
 * Returns the header for `connection`, which is open. Where there is no client to tell of, version 2 says
 * LOCAL. Version 1 says the ends of the connection itself: by these a receiver has to go in any case where
 * it is told UNKNOWN, and some, such as gunicorn, refuse that word.
 */
export function proxyHeader({ version, ends }: ProxyGreeting, connection: SocketEnds): Buffer {
  return version === 'v2' ? binaryHeader(ends) : textHeader(ends ?? ownEnds(connection));
}

/** Returns the ends of a connection that we have opened. */
function ownEnds(connection: SocketEnds): ConnectionEnds | undefined {
  const ends = endsOf(connection);
  return ends && { from: ends.to, to: ends.from };
}

function textHeader(ends: ConnectionEnds | undefined): Buffer {
  const pair = ends && pairOf(ends);
  if (pair === undefined) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const { family, from, to } = pair;
  const ports = `${ends!.from.port} ${ends!.to.port}`;
  const name = family === 'inet' ? 'TCP4' : 'TCP6';
  return Buffer.from(`PROXY ${name} ${from.text} ${to.text} ${ports}\r\n`, 'latin1');
}

function binaryHeader(ends: ConnectionEnds | undefined): Buffer {
  const pair = ends && pairOf(ends);
  if (pair === undefined) return Buffer.from(`${SIGNATURE}${COMMAND.local}${FAMILY.none}`, 'hex');
  const { family, from, to } = pair;
  const ports = [ends!.from.port, ends!.to.port].map((port) => hex(port, 4));
  const parts = [SIGNATURE, COMMAND.proxy, FAMILY[family], from.hex, to.hex, ...ports];
  return Buffer.from(parts.join(''), 'hex');
}

interface Written {
  readonly text: string;
  readonly hex: string;
}

/**
 * Returns both addresses in one family, which a header has for both: IPv4 where both are that, on a socket
 * for both families as well (some receivers refuse mapped addresses); else IPv6. Undefined: one is none.
 */
function pairOf(ends: ConnectionEnds) {
  const texts = [ends.from, ends.to].map(({ address }) => plainOf(address));
  const isInet = texts.every((text) => inetHex(text) !== undefined);
  const family: 'inet' | 'inet6' = isInet ? 'inet' : 'inet6';
  const [from, to] = texts.map(isInet ? asInet : asInet6);
  return from === undefined || to === undefined ? undefined : { family, from, to };
}

/** Returns `address` without the mark of IPv4 on a socket for both families, and without a zone. */
function plainOf(address: string): string {
  const [text = ''] = address.toLowerCase().split('%', 1);
  const rest = text.startsWith(MAPPED_IPV4) ? text.slice(MAPPED_IPV4.length) : '';
  return inetHex(rest) === undefined ? text : rest;
}

function asInet(text: string): Written | undefined {
  const digits = inetHex(text);
  return digits === undefined ? undefined : { text, hex: digits };
}

function asInet6(text: string): Written | undefined {
  const whole = inetHex(text) === undefined ? text : `${MAPPED_IPV4}${text}`;
  const digits = inet6Hex(whole);
  return digits === undefined ? undefined : { text: whole, hex: digits };
}

/** Undefined: `text` is no IPv4 address. */
function inetHex(text: string): string | undefined {
  const bytes = text.split('.');
  if (bytes.length !== 4) return undefined;
  if (!bytes.every((byte) => /^(?:0|[1-9]\d{0,2})$/.test(byte) && Number(byte) <= 255))
    return undefined;
  return bytes.map((byte) => hex(Number(byte), 2)).join('');
}

/** Undefined: `text` is no IPv6 address. */
function inet6Hex(text: string): string | undefined {
  const halves = text.split('::').map(groupsHex);
  const [left = '', right] = halves;
  const digits = right === undefined ? left : `${left}${right.padStart(32 - left.length, '0')}`;
  return halves.length <= 2 && /^[0-9a-f]{32}$/.test(digits) ? digits : undefined;
}

/** Returns groups of IPv6, the last of which may be IPv4; what is none of it as no digits. */
function groupsHex(text: string): string {
  if (text === '') return '';
  return text
    .split(':')
    .map((group) =>
      /^[0-9a-f]{1,4}$/.test(group) ? group.padStart(4, '0') : (inetHex(group) ?? '-'),
    )
    .join('');
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
