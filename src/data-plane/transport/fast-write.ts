// Ways to write to a socket. The documented one is `socket.write`. The fast one hands the piece to
// the handle below the socket, which saves the queue, the callbacks and the request object of a
// write that the system takes at once, as it does nearly always. docs/decisions/0011 has the
// figures. This file knows sockets and bytes, and no HTTP.
//
// Whatever else happens to a fast write (a rest that waits, an error) is told to Node as the result
// of an ordinary `socket.write`. So `drain`, `writableLength`, the timeout, `end`, `destroy` and
// `error` are Node's own, whichever way was taken.
//
// What Node does not document, and what is therefore looked at before it is used: the `_handle` of
// a socket, its methods, and the request that Node passes to them. Where anything is different, all
// writes take the documented way.

import net from 'node:net';
import { constants } from 'node:os';
import { assert } from '../../base/assert.ts';

/** A way to write to the sockets of one kind. Strings hold one byte in each character (latin1). */
export interface SocketWriting {
  /**
   * Writes; false asks to wait for `drain`, as `socket.write` does. `onRefused` is called where the
   * peer takes nothing any more and the socket stays as it is, because more may be there to read;
   * without it, and on the documented way, the socket is destroyed.
   */
  write(socket: net.Socket, piece: string | Buffer, onRefused?: () => void): boolean;
  /**
   * Writes bytes that stay as they are until they have been taken. True: the system has taken all
   * of them, and `onFlushed` is not called. False: `onFlushed` is called later, once they have been
   * taken or can't be any more; `writableLength` is 0 where they are taken already.
   */
  writeView(
    socket: net.Socket,
    view: Buffer,
    onFlushed: () => void,
    onRefused?: () => void,
  ): boolean;
}

/** The documented way. */
export const plainWriting: SocketWriting = {
  write: (socket, piece) => socket.write(piece, 'latin1'),
  writeView(socket, view, onFlushed) {
    socket.write(view, onFlushed);
    return false;
  },
};

/** What Node makes for one write: the system keeps it while it waits for room. */
interface WriteRequest {
  /** `NOT_WAITING` as long as the system does not keep it. */
  getAsyncId(): number;
}

const NOT_WAITING = -1;

type RequestClass = new () => WriteRequest;

/** The handle below a socket. Up to Node 25 it takes a request; from 26 on null, and makes one. */
interface Handle {
  writeLatin1String(request: WriteRequest | null, text: string): unknown;
  writeBuffer(request: WriteRequest | null, bytes: Buffer): unknown;
}

/** All was taken at once, if the request is not waiting. Else an error, or from Node 26 a request. */
const DONE = 0;

/** What the system says of a peer that has closed or reset the connection. */
const REFUSALS: readonly unknown[] = [-constants.errno.EPIPE, -constants.errno.ECONNRESET];

interface Inside {
  _handle: (Handle & { readonly _parent?: Partial<Handle> }) | null;
}

/** Returns the fast way; undefined where this Node does not write as it is known to. */
export function fastWriting(): SocketWriting | undefined {
  const found = lookInside();
  return found === undefined ? undefined : new FastWriting(found.requestClass);
}

/** Returns the way to write to `socket`. TLS sockets encrypt first: they take the documented way. */
export function writingFor(socket: net.Socket): SocketWriting {
  return chosen === undefined || 'encrypted' in socket ? plainWriting : chosen;
}

class FastWriting implements SocketWriting {
  readonly #requestClass: RequestClass | null;
  /** One for all sockets: a write that is taken at once leaves it as it was. */
  #request: WriteRequest | null;

  constructor(requestClass: RequestClass | null) {
    this.#requestClass = requestClass;
    this.#request = requestClass === null ? null : new requestClass();
  }

  write(socket: net.Socket, piece: string | Buffer, onRefused?: () => void): boolean {
    const handle = quietHandle(socket);
    if (handle === null) return plainWriting.write(socket, piece);
    const result =
      typeof piece === 'string'
        ? handle.writeLatin1String(this.#request, piece)
        : handle.writeBuffer(this.#request, piece);
    if (result === DONE && !this.#isWaiting()) return true;
    if (onRefused !== undefined && REFUSALS.includes(result)) {
      onRefused();
      return true;
    }
    return this.#tellNode(socket, handle, result, piece, undefined);
  }

  writeView(
    socket: net.Socket,
    view: Buffer,
    onFlushed: () => void,
    onRefused?: () => void,
  ): boolean {
    const handle = quietHandle(socket);
    if (handle === null) return plainWriting.writeView(socket, view, onFlushed);
    const result = handle.writeBuffer(this.#request, view);
    if (result === DONE && !this.#isWaiting()) return true;
    if (onRefused !== undefined && REFUSALS.includes(result)) {
      onRefused();
      return true;
    }
    this.#tellNode(socket, handle, result, view, onFlushed);
    return false;
  }

  /** The system has not taken all of the last write, and keeps the request for the rest. */
  #isWaiting(): boolean {
    return this.#request !== null && this.#request.getAsyncId() !== NOT_WAITING;
  }

  /**
   * Lets Node do all it does for a write with this `result`, except that nothing is written again:
   * for the length of one `socket.write` there is a handle that only says what came out.
   */
  #tellNode(
    socket: net.Socket,
    handle: Handle,
    result: unknown,
    piece: string | Buffer,
    onFlushed: (() => void) | undefined,
  ): boolean {
    let nodesRequest: WriteRequest | null = null;
    let isTold = false;
    const tell = (request: WriteRequest | null): unknown => {
      nodesRequest = request;
      isTold = true;
      return result;
    };
    const inside = socket as unknown as Inside;
    inside._handle = Object.assign(Object.create(handle) as Handle, {
      writeLatin1String: tell,
      writeBuffer: tell,
    });
    let hasRoom: boolean;
    try {
      hasRoom = socket.write(piece, 'latin1', onFlushed);
    } finally {
      inside._handle = handle;
    }
    assert(isTold, 'a quiet socket writes at once');
    if (this.#isWaiting()) {
      // The system gives back ours instead of Node's, so ours does what Node's would have done. It
      // is not used again: while it is given back, a listener may write, and it is not free yet.
      Object.assign(this.#request!, nodesRequest);
      this.#request = new this.#requestClass!();
    }
    return hasRoom;
  }
}

/** The handle of a socket on which nothing waits, so that a piece can't overtake another. */
function quietHandle(socket: net.Socket): Handle | null {
  if (socket.writableLength !== 0 || socket.connecting) return null;
  if (!socket.writable || socket.writableCorked !== 0) return null;
  return (socket as unknown as Inside)._handle;
}

/** Looks how this Node writes, on a handle that writes nowhere. */
function lookInside(): { readonly requestClass: RequestClass | null } | undefined {
  const passed = [passedFor('a'), passedFor(Buffer.from('a'))];
  if (passed.every((request) => request === null)) return { requestClass: null };
  const [first, second] = passed as readonly (Partial<WriteRequest> | null | undefined)[];
  if (typeof first?.getAsyncId !== 'function') return undefined;
  if (first.constructor === Object || first.constructor !== second?.constructor) return undefined;
  const requestClass = first.constructor as RequestClass;
  return new requestClass().getAsyncId() === NOT_WAITING ? { requestClass } : undefined;
}

/** Returns the request with which Node writes `piece`; undefined when it goes about it otherwise. */
function passedFor(piece: string | Buffer): unknown {
  let passed: unknown;
  const note = (request: unknown, written: unknown): number => {
    if (written === piece) passed = request;
    return DONE;
  };
  const handle = { writeLatin1String: note, writeBuffer: note };
  try {
    const options = { handle: handle as unknown as net.BoundSocket, readable: false };
    new net.Socket(options).write(piece, 'latin1');
  } catch {
    return undefined; // Another Node, which wants more of a handle.
  }
  return passed;
}

const inside = lookInside();
const chosen = fastWriting();

/**
 * Writes to the connection below a TLS socket that has just been opened, before TLS does. Returns whether
 * the system has taken `bytes`, as it does where nothing was written before.
 */
export function writeBelow(socket: net.Socket, bytes: Buffer): boolean {
  const below = (socket as unknown as Inside)._handle?._parent;
  if (inside === undefined || below?.writeBuffer === undefined) return false;
  const request = inside.requestClass === null ? null : new inside.requestClass();
  const isDone = below.writeBuffer(request, bytes) === DONE;
  return isDone && (request === null || request.getAsyncId() === NOT_WAITING);
}
