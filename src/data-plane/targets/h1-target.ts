// One connection to a target: connects, carries one exchange at a time, reads answers and knows
// where each ends. What an answer means to the client is reply.ts's business.
//
//   connecting ─► head ─► body ─► idle ─► head …        tunnel: after 101, until both sides end
//        └──────────┴──────┴───────┴─► closed

import net from 'node:net';
import { INFORMATIONAL_MAX } from '../../base/limits.ts';
import { INCOMPLETE, faultRow } from '../../http/faults.ts';
import { idleTimeoutMs } from '../../http/keep-alive.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import { ResponseBody } from './response-body.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { Plane } from '../plane.ts';
import { PartialHead } from './partial-head.ts';
import type { EndpointPool } from './pool.ts';
import { READ_START, ReadBuffer } from './read-buffer.ts';
import { relayBody, relayInformational, startReply } from '../exchange/response-relay.ts';
import { Timer } from '../base/wheel.ts';

type Phase = 'connecting' | 'idle' | 'head' | 'body' | 'tunnel' | 'closed';

export class H1Target {
  readonly pool: EndpointPool;
  readonly socket: net.Socket;
  /** Set by a preconnect; called once when the connection is open or has failed. */
  onceSettled: (() => void) | undefined = undefined;
  readonly #plane: Plane;
  readonly #timer = new Timer(this);
  /**
   * Its own, not shared: what the client has not taken yet stays in here, and only this
   * connection stops reading meanwhile.
   */
  #buffer = new ReadBuffer();
  readonly #startedMs = performance.now();
  #exchange: Exchange | undefined;
  #phase: Phase = 'connecting';
  /** Carried an exchange before: the target may be closing it just now. */
  #isReused = false;
  /** The current exchange has seen a byte of an answer. */
  #hasAnswered = false;
  #timedOut = false;
  #isBroken = false;
  /** Closed by us: says nothing about the target. */
  #isAbandoned = false;
  #isPaused = false;
  #idleSinceMs = 0;
  #informationalCount = 0;
  /** An answer head that came in pieces. */
  #partial: PartialHead | undefined = undefined;
  readonly #body = new ResponseBody();
  #keepAlive = false;
  #idleTimeoutMs: number;

  constructor(plane: Plane, pool: EndpointPool, exchange: Exchange | undefined) {
    this.#plane = plane;
    this.pool = pool;
    this.#exchange = exchange;
    this.#idleTimeoutMs = plane.settings.upstream.idleTimeoutMs;
    if (exchange !== undefined) exchange.upstream = this;
    const { address } = pool.endpoint;
    const onread = {
      buffer: (): Buffer => this.#buffer.area,
      callback: (count: number): boolean => this.#receive(count),
    };
    this.socket = net.connect(
      address.kind === 'tcp'
        ? { host: address.host, port: address.port, noDelay: true, allowHalfOpen: true, onread }
        : { path: address.path, allowHalfOpen: true, onread },
    );
    this.socket.on('connect', () => this.#onConnect());
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('error', () => {
      this.#isBroken = true;
      this.#onLost();
    });
    this.socket.on('close', () => this.#onLost());
    this.socket.on('drain', () => this.#onRoom());
    this.socket.on('timeout', () => this.#onStalled());
    plane.wheel.arm(this.#timer, plane.settings.upstream.connectTimeoutMs);
  }

  get isConnecting(): boolean {
    return this.#phase === 'connecting';
  }

  /** Takes an exchange while idle (or just opened) and sends what it has. */
  carry(exchange: Exchange): void {
    exchange.upstream = this;
    this.#exchange = exchange;
    this.#phase = 'head';
    this.#hasAnswered = false;
    this.#informationalCount = 0;
    this.#plane.wheel.disarm(this.#timer);
    exchange.sendTo(this);
  }

  /** Writes request bytes; false asks to wait for `onUpstreamDrain`. */
  write(piece: string | Buffer): boolean {
    const hasRoom =
      typeof piece === 'string' ? this.socket.write(piece, 'latin1') : this.socket.write(piece);
    // Node's own timer here, because it alone sees that a large write makes progress.
    if (!hasRoom) this.socket.setTimeout(this.#plane.settings.upstream.headTimeoutMs);
    return hasRoom;
  }

  /** Writes bytes of a read buffer; false until the system has taken all of them. */
  writeView(view: Buffer): boolean {
    this.socket.write(view, this.#onViewFlushed);
    if (this.socket.writableLength === 0) return true;
    this.socket.setTimeout(this.#plane.settings.upstream.headTimeoutMs);
    return false;
  }

  readonly #onViewFlushed = (): void => {
    if (this.socket.writableLength === 0) this.#onRoom();
  };

  #onRoom(): void {
    this.socket.setTimeout(0);
    this.#exchange?.onUpstreamDrain();
  }

  /** The request is complete: from now on the target owes an answer. */
  awaitAnswer(): void {
    if (this.#phase === 'head') {
      this.#plane.wheel.arm(this.#timer, this.#plane.settings.upstream.headTimeoutMs);
    }
  }

  /** The pool keeps it for reuse. */
  rest(): void {
    this.#phase = 'idle';
    this.#isReused = true;
    this.#idleSinceMs = this.#plane.wheel.nowMs();
    this.#plane.wheel.arm(this.#timer, this.#idleTimeoutMs);
  }

  idleMs(): number {
    return this.#plane.wheel.nowMs() - this.#idleSinceMs;
  }

  /** Ends the answer where it stands, as if it were whole. */
  endEarly(): void {
    if (this.#phase !== 'body') return;
    relayBody(this.#exchange!, this.#buffer.bytes, [], '');
    this.#endReply(false);
  }

  /** The client has taken what it was sent. */
  resume(): void {
    if (!this.#isPaused || this.#phase === 'closed') return;
    this.#isPaused = false;
    this.socket.resume();
  }

  /** Closes without telling the exchange, which has ended or no longer cares. */
  close(): void {
    this.#exchange = undefined;
    this.#isAbandoned = true;
    this.#onLost();
  }

  /** The same for a tunnel whose last bytes are still being written; its timer bounds that. */
  closeAfterFlush(): void {
    this.#exchange = undefined;
    this.socket.destroySoon();
  }

  onDeadline(): void {
    const { upstream } = this.#plane.settings;
    if (this.#phase === 'body' && (this.#isPaused || !this.#exchange!.isRequestDone)) {
      // The client is the slow one; its own limits decide.
      this.#plane.wheel.arm(this.#timer, upstream.bodyIdleTimeoutMs);
      return;
    }
    this.#timedOut = true;
    this.#onLost();
  }

  /** Restarts the silence limit of a tunnel; bytes went through. */
  touchTunnel(): void {
    this.#plane.wheel.arm(this.#timer, this.#plane.settings.upstream.tunnelIdleTimeoutMs);
  }

  #onConnect(): void {
    if (this.#phase !== 'connecting') return;
    this.#plane.wheel.disarm(this.#timer);
    const exchange = this.#exchange;
    const block = exchange?.side.block ?? 0;
    const { slot } = this.pool.endpoint;
    this.#plane.tally.connected(block, slot, performance.now() - this.#startedMs);
    if (exchange === undefined) this.pool.release(this);
    else this.carry(exchange);
    this.#settle();
  }

  #receive(count: number): boolean {
    try {
      return this.#onRead(count);
    } catch (error) {
      const exchange = this.#exchange;
      this.close();
      this.#plane.contained(error);
      exchange?.fail('INTERNAL');
      return true;
    }
  }

  /** Reads into `#buffer`; returns false to stop reading until `resume`. */
  #onRead(count: number): boolean {
    const end = READ_START + count;
    switch (this.#phase) {
      case 'head':
        this.#isPaused = !this.#readHead(this.#buffer.bytes, READ_START, end);
        break;
      case 'body':
        this.#isPaused = !this.#readBody(this.#buffer.bytes, READ_START, end);
        break;
      case 'tunnel':
        this.touchTunnel();
        this.#isPaused =
          this.#exchange?.tunnel?.fromUpstream(this.#buffer.bytes, READ_START, end) === false;
        break;
      default:
        // Nobody asked: whatever this is, it must not reach the next exchange.
        this.close();
    }
    return !this.#isPaused;
  }

  #readHead(bytes: Buffer, start: number, end: number): boolean {
    this.#hasAnswered = true;
    if (this.#partial !== undefined) return this.#readPartialHead(bytes, start, end);
    return this.#parseHeads(bytes, start, end);
  }

  /** Parses informational heads and the final one from `bytes[from, end)`. */
  #parseHeads(bytes: Buffer, from: number, end: number): boolean {
    const exchange = this.#exchange!;
    const head = this.#plane.responseHead;
    let start = from;
    while (start < end) {
      const next = head.parse(bytes, start, end, exchange.isHead);
      if (next === INCOMPLETE) return this.#readPartialHead(bytes, start, end);
      if (next < 0) return this.#breakOff(faultRow(next).detail);
      const isFinal = head.status >= 200 || head.status === 101;
      if (isFinal) return this.#startReply(head, bytes, next, end);
      this.#informationalCount++;
      if (this.#informationalCount > INFORMATIONAL_MAX) {
        return this.#breakOff('the target sends too many informational answers');
      }
      relayInformational(exchange, head);
      start = next;
    }
    return true;
  }

  #readPartialHead(bytes: Buffer, start: number, end: number): boolean {
    const partial = (this.#partial ??= new PartialHead(this.#plane.settings.upstream.headBytesMax));
    const found = partial.append(bytes, start, end);
    if (found === INCOMPLETE) return true;
    this.#partial = undefined;
    if (found < 0) return this.#breakOff(faultRow(found).detail);
    return this.#parseHeads(partial.bytes, 0, partial.length);
  }

  /** The final head is there; `next` is where the body starts in `bytes`. */
  #startReply(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    const exchange = this.#exchange!;
    if (head.status === 101) {
      if (!exchange.wantsUpgrade || !head.upgrade) {
        return this.#breakOff('the target switches protocols without being asked');
      }
      this.#phase = 'tunnel';
      this.touchTunnel();
      return exchange.startTunnel(head, bytes, next, end);
    }
    this.#phase = 'body';
    this.#body.begin(head);
    this.#keepAlive = head.keepAlive;
    const { upstream } = this.#plane.settings;
    if (head.keepAliveSeconds >= 0)
      this.#idleTimeoutMs = idleTimeoutMs(head.keepAliveSeconds, upstream.idleTimeoutMs);
    if (head.status === 404 && exchange.mayBeRescued()) return this.#handOver(bytes, next, end);
    if (head.bodyLength !== 0) this.#plane.wheel.arm(this.#timer, upstream.bodyIdleTimeoutMs);
    const stop = this.#body.take(bytes, next, end);
    if (stop < 0) return this.#breakOff(faultRow(stop).detail);
    exchange.beginReply(head);
    return this.#handOn(head, next, stop, end);
  }

  #readBody(bytes: Buffer, start: number, end: number): boolean {
    this.#plane.wheel.arm(this.#timer, this.#plane.settings.upstream.bodyIdleTimeoutMs);
    const stop = this.#body.take(bytes, start, end);
    if (stop < 0) return this.#breakOff(faultRow(stop).detail);
    return this.#handOn(bytes, start, stop, end);
  }

  /** Relays what lies between `start` and `stop`, with its head, or bytes of a body alone. */
  #handOn(from: ResponseHead | Buffer, start: number, stop: number, end: number): boolean {
    const exchange = this.#exchange!;
    const isHead = 'bytes' in from;
    const part = this.#body.part(start, stop);
    const last = exchange.stream?.follow(isHead ? from.bytes : from, part);
    // Where we end an event stream, there are no trailers.
    const trailers = last === undefined ? this.#body.trailers : '';
    const flows = isHead
      ? startReply(exchange, from, last ?? part, trailers)
      : relayBody(exchange, from, last ?? part, trailers);
    if (last !== undefined) return this.#endReply(false);
    return this.#body.isDone ? this.#endReply(stop === end) : flows;
  }

  /** The answer is not wanted: another side is asked, and this connection may serve again. */
  #handOver(bytes: Buffer, next: number, end: number): boolean {
    const exchange = this.#exchange!;
    const stop = this.#body.take(bytes, next, end);
    this.#exchange = undefined;
    exchange.upstream = undefined;
    this.#plane.wheel.disarm(this.#timer);
    if (stop === end && this.#body.isDone && this.#keepAlive) this.pool.release(this);
    else this.close();
    exchange.rescue();
    return true;
  }

  /** `isClean`: nothing came after the answer, so the connection may serve again. */
  #endReply(isClean: boolean): boolean {
    const exchange = this.#exchange!;
    this.#exchange = undefined;
    this.#plane.wheel.disarm(this.#timer);
    // The client still owes us room for the last bytes: they keep the old buffer.
    if (exchange.client.hasPendingView) this.#buffer = new ReadBuffer();
    // A request that is still being sent can't be followed by another one.
    const mayServeAgain = isClean && this.#keepAlive && exchange.isRequestDone;
    exchange.upstream = undefined;
    if (mayServeAgain) this.pool.release(this);
    else this.#onLost();
    exchange.endReply();
    return true;
  }

  /** The target breaks the rules: its connection is thrown away. */
  #breakOff(detail: string): boolean {
    const exchange = this.#exchange;
    this.close();
    exchange?.fail('UPSTREAM_BAD_RESPONSE', detail);
    return true;
  }

  #onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#exchange?.tunnel?.upstreamEnded();
    } else if (this.#phase === 'body' && this.#body.endsWithClose) {
      // RFC 9112 §6.3, item 8: the close is the end of this body.
      this.endEarly();
    } else {
      this.#onLost();
    }
  }

  #onStalled(): void {
    if (this.socket.writableLength === 0) return;
    this.#timedOut = true;
    this.#onLost();
  }

  /** The one way out: closes, leaves the pool, and tells the exchange what happened. Idempotent. */
  #onLost(): void {
    const phase = this.#phase;
    if (phase === 'closed') return;
    this.#phase = 'closed';
    this.#partial = undefined;
    this.#plane.wheel.remove(this.#timer);
    this.socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange !== undefined) exchange.upstream = undefined;
    if (phase === 'connecting' && !this.#isAbandoned) {
      this.#plane.tally.connectFailed(this.pool.endpoint.slot);
    }
    this.pool.closed(this);
    this.#settle();
    if (exchange === undefined) return;
    if (phase === 'connecting') exchange.connectFailed(this.#timedOut);
    else if (phase === 'tunnel') exchange.closeTunnel(!this.#isBroken);
    else if (phase === 'body')
      exchange.fail(this.#timedOut ? 'UPSTREAM_STALLED' : 'UPSTREAM_ABORTED');
    else if (this.#timedOut) exchange.fail('UPSTREAM_TIMEOUT');
    else exchange.upstreamClosed(this.#isReused && !this.#hasAnswered);
  }

  #settle(): void {
    this.onceSettled?.();
    this.onceSettled = undefined;
  }
}
