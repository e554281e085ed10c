// Reads HTTP/1.x messages from received bytes, for tests only. It is written apart from src/http
// on purpose, plainly and without regard to speed: two readings that agree are worth more than
// one. Bytes are latin1 strings here, one character for one byte.

export type Framing = 'none' | 'length' | 'chunked' | 'until-close';

export interface Message {
  /** Request line or status line. */
  readonly start: string;
  /** Field lines as they came: `Name: value`. */
  readonly fields: readonly string[];
  readonly framing: Framing;
  /** Content without chunk framing. */
  readonly body: string;
  /** Field lines behind the last chunk. */
  readonly trailers: readonly string[];
  /** False while bytes of the body or of the trailers are missing. */
  readonly isComplete: boolean;
  /** Where the next message begins. */
  readonly end: number;
}

/** What the bytes of a response alone do not say. */
export interface ResponseContext {
  /** Method of the request that is answered: a response to HEAD has no body. */
  readonly method: string;
  /** True when the sender closed cleanly: it ends a body that has no other end. */
  readonly hasEnded: boolean;
}

/** Returns the request that begins at `from`, or undefined while its head is not complete. */
export function readRequest(text: string, from = 0): Message | undefined {
  const head = readHead(text, from);
  if (head === undefined) return undefined;
  return readBody(text, head, framingOf(head.fields, 'none'));
}

/** Returns the response that begins at `from`, or undefined while its head is not complete. */
export function readResponse(
  text: string,
  from: number,
  context: ResponseContext,
): Message | undefined {
  const head = readHead(text, from);
  if (head === undefined) return undefined;
  const status = statusOf(head.start);
  const isBodiless = context.method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const framing = isBodiless ? 'none' : framingOf(head.fields, 'until-close');
  const message = readBody(text, head, framing);
  return framing === 'until-close' ? { ...message, isComplete: context.hasEnded } : message;
}

/** Returns the status of a status line; throws when it is not one. */
export function statusOf(start: string): number {
  const status = /^HTTP\/1\.[01] ([1-9][0-9]{2}) /.exec(start)?.[1];
  if (status === undefined) throw new Error(`expected a status line, got ${JSON.stringify(start)}`);
  return Number(status);
}

/** Returns the values of all fields called `name` (lower case), in their order. */
export function valuesOf(fields: readonly string[], name: string): string[] {
  return fields
    .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name)
    .map((line) => line.slice(line.indexOf(':') + 1).trim());
}

interface Head {
  readonly start: string;
  readonly fields: readonly string[];
  readonly bodyAt: number;
}

function readHead(text: string, from: number): Head | undefined {
  const end = text.indexOf('\r\n\r\n', from);
  if (end < 0) return undefined;
  const [start = '', ...fields] = text.slice(from, end).split('\r\n');
  for (const line of fields) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*$/.test(line)) {
      throw new Error(`expected a field line, got ${JSON.stringify(line)}`);
    }
  }
  return { start, fields, bodyAt: end + 4 };
}

function framingOf(fields: readonly string[], otherwise: Framing): Framing {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (codings.length + lengths.length > 1) {
    throw new Error(`expected one framing, got ${JSON.stringify([...codings, ...lengths])}`);
  }
  if (codings.length === 1) {
    if (codings[0]?.toLowerCase() !== 'chunked')
      throw new Error(`unknown transfer coding ${codings[0]}`);
    return 'chunked';
  }
  return lengths.length === 1 ? 'length' : otherwise;
}

function readBody(text: string, head: Head, framing: Framing): Message {
  const { start, fields, bodyAt } = head;
  const plain = { start, fields, framing, trailers: [] };
  if (framing === 'none') return { ...plain, body: '', isComplete: true, end: bodyAt };
  if (framing === 'until-close') {
    return { ...plain, body: text.slice(bodyAt), isComplete: false, end: text.length };
  }
  if (framing === 'length') {
    const length = Number(valuesOf(fields, 'content-length')[0]);
    const body = text.slice(bodyAt, bodyAt + length);
    return { ...plain, body, isComplete: body.length === length, end: bodyAt + body.length };
  }
  return { start, fields, framing, ...readChunks(text, bodyAt) };
}

function readChunks(
  text: string,
  bodyAt: number,
): Pick<Message, 'body' | 'trailers' | 'isComplete' | 'end'> {
  let body = '';
  let at = bodyAt;
  const partial = (): Pick<Message, 'body' | 'trailers' | 'isComplete' | 'end'> => ({
    body,
    trailers: [],
    isComplete: false,
    end: text.length,
  });
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return partial();
    const line = text.slice(at, lineEnd);
    if (!/^[0-9a-fA-F]{1,13}$/.test(line)) {
      throw new Error(`expected a bare chunk size, got ${JSON.stringify(line)}`);
    }
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) return readTrailers(text, at, body) ?? partial();
    body += text.slice(at, at + size);
    at += size + 2;
    if (at > text.length) return partial();
    if (text.slice(at - 2, at) !== '\r\n') throw new Error('a chunk does not end in CRLF');
  }
}

function readTrailers(
  text: string,
  from: number,
  body: string,
): Pick<Message, 'body' | 'trailers' | 'isComplete' | 'end'> | undefined {
  if (text.startsWith('\r\n', from)) return { body, trailers: [], isComplete: true, end: from + 2 };
  const end = text.indexOf('\r\n\r\n', from);
  if (end < 0) return undefined;
  const trailers = text.slice(from, end).split('\r\n');
  return { body, trailers, isComplete: true, end: end + 4 };
}
