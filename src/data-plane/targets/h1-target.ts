// One HTTP/1.1 connection to a target: connects, carries one request at a time, and knows when to
// wait no longer. What a response means to the client is not known here.
//
//   connecting ─► head ─► body ─► idle ─► head …        tunnel: after 101, until both sides end
//        │          │      └► rest ─┘ │                 rest: the target still reads the request
//        └──────────┴► leaving ───────┴─► closed        leaving: the request was given up

import type { LiveEndpoint } from '../../contract/table.ts';
import type { TargetTerms } from '../../contract/target-tls.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import type { TimerOwner } from '../base/wheel.ts';
import { ByteStream, type ConnectingOwner } from '../transport/byte-stream.ts';
import type { Flow, ResponseReceiver, SentRequest, TargetStream } from '../transport/transport.ts';
import { StreamEnding } from '../transport/stream-ending.ts';
import { ELSEWHERE, WHOLE, tell, tellLost, type TargetPhase } from './outcome.ts';
import { READ_START, ReadArea } from './read-buffer.ts';
import { ResponseReader, type ResponseReaderOwner } from './response-reader.ts';
import { switchFault } from './switch-fault.ts';
import { TargetPatience } from './target-patience.ts';
import { TargetRecord } from './target-record.ts';
import type { ConnectionServices } from './target-services.ts';

/** The pool that a connection belongs to. */
export interface TargetOwner {
  readonly endpoint: Pick<LiveEndpoint, 'address' | 'tls' | 'allow' | 'slot' | 'sendProxy'>;
  /** Takes back a connection after its request has ended well, or one that was opened ahead. */
  release(connection: H1Target): void;
  /** Forgets a connection that has closed. */
  closed(connection: H1Target): void;
}

export class H1Target implements TargetStream, ConnectingOwner, TimerOwner, ResponseReaderOwner {
  /** Set for a connection opened ahead; called once when it is open or has failed. */
  onceSettled: (() => void) | undefined = undefined;
  bonds: TargetStream['bonds'] = undefined;
  readonly #services: ConnectionServices;
  readonly #pool: TargetOwner;
  readonly #stream: ByteStream;
  readonly #patience: TargetPatience;
  readonly #terms: TargetTerms | undefined;
  /** Its own: what the client has not taken yet stays in here, and only this connection waits. */
  readonly #area: ReadArea;
  readonly #record: TargetRecord;
  #request: SentRequest | undefined;
  #phase: TargetPhase = 'connecting';
  /** Carried a request before: the target may be closing it just now. */
  #isReused = false;
  /** The current request has seen a byte of a response. */
  #hasResponded = false;
  #timedOut = false;
  #isBroken = false;
  /** Closed by us: says nothing about the target. */
  #isAbandoned = false;
  #isPaused = false;
  readonly #reader: ResponseReader;
  #keepAlive = false;
  /** The current response says that the request is welcome: 2xx. */
  #isWelcome = false;
  #ending: StreamEnding | undefined = undefined;

  constructor(services: ConnectionServices, pool: TargetOwner, request: SentRequest | undefined) {
    this.#services = services;
    this.#reader = new ResponseReader(this, services.wheel);
    this.#pool = pool;
    this.#area = new ReadArea(services.readBuffers);
    this.#request = request;
    this.#patience = new TargetPatience(services, this);
    this.#record = new TargetRecord(services, pool.endpoint.slot);
    const { address, allow, sendProxy: version } = pool.endpoint;
    const { ownSockets: own, targetsAllow } = services.settings;
    const rules = { own, allowed: [targetsAllow, allow] };
    this.#terms = services.targetTls.of(pool.endpoint);
    const client = version === undefined ? undefined : request?.client;
    const greeting = version && { version, ends: client?.ends };
    this.#stream = ByteStream.connect(this, address, { rules, terms: this.#terms, greeting });
    this.bonds = client?.bonds;
    request?.attach(this);
  }

  // As its pool sees it.

  /** Takes a request while idle (or just opened) and sends what there is of it. */
  carry(request: SentRequest): void {
    this.#request = request;
    this.#phase = 'head';
    this.#hasResponded = false;
    this.#reader.begin();
    this.#patience.rest();
    request.attach(this);
    request.send();
  }

  /** The pool keeps it for reuse. */
  rest(): void {
    this.#phase = 'idle';
    this.#isReused = true;
    this.#patience.awaitReuse();
  }

  idleMs(): number {
    return this.#patience.idleMs();
  }

  /** Authorities, or what we show, are others now: no further request goes by this connection. */
  get isOutdated(): boolean {
    return this.#terms?.isOver === true;
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
      this.#patience.awaitHead();
    } else if (this.#phase === 'rest') {
      this.#letGo(this.#keepAlive, WHOLE);
    }
  }

  awaitRequest(): void {
    if (this.#phase === 'head') this.#patience.rest();
  }

  resumeReading(): void {
    // What is given up may have left bytes in the buffer that the client has not taken yet.
    if (!this.#isPaused || this.#phase === 'closed' || this.#phase === 'leaving') return;
    this.#isPaused = false;
    this.#area.wasWritten();
    this.#stream.resume();
  }

  endWriting(): void {
    this.#stream.end();
  }

  touchTunnel(): void {
    this.#patience.awaitTunnel();
  }

  endEarly(): void {
    if (this.#phase !== 'body') return;
    this.#receiver.receiveBody(this.#area.bytes, [], '');
    this.onResponseEnd(false);
  }

  close(): void {
    this.#request = undefined;
    this.#isAbandoned = true;
    this.#lost();
  }

  abandon(isSeen: boolean): void {
    if (this.#phase === 'connecting' || this.#phase === 'closed' || !this.#isSending) {
      this.close();
      return;
    }
    this.#request = undefined;
    this.#phase = 'leaving';
    this.#patience.rest();
    if (!this.#stream.isFlushed) this.#awaitRoom();
    this.#ending = new StreamEnding(this, this.#stream, this.#stream, this.#services.wheel);
    if (isSeen || !this.#stream.canReset) this.#ending.end();
    else this.#ending.breakOff();
  }

  // What its reader of heads asks and tells.

  get isHeadRequest(): boolean {
    return this.#receiver.isHead;
  }

  onInformational(head: ResponseHead): void {
    this.#receiver.receiveInformational(head);
  }

  onSwitching(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    const fault = switchFault(this.#request!, head);
    if (fault !== undefined) return this.onResponseFault(fault);
    this.#record.responded(head.status);
    this.#phase = 'tunnel';
    this.touchTunnel();
    return this.#receiver.startTunnel(head, bytes, next, end);
  }

  onFinalHead(head: ResponseHead): boolean {
    this.#phase = 'body';
    this.#record.responded(head.status);
    this.#keepAlive = head.keepAlive;
    this.#isWelcome = head.status < 300;
    if (head.keepAliveSeconds >= 0) this.#patience.boundReuse(head.keepAliveSeconds);
    if (this.#receiver.isUnwanted(head)) return false;
    if (head.bodyLength !== 0) this.#patience.awaitBody();
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
    if (request.receiver.hasPendingView) this.#area.leave();
    if (request.isDone) return this.#letGo(isClean && this.#keepAlive, WHOLE);
    if (!isClean || !this.#isWelcome) return this.#letGo(false, WHOLE);
    this.#phase = 'rest';
    this.#patience.rest();
    tell(request.receiver, WHOLE);
    return true;
  }

  /** Another side is asked, and this connection may serve again. */
  onUnwantedEnd(isClean: boolean): boolean {
    return this.#letGo(isClean && this.#keepAlive, ELSEWHERE);
  }

  /** The target breaks the rules: its connection is thrown away. */
  onResponseFault(detail: string): boolean {
    if (this.#phase === 'head') this.#record.failed();
    if (this.#request !== undefined)
      return this.#letGo(false, (receiver) => receiver.fail('UPSTREAM_BAD_RESPONSE', detail));
    this.close();
    return true;
  }

  // What its socket and its timer tell.

  nextBuffer(): Buffer {
    return this.#area.forNextRead();
  }

  onConnect(): void {
    if (this.#phase !== 'connecting') return;
    this.#patience.rest();
    const request = this.#request;
    this.#record.connected(request?.receiver.block ?? 0);
    if (request === undefined) this.#pool.release(this);
    else this.carry(request);
    this.#settle();
  }

  /** What was read lies in `#area`. */
  onData(_area: Buffer, length: number): boolean {
    this.#isPaused = !this.#read(this.#area.bytes, READ_START, READ_START + length);
    if (this.#phase !== 'closed') this.#area.wasRead(length, this.#request?.receiver);
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
    } else if (this.#phase === 'body' && this.#reader.endsWithClose && this.#stream.isTrueEnd) {
      // RFC 9112 §6.3, item 8: the close is the end of this body.
      this.endEarly();
    } else if (this.#phase === 'leaving') {
      this.#ending!.onEnd();
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
    if (this.#phase === 'body' && (this.#isPaused || !this.#request!.isDone)) {
      // It is the client that is slow; the limits for clients decide.
      this.#patience.awaitBody();
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

  /** Not all of a request, or of what a tunnel was given, has been taken. */
  get #isSending(): boolean {
    return this.#phase === 'tunnel' || this.#request?.isDone === false || !this.#stream.isFlushed;
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
        this.#patience.awaitBody();
        return this.#reader.readBody(bytes, start, end);
      case 'tunnel':
        this.touchTunnel();
        return this.#request?.receiver.receiveTunnel(bytes, start, end) !== false;
      case 'rest':
        this.#lost(); // Nothing was asked for that these bytes could belong to.
        return true;
      case 'leaving':
        this.#ending!.onData();
        return true;
      default:
        // No request is under way: these bytes must not be taken for the response to the next one.
        this.close();
        return true;
    }
  }

  /** Lets go of the request, takes the next one or closes, and tells the request by `end`. */
  #letGo(mayServeAgain: boolean, end: (receiver: ResponseReceiver) => void): boolean {
    const request = this.#request!;
    this.#request = undefined;
    this.#patience.rest();
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
    this.#patience.stop();
    this.#ending?.stop();
    this.#stream.close();
    const request = this.#request;
    this.#request = undefined;
    request?.detach();
    const unused = this.#isReused ? 'stale' : 'fresh';
    const how = this.#hasResponded ? 'begun' : unused;
    const { tlsFault } = this.#stream;
    const timedOut = this.#timedOut;
    const loss = { phase, timedOut, isBroken: this.#isBroken, how, tlsFault } as const;
    if (!this.#isAbandoned) this.#record.lost(loss, request !== undefined);
    try {
      this.#pool.closed(this);
      this.#settle();
    } finally {
      if (request !== undefined) tell(request.receiver, () => tellLost(request, loss));
    }
  }

  #settle(): void {
    this.onceSettled?.();
    this.onceSettled = undefined;
  }
}
