// A request on its way to a target, and the receiver of its response, which write down what they
// are told.

import type { FailureCode } from '../../../../src/base/failures.ts';
import {
  FLOW,
  type Flow,
  type ResponseReceiver,
  type SentRequest,
  type TargetEnd,
  type TargetStream,
} from '../../../../src/data-plane/transport/transport.ts';
import type { ResponseHead } from '../../../../src/http/heads/response-head.ts';

export class FakeRequest implements SentRequest, ResponseReceiver {
  readonly receiver = this;
  readonly wasHeld = false;
  bonds: SentRequest['bonds'] = undefined;
  client: SentRequest['client'] = undefined;
  readonly mayRepeat = true;
  readonly isDone = true;
  readonly block = 1;
  readonly isHead = false;
  readonly wantsUpgrade = false;
  readonly hasPendingView = false;
  readonly isLongLived = false;
  /** In order: `head 200`, `body ok`, `whole`. */
  readonly told: string[] = [];
  body = '';
  stream: TargetStream | undefined = undefined;
  /** The client takes no more. */
  isFull = false;
  readonly #text: string;

  /** `text`: the whole request. */
  constructor(text: string) {
    this.#text = text;
  }

  attach(stream: TargetStream): void {
    this.stream = stream;
  }

  detach(): void {
    this.stream = undefined;
  }

  send(): void {
    this.stream!.write(this.#text);
    this.stream!.awaitResponse();
  }

  onRoom(): void {
    this.told.push('room');
  }

  receiveInformational({ status }: ResponseHead): void {
    this.told.push(`informational ${status}`);
  }

  isUnwanted(): boolean {
    return false;
  }

  askElsewhere(): void {
    this.told.push('elsewhere');
  }

  receiveHead(head: ResponseHead, part: readonly number[]): Flow {
    this.told.push(`head ${head.status}`);
    return this.receiveBody(head.bytes, part);
  }

  receiveBody(bytes: Buffer, part: readonly number[]): Flow {
    let data = '';
    for (let i = 0; i < part.length; i += 2) data += bytes.toString('latin1', part[i], part[i + 1]);
    this.body += data;
    this.told.push(`body ${data}`);
    return this.isFull ? FLOW.paused : FLOW.flows;
  }

  endResponse(): void {
    this.told.push('whole');
  }

  startTunnel(): boolean {
    this.told.push('tunnel');
    return true;
  }

  receiveTunnel(): boolean {
    return true;
  }

  targetEnded(): void {
    this.told.push('ended');
  }

  closeTunnel(isClean: boolean): void {
    this.told.push(isClean ? 'tunnel closed' : 'tunnel broken');
  }

  sendElsewhere(): void {
    this.told.push('elsewhere');
  }

  connectFailed(isTimeout: boolean): void {
    this.told.push(isTimeout ? 'connect timeout' : 'connect failed');
  }

  targetClosed(how: TargetEnd): void {
    this.told.push(`closed, ${how}`);
  }

  fail(code: FailureCode): void {
    this.told.push(`failed ${code}`);
  }

  onFault(error: unknown): void {
    this.told.push(`error ${String(error)}`);
  }
}
