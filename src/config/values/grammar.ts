// Small grammars that only one or two settings use.

import { isIP } from 'node:net';
import { bracketed, normalHost, portOf } from './host-name.ts';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { ROLES, type Role } from '../../api/roles.ts';

/** Returns a host of a routing rule: a name, an address, or `*.` and a name. Never a port. */
export function parseHostRule(raw: unknown): Parsed<string> {
  const expected = 'a host such as shop.example.com or *.example.com';
  if (typeof raw !== 'string') return refuse(expected, raw);
  const wild = raw.startsWith('*.');
  const name = wild ? raw.slice(2) : raw;
  const host = normalHost(name);
  if (host === undefined) {
    const hasPort = /^[^[\]:]+:\d+$/.test(name) || /\]:\d+$/.test(name);
    return refuse(expected, raw, hasPort ? 'a host is named without its port' : '');
  }
  if (wild && isIP(host) !== 0) return refuse(expected, raw, '* stands before names only');
  // A Host field carries IPv6 in brackets (RFC 9110 §7.2), so the rule does too.
  const written = isIP(host) === 6 ? `[${host}]` : host.replace(/\.$/, '');
  return accept(wild ? `*.${written}` : written);
}

/** Returns a host as `parseHostRule` does, but a single one. */
export function parseOneHost(raw: unknown): Parsed<string> {
  const parsed = parseHostRule(raw);
  if (!parsed.ok || !parsed.value.startsWith('*.')) return parsed;
  return refuse('a host such as www.example.com', raw, '* stands for many');
}

/** Returns a DNS name that an authority can give a certificate for when it looks at one host. */
export function parseCertificateName(raw: unknown): Parsed<string> {
  const expected = 'a name such as shop.example.com';
  if (typeof raw !== 'string') return refuse(expected, raw);
  if (raw.startsWith('*.'))
    return refuse(expected, raw, 'a name with * needs a file in certificates');
  const host = normalHost(raw)?.replace(/\.$/, '');
  if (host === undefined || host.includes('_')) return refuse(expected, raw);
  if (isIP(host) !== 0) return refuse(expected, raw, 'an address is no name');
  return accept(host);
}

/** Returns a path prefix of a routing rule; a slash at its end means nothing and is dropped. */
export function parsePathRule(raw: unknown): Parsed<string> {
  const expected = 'a path prefix such as /api';
  if (typeof raw !== 'string' || !/^\/[!-~]{0,1023}$/.test(raw)) return refuse(expected, raw);
  if (/[?#]/.test(raw)) return refuse(expected, raw, 'a prefix takes no query or fragment');
  if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(raw)) return refuse(expected, raw, '. and .. are not kept');
  return accept(raw === '/' ? raw : raw.replace(/\/+$/, '') || '/');
}

/** Returns a pattern of paths in which `*` stands for anything. */
export function parsePathPattern(raw: unknown): Parsed<string> {
  const expected = 'a path pattern such as /assets/* or /*.js';
  if (typeof raw !== 'string' || !/^\/[!-~]{0,255}$/.test(raw)) return refuse(expected, raw);
  if (/[?#]/.test(raw)) return refuse(expected, raw, 'a pattern takes no query or fragment');
  if (raw.split('*').length > 5) return refuse(expected, raw, 'at most four *');
  return accept(raw);
}

/** Returns an address or CIDR range whose prefix length fits its family. */
export function parseRange(raw: unknown): Parsed<string> {
  const expected = 'an IP address or a range such as 10.0.0.0/8';
  if (typeof raw !== 'string') return refuse(expected, raw);
  const slash = raw.indexOf('/');
  const address = slash === -1 ? raw : raw.slice(0, slash);
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0) return refuse(expected, raw);
  if (slash === -1) return accept(raw);
  const prefix = raw.slice(slash + 1);
  const bitsMax = family === 4 ? 32 : 128;
  const fits = /^\d{1,3}$/.test(prefix) && Number(prefix) <= bitsMax;
  return fits ? accept(raw) : refuse(`a prefix length from 0 to ${bitsMax}`, raw);
}

/** Returns an address of a DNS server as the resolver takes it; without a port it is 53. */
export function parseServer(raw: unknown): Parsed<string> {
  const expected = 'an IP address such as 10.0.0.2, 10.0.0.2:53 or [fd00::2]:53';
  if (typeof raw !== 'string') return refuse(expected, raw);
  if (isIP(raw) === 6) return refuse(expected, raw, 'an IPv6 address stands in brackets');
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(raw);
  const host = match === null ? undefined : normalHost(match[1]!);
  if (host === undefined || isIP(host) === 0) return refuse(expected, raw);
  const port = match![2] === undefined ? DNS_PORT : portOf(match![2], 1);
  if (port === undefined) return refuse(expected, raw, 'the port is not between 1 and 65535');
  return accept(`${bracketed(host)}:${port}`);
}

const DNS_PORT = 53;

/** Returns a host that a `Host` field may name: a name or an address, without a port. */
export function parseHostName(raw: unknown): Parsed<string> {
  const expected = 'a host such as turnout.internal, without a port';
  if (typeof raw !== 'string') return refuse(expected, raw);
  // An IPv6 address stands in brackets in a Host field; here both forms are clear.
  const host = normalHost(isIP(raw) === 6 ? `[${raw}]` : raw);
  return host === undefined ? refuse(expected, raw) : accept(host);
}

/** The holder of a client certificate, and what the holder may do. */
export interface ClientRule {
  readonly name: string;
  readonly role: Role;
}

/** Returns the rule of `NAME=role`. */
export function parseClientRule(raw: unknown): Parsed<ClientRule> {
  const expected = `NAME=role with one of the roles ${ROLES.join(', ')}`;
  if (typeof raw !== 'string') return refuse(expected, raw);
  const at = raw.lastIndexOf('=');
  const name = raw.slice(0, Math.max(at, 0));
  const role = ROLES.find((one) => one === raw.slice(at + 1));
  if (role === undefined || !/^[ -~]{1,256}$/.test(name)) return refuse(expected, raw);
  return accept({ name, role });
}

export interface StatusRange {
  readonly min: number;
  readonly max: number;
}

/** Returns both ends of `200-399`, or one status twice. */
export function parseStatusRange(raw: unknown): Parsed<StatusRange> {
  const expected = 'a status such as 200 or a range such as 200-399, between 100 and 599';
  const match = /^(\d{3})(?:-(\d{3}))?$/.exec(
    typeof raw === 'number' ? String(raw) : (asText(raw) ?? ''),
  );
  if (match === null) return refuse(expected, raw);
  const min = Number(match[1]);
  const max = Number(match[2] ?? match[1]);
  return min >= 100 && max <= 599 && min <= max ? accept({ min, max }) : refuse(expected, raw);
}

const RANGES_MAX = 16;

/** Returns all ranges of `500-599, 404`. */
export function parseStatusRanges(raw: unknown): Parsed<readonly StatusRange[]> {
  const texts = typeof raw === 'string' ? raw.split(',').map((part) => part.trim()) : [raw];
  if (texts.length > RANGES_MAX) return refuse(`at most ${RANGES_MAX} ranges`, raw);
  const ranges: StatusRange[] = [];
  for (const text of texts) {
    const range = parseStatusRange(text);
    if (!range.ok) return range;
    ranges.push(range.value);
  }
  return accept(ranges);
}

/** Returns the value of a `Host` field for probes; empty: the target's own. */
export function parseHostField(raw: unknown): Parsed<string> {
  const expected = 'a host, with a port or without';
  const given = asText(raw);
  if (given === undefined) return refuse(expected, raw);
  if (given === '') return accept('');
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(given);
  const isHost = match !== null && normalHost(match[1]!) !== undefined;
  const isPort = match?.[2] === undefined || portOf(match[2], 1) !== undefined;
  return isHost && isPort ? accept(given) : refuse(expected, raw);
}

function asText(raw: unknown): string | undefined {
  return typeof raw === 'string' ? raw : undefined;
}
