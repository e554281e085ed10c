// Opens the socket to a target: TCP, a Unix socket, or TLS over TCP. With TLS the target has to show a
// certificate for its name that an authority of ours has signed; there is no way around that. Knows no
// HTTP.

import net, { type OnReadOpts } from 'node:net';
import tls from 'node:tls';
import { constants } from 'node:os';
import { isBarred, type SocketRules } from '../../base/socket-file.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { secureOptions, type TargetTerms } from '../../contract/target-tls.ts';

/** Returns a socket that connects; it tells of its success by the event `connectedEvent`. */
export function connectSocket(
  address: LiveEndpoint['address'],
  rules: SocketRules,
  terms: TargetTerms | undefined,
  onread: OnReadOpts,
): net.Socket {
  if (address.kind === 'unix') {
    return isBarred(address.path, rules)
      ? new net.Socket().destroy(new Error('the path leads where no target may be'))
      : net.connect({ path: address.path, allowHalfOpen: true, onread });
  }
  const { host, port } = address;
  if (terms === undefined) {
    return net.connect({ host, port, noDelay: true, allowHalfOpen: true, onread });
  }
  return connectSecurely({ host, port, onread }, terms);
}

/** Returns the event of a socket of `connectSocket` that says that it is open. */
export function connectedEvent(terms: TargetTerms | undefined): 'connect' | 'secureConnect' {
  return terms === undefined ? 'connect' : 'secureConnect';
}

function connectSecurely(
  where: { readonly host: string; readonly port: number; readonly onread: OnReadOpts },
  terms: TargetTerms,
): net.Socket {
  const options = { ...where, ...secureOptions(terms), allowHalfOpen: true };
  const socket = tls.connect(options);
  socket.setNoDelay(true);
  socket.on('session', (session) => terms.keepSession(session));
  return socket;
}

/** The part of a TLS socket below which Node keeps the connection; it is not documented. */
interface Inside {
  readonly _handle?: { readonly _parent?: { readonly readStart?: () => unknown } } | null;
}

/**
 * Tells, while the end of what the peer sends is told, whether that end is its word. Over TLS, whatever
 * is on the way can end a TCP connection, and only a closing alert says that this was all (RFC 9112 §9.8).
 * Node tells both in the same way. But where the alert has come, the connection below is still read from,
 * and where it has ended, it is not: the system says so when it is asked to begin reading. Where this
 * Node is different, no end is believed.
 */
export function isTrueEnd(socket: net.Socket): boolean {
  if (!(socket instanceof tls.TLSSocket)) return true;
  const below = (socket as Inside)._handle?._parent;
  return below?.readStart?.() === -constants.errno.EALREADY;
}
