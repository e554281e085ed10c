// Where Turnout listens: `host:port`, `:port`, `port`, `[::]:8080` or `unix:/path`.

import { BINDING_BYTES } from '../../base/socket-file.ts';
import type { ListenAddress } from '../../contract/worker-settings.ts';
import { isLoopback, normalHost, portOf } from './host-name.ts';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const EXPECTED = 'host:port, :port, [ipv6]:port or unix:/path';
/** `sun_path` of Linux holds 108 bytes, the last of them NUL (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;
/** A socket of ours has a longer name while it is bound. */
const LISTEN_PATH_BYTES_MAX = SOCKET_PATH_BYTES_MAX - BINDING_BYTES;

/** Returns the listen address of `raw`; a port alone means `defaultHost`. */
export function parseListen(raw: unknown, defaultHost: string): Parsed<ListenAddress> {
  const text = typeof raw === 'number' ? String(raw) : raw;
  if (typeof text !== 'string') return refuse(EXPECTED, raw);
  if (text.startsWith('unix:')) {
    const socket = parseSocketPath(text, LISTEN_PATH_BYTES_MAX);
    return socket.ok ? accept({ kind: 'unix', path: socket.value }) : socket;
  }
  if (text.includes('://')) return refuse(EXPECTED, raw, 'a listen address takes no scheme');
  const match = /^(?:(\[[^\]]*\]|[^:]*):)?([^:]*)$/s.exec(text);
  if (match === null) return refuse(EXPECTED, raw, 'an IPv6 address stands in brackets');
  const named = match[1] ?? '';
  const host = named === '' ? defaultHost : normalHost(named);
  if (host === undefined) return refuse(EXPECTED, raw, 'the host is not a name or an address');
  const port = portOf(match[2]!, 0);
  if (port === undefined) return refuse(EXPECTED, raw, 'the port is not between 0 and 65535');
  return accept({ kind: 'tcp', host, port });
}

/** Tells whether only this machine can reach `address`. */
export function isLocal(address: ListenAddress): boolean {
  return address.kind === 'unix' || isLoopback(address.host.toLowerCase());
}

/** Returns the path of `unix:/path`, of at most `bytesMax`. */
export function parseSocketPath(text: string, bytesMax: number): Parsed<string> {
  const path = text.slice('unix:'.length);
  if (!path.startsWith('/') || path.includes('\0')) {
    return refuse('unix: with an absolute path', text);
  }
  if (Buffer.byteLength(path) > bytesMax) {
    return refuse(`a socket path of at most ${bytesMax} bytes`, text);
  }
  return accept(path);
}
