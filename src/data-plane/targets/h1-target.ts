// One HTTP/1.1 connection to a target: connects, carries one request at a time, and knows when to
// wait no longer. What a response means to the client is not known here.
//
//   connecting ─► head ─► body ─► idle ─► head …        tunnel: after 101, until both sides end
//        └──────────┴──────┴───────┴─► closed

import type { LiveEndpoint } from '../../contract/table.ts';
import { idleTimeoutMs } from '../../http/keep-alive.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import { Timer, type TimerOwner } from '../base/wheel.ts';
import type { Bonds } from '../transport/bonds.ts';
import { ByteStream, type ConnectingOwner } from '../transport/byte-stream.ts';
import type { Flow, ResponseReceiver, SentRequest, TargetStream } from '../transport/transport.ts';
import { READ_START, ReadBuffer } from './read-buffer.ts';
import { ResponseReader, type ResponseReaderOwner } from './response-reader.ts';
import type { TargetServices } from './target-services.ts';

/** The pool that a connection belongs to. */
export interface TargetOwner {
  readonly endpoint: Pick<LiveEndpoint, 'address' | 'slot'>;
  /** Takes back a connection after its request has ended well, or one that was opened ahead. */
  release(connection: H1Target): void;
  /** Forgets a connection that has closed. */
  closed(connection: H1Target): void;
}

// How a request is told of its end; made once, because it is told with every response.
const WHOLE = (receiver: ResponseReceiver): void => receiver.endResponse();
const ELSEWHERE = (receiver: ResponseReceiver): void => receiver.askElsewhere();

type Phase = 'connecting' | 'idle' | 'head' | 'body' | 'tunnel' | 'closed';

export class H1Target implements TargetStream, ConnectingOwner, TimerOwner, ResponseReaderOwner {
  /** Set for a connection opened ahead; called once when it is open or has failed. */
  onceSettled: (() => void) | undefined = undefined;
  bonds: Bonds | undefined = undefined;
  readonly #services: TargetServices;
  readonly #pool: TargetOwner;
  readonly #stream: ByteStream;
  readonly #timer = new Timer(this);
  /**
   * Its own, not shared: what the client has not taken yet stays in here, and only this
   * connection stops reading meanwhile.
   */
  #buffer = new ReadBuffer();
  readonly #startedMs = performance.now();
  #request: SentRequest | undefined;
  #phase: Phase = 'connecting';
  /** Carried a request before: the target may be closing it just now. */
  #isReused = false;
  /** The current request has seen a byte of a response. */
  #hasResponded = false;
  #timedOut = false;
  #isBroken = false;
  /** Closed by us: says nothing about the target. */
  #isAbandoned = false;
  #isPaused = false;
  #idleSinceMs = 0;
  readonly #reader = new ResponseReader(this);
  #keepAlive = false;
  #idleTimeoutMs: number;

  constructor(services: TargetServices, pool: TargetOwner, request: SentRequest | undefined) {
    this.#services = services;
    this.#pool = pool;
    this.#request = request;
    this.#idleTimeoutMs = services.settings.upstream.idleTimeoutMs;
    this.#stream = ByteStream.connect(this, pool.endpoint.address);
    request?.attach(this);
    services.wheel.arm(this.#timer, services.settings.upstream.connectTimeoutMs);
  }

  // As its pool sees it.

  /** Takes a request while idle (or just opened) and sends what there is of it. */
  carry(request: SentRequest): void {
    this.#request = request;
    this.#phase = 'head';
    this.#hasResponded = false;
    this.#reader.begin();
    this.#services.wheel.disarm(this.#timer);
    request.attach(this);
    request.send();
  }

  /** The pool keeps it for reuse. */
  rest(): void {
    this.#phase = 'idle';
    this.#isReused = true;
    this.#idleSinceMs = this.#services.wheel.nowMs();
    this.#services.wheel.arm(this.#timer, this.#idleTimeoutMs);
  }

  idleMs(): number {
    return this.#services.wheel.nowMs() - this.#idleSinceMs;
  }

  // As the request that it carries sees it.

  get isConnecting(): boolean {
    return this.#phase === 'connecting';
  }

  write(piece: string | Buffer): boolean {
    return this.#stream.write(piece) || this.#awaitRoom();
  }

  writeBoth(head: string, body: Buffer): boolean {
    return this.#stream.writeBoth(head, body) || this.#awaitRoom();
  }

  writeView(view: Buffer): boolean {
    return this.#stream.writeView(view) || this.#awaitRoom();
  }

  awaitResponse(): void {
    if (this.#phase === 'head') {
      this.#services.wheel.arm(this.#timer, this.#services.settings.upstream.headTimeoutMs);
    }
  }

  resumeReading(): void {
    if (!this.#isPaused || this.#phase === 'closed') return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  endWriting(): void {
    this.#stream.end();
  }

  touchTunnel(): void {
    this.#services.wheel.arm(this.#timer, this.#services.settings.upstream.tunnelIdleTimeoutMs);
  }

  endEarly(): void {
    if (this.#phase !== 'body') return;
    this.#receiver.receiveBody(this.#buffer.bytes, [], '');
    this.onResponseEnd(false);
  }

  close(): void {
    this.#request = undefined;
    this.#isAbandoned = true;
    this.#lost();
  }

  closeAfterFlush(): void {
    this.#request = undefined;
    this.#stream.closeAfterFlush(); // Its timer bounds that.
  }

  // What its reader of heads asks and tells.

  get isHeadRequest(): boolean {
    return this.#receiver.isHead;
  }

  onInformational(head: ResponseHead): void {
    this.#receiver.receiveInformational(head);
  }

  onSwitching(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    const receiver = this.#receiver;
    if (!receiver.wantsUpgrade || !head.upgrade) {
      return this.onResponseFault('the target switches protocols without being asked');
    }
    this.#phase = 'tunnel';
    this.touchTunnel();
    return receiver.startTunnel(head, bytes, next, end);
  }

  onFinalHead(head: ResponseHead): boolean {
    const { upstream } = this.#services.settings;
    this.#phase = 'body';
    this.#keepAlive = head.keepAlive;
    if (head.keepAliveSeconds >= 0)
      this.#idleTimeoutMs = idleTimeoutMs(head.keepAliveSeconds, upstream.idleTimeoutMs);
    if (this.#receiver.isUnwanted(head)) return false;
    if (head.bodyLength !== 0) this.#awaitBody();
    return true;
  }

  onHead(head: ResponseHead, part: readonly number[], trailers: string | undefined): Flow {
    return this.#receiver.receiveHead(head, part, trailers);
  }

  onBody(bytes: Buffer, part: readonly number[], trailers: string | undefined): Flow {
    return this.#receiver.receiveBody(bytes, part, trailers);
  }

  onResponseEnd(isClean: boolean): boolean {
    const request = this.#request!;
    // The last bytes still wait to be written to the client: they keep the old buffer.
    if (request.receiver.hasPendingView) this.#buffer = new ReadBuffer();
    // A request that is still being sent can't be followed by another one.
    return this.#letGo(isClean && this.#keepAlive && request.isDone, WHOLE);
  }

  /** Another side is asked, and this connection may serve again. */
  onUnwantedEnd(isClean: boolean): boolean {
    return this.#letGo(isClean && this.#keepAlive, ELSEWHERE);
  }

  /** The target breaks the rules: its connection is thrown away. */
  onResponseFault(detail: string): boolean {
    if (this.#request !== undefined)
      return this.#letGo(false, (receiver) => receiver.fail('UPSTREAM_BAD_RESPONSE', detail));
    this.close();
    return true;
  }

  // What its socket and its timer tell.

  nextBuffer(): Buffer {
    return this.#buffer.area;
  }

  onConnect(): void {
    if (this.#phase !== 'connecting') return;
    this.#services.wheel.disarm(this.#timer);
    const request = this.#request;
    const block = request?.receiver.block ?? 0;
    const { slot } = this.#pool.endpoint;
    this.#services.tally.connected(block, slot, performance.now() - this.#startedMs);
    if (request === undefined) this.#pool.release(this);
    else this.carry(request);
    this.#settle();
  }

  /** What was read lies in `#buffer`. */
  onData(_area: Buffer, length: number): boolean {
    this.#isPaused = !this.#read(this.#buffer.bytes, READ_START, READ_START + length);
    return !this.#isPaused;
  }

  onRoom(): void {
    if (!this.#stream.isFlushed) return;
    this.#stream.limitSilence(0);
    this.#request?.onRoom();
  }

  onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#request?.receiver.targetEnded();
    } else if (this.#phase === 'body' && this.#reader.endsWithClose) {
      // RFC 9112 §6.3, item 8: the close is the end of this body.
      this.endEarly();
    } else {
      this.#lost();
    }
  }

  /** The target does not take what it was sent. */
  onSilence(): void {
    if (this.#stream.isFlushed) return;
    this.#timedOut = true;
    this.#lost();
  }

  onClosed(hadError: boolean): void {
    if (hadError) this.#isBroken = true;
    this.#lost();
  }

  onDeadline(): void {
    const { upstream } = this.#services.settings;
    if (this.#phase === 'body' && (this.#isPaused || !this.#request!.isDone)) {
      // It is the client that is slow; the limits for clients decide.
      this.#services.wheel.arm(this.#timer, upstream.bodyIdleTimeoutMs);
      return;
    }
    this.#timedOut = true;
    this.#lost();
  }

  onFault(error: unknown): void {
    const request = this.#request;
    if (request === undefined) this.#services.contained(error);
    else request.receiver.onFault(error); // Lets go of this connection, too.
    this.close();
  }

  get #receiver(): ResponseReceiver {
    return this.#request!.receiver;
  }

  #awaitRoom(): false {
    this.#stream.limitSilence(this.#services.settings.upstream.headTimeoutMs);
    return false;
  }

  /** Reads what has come; returns false to stop reading until `resumeReading`. */
  #read(bytes: Buffer, start: number, end: number): boolean {
    switch (this.#phase) {
      case 'head':
        this.#hasResponded = true;
        return this.#reader.readHeads(this.#services.responseHead, bytes, start, end);
      case 'body':
        this.#awaitBody();
        return this.#reader.readBody(bytes, start, end);
      case 'tunnel':
        this.touchTunnel();
        return this.#request?.receiver.receiveTunnel(bytes, start, end) !== false;
      default:
        // No request is under way: these bytes must not be taken for the response to the next one.
        this.close();
        return true;
    }
  }

  #awaitBody(): void {
    this.#services.wheel.arm(this.#timer, this.#services.settings.upstream.bodyIdleTimeoutMs);
  }

  /** Lets go of the request, takes the next one or closes, and tells the request by `end`. */
  #letGo(mayServeAgain: boolean, end: (receiver: ResponseReceiver) => void): boolean {
    const request = this.#request!;
    this.#request = undefined;
    this.#services.wheel.disarm(this.#timer);
    request.detach();
    try {
      if (mayServeAgain) this.#pool.release(this);
      else this.#lost();
    } finally {
      tell(request.receiver, end);
    }
    return true;
  }

  /** The one way out: closes, leaves the pool, and tells the request what happened. Idempotent. */
  #lost(): void {
    const phase = this.#phase;
    if (phase === 'closed') return;
    this.#phase = 'closed';
    this.#services.wheel.remove(this.#timer);
    this.#stream.close();
    const request = this.#request;
    this.#request = undefined;
    request?.detach();
    if (phase === 'connecting' && !this.#isAbandoned) {
      this.#services.tally.connectFailed(this.#pool.endpoint.slot);
    }
    try {
      this.#pool.closed(this);
      this.#settle();
    } finally {
      if (request !== undefined)
        tell(request.receiver, (receiver) => this.#tellLost(receiver, phase));
    }
  }

  #tellLost(receiver: ResponseReceiver, phase: Phase): void {
    if (phase === 'connecting') receiver.connectFailed(this.#timedOut);
    else if (phase === 'tunnel') receiver.closeTunnel(!this.#isBroken);
    else if (phase === 'body')
      receiver.fail(this.#timedOut ? 'UPSTREAM_STALLED' : 'UPSTREAM_ABORTED');
    else if (this.#timedOut) receiver.fail('UPSTREAM_TIMEOUT');
    else if (this.#hasResponded) receiver.targetClosed('begun');
    else receiver.targetClosed(this.#isReused ? 'stale' : 'fresh');
  }

  #settle(): void {
    this.onceSettled?.();
    this.onceSettled = undefined;
  }
}

/**
 * Tells a request of its end that the connection has let go of: what breaks there is an error of the
 * request, and what broke here before must not keep the request from hearing of it.
 */
function tell(receiver: ResponseReceiver, end: (receiver: ResponseReceiver) => void): void {
  try {
    end(receiver);
  } catch (error) {
    receiver.onFault(error);
  }
}
