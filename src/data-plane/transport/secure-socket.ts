// TLS connections that have come in, decrypted into buffers that the caller chooses. Node offers this
// (`onread`) for connections that it opens itself; for others it allocates memory for every record, makes
// an object of it and sends that through a stream. docs/decisions/0021 has the figures and the reasons.
//
// What Node does not document, and what is therefore looked at before it is used: the `_handle` of a TLS
// socket, and of that `onread`, `bytesRead`, `useUserBuffer`, `reading` and `readStop`; `_read` and
// `_unrefTimer` of the socket. Where anything is different, the socket is read through `data` events.

import type { Socket } from 'node:net';
import type { OnRead } from './secure-reading.ts';

interface Handle {
  /** Called after each read, and for an end or an error; what it returns is read into next. */
  onread: (this: unknown, ...args: unknown[]) => unknown;
  readonly bytesRead: number;
  readonly useUserBuffer: (buffer: Uint8Array) => unknown;
  reading: boolean;
  readonly readStop: () => unknown;
}

interface Inside {
  readonly _handle?: Partial<Handle> | null;
  readonly _read?: (this: unknown, size: number) => void;
  /** Puts off the timeout of silence. */
  readonly _unrefTimer?: (this: unknown) => void;
}

/** Going on with reading, and stopping it. */
export interface Reins {
  readonly goOn: () => void;
  readonly halt: () => void;
}

/**
 * Makes Node read `socket` as `onread` says, which is asked first where to; `callback` returns false to
 * stop. Returns undefined where this Node can't, and has changed nothing then.
 */
export function fillBuffers(socket: Socket, onread: OnRead): Reins | undefined {
  const { _handle: handle, _read: read, _unrefTimer: hasMoved } = socket as unknown as Inside;
  if (!isKnown(handle) || read === undefined || hasMoved === undefined) return undefined;
  const { buffer: next, callback } = onread;
  const nodesOwn = handle.onread;
  /** Node keeps no reference to what it fills. */
  let current = next();
  let seen = handle.bytesRead;
  const halt = (): void => {
    if (socket.destroyed) return;
    handle.reading = false;
    handle.readStop();
  };
  handle.onread = function onRead(...args) {
    const { bytesRead } = handle;
    const length = bytesRead - seen;
    // An end or an error.
    if (length === 0) return nodesOwn.apply(this, args);
    seen = bytesRead;
    hasMoved.call(socket);
    if (!callback(length, current)) halt();
    current = next();
    return current;
  };
  handle.useUserBuffer(current);
  return { goOn: () => read.call(socket, 0), halt };
}

function isKnown(handle: Partial<Handle> | null | undefined): handle is Handle {
  if (typeof handle !== 'object' || handle === null) return false;
  const { onread, bytesRead, useUserBuffer, reading, readStop } = handle;
  return (
    typeof onread === 'function' &&
    typeof bytesRead === 'number' &&
    typeof useUserBuffer === 'function' &&
    typeof reading === 'boolean' &&
    typeof readStop === 'function'
  );
}
