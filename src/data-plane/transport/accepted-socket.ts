// Sockets for connections that come in, each reading into a buffer that the caller chooses. Node
// offers this (`onread`) for sockets that connect only: an accepted one allocates 64 KiB for every
// read and gives most of it back. docs/decisions/0003 has the figures and the reasons.
//
// What Node does not document, and what is therefore looked at before it is used: the `_handle` of
// a server or a socket, the `onconnection` of a server's handle, and that a socket can be made
// around a handle. Where `onconnection` is different, the handle is taken out of the socket that
// Node has made; where that is different too, the socket is used as it came and reads through
// `data` events.

import net from 'node:net';

/** Gets what was read, valid in `bytes[0, length)` during the call; false stops reading. */
export type Receive = (bytes: Buffer, length: number) => boolean;

/** A connection that has come in and is not read yet: `readInto` makes it a socket. */
export type Accepted = net.Socket | ConnectionHandle;

interface ConnectionHandle {
  readonly useUserBuffer: unknown;
  readonly close: () => void;
  /** Missing where it is no TCP. */
  readonly setNoDelay?: (isOn: boolean) => number;
  readonly getpeername?: (into: { address?: string }) => number;
}

type OnConnection = (error: number, handle: unknown) => void;

interface Inside<Handle> {
  _handle?: Handle | null;
}

/** Options for a server that is passed to `takeConnections`. */
export const ACCEPT_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true } as const;

/** Gives every connection of `server`, which does not listen yet, to `take`. */
export function takeConnections(server: net.Server, take: (accepted: Accepted) => void): void {
  server.on('connection', take);
  server.once('listening', () => {
    const { _handle: handle } = server as Inside<{ onconnection?: OnConnection }>;
    const nodesOwn = handle?.onconnection;
    if (typeof nodesOwn !== 'function') return;
    // Node would make a socket of its own first, and only the handle in it is of use here.
    handle!.onconnection = function onConnection(error, accepted) {
      if (error !== 0 || !isKnown(accepted)) {
        nodesOwn.call(this, error, accepted);
        return;
      }
      accepted.setNoDelay?.(true);
      take(accepted);
    };
  });
}

/** Returns where a connection comes from; undefined for a Unix socket. */
export function addressOf(accepted: Accepted): string | undefined {
  if (accepted instanceof net.Socket) return accepted.remoteAddress;
  const peer: { address?: string } = {};
  accepted.getpeername?.(peer);
  return peer.address;
}

/** Returns a socket for `accepted` that is read in the documented way. */
export function socketOf(accepted: Accepted): net.Socket {
  if (accepted instanceof net.Socket) return accepted;
  return new net.Socket({ handle: accepted as unknown as net.BoundSocket, allowHalfOpen: true });
}

/** Closes a connection that is not wanted. */
export function refuse(accepted: Accepted): void {
  if (accepted instanceof net.Socket) accepted.destroy();
  else accepted.close();
}

/**
 * Returns a socket for `accepted` that hands every read to `receive`; `nextBuffer` is asked before
 * each read where the bytes shall go.
 */
export function readInto(
  accepted: Accepted,
  nextBuffer: () => Buffer,
  receive: Receive,
): net.Socket {
  const handle = accepted instanceof net.Socket ? takeHandle(accepted) : accepted;
  if (handle === undefined) return readEvents(accepted as net.Socket, receive);
  const options = {
    handle: handle as unknown as net.BoundSocket,
    allowHalfOpen: true,
    onread: {
      buffer: nextBuffer,
      callback: (length: number, buffer: Uint8Array): boolean => receive(buffer as Buffer, length),
    },
  };
  return new net.Socket(options);
}

/** The documented way: the same bytes, in memory of their own. */
export function readEvents(accepted: net.Socket, receive: Receive): net.Socket {
  accepted.on('data', (bytes) => {
    if (!receive(bytes, bytes.length)) accepted.pause();
  });
  accepted.resume();
  return accepted;
}

/** Takes the handle out of `accepted`, which is of no use afterwards. */
function takeHandle(accepted: net.Socket): ConnectionHandle | undefined {
  const owner = accepted as unknown as Inside<unknown>;
  const handle = owner._handle;
  if (!isKnown(handle)) return undefined;
  owner._handle = null;
  return handle;
}

function isKnown(handle: unknown): handle is ConnectionHandle {
  if (typeof handle !== 'object' || handle === null) return false;
  const { useUserBuffer, close } = handle as Partial<ConnectionHandle>;
  return typeof useUserBuffer === 'function' && typeof close === 'function';
}
