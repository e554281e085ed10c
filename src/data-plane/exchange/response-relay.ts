// The response of one request on its way to the client: head, body and trailers from the target's
// framing into the client's, and the responses that the proxy makes itself. Knows no target.

import { STATUS_CODES } from 'node:http';
import { performance } from 'node:perf_hooks';
import { FAILURES } from '../../base/failures.ts';
import { ONE_WRITE_BYTES_MAX } from '../../base/limits.ts';
import { CACHE_FIELDS, privateControl } from '../../http/heads/cache-control.ts';
import {
  encodeChunk,
  frameInPlace,
  gather,
  lastChunk,
  rangesLength,
} from '../../http/bodies/chunked.ts';
import { copyHead, dropTable, type DropTable } from '../../http/forward/copy-head.ts';
import { FIELD } from '../../http/grammar/field-kind.ts';
import type { HeadBuffer } from '../../http/forward/head-buffer.ts';
import type { Method } from '../../http/grammar/methods.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import { hasHsts } from '../routing/table/hsts.ts';
import { ownResponse, type OwnResponse } from '../routing/responses/own-response.ts';
import { refusalResponse, type OwnEnding, type Refusal } from '../routing/responses/refusal.ts';
import type { RoutedDeployment } from '../routing/table/routed-service.ts';
import type { ResponseTap } from '../transport/response-tap.ts';
import type { ClientStream } from '../transport/transport.ts';
import type { ExchangeServices } from './exchange-services.ts';

const NO_BYTES = Buffer.alloc(0);

/** Fields that only the proxy itself sends to a client. */
const OWN = [FIELD.xTurnout];
const DROPPED = dropTable(OWN);
/** RFC 9110 §8.6: no length in responses that never have a body. */
const DROPPED_BODILESS = dropTable([...OWN, FIELD.contentLength]);
/** What caches may do is said anew. */
const DROPPED_CACHING = dropTable([...OWN, ...CACHE_FIELDS]);
const DROPPED_BODILESS_CACHING = dropTable([...OWN, ...CACHE_FIELDS, FIELD.contentLength]);
const DROPPED_SWITCHING = dropTable([...OWN, FIELD.contentLength], [FIELD.upgrade]);

/** What the response depends on: its request. */
interface OriginalRequest {
  readonly client: ClientStream;
  readonly method: Method;
  readonly isHead: boolean;
  /** HTTP/1.`minor` of the client. */
  readonly minor: number;
  readonly deployment: RoutedDeployment;
  /** The other color was asked for what the active one does not have. */
  readonly isRescue: boolean;
  /** Line that gives the client its session; often empty. */
  readonly sessionField: string;
  /** Line that keeps browsers with https; often empty. */
  readonly hstsField: string;
  /** Empty: requests have none. */
  readonly requestId: string;
  readonly startedMs: number;
}

/** What it needs of the worker. */
type RelayServices = Pick<ExchangeServices, 'viaFields' | 'ids' | 'responseBuffer'>;

export class ResponseRelay {
  /** 0 until one is known. */
  status = 0;
  /** From then on no other response can be sent to the client. */
  isHeadSent = false;
  /** All of it was handed to the client. */
  isDone = false;
  /** The client connection stays open afterwards. */
  keepAlive: boolean;
  /** Sent to the client, framing included. */
  bytes = 0;
  /** Set where the request was copied. */
  tap: ResponseTap | undefined = undefined;
  readonly #request: OriginalRequest;
  /** From the start of the exchange to the head, in microseconds; 0: none has left. */
  firstByteMicros = 0;
  readonly #services: RelayServices;
  #isChunked = false;
  #isWebSocket = false;
  /** Of a body of known length. */
  #leftBytes = -1;

  constructor(request: OriginalRequest, services: RelayServices, keepAlive: boolean) {
    this.#request = request;
    this.#services = services;
    this.keepAlive = keepAlive;
  }

  /** What the target still has to send; undefined: that is not known. */
  get leftBytes(): number | undefined {
    return this.#leftBytes < 0 ? undefined : this.#leftBytes;
  }

  /** Where it ends now, that shows: it has no last chunk, is too short, or has no Close frame. */
  get showsCut(): boolean {
    return this.#isChunked || this.#leftBytes > 0 || this.#isWebSocket;
  }

  /** Writes bytes that are framed already; false when the client should be given time to read. */
  write(piece: string | Buffer): boolean {
    this.bytes += piece.length;
    return this.#request.client.output.write(piece);
  }

  /** Writes bytes of a read buffer: false until the system has taken all of them. */
  writeView(view: Buffer): boolean {
    this.bytes += view.length;
    return this.#request.client.output.writeView(view);
  }

  /** Relays a 1xx response; HTTP/1.0 knows none (RFC 9110 §15.2). */
  relayInformational(head: ResponseHead): void {
    if (this.#request.minor === 0) return;
    const to = this.#beginHead(head, DROPPED_BODILESS);
    to.addText('\r\n');
    this.write(to.take());
  }

  /** Relays the head of a 101 response; what follows it is no longer HTTP. */
  relaySwitching(head: ResponseHead): void {
    const { deployment, sessionField } = this.#request;
    this.#begin(head.status);
    this.keepAlive = false;
    this.#isWebSocket = head.isWebSocket;
    this.#services.ids.dropFromResponse(head);
    const to = this.#beginHead(head, DROPPED_SWITCHING);
    const via = this.#services.viaFields[head.minor];
    to.addText(`Connection: upgrade\r\n${deployment.responseFields}${via}${sessionField}`);
    this.write(this.#endHead(to));
  }

  /**
   * Relays the final head together with the first part of the body: `part` are data runs in the
   * bytes of `head`. `trailers` is a string (often empty) when the body is complete. Returns
   * whether the client takes more.
   */
  relayHead(head: ResponseHead, part: readonly number[], trailers: string | undefined): boolean {
    this.tap?.head(head, part, trailers);
    this.#begin(head.status);
    const { minor } = this.#request;
    const hasLength = head.bodyLength >= 0;
    if (!hasLength && minor === 0) this.keepAlive = false; // The close ends the body.
    this.#isChunked = !hasLength && minor === 1;
    this.#leftBytes = head.bodyLength;

    const isBodiless = head.status === 204;
    let dropped = isBodiless ? DROPPED_BODILESS : DROPPED;
    let added = this.#addedFields(head);
    const caching = this.#cachingFields(head);
    if (caching !== '') {
      added += caching;
      dropped = isBodiless ? DROPPED_BODILESS_CACHING : DROPPED_CACHING;
    }
    this.#services.ids.dropFromResponse(head);
    const to = this.#beginHead(head, dropped);
    to.addText(added);
    if (!hasLength || rangesLength(part) > ONE_WRITE_BYTES_MAX) {
      return this.#send(head.bytes, part, this.#endHead(to), trailers);
    }
    this.#leftBytes -= rangesLength(part);
    // The usual response: head and body leave as one string.
    return this.write(this.#endHead(to, head.bytes, part));
  }

  /** Relays the next part of a body; parameters and result as in `relayHead`. */
  relayBody(bytes: Buffer, part: readonly number[], trailers: string | undefined): boolean {
    this.tap?.body(bytes, part, trailers);
    return this.#send(bytes, part, '', trailers);
  }

  /** Responds with a refusal. `isRequestDone`: the whole request has come in. */
  refuse(refusal: Refusal, isRequestDone: boolean): void {
    this.#beginOwn(FAILURES[refusal.code].status, isRequestDone);
    this.write(refusalResponse(refusal, this.#ending()));
  }

  /** Responds with what the proxy itself has to say. */
  respond(own: OwnResponse, isRequestDone: boolean): void {
    this.#beginOwn(own.status, isRequestDone);
    this.write(ownResponse(own, this.#ending()));
  }

  #beginOwn(status: number, isRequestDone: boolean): void {
    this.#begin(status);
    // What is left of the request can't be told from the next one any more.
    if (!isRequestDone) this.keepAlive = false;
  }

  /** Begins the head to send with what of `head` is sent on. */
  #beginHead(head: ResponseHead, dropped: DropTable): HeadBuffer {
    const to = this.#services.responseBuffer;
    to.begin();
    to.addText(statusLine(head));
    copyHead(to, head, fieldsFrom(head), head.end - 2, dropped);
    return to;
  }

  /** Returns the head with its last field and the empty line, and the data runs `part` behind it. */
  #endHead(to: HeadBuffer, bytes: Buffer = NO_BYTES, part: readonly number[] = []): string {
    this.#services.ids.addResponseField(to, this.#request.requestId);
    to.addText('\r\n');
    for (let i = 0; i < part.length; i += 2) to.addRange(bytes, part[i]!, part[i + 1]!);
    return to.take();
  }

  /** The head is about to leave: the last moment to announce a close. */
  #begin(status: number): void {
    this.status = status;
    this.isHeadSent = true;
    // A whole number needs no memory of its own.
    this.firstByteMicros = Math.ceil((performance.now() - this.#request.startedMs) * 1_000);
    // Not between two steps of a login: they have to come on one connection.
    const { client } = this.#request;
    if (client.mustClose && client.bonds?.isChallenged !== true) this.keepAlive = false;
  }

  #ending(): OwnEnding {
    const { hstsField, isHead, requestId } = this.#request;
    const lastFields = hstsField + this.#services.ids.responseField(requestId);
    return { keepAlive: this.keepAlive, isHead, lastFields };
  }

  /** Frames a part of a body for the client and sends it behind `before`. */
  #send(
    bytes: Buffer,
    part: readonly number[],
    before: string,
    trailers: string | undefined,
  ): boolean {
    const length = rangesLength(part);
    if (this.#leftBytes > 0) this.#leftBytes -= length;
    const isChunked = this.#isChunked;
    const tail = isChunked && trailers !== undefined ? lastChunk(trailers) : '';
    if (length > ONE_WRITE_BYTES_MAX && (isChunked || part.length === 2)) {
      // One write and no copy: our head and framing fit where theirs were, around the data.
      const first = isChunked ? `${(part[1]! - part[0]!).toString(16)}\r\n` : '';
      const framed = frameInPlace(bytes, part, before + first, isChunked ? `\r\n${tail}` : '');
      if (framed !== undefined) return this.writeView(framed);
    }
    return this.write(
      isChunked ? encodeChunk(bytes, part, before, tail) : gather(bytes, part, before, ''),
    );
  }

  /** The caching fields that we have to send; empty: those of the target are kept. */
  #cachingFields(head: ResponseHead): string {
    const { isRescue, sessionField, method } = this.#request;
    // Neither color has the file now; no cache shall remember that.
    if (isRescue && head.status === 404) return 'Cache-Control: no-store\r\n';
    if (sessionField === '' || !maySetSession(head)) return '';
    return privateControl(head, method.isSafe);
  }

  /** Fields of ours: framing and connection towards this client, and what policy adds. */
  #addedFields(head: ResponseHead): string {
    const { deployment, hstsField, isHead, minor, sessionField } = this.#request;
    let added = deployment.responseFields + this.#services.viaFields[head.minor]!;
    if (this.#isChunked || (head.isChunked && isHead && minor === 1)) {
      added += 'Transfer-Encoding: chunked\r\n';
    }
    if (sessionField !== '' && maySetSession(head)) added += sessionField;
    if (hstsField !== '' && !hasHsts(head)) added += hstsField;
    if (!this.keepAlive) added += 'Connection: close\r\n';
    else if (minor === 0) added += 'Connection: keep-alive\r\n';
    return added;
  }
}

/** Empty when the status line can be copied as it came. */
function statusLine(head: ResponseHead): string {
  // RFC 9112 §2.3: a proxy speaks its own version.
  return head.isLineWhole ? '' : `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? ''}\r\n`;
}

function fieldsFrom(head: ResponseHead): number {
  return head.isLineWhole ? head.start : head.fieldsStart;
}

/** A 304 changes what a cache has kept, also a shared one (RFC 9111 §3.2). */
function maySetSession(head: ResponseHead): boolean {
  return head.status !== 304;
}
