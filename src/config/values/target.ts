// Where a request can be sent: `http://host:port`, `http+srv://name` or `unix:/path`.

import { isIP } from 'node:net';
import type { Endpoint } from '../../contract/table.ts';
import { bracketed, normalHost, portOf } from './host-name.ts';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { parseSocketPath, SOCKET_PATH_BYTES_MAX } from './address.ts';

/** An endpoint before it belongs to a deployment and has a slot in the shared memory. */
export type Target = Omit<Endpoint, 'slot' | 'deployment' | 'allow'>;

const EXPECTED = 'http://host:port, http+srv://name or unix:/path';
/** Without a port (RFC 9110 §4.2.1). */
const HTTP_PORT = 80;

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
  if (scheme === 'https' || scheme === 'h2c' || scheme === 'h2') {
    return refuse(EXPECTED, raw, 'this version speaks plain HTTP/1.1 to targets');
  }
  if (scheme === 'http+srv') return parseService(raw, raw.slice('http+srv://'.length));
  if (scheme === 'srv') return refuse(EXPECTED, raw, 'SRV records are named with http+srv://');
  if (scheme !== 'http') return refuse(EXPECTED, raw);
  return parseAuthority(raw, raw.slice('http://'.length));
}

function parseAuthority(raw: string, rest: string): Parsed<Target> {
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
  const port = match[2] === undefined ? HTTP_PORT : portOf(match[2], 1);
  if (port === undefined) return refuse(EXPECTED, raw, 'the port is not between 1 and 65535');
  const name = port === HTTP_PORT ? bracketed(host) : `${bracketed(host)}:${port}`;
  return accept({
    url: `http://${name}`,
    address: { kind: isLookedUp(host) ? 'name' : 'tcp', host, port },
    authority: name,
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
function parseService(raw: string, rest: string): Parsed<Target> {
  const text = rest.endsWith('/') ? rest.slice(0, -1) : rest;
  if (text.includes(':')) return refuse(EXPECTED, raw, 'SRV records hold the port');
  const name = normalHost(text);
  if (name === undefined || isIP(name) !== 0) {
    return refuse(EXPECTED, raw, 'the name of the SRV records is not a name');
  }
  // `_http._tcp.shop.internal` is the service http of shop.internal (RFC 2782).
  const authority = name.replace(/^(?:_[^.]+\.)+(?=.)/, '');
  return accept({ url: `http+srv://${name}`, address: { kind: 'srv', name }, authority });
}
