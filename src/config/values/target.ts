// Where a request can be sent: `http://host:port`, `http+srv://name`, the same with https, or
// `unix:/path`.

import { isIP } from 'node:net';
import type { Endpoint } from '../../contract/table.ts';
import { bracketed, normalHost, portOf } from './host-name.ts';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { parseSocketPath, SOCKET_PATH_BYTES_MAX } from './address.ts';

/** An endpoint before it belongs to a deployment and has a slot in the shared memory. */
export type Target = Omit<Endpoint, 'slot' | 'deployment' | 'allow'>;

const EXPECTED = 'http(s)://host:port, http(s)+srv://name or unix:/path';
/** Without a port (RFC 9110 §4.2). */
const USUAL_PORTS = { http: 80, https: 443 } as const;

type Scheme = keyof typeof USUAL_PORTS;

/** Returns the target that `raw` names, in normal form. */
export function parseTarget(raw: unknown): Parsed<Target> {
  if (typeof raw !== 'string') return refuse(EXPECTED, raw);
  if (raw.startsWith('unix:')) {
    const socket = parseSocketPath(raw, SOCKET_PATH_BYTES_MAX);
    if (!socket.ok) return socket;
    // A socket has no name of its own, so a request without Host gets the one for "here".
    return accept({
      url: raw,
      address: { kind: 'unix', path: socket.value },
      authority: 'localhost',
    });
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(raw)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'http':
    case 'https':
      return parseAuthority(raw, scheme);
    case 'http+srv':
      return parseService(raw, 'http');
    case 'https+srv':
      return parseService(raw, 'https');
    case 'h2':
    case 'h2c':
      return refuse(EXPECTED, raw, 'this version speaks HTTP/1.1 to targets');
    case 'srv':
      return refuse(EXPECTED, raw, 'SRV records are named with http+srv:// or https+srv://');
    default:
      return refuse(EXPECTED, raw);
  }
}

function parseAuthority(raw: string, scheme: Scheme): Parsed<Target> {
  const rest = raw.slice(`${scheme}://`.length);
  if (rest.includes('@')) return refuse(EXPECTED, raw, 'a target takes no user name or password');
  if (/[?#]/.test(rest)) return refuse(EXPECTED, raw, 'a target takes no query or fragment');
  const slash = rest.indexOf('/');
  if (slash !== -1 && slash !== rest.length - 1) {
    return refuse(EXPECTED, raw, 'a target takes no path: requests keep the one they came with');
  }
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority);
  if (match === null) return refuse(EXPECTED, raw, 'an IPv6 address stands in brackets');
  const host = normalHost(match[1]!);
  if (host === undefined) return refuse(EXPECTED, raw, 'the host is not a name or an address');
  const port = match[2] === undefined ? USUAL_PORTS[scheme] : portOf(match[2], 1);
  if (port === undefined) return refuse(EXPECTED, raw, 'the port is not between 1 and 65535');
  const name = port === USUAL_PORTS[scheme] ? bracketed(host) : `${bracketed(host)}:${port}`;
  return accept({
    url: `${scheme}://${name}`,
    address: { kind: isLookedUp(host) ? 'name' : 'tcp', host, port },
    authority: name,
    ...tlsOf(scheme, host),
  });
}

/**
 * `localhost` is this machine by every one of its addresses (RFC 6761 §6.3): the system finds out
 * with each connection which of them the app has.
 */
function isLookedUp(host: string): boolean {
  return isIP(host) === 0 && host !== 'localhost';
}

/** SRV records hold host and port, so the URL has only the name they are found under. */
function parseService(raw: string, scheme: Scheme): Parsed<Target> {
  const rest = raw.slice(`${scheme}+srv://`.length);
  const text = rest.endsWith('/') ? rest.slice(0, -1) : rest;
  if (text.includes(':')) return refuse(EXPECTED, raw, 'SRV records hold the port');
  const name = normalHost(text);
  if (name === undefined || isIP(name) !== 0) {
    return refuse(EXPECTED, raw, 'the name of the SRV records is not a name');
  }
  // `_http._tcp.shop.internal` is the service http of shop.internal (RFC 2782).
  const authority = name.replace(/^(?:_[^.]+\.)+(?=.)/, '');
  const url = `${scheme}+srv://${name}`;
  const address = { kind: 'srv', name } as const;
  return accept({ url, address, authority, ...tlsOf(scheme, authority) });
}

/** A name that leads to several addresses is what all of their certificates have to be for. */
function tlsOf(scheme: Scheme, name: string): Pick<Target, 'tls'> {
  return scheme === 'https' ? { tls: { name: name.replace(/\.$/, ''), service: '' } } : {};
}
