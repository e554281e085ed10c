// What the rest of the data plane knows of the two ends of a request: a stream towards the client,
// a stream towards a target, the pool that hands out the latter, and what each of them calls in
// return. Interfaces alone: the protocol is known to clients/ and targets/, the kind of socket to
// byte-stream.ts, and neither to any other folder.

import type { FailureCode } from '../../base/failures.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import type { Peer } from '../../http/forward/forwarding.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import type { Bonds } from './bonds.ts';
import type { ToldClient } from './told-client.ts';

/** The way to one client. */
export interface ClientOutput {
  /** Some bytes of a `writeView` still wait to be taken by the system. */
  readonly hasPendingView: boolean;
  /** The client should be given time to read before more is written. */
  readonly isLimited: boolean;
  /** Bytes that the system has not taken yet. */
  readonly unsentBytes: number;

  /** Writes part of a response; false when the client should be given time to read. */
  write(piece: string | Buffer): boolean;
  /** Writes bytes that lie in a read buffer; false until the system has taken all of them. */
  writeView(view: Buffer): boolean;
}

/** Where one client comes from. */
export interface ClientSource {
  /** Returns the client as targets are told of it that get a PROXY header. */
  asTold(): ToldClient;
}

/** One client that has sent a request, as its exchange sees it. */
export interface ClientStream {
  readonly peer: Peer;
  /** The request waited while its service was held: how many did is bounded already. */
  readonly wasHeld: boolean;
  /** The connection should carry no further request. */
  readonly mustClose: boolean;
  /** Nothing is read from it at the moment. */
  readonly isPaused: boolean;
  readonly output: ClientOutput;
  /** Target connections that serve this client alone; undefined for almost all clients. */
  bonds: Bonds | undefined;
  readonly source: ClientSource;

  pauseReading(): void;
  resumeReading(): void;

  /** The response is out, the request is not all in: bounds the wait for the rest. */
  awaitRestOfRequest(): void;

  /** From here on, bytes are carried as they come. */
  startTunnel(): void;
  /** Ends our side of a tunnel once all is written. */
  endWriting(): void;
  /** The exchange is over; the next request may begin. */
  exchangeEnded(keepAlive: boolean): void;
  /** Ends our side once all is written, then drops what the client still sends. */
  closeAfterFlush(): void;
  /**
   * Ends a response that is not whole: what was written still goes out. `isSeen`: its framing shows
   * that it was cut, so an ordinary end will do; else the connection breaks behind it.
   */
  breakOff(isSeen: boolean): void;
  /** Breaks the connection at once, so that a cut response cannot be taken for a whole one. */
  cut(): void;
}

/** One connection, or one stream of a connection, to a target. */
export interface TargetStream {
  readonly isConnecting: boolean;
  /** Set: its connection serves only the client that these belong to. */
  bonds: Bonds | undefined;

  /** Writes part of a request; false asks to wait for `SentRequest.onRoom`. */
  write(piece: string | Buffer): boolean;
  /** Writes a head and a body that leave together; returns as `write`. */
  writeBoth(head: string, body: Buffer): boolean;
  /** Writes bytes that lie in a read buffer; false until the system has taken all of them. */
  writeView(view: Buffer): boolean;
  /** The request is complete: the target owes a response, or has given it already. */
  awaitResponse(): void;
  /** More of the request comes: the target owes nothing yet. */
  awaitRequest(): void;
  /** The client has taken what it was sent. */
  resumeReading(): void;

  /** Ends our side of a tunnel once all is written. */
  endWriting(): void;
  /** Bytes went through a tunnel: its limit on silence starts again. */
  touchTunnel(): void;
  /** Ends the response where it stands, as if it were whole. */
  endEarly(): void;
  /** Closes without telling the request, which has ended or is given up. */
  close(): void;
  /**
   * Gives up the request: what was written still goes out, and the target sees that it is not
   * whole. `isSeen`: its framing shows that, so an ordinary end will do; else the connection breaks.
   */
  abandon(isSeen: boolean): void;
}

/** The connections of one worker to one endpoint. */
export interface TargetPool {
  readonly endpoint: LiveEndpoint;
  /**
   * Gives `request` a stream, now or when one is free; `fresh` asks for a new connection. Returns
   * false when every connection is busy and the queue is full. The stream reports to the request
   * from then on, a failure to connect included.
   */
  serve(request: SentRequest, fresh: boolean): boolean;
  /** Tells whether the one request that number `trial` allows is still to be sent; then it is not. */
  takesTrial(trial: number): boolean;
  /** Removes a request that waits no longer. */
  leaveQueue(request: SentRequest): void;
  /** No new request comes: idle connections close, busy ones when they end, waiting requests go. */
  leave(): void;
  /** Requests come (again). */
  stay(): void;
  /** Opens idle connections up to `count`; `done` is called when each is open or has failed. */
  preconnect(count: number, done: () => void): void;
  /** How many `preconnect` would open. */
  missing(count: number): number;
}

/** A request on its way to a target, as pools and target streams see it. */
export interface SentRequest {
  /** Gets the response. */
  readonly receiver: ResponseReceiver;
  readonly wasHeld: boolean;
  /** Target connections that serve its client alone. */
  readonly bonds: Bonds | undefined;
  /** Whom targets are told of that get a PROXY header; undefined: it comes from no client. */
  readonly client: ToldClient | undefined;
  /** A second try can't do harm (RFC 9110 §9.2.2): idempotent, and no body byte has left. */
  readonly mayRepeat: boolean;
  /** The whole request has come in. */
  readonly isDone: boolean;

  /** `stream` carries the request from now on; it may still be connecting. */
  attach(stream: TargetStream): void;
  /** The stream has no more to do with the request. */
  detach(): void;
  /** The stream is ready: writes what there is of the request. */
  send(): void;
  /** The stream has room again. */
  onRoom(): void;
}

/** How a piece of a response was taken. */
export const FLOW = {
  /** The client should be given time to read: `TargetStream.resumeReading` tells of its end. */
  paused: 0,
  flows: 1,
  /** We have ended the response here; what the target still sends does not belong to it. */
  ended: 2,
} as const;

export type Flow = (typeof FLOW)[keyof typeof FLOW];

export function flowOf(takesMore: boolean): Flow {
  return takesMore ? FLOW.flows : FLOW.paused;
}

/**
 * How a connection ended before the head of a response: before any byte of it, one that had carried
 * requests before (`stale`) or not (`fresh`); or in the middle of it (`begun`).
 */
export type TargetEnd = 'stale' | 'fresh' | 'begun';

/** The exchange, as the target stream that carries its request sees it. */
export interface ResponseReceiver {
  /** Counter block of the deployment that the request was sent to. */
  readonly block: number;
  /** The request was a HEAD: its response has no body. */
  readonly isHead: boolean;
  readonly wantsUpgrade: boolean;
  /** A tunnel or an event stream: may be quiet for long. */
  readonly isLongLived: boolean;
  /** The client has not taken all bytes of the last view yet. */
  readonly hasPendingView: boolean;

  /** A 1xx response other than 101. */
  receiveInformational(head: ResponseHead): void;
  /** The final head has come; true: it is not wanted, and `askElsewhere` follows. */
  isUnwanted(head: ResponseHead): boolean;
  askElsewhere(): void;
  /**
   * The final head and the first part of the body: data runs `[start, end, …]` in the bytes of
   * `head`. `trailers` is a string (often empty) when the body is complete.
   */
  receiveHead(head: ResponseHead, part: readonly number[], trailers: string | undefined): Flow;
  /** The next part of the body: data runs in `bytes`; `trailers` as in `receiveHead`. */
  receiveBody(bytes: Buffer, part: readonly number[], trailers: string | undefined): Flow;
  /** The whole response was received. */
  endResponse(): void;

  /** 101: `bytes[next, end)` follow the head. Returns whether the client takes more. */
  startTunnel(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean;
  receiveTunnel(bytes: Buffer, start: number, end: number): boolean;
  /** The target has ended its side of the tunnel. */
  targetEnded(): void;
  /** The target's side is gone; `isClean`: both had ended theirs, or it was idle. */
  closeTunnel(isClean: boolean): void;

  /** The endpoint leaves while the request still waits for a connection to it. */
  sendElsewhere(): void;
  /** `detail`: what a client may hear of the reason. */
  connectFailed(isTimeout: boolean, detail?: string): void;
  targetClosed(how: TargetEnd, detail?: string): void;
  fail(code: FailureCode, detail?: string): void;
  /** Something of ours threw while it was at work for this request. */
  onFault(error: unknown): void;
}
