// Opens the socket to a target: TCP, a Unix socket, or TLS over TCP. With TLS the target has to show a
// certificate for its name that an authority of ours has signed; there is no way around that. A PROXY
// header, where the target gets one, is the first thing on the wire, in the clear. Knows no HTTP.

import net, { type OnReadOpts } from 'node:net';
import tls from 'node:tls';
import { constants } from 'node:os';
import { proxyHeader, type ProxyGreeting } from '../../base/proxy-greeting.ts';
import { isBarred, type SocketRules } from '../../base/socket-file.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { secureOptions, type TargetTerms } from '../../contract/target-tls.ts';
import { writeBelow } from './fast-write.ts';

/** How a target is connected to. */
export interface Way {
  readonly rules: SocketRules;
  /** Undefined: no TLS. */
  readonly terms: TargetTerms | undefined;
  /** Undefined: there is no PROXY header. */
  readonly greeting: ProxyGreeting | undefined;
}

/** Returns a socket that connects; it tells of its success by the event `connectedEvent`. */
export function connectSocket(
  address: LiveEndpoint['address'],
  { rules, terms, greeting }: Way,
  onread: OnReadOpts,
): net.Socket {
  if (address.kind === 'unix') {
    if (isBarred(address.path, rules))
      return new net.Socket().destroy(new Error('the path leads where no target may be'));
    const socket = net.connect({ path: address.path, allowHalfOpen: true, onread });
    return greeting === undefined ? socket : greet(socket, greeting);
  }
  const { host, port } = address;
  if (terms !== undefined) return connectSecurely({ host, port, onread }, terms, greeting);
  const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true, onread });
  return greeting === undefined ? socket : greet(socket, greeting);
}

/** Returns the event of a socket of `connectSocket` that says that it is open. */
export function connectedEvent(terms: TargetTerms | undefined): 'connect' | 'secureConnect' {
  return terms === undefined ? 'connect' : 'secureConnect';
}

/** Has `socket`, which connects, begin with the header; what is written next leaves in one piece with it. */
function greet(socket: net.Socket, greeting: ProxyGreeting): net.Socket {
  socket.once('connect', () => {
    socket.cork();
    socket.write(proxyHeader(greeting, socket));
    process.nextTick(() => socket.uncork());
  });
  return socket;
}

function connectSecurely(
  where: { readonly host: string; readonly port: number; readonly onread: OnReadOpts },
  terms: TargetTerms,
  greeting: ProxyGreeting | undefined,
): net.Socket {
  const options = { ...where, ...secureOptions(terms), allowHalfOpen: true };
  const socket = tls.connect(options);
  socket.setNoDelay(true);
  // Before the handshake begins. A socket given to `tls.connect` could not be read by `onread`.
  if (greeting !== undefined)
    socket.prependOnceListener('connect', () => {
      if (!writeBelow(socket, proxyHeader(greeting, socket)))
        socket.destroy(new Error('the PROXY header could not be written'));
    });
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
