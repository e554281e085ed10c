// One connection between accept and the protocol that it will speak: a PROXY header where its listener
// asks for one, then the handshake of TLS where its listener has that. Bounded by one deadline from
// accept on. Knows no HTTP but for one answer: to a client that speaks it where TLS is spoken.
//
//   accepted ─► [PROXY header] ─► [first byte ─► handshake] ─► entered
//       └────────────┴──────────────────┴────► gone, for one of OUTCOMES

import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ConnectionEnds } from '../../base/proxy-greeting.ts';
import { HANDSHAKE_MS } from '../../base/limits.ts';
import { refusalFor, refusalResponse } from '../routing/responses/refusal.ts';
import { GreetedSocket } from '../transport/greeted-socket.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { HandshakeOutcome } from '../../contract/counters.ts';
import { certificateProblem } from './shown-certificate.ts';
import { INCOMPLETE, PROXY_HEADER_BYTES_MAX, readProxyHeader } from './proxy-header.ts';
import { isChallenge, UNKNOWN_NAME, type DoorListener, type TlsDoor } from './tls-door.ts';

/** What a listener asks of each connection. */
export interface Greeting {
  /** The connection begins with a PROXY header. */
  readonly hasProxyHeader: boolean;
  /** Undefined: no TLS. */
  readonly door: TlsDoor | undefined;
}

/** What came out, for the protocol. */
export interface Greeted {
  readonly socket: GreetedSocket;
  /** Of the client and of where it came in, as the PROXY header has them; undefined: those of the socket. */
  readonly ends: ConnectionEnds | undefined;
  /** The client speaks TLS with us, or with the balancer that says so. */
  readonly isSecure: boolean;
  /** Set where TLS is ours. */
  readonly tls: TLSSocket | undefined;
}

export interface DoorstepHost {
  readonly wheel: Wheel;
  /** The connection is ready, and no longer the doorstep's. */
  entered(step: Doorstep, greeted: Greeted): void;
  /** It will not be: it is closed, or about to close. */
  gone(step: Doorstep, outcome: HandshakeOutcome): void;
  contained(error: unknown): void;
}

/** First byte of a TLS record that holds a handshake (RFC 8446 §5.1). */
const HANDSHAKE_RECORD = 22;
/** How long a client that may not come in has to read why. */
const REFUSAL_READ_MS = 1_000;

export class Doorstep implements TimerOwner, DoorListener {
  readonly #host: DoorstepHost;
  readonly #greeting: Greeting;
  readonly #socket: net.Socket;
  readonly #timer = new Timer(this);
  /** What has come of a PROXY header. */
  #bytes: Buffer = NOTHING;
  #ends: ConnectionEnds | undefined = undefined;
  #isSecure = false;
  #stage: 'header' | 'first-byte' | 'handshake' | 'saying' | 'over';
  /** The outcome of a connection that is refused, while the client reads why. */
  #said: HandshakeOutcome | undefined = undefined;

  /** Takes `socket`, which is paused. */
  constructor(host: DoorstepHost, greeting: Greeting, socket: net.Socket) {
    this.#host = host;
    this.#greeting = greeting;
    this.#socket = socket;
    this.#stage = greeting.hasProxyHeader ? 'header' : 'first-byte';
    host.wheel.arm(this.#timer, HANDSHAKE_MS);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    // Its close, or the handshake that fails, tells what is wrong.
    socket.on('error', () => {});
    socket.resume();
  }

  /** Closes, so that another connection finds room; true, because nothing is lost by it. */
  makeRoom(): boolean {
    this.#leave('displaced');
    return true;
  }

  onDeadline(): void {
    this.#leave('timeout');
  }

  onFault(error: unknown): void {
    this.#host.contained(error);
    this.#leave('failed');
    // What threw may be `entered` itself: then the socket has no owner.
    this.#socket.destroy();
  }

  // What its door tells.

  secured(socket: TLSSocket): void {
    this.#contain(() => {
      if (this.#stage !== 'handshake') return;
      const { policy } = this.#greeting.door!;
      if (isChallenge(socket)) {
        this.#say(socket, '', 'challenge');
        return;
      }
      if (policy.unknownNames === 'refuse' && !this.#greeting.door!.isFor(socket.servername)) {
        this.#leave('unknown-name');
        return;
      }
      const problem = certificateProblem(socket, policy.clients, this.#host.wheel.wall);
      if (problem === undefined) {
        this.#enter(socket);
      } else {
        this.#say(socket, refusal(problem), 'client-certificate');
      }
    });
  }

  failed(error: Error & { readonly code?: string }): void {
    this.#contain(() => {
      if (this.#stage !== 'handshake') return;
      this.#leave(outcomeOf(error.code ?? ''));
    });
  }

  // What its socket tells.

  readonly #onData = (bytes: Buffer): void => {
    this.#contain(() => {
      if (this.#stage === 'header') this.#readHeader(bytes);
      else if (this.#stage === 'first-byte') this.#readFirst(bytes);
    });
  };

  readonly #onEnd = (): void => {
    this.#contain(() => {
      if (this.#stage === 'header' || this.#stage === 'first-byte') this.#leave('gone');
    });
  };

  readonly #onClose = (): void => {
    this.#contain(() => this.#leave('gone'));
  };

  #readHeader(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    const header = readProxyHeader(this.#bytes);
    if (header === INCOMPLETE) {
      if (this.#bytes.length >= PROXY_HEADER_BYTES_MAX) this.#leave('bad-proxy-header');
      return;
    }
    if ('problem' in header) {
      this.#leave('bad-proxy-header');
      return;
    }
    this.#ends = header.ends;
    this.#isSecure = header.isSecure;
    const rest = this.#bytes.subarray(header.length);
    this.#bytes = NOTHING;
    if (this.#greeting.door === undefined) {
      this.#giveBack(rest);
      this.#enter(undefined);
      return;
    }
    this.#stage = 'first-byte';
    if (rest.length > 0) this.#readFirst(rest);
  }

  /** OpenSSL would tell of plain HTTP as well, but the socket would be gone by then. */
  #readFirst(bytes: Buffer): void {
    if (bytes[0] !== HANDSHAKE_RECORD) {
      if (isLetter(bytes[0]!)) this.#say(this.#socket, refusal(PLAIN_HTTP), 'plain-http');
      else this.#leave('failed');
      return;
    }
    this.#stage = 'handshake';
    this.#giveBack(bytes);
    this.#greeting.door!.receive(this.#socket, this);
  }

  /** Leaves the socket as if nothing had read it. */
  #giveBack(bytes: Buffer): void {
    this.#socket.pause();
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    if (bytes.length > 0) this.#socket.unshift(bytes);
  }

  #enter(socket: TLSSocket | undefined): void {
    this.#stage = 'over';
    this.#host.wheel.remove(this.#timer);
    this.#socket.off('close', this.#onClose);
    this.#host.entered(this, {
      socket: new GreetedSocket(socket ?? this.#socket, socket && this.#socket),
      ends: this.#ends,
      isSecure: this.#isSecure || socket !== undefined,
      tls: socket,
    });
  }

  /**
   * Ends `socket` with `text`. The connection counts until it has closed, and what the client has sent is
   * dropped: a close with bytes unread is a reset, by which the client may lose the text.
   */
  #say(socket: net.Socket, text: string, outcome: HandshakeOutcome): void {
    this.#stage = 'saying';
    this.#said = outcome;
    this.#host.wheel.arm(this.#timer, REFUSAL_READ_MS);
    socket.on('error', () => {});
    socket.resume();
    socket.end(text, 'latin1');
  }

  #leave(outcome: HandshakeOutcome): void {
    if (this.#stage === 'over') return;
    this.#stage = 'over';
    this.#host.wheel.remove(this.#timer);
    this.#socket.destroy();
    this.#host.gone(this, this.#said ?? outcome);
  }

  #contain(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.onFault(error);
    }
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

const PLAIN_HTTP = 'this port speaks TLS: use https://';

/** Returns a response for a client that must not come in. */
function refusal(detail: string): string {
  const ending = { keepAlive: false, isHead: false, lastFields: '' };
  return refusalResponse(refusalFor('BAD_REQUEST', detail), ending);
}

/** Plain HTTP begins with one. */
function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function outcomeOf(code: string): HandshakeOutcome {
  if (code === UNKNOWN_NAME) return 'unknown-name';
  // The client has closed or reset the connection.
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'gone';
  return 'failed';
}
