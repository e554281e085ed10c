// One HTTP/1.1 client connection on a raw socket: sends bytes, finds the end of the
// answer. As cheap as Node allows, because it shares a core with the origin.
// Trusts the answers: verify.ts has checked them before anything is timed.

import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import { TLS_HOST } from '../peers/tls.ts';

export interface ConnectionEvents {
  /** A whole answer has arrived; the connection may send again if `isReusable`. */
  readonly onAnswer: (connection: RawConnection) => void;
  /** The connection broke, or the status was not 200. */
  readonly onFailure: (connection: RawConnection, reason: string) => void;
}

export interface ConnectionTarget {
  readonly port: number;
  readonly host: string;
  /** Keep the answer body in `bodyText`. */
  readonly keepsBody: boolean;
  readonly isTls?: boolean;
}

/** All connections read into one buffer: what is read is used before the next read. */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(256 * 1024);
/** The certificate was made for this run; one context serves all connections. */
const TLS_OPTIONS = {
  servername: TLS_HOST,
  rejectUnauthorized: false,
  secureContext: tls.createSecureContext(),
};
const CHUNKED_END = '0\r\n\r\n';

const HEAD = 0;
const LENGTH = 1;
const CHUNKED = 2;
const UNTIL_CLOSE = 3;
const IDLE = 4;

export class RawConnection {
  /** When the request that is running should have been sent, in milliseconds. */
  intendedMs = 0;
  /** Free for the owner: what kind of request this connection sends. */
  kind = 0;
  bodyText = '';
  isReusable = true;
  readonly #events: ConnectionEvents;
  readonly #socket: Socket;
  readonly #keepsBody: boolean;
  #state = IDLE;
  #head = '';
  #bodyBytesLeft = 0;
  #tail = '';

  constructor(target: ConnectionTarget, events: ConnectionEvents) {
    this.#events = events;
    this.#keepsBody = target.keepsBody;
    const options = {
      port: target.port,
      host: target.host,
      noDelay: true,
      onread: {
        buffer: SHARED_BUFFER,
        callback: (byteCount: number): boolean => {
          this.#read(byteCount);
          return true;
        },
      },
    };
    this.#socket =
      target.isTls === true ? tls.connect({ ...options, ...TLS_OPTIONS }) : connect(options);
    this.#socket.on('error', (error) => this.#fail(String(error)));
    this.#socket.on('close', () => this.#onClose());
  }

  /** Sends one request; the answer to the one before must be complete. */
  send(request: Uint8Array): void {
    this.#state = HEAD;
    this.#head = '';
    this.bodyText = '';
    this.#socket.write(request);
  }

  close(): void {
    this.#state = IDLE;
    this.isReusable = false;
    this.#socket.destroy();
  }

  #read(byteCount: number): void {
    switch (this.#state) {
      case HEAD:
        this.#readHead(byteCount);
        break;
      case IDLE:
        this.#fail('bytes that belong to no answer');
        break;
      default:
        this.#readBody(0, byteCount);
    }
  }

  #readHead(byteCount: number): void {
    const before = this.#head.length;
    const text = this.#head + SHARED_BUFFER.toString('latin1', 0, Math.min(byteCount, 16 * 1024));
    const end = text.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (end === -1) {
      this.#head = text;
      return;
    }
    const head = text.slice(0, end + 2);
    if (!head.startsWith('HTTP/1.1 200')) {
      this.#fail(head.slice(0, head.indexOf('\r\n')));
      return;
    }
    this.isReusable = !/\r\nconnection: close/i.test(head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (length !== null) this.#state = LENGTH;
    else this.#state = /\r\ntransfer-encoding:/i.test(head) ? CHUNKED : UNTIL_CLOSE;
    this.#bodyBytesLeft = Number(length?.[1] ?? 0);
    this.#tail = '';
    this.#readBody(end + 4 - before, byteCount);
  }

  #readBody(from: number, to: number): void {
    if (this.#keepsBody) this.bodyText += SHARED_BUFFER.toString('latin1', from, to);
    if (this.#state === LENGTH) {
      this.#bodyBytesLeft -= to - from;
      if (this.#bodyBytesLeft === 0) this.#finish();
      else if (this.#bodyBytesLeft < 0) this.#fail('more bytes than the length says');
    } else if (this.#state === CHUNKED) {
      // No body of this bench has a line end, so these five bytes are the last chunk.
      const kept = SHARED_BUFFER.toString('latin1', Math.max(from, to - CHUNKED_END.length), to);
      this.#tail = (this.#tail + kept).slice(-CHUNKED_END.length);
      if (this.#tail === CHUNKED_END) this.#finish();
    }
  }

  #finish(): void {
    this.#state = IDLE;
    this.#events.onAnswer(this);
  }

  #fail(reason: string): void {
    if (!this.isReusable && this.#state === IDLE) return;
    this.close();
    this.#events.onFailure(this, reason);
  }

  #onClose(): void {
    if (this.#state === UNTIL_CLOSE) {
      this.isReusable = false;
      this.#finish();
    } else if (this.isReusable || this.#state !== IDLE) this.#fail('closed by the other side');
  }
}
