// One connected socket: reading, writing, ending and cutting it, and the one place where anything
// thrown in one of its events is caught. What works for TCP and for Unix sockets is decided here.
// Knows no HTTP, no limits and no counters.

import net from 'node:net';
import { endsOf, type ConnectionEnds } from '../../base/proxy-greeting.ts';
import type { SocketRules } from '../../base/socket-file.ts';
import { tlsFaultOf, type TlsFault } from '../../base/target-certificates.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { readEvents, readInto, type Receive } from './accepted-socket.ts';
import { connectedEvent, connectSocket, isTrueEnd, type Way } from './connecting.ts';
import { GreetedSocket, type Incoming } from './greeted-socket.ts';
import { writingFor, type SocketWriting } from './fast-write.ts';
import { SecureReading } from './secure-reading.ts';
import { fillBuffers } from './secure-socket.ts';

/** Is told what happens on a stream. What one of these throws comes back as `onFault`. */
export interface StreamOwner {
  /** Where the next bytes shall be read into. */
  nextBuffer(): Buffer;
  /** `bytes[0, length)` have come, valid during the call; false stops reading until `resume`. */
  onData(bytes: Buffer, length: number): boolean;
  /** The peer has ended its side. */
  onEnd(): void;
  /** The socket is gone, or as good as gone; may be called more than once. */
  onClosed(hadError: boolean): void;
  /** There may be room again, or all of a view may have been taken. */
  onRoom(): void;
  /** No byte has moved for the time given to `limitSilence`. */
  onSilence(): void;
  /** One of the above threw: the owner ends this connection, and only this one. */
  onFault(error: unknown): void;
}

/** The owner of a connection that was asked for. */
export interface ConnectingOwner extends StreamOwner {
  /** The connection is open. */
  onConnect(): void;
}

/** Nothing can be read into it: the next read fails, and so ends the connection. */
const NO_BUFFER = Buffer.alloc(0);

const NO_RULES: SocketRules = { own: [], allowed: [] };

/** What a socket stands on. */
interface Footing {
  readonly canReset: boolean;
  readonly below: net.Socket | undefined;
}

export class ByteStream {
  /** What is wrong about the TLS of this connection, once it has failed for that. */
  tlsFault: TlsFault | undefined = undefined;
  #socket: net.Socket;
  readonly #owner: StreamOwner;
  readonly #writing: SocketWriting;
  /** Of TLS: the TCP or Unix socket under it. */
  readonly #below: net.Socket | undefined;
  /** TCP can tell the peer that a connection was broken off, and so can TLS by ending without a word. */
  readonly #canReset: boolean;
  /** The peer takes nothing any more, and what it has sent before is still to be read. */
  #isRefused = false;
  /** Set where what the peer has sent matters more than that it takes nothing. */
  #onRefused: (() => void) | undefined = undefined;
  /** Writes of a read buffer whose end Node has not reported yet. */
  #pendingViews = 0;
  /** Of a TLS connection to a target. */
  #reading: SecureReading | undefined = undefined;
  /** The peer has said by an alert that this was all; else that is found out when it is asked. */
  #hasEndAlert = false;

  private constructor(owner: StreamOwner, socket: net.Socket, { canReset, below }: Footing) {
    this.#owner = owner;
    this.#socket = socket;
    this.#below = below;
    this.#canReset = canReset;
    this.#writing = writingFor(socket);
    socket.on('end', () => {
      if (this.#reading === undefined) this.#tell('onEnd');
      else this.#reading.end();
    });
    socket.on('error', (error) => {
      this.tlsFault ??= tlsFaultOf(error);
      this.#tellClosed(true);
    });
    socket.on('close', (hadError) => {
      this.#reading?.close();
      this.#tellClosed(hadError);
    });
    socket.on('drain', () => this.#tell('onRoom'));
    socket.on('timeout', () => this.#tell('onSilence'));
  }

  /** Takes a connection that has come in. */
  static accept(owner: StreamOwner, accepted: Incoming): ByteStream {
    let stream: ByteStream | undefined = undefined;
    const nextBuffer = (): Buffer => ByteStream.#nextBuffer(owner, stream);
    const receive = (bytes: Buffer, length: number): boolean => stream!.#receive(bytes, length);
    if (accepted instanceof GreetedSocket) {
      const { socket, below } = accepted;
      const canReset = below !== undefined || socket.remoteAddress !== undefined;
      stream = new ByteStream(owner, socket, { canReset, below });
      stream.#read(accepted, nextBuffer, receive);
      return stream;
    }
    const socket = readInto(accepted, nextBuffer, receive);
    const canReset = socket.remoteAddress !== undefined;
    stream = new ByteStream(owner, socket, { canReset, below: undefined });
    return stream;
  }

  /**
   * Connects to `address`; `onConnect` or `onClosed` tells what becomes of it. Fails where `rules`
   * bar the path: what lies there may have changed since it became a target.
   */
  static connect(
    owner: ConnectingOwner,
    address: LiveEndpoint['address'],
    { rules = NO_RULES, terms, greeting }: Partial<Way> = {},
  ): ByteStream {
    let stream: ByteStream | undefined = undefined;
    const nextBuffer = (): Buffer => ByteStream.#nextBuffer(owner, stream);
    const receive = (bytes: Buffer, length: number): boolean => stream!.#receive(bytes, length);
    const reading =
      terms &&
      new SecureReading({
        nextBuffer,
        receive,
        end: (isByAlert) => stream!.#endSecurely(isByAlert),
        goOn: () => stream!.#socket.resume(),
        halt: () => stream!.#socket.pause(),
      });
    const onread =
      reading === undefined
        ? {
            buffer: nextBuffer,
            callback: (length: number, bytes: Uint8Array) => receive(bytes as Buffer, length),
          }
        : reading.onread;
    const socket = connectSocket(address, { rules, terms, greeting }, onread);
    // What is below a TLS socket of Node's own can't be reached, and it can't reset by itself.
    const canReset = address.kind === 'tcp' && terms === undefined;
    const made = new ByteStream(owner, socket, { canReset, below: undefined });
    // A target may respond, close, and leave the request unread.
    made.#onRefused = () => {
      made.#isRefused = true;
    };
    made.#reading = reading;
    stream = made;
    socket.on(connectedEvent(terms), () => made.#contain(() => owner.onConnect()));
    return made;
  }

  /** Begins to read what was not read from its beginning. */
  #read({ socket, below }: GreetedSocket, nextBuffer: () => Buffer, receive: Receive): void {
    if (below === undefined) {
      readEvents(socket, receive);
      return;
    }
    const reading = new SecureReading({
      nextBuffer,
      receive,
      end: (isByAlert) => this.#endSecurely(isByAlert),
      goOn: () => reins?.goOn(),
      halt: () => reins?.halt(),
    });
    const reins = fillBuffers(socket, reading.onread);
    if (reins === undefined) {
      readEvents(socket, receive);
      return;
    }
    this.#reading = reading;
    for (let early = readEarly(socket); early !== null; early = readEarly(socket))
      reading.keep(early);
    reading.resume();
  }

  /** Asks `owner` where to read into; while its stream is made, an error is the maker's to catch. */
  static #nextBuffer(owner: StreamOwner, stream: ByteStream | undefined): Buffer {
    if (stream === undefined) return owner.nextBuffer();
    try {
      return owner.nextBuffer();
    } catch (error) {
      stream.#fault(error);
      return NO_BUFFER;
    }
  }

  /** Undefined for a Unix socket, and for a peer that was gone at once. */
  get remoteAddress(): string | undefined {
    // Below TLS it was looked up before the handshake: the peer may be gone since.
    return (this.#below ?? this.#socket).remoteAddress;
  }

  /** Undefined as `remoteAddress` is. */
  get ends(): ConnectionEnds | undefined {
    return endsOf(this.#socket);
  }

  /** While `onEnd` is told: the peer itself has said that this was all. */
  get isTrueEnd(): boolean {
    return this.#hasEndAlert || isTrueEnd(this.#socket);
  }

  get hasRoom(): boolean {
    return this.#socket.writableLength < this.#socket.writableHighWaterMark;
  }

  /** Written, and not taken by the system yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** The system has taken all that was written. */
  get isFlushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** The peer can be told that the connection was broken off. */
  get canReset(): boolean {
    return this.#canReset && !this.#socket.writableEnded;
  }

  /** Some bytes of a `writeView` still wait in the socket. */
  get hasPendingView(): boolean {
    return this.#pendingViews > 0 && !this.isFlushed;
  }

  /** Writes, text as one byte per character; false when it is time to wait for `onRoom`. */
  write(piece: string | Buffer): boolean {
    if (!this.#isRefused) this.#writing.write(this.#socket, piece, this.#onRefused);
    return this.hasRoom;
  }

  /** Writes two pieces that leave together; returns as `write`. */
  writeBoth(first: string, second: Buffer): boolean {
    this.#socket.cork();
    this.write(first);
    const hasRoom = this.write(second);
    this.#socket.uncork();
    return hasRoom;
  }

  /** Writes bytes of a read buffer; false until the system has taken all of them. */
  writeView(view: Buffer): boolean {
    if (this.#isRefused) return true;
    if (this.#writing.writeView(this.#socket, view, this.#onViewTaken, this.#onRefused))
      return true;
    this.#pendingViews++;
    return this.isFlushed;
  }

  /**
   * Tells the owner by `onSilence` when no byte moves for `timeoutMs`; 0: never. Node's own timer,
   * because it alone sees that a large write makes progress; reading counts as well.
   */
  limitSilence(timeoutMs: number): void {
    this.#socket.setTimeout(timeoutMs);
  }

  pause(): void {
    if (this.#reading === undefined) this.#socket.pause();
    else this.#reading.stop();
  }

  resume(): void {
    if (this.#reading === undefined) this.#socket.resume();
    else this.#reading.resume();
  }

  /** Ends our side once all is written; `done` is called when the system has taken all of it. */
  end(done?: () => void): void {
    if (done === undefined) this.#socket.end();
    else this.#socket.end(() => this.#contain(done));
  }

  /** Calls `done` once the system has taken all that was written so far, or never will. */
  whenFlushed(done: () => void): void {
    this.#socket.write('', () => this.#contain(done));
  }

  /** Looks whether the peer is still there, which its end hides from us: `onClosed` if it is not. */
  lookAfter(): void {
    if (!this.isFlushed || !this.#socket.writable) return;
    // Not a byte is sent, but the system says no where the connection was reset or a Unix socket closed.
    // What it says to an empty write over TLS, Node does not pass on: so the socket under it is asked.
    (this.#below ?? this.#socket).write('');
  }

  /** Closes once all is written. */
  closeAfterFlush(): void {
    this.#socket.destroySoon();
  }

  /** Closes at once. To the peer that looks like an ordinary end where it has read everything. */
  close(): void {
    this.#reading?.close();
    this.#socket.destroy();
  }

  /**
   * Breaks the connection so that the peer sees an error, not an end. Where that can't be said, as
   * on a Unix socket, the framing of the message has to show that it was cut.
   */
  cut(): void {
    this.#reading?.close();
    // A reset behind a pending FIN fails in libuv and would leave the socket open for ever. The FIN
    // is sent once all is written, and says then what is true: that this was all.
    const mayHaveSentFin = this.#socket.writableEnded && this.isFlushed;
    if (!this.#canReset || mayHaveSentFin) this.#socket.destroy();
    else if (this.#below === undefined) this.#socket.resetAndDestroy();
    else this.#cutBelow(this.#below);
  }

  /**
   * A TLS socket that is destroyed says first that this was the end (close_notify), and a part would
   * look whole. So the socket under it goes, and takes the TLS socket with it. Whatever is done to that
   * one meanwhile may end the process by a segmentation fault (Node 24): it is let go of at once.
   */
  #cutBelow(below: net.Socket): void {
    this.#socket = new net.Socket().destroy();
    if (below.remoteAddress === undefined) below.destroy();
    else below.resetAndDestroy();
  }

  readonly #onViewTaken = (): void => {
    this.#pendingViews--;
    if (this.#pendingViews === 0) this.#tell('onRoom');
  };

  #receive(bytes: Buffer, length: number): boolean {
    try {
      return this.#owner.onData(bytes, length);
    } catch (error) {
      this.#fault(error);
      return true;
    }
  }

  #endSecurely(isByAlert: boolean): void {
    this.#hasEndAlert = isByAlert;
    this.#tell('onEnd');
  }

  #tell(event: 'onEnd' | 'onRoom' | 'onSilence'): void {
    this.#contain(() => this.#owner[event]());
  }

  #tellClosed(hadError: boolean): void {
    try {
      this.#owner.onClosed(hadError);
    } catch (error) {
      this.#fault(error);
      // No event will follow: an owner that missed this one would count the connection for ever.
      this.#contain(() => this.#owner.onClosed(true));
    }
  }

  #contain(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    try {
      this.#owner.onFault(error);
    } catch {
      // Reporting is broken as well: closing the socket is all that is left to do.
      this.#socket.destroy();
    }
  }
}

/** Returns what stands in `socket` already. */
function readEarly(socket: net.Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
