// Reads bytes with Node's own parser (llhttp, strict), through node:http and without a network:
// the second opinion on what src/http accepts.

import { createServer, request as openRequest, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';

export interface NodeRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** `Name: value`, value without the blanks around it. */
  readonly fields: readonly string[];
  body: string;
  trailers: readonly string[];
  isComplete: boolean;
}

export interface NodeResponse {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly string[];
  body: string;
  trailers: readonly string[];
  isComplete: boolean;
  /** Statuses of the informational responses before it. */
  readonly informational: readonly number[];
}

const HEAD_BYTES_MAX = 65_536;

/** Returns the requests that Node reads in `text`, the last of them perhaps incomplete. */
export function nodeRequests(text: string): Promise<NodeRequest[]> {
  const found: NodeRequest[] = [];
  const bytes = new Feed(text);
  bytes.once('close', () => {
    settle.resolve(found);
  });
  const settle = Promise.withResolvers<NodeRequest[]>();
  requestServer.collect.set(bytes, found);
  requestServer.server.emit('connection', bytes);
  return settle.promise;
}

const requestServer = createRequestServer();

function createRequestServer(): {
  readonly server: ReturnType<typeof createServer>;
  readonly collect: WeakMap<object, NodeRequest[]>;
} {
  const collect = new WeakMap<object, NodeRequest[]>();
  const server = createServer({ insecureHTTPParser: false, maxHeaderSize: HEAD_BYTES_MAX });
  server.timeout = 0;
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.keepAliveTimeout = 0;
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
    server.on(event, (request, response) => {
      const seen: NodeRequest = {
        method: request.method ?? '',
        target: request.url ?? '',
        version: request.httpVersion,
        fields: pairs(request.rawHeaders),
        body: '',
        trailers: [],
        isComplete: false,
      };
      collect.get(request.socket)?.push(seen);
      gather(request, seen);
      request.once('end', () => response.end());
    });
  }
  server.on('clientError', (_error, socket) => {
    // The faulty message stays incomplete; what came before it was already noted.
    setImmediate(() => socket.destroy());
  });
  return { server, collect };
}

/** Returns the response that Node reads in `text` for a request of `method`; undefined: it refuses. */
export function nodeResponse(text: string, method: string): Promise<NodeResponse | undefined> {
  return new Promise((resolve) => {
    const bytes = new Feed(text);
    const informational: number[] = [];
    let seen: NodeResponse | undefined;
    const request = openRequest({
      method,
      path: '/',
      headers: { host: 'origin.test' },
      insecureHTTPParser: false,
      maxHeaderSize: HEAD_BYTES_MAX,
      createConnection: () => bytes,
    });
    request.on('information', (info) => informational.push(info.statusCode));
    request.on('response', (response) => {
      seen = {
        status: response.statusCode ?? 0,
        reason: response.statusMessage ?? '',
        fields: pairs(response.rawHeaders),
        body: '',
        trailers: [],
        isComplete: false,
        informational,
      };
      gather(response, seen);
      response.once('close', () => bytes.destroy());
    });
    request.on('error', () => bytes.destroy());
    bytes.once('close', () => {
      resolve(seen);
    });
    request.end();
  });
}

interface Gathered {
  body: string;
  trailers: readonly string[];
  isComplete: boolean;
}

function gather(message: IncomingMessage, into: Gathered): void {
  message.setEncoding('latin1');
  message.on('data', (chunk: string) => {
    into.body += chunk;
  });
  message.on('error', () => {
    // An incomplete message is a result here, and shows as such.
  });
  message.once('end', () => {
    into.isComplete = message.complete;
    into.trailers = pairs(message.rawTrailers);
  });
}

function pairs(raw: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`);
  return lines;
}

/** A socket that delivers `text` in one read, then its end, and swallows what is written. */
class Feed extends Duplex {
  readonly #text: string;
  #isSent = false;

  constructor(text: string) {
    super({ allowHalfOpen: true, emitClose: true });
    this.#text = text;
    this.on('error', () => {
      // node:http destroys with its parse error; the reading ends there.
    });
  }

  override _read(): void {
    if (this.#isSent) return;
    this.#isSent = true;
    if (this.#text !== '') this.push(Buffer.from(this.#text, 'latin1'));
    this.push(null);
  }

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  /** node:http calls the timer methods of net.Socket. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  destroySoon(): void {
    this.end(() => this.destroy());
  }
}
