// Accepted sockets that read into one shared buffer. Node offers `onread` for sockets that
// connect, not for sockets that were accepted, where every read allocates 64 KiB and gives most
// of it back: a tenth of a small request. docs/decisions/0003 has the figures and the reasons.
//
// It touches two things that Node does not document: the `_handle` of a socket, and that a new
// socket can be made around it. Where either is missing or looks different, the socket is used as
// it came and reads through `data` events. (base/listener-fd.ts reads a `_handle` as well.)

import net from 'node:net';

/** Gets what was read, valid in `bytes[0, length)` during the call; false stops reading. */
export type Receive = (bytes: Buffer, length: number) => boolean;

interface SocketHandle {
  readonly useUserBuffer: unknown;
}

/** Options for the server whose sockets are passed to `readInto`. */
export const ACCEPT_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true } as const;

/**
 * Returns a socket for the connection of `accepted` that hands every read to `receive`;
 * `nextBuffer` is asked before each read where the bytes shall go.
 */
export function readInto(
  accepted: net.Socket,
  nextBuffer: () => Buffer,
  receive: Receive,
): net.Socket {
  const handle = takeHandle(accepted);
  if (handle === undefined) return readEvents(accepted, receive);
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
function takeHandle(accepted: net.Socket): SocketHandle | undefined {
  const owner = accepted as unknown as { _handle?: Partial<SocketHandle> | null };
  const handle = owner._handle;
  if (typeof handle !== 'object' || handle === null) return undefined;
  if (typeof handle.useUserBuffer !== 'function') return undefined;
  owner._handle = null;
  return handle as SocketHandle;
}
