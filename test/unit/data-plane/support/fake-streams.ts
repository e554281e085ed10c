// A client, targets and pools without sockets, as an exchange sees them. They keep to what
// transport.ts promises, and write down what the exchange does.

import type { LiveEndpoint } from '../../../../src/contract/table.ts';
import { ResponseBody } from '../../../../src/data-plane/targets/response-body.ts';
import {
  FLOW,
  type ClientStream,
  type ResponseReceiver,
  type SentRequest,
  type TargetEnd,
  type TargetPool,
  type TargetStream,
} from '../../../../src/data-plane/transport/transport.ts';
import { ToldClient } from '../../../../src/data-plane/transport/told-client.ts';
import { describePeer } from '../../../../src/http/forward/forwarding.ts';
import { ResponseHead } from '../../../../src/http/heads/response-head.ts';
import { testSettings } from '../../../support/plane.ts';

export class FakeClient implements ClientStream {
  readonly peer = describePeer({ remoteAddress: '192.0.2.1', isTrusted: false, isSecure: false });
  readonly wasHeld = false;
  bonds: ClientStream['bonds'] = undefined;
  readonly source = { asTold: (): ToldClient => new ToldClient(undefined) };
  mustClose = false;
  readonly output = {
    hasPendingView: false,
    isLimited: false,
    unsentBytes: 0,
    write: (piece: string | Buffer): boolean => this.#written(piece),
    writeView: (view: Buffer): boolean => this.#written(view),
  };
  /** What the client was sent, one character for one byte. */
  text = '';
  /** Everything else that the exchange did, in order. */
  readonly deeds: string[] = [];
  /** Whether the client takes more after a write. */
  hasRoom = true;
  isPaused = false;
  /** Set by the end of the exchange: whether the connection goes on. */
  keepAlive: boolean | undefined = undefined;
  isCut = false;

  pauseReading(): void {
    this.isPaused = true;
  }

  resumeReading(): void {
    this.isPaused = false;
  }

  awaitRestOfRequest(): void {
    this.deeds.push('awaits the rest');
  }

  startTunnel(): void {
    this.deeds.push('tunnel');
  }

  endWriting(): void {
    this.deeds.push('our side ends');
  }

  exchangeEnded(keepAlive: boolean): void {
    this.deeds.push('over');
    this.keepAlive = keepAlive;
  }

  closeAfterFlush(): void {
    this.deeds.push('close');
  }

  breakOff(isSeen: boolean): void {
    if (this.isCut) return;
    this.deeds.push(isSeen ? 'end' : 'break');
    this.isCut = true;
  }

  cut(): void {
    this.deeds.push('cut');
    this.isCut = true;
  }

  #written(piece: string | Buffer): boolean {
    if (piece.length === 0) return this.hasRoom;
    if (this.deeds.includes('over')) this.deeds.push('written after its end');
    if (this.isCut) this.deeds.push('written after the cut');
    this.text += typeof piece === 'string' ? piece : piece.toString('latin1');
    return this.hasRoom;
  }
}

export class FakeTarget implements TargetStream {
  isConnecting = true;
  bonds: TargetStream['bonds'] = undefined;
  isClosed = false;
  /** What the target was sent. */
  text = '';
  /** The request is complete. */
  isAsked = false;
  hasRoom = true;
  isPaused = false;
  readonly deeds: string[] = [];
  /** Undefined once the stream has no more to do with it. */
  request: SentRequest | undefined;
  readonly #head = new ResponseHead(testSettings({}).upstream);
  readonly #body = new ResponseBody();
  #phase: 'head' | 'body' | 'tunnel' = 'head';

  constructor(request: SentRequest) {
    this.request = request;
    request.attach(this);
  }

  /** What was sent behind the head. */
  get sentBody(): string {
    const at = this.text.indexOf('\r\n\r\n');
    return at === -1 ? '' : this.text.slice(at + 4);
  }

  write(piece: string | Buffer): boolean {
    if (this.isClosed) this.deeds.push('written after the close');
    this.text += typeof piece === 'string' ? piece : piece.toString('latin1');
    return this.hasRoom;
  }

  writeBoth(head: string, body: Buffer): boolean {
    this.write(head);
    return this.write(body);
  }

  writeView(view: Buffer): boolean {
    return this.write(view);
  }

  awaitResponse(): void {
    this.isAsked = true;
  }

  awaitRequest(): void {
    this.isAsked = false;
  }

  resumeReading(): void {
    this.isPaused = false;
  }

  endWriting(): void {
    this.deeds.push('our side ends');
  }

  touchTunnel(): void {
    this.deeds.push('touched');
  }

  endEarly(): void {
    if (this.#phase !== 'body' || this.request === undefined) return;
    this.request.receiver.receiveBody(Buffer.alloc(0), [], '');
    this.#end();
  }

  close(): void {
    this.request = undefined;
    this.isClosed = true;
  }

  abandon(isSeen: boolean): void {
    this.deeds.push(isSeen ? 'abandoned' : 'broken off');
    this.close();
  }

  // What the test lets happen. A stream that has let go of its request tells it nothing.

  opens(): void {
    if (this.request === undefined || !this.isConnecting) return;
    this.isConnecting = false;
    this.request.send();
  }

  failsToConnect(isTimeout = false): void {
    if (this.isConnecting) this.#lost((receiver) => receiver.connectFailed(isTimeout));
  }

  /** `text`: one head with any part of its body, or a part of a body, or bytes of a tunnel. */
  says(text: string): void {
    if (this.request === undefined || this.isConnecting) return;
    const bytes = Buffer.from(text, 'latin1');
    const { receiver } = this.request;
    if (this.#phase === 'tunnel') receiver.receiveTunnel(bytes, 0, bytes.length);
    else if (this.#phase === 'head') this.#saysHead(receiver, bytes);
    else this.#saysBody(receiver, bytes);
  }

  gives(room: boolean): void {
    this.hasRoom = room;
    if (room && !this.isConnecting) this.request?.onRoom();
  }

  ends(): void {
    if (this.request === undefined || this.isConnecting) return;
    if (this.#phase === 'tunnel') this.request.receiver.targetEnded();
    else if (this.#phase === 'body' && this.#body.endsWithClose) this.endEarly();
    else this.breaksOff();
  }

  /** `stale`: the connection was a used one, and the target had closed it already. */
  breaksOff(how: TargetEnd = 'begun'): void {
    if (this.isConnecting) return;
    const phase = this.#phase;
    this.#lost((receiver) => {
      if (phase === 'tunnel') receiver.closeTunnel(false);
      else if (phase === 'body') receiver.fail('UPSTREAM_ABORTED');
      else receiver.targetClosed(how);
    });
  }

  isTooSlow(): void {
    if (this.#phase !== 'tunnel') this.#lost((receiver) => receiver.fail('UPSTREAM_TIMEOUT'));
  }

  #saysHead(receiver: ResponseReceiver, bytes: Buffer): void {
    const head = this.#head;
    const next = head.parse(bytes, 0, bytes.length, receiver.isHead);
    if (next <= 0) throw new Error(`expected a whole head, got ${bytes.toString('latin1')}`);
    if (head.status === 101) {
      this.#phase = 'tunnel';
      receiver.startTunnel(head, bytes, next, bytes.length);
    } else if (head.status < 200) {
      receiver.receiveInformational(head);
    } else if (receiver.isUnwanted(head)) {
      this.#part();
      receiver.askElsewhere();
    } else {
      this.#phase = 'body';
      this.#body.begin(head);
      const stop = this.#body.take(bytes, next, bytes.length);
      const part = this.#body.part(next, stop);
      this.#goOn(receiver.receiveHead(head, part, this.#body.trailers));
    }
  }

  #saysBody(receiver: ResponseReceiver, bytes: Buffer): void {
    const stop = this.#body.take(bytes, 0, bytes.length);
    this.#goOn(receiver.receiveBody(bytes, this.#body.part(0, stop), this.#body.trailers));
  }

  #goOn(flow: number): void {
    this.isPaused = flow === FLOW.paused;
    if (flow === FLOW.ended || this.#body.isDone) this.#end();
  }

  #end(): void {
    const receiver = this.#part();
    receiver?.endResponse();
  }

  #lost(tell: (receiver: ResponseReceiver) => void): void {
    this.isClosed = true;
    const receiver = this.#part();
    if (receiver !== undefined) tell(receiver);
  }

  #part(): ResponseReceiver | undefined {
    const { request } = this;
    this.request = undefined;
    request?.detach();
    return request?.receiver;
  }
}

export class FakePool implements TargetPool {
  readonly endpoint: LiveEndpoint;
  /** `connect`: a new connection, `reuse`: one that is open, `queue` and `full`: none is free. */
  mode: 'connect' | 'reuse' | 'queue' | 'full' = 'connect';
  readonly targets: FakeTarget[] = [];
  readonly waiting: SentRequest[] = [];
  /** For each request: whether a new connection was asked for. */
  readonly asked: boolean[] = [];

  constructor(endpoint: LiveEndpoint) {
    this.endpoint = endpoint;
  }

  serve(request: SentRequest, fresh: boolean): boolean {
    this.asked.push(fresh);
    if (this.mode === 'full') return false;
    if (this.mode === 'queue') this.waiting.push(request);
    else this.#give(request, this.mode === 'reuse' && !fresh);
    return true;
  }

  takesTrial(): boolean {
    return true;
  }

  leaveQueue(request: SentRequest): void {
    const index = this.waiting.indexOf(request);
    if (index !== -1) this.waiting.splice(index, 1);
  }

  leave(): void {
    for (const request of this.waiting.splice(0)) request.receiver.sendElsewhere();
  }

  stay(): void {}

  preconnect(_count: number, done: () => void): void {
    done();
  }

  missing(): number {
    return 0;
  }

  /** A connection has become free. */
  servesNext(): void {
    const next = this.waiting.shift();
    if (next !== undefined) this.#give(next, true);
  }

  #give(request: SentRequest, isOpen: boolean): void {
    const target = new FakeTarget(request);
    this.targets.push(target);
    if (isOpen) target.opens();
  }
}
