// Host names and IP addresses, as they stand in targets, listen addresses and host lists.

import { isIP, isIPv4, isIPv6 } from 'node:net';

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** RFC 1035 §2.3.4 allows 255 octets on the wire, which is 253 characters of text. */
const NAME_CHARS_MAX = 253;

/**
 * Returns `text` as a host in normal form (lower case, IPv6 shortened and without brackets),
 * or `undefined` if it is none. Bare IPv6 is refused: with a port it would have two readings.
 */
export function normalHost(text: string): string | undefined {
  if (text.startsWith('[')) {
    const inner = text.endsWith(']') ? text.slice(1, -1) : '';
    return isIPv6(inner) && !inner.includes('%') ? shortIPv6(inner) : undefined;
  }
  if (isIPv4(text)) return text;
  return isHostName(text.toLowerCase()) ? text.toLowerCase() : undefined;
}

/** Returns `host` (normal form) as it stands in an authority: IPv6 in brackets. */
export function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** Tells whether `host` (normal form) can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost';
}

/** Tells whether `host` (normal form) stands for every address of this machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Returns the port of `text`, or `undefined` if it is not a number from `min` to 65535. */
export function portOf(text: string, min: 0 | 1): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= min && port <= 65_535 ? port : undefined;
}

function isHostName(name: string): boolean {
  if (name.length > NAME_CHARS_MAX) return false;
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  if (!labels.every((label) => LABEL.test(label))) return false;
  // `127.1`, `0x7f.1` and `300.1.1.1` are addresses to some resolvers and names to others.
  return !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!);
}

function shortIPv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
