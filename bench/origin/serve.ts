// Origin on bare node:net for machines without nginx, and for benches that need an
// answer of their own. Trusts its callers: it reads just enough HTTP to find the end
// of a request.
//
// node bench/origin/serve.ts PORT COLOR

import { createServer, type Socket } from 'node:net';
import { bodyOf, CHUNKED_BYTES, KIBIBYTE, MEBIBYTE, scenarioNamed } from '../scenarios.ts';

const [port, color] = [Number(process.argv[2]), process.argv[3] ?? 'none'];
const CHUNK_BYTES = 4 * KIBIBYTE;
const COMMON_HEAD =
  'HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nX-Origin: bench\r\n';

const FIXED = new Map<string, Buffer>([
  ['/small', answer(bodyOf(scenarioNamed('small').replyBodyBytes))],
  ['/64k', answer(bodyOf(64 * KIBIBYTE))],
  ['/1m', answer(bodyOf(MEBIBYTE))],
  ['/chunked', chunkedAnswer(bodyOf(CHUNKED_BYTES))],
  ['/healthz', answer(Buffer.from('ok'))],
  ['/color', answer(Buffer.from(color))],
  ['/color-chunked', chunkedAnswer(Buffer.from(color.repeat(CHUNKED_BYTES / color.length)))],
]);

createServer({ noDelay: true }, serve).listen({ port, host: '127.0.0.1', backlog: 4096 }, () =>
  process.stdout.write('ready\n'),
);

function serve(socket: Socket): void {
  let pending = '';
  let path = '';
  let head = '';
  let bodyBytesLeft = 0;
  let bodyBytes = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (bodyBytesLeft > 0) {
        const taken = Math.min(bodyBytesLeft, bytes.length - at);
        bodyBytesLeft -= taken;
        bodyBytes += taken;
        at += taken;
      } else {
        const text = pending + bytes.toString('latin1', at);
        const end = text.indexOf('\r\n\r\n');
        if (end === -1) {
          pending = text;
          return;
        }
        head = text.slice(0, end + 2);
        at += end + 4 - pending.length;
        pending = '';
        path = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/1.'));
        bodyBytes = 0;
        bodyBytesLeft = lengthOf(head);
      }
      if (bodyBytesLeft === 0) reply(socket, { path, head, bodyBytes });
    }
  });
}

/** Chunked requests are not read: no row sends one, and no peer turns a length into chunks. */
function lengthOf(head: string): number {
  const match = head.startsWith('POST') ? /\r\ncontent-length: *(\d+)/i.exec(head) : null;
  return Number(match?.[1] ?? 0);
}

interface OriginRequest {
  readonly path: string;
  readonly head: string;
  readonly bodyBytes: number;
}

function reply(socket: Socket, request: OriginRequest): void {
  const bytes = FIXED.get(request.path) ?? answer(Buffer.from(madeBody(request)));
  if (/\r\nconnection: close/i.test(request.head)) {
    // RFC 9112 §9.6: the side that closes says so, in the last answer.
    const closing = bytes.toString('latin1').replace('\r\n', '\r\nConnection: close\r\n');
    socket.end(closing, 'latin1');
  } else socket.write(bytes);
}

function madeBody(request: OriginRequest): string {
  const { path, head, bodyBytes } = request;
  switch (path) {
    case '/upload':
      return `${bodyBytes} ${bodyBytes + head.length + 2}`;
    case '/color-upload':
      return `${color} ${bodyBytes}`;
    case '/seen':
      return seen(head);
    default:
      return `nothing at ${path}`;
  }
}

function seen(head: string): string {
  const value = (name: string): string =>
    new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(head)?.[1] ?? '';
  return `${value('x-forwarded-for')}|${value('host')}|${head.slice(0, head.indexOf(' '))}`;
}

function answer(body: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`${COMMON_HEAD}Content-Length: ${body.length}\r\n\r\n`, 'latin1'),
    body,
  ]);
}

function chunkedAnswer(body: Buffer): Buffer {
  const parts: Buffer[] = [
    Buffer.from(`${COMMON_HEAD}Transfer-Encoding: chunked\r\n\r\n`, 'latin1'),
  ];
  for (let at = 0; at < body.length; at += CHUNK_BYTES) {
    const chunk = body.subarray(at, at + CHUNK_BYTES);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  parts.push(Buffer.from('0\r\n\r\n'));
  return Buffer.concat(parts);
}
