// What load sends and what must come back: one table for the clients and for the targets, so
// that every answer is compared byte for byte and names the color that gave it.

import { crc32 } from 'node:zlib';
import { COLORS, type Color } from '../../src/contract/table.ts';

export interface LoadKind {
  readonly name: string;
  /** All bytes of one request. */
  readonly request: Buffer;
  /** The content of the answer of a color. */
  readonly answers: Readonly<Record<Color, string>>;
  /** The answer has the length of its content ahead, or comes in chunks. */
  readonly framing: 'length' | 'chunked';
}

const KIBIBYTE = 1_024;
const UPLOAD_CHUNK_BYTES = 4 * KIBIBYTE;

/** Small requests first: a load that takes turns sends mostly these. */
export const LOAD_KINDS: readonly LoadKind[] = [
  download('length', 16),
  download('chunked', 64),
  upload('length', 2 * KIBIBYTE),
  upload('chunked', 2 * KIBIBYTE),
  download('length', 16),
  download('length', 64 * KIBIBYTE),
  download('chunked', 16 * KIBIBYTE),
  download('length', 16),
  upload('length', 64 * KIBIBYTE),
  upload('chunked', 32 * KIBIBYTE),
  download('chunked', 128 * KIBIBYTE),
  download('length', 16),
];

/** The smallest request. */
export const SMALL: LoadKind = download('length', 16);
/** An upload that can be stopped half way. */
export const LONG_UPLOAD: LoadKind = upload('length', 32 * KIBIBYTE);

/** Returns what a target of `color` answers when it is asked for `byteCount` bytes. */
export function contentOf(color: Color, byteCount: number): Buffer {
  return Buffer.alloc(byteCount, `${color} `, 'latin1');
}

/** Returns what a target of `color` answers to an upload: that it got all of it. */
export function receiptOf(color: Color, byteCount: number, checksum: number): string {
  return `${color} got ${byteCount} bytes, ${checksum}`;
}

/** Returns the color whose answer `body` is, or undefined when it is the answer of none. */
export function colorOfAnswer(kind: LoadKind, body: string): Color | undefined {
  const content = kind.framing === 'chunked' ? withoutChunks(body) : body;
  return COLORS.find((color) => kind.answers[color] === content);
}

function download(framing: LoadKind['framing'], byteCount: number): LoadKind {
  return {
    name: `GET of ${byteCount} bytes (${framing})`,
    request: Buffer.from(`GET /${framing}/${byteCount} HTTP/1.1\r\nHost: load.example\r\n\r\n`),
    answers: {
      blue: contentOf('blue', byteCount).toString('latin1'),
      green: contentOf('green', byteCount).toString('latin1'),
    },
    framing,
  };
}

function upload(framing: LoadKind['framing'], byteCount: number): LoadKind {
  const content = Buffer.alloc(byteCount, 'All that is gold does not glitter. ', 'latin1');
  const isLength = framing === 'length';
  const field = isLength ? `Content-Length: ${byteCount}` : 'Transfer-Encoding: chunked';
  const head = `POST /upload HTTP/1.1\r\nHost: load.example\r\n${field}\r\n\r\n`;
  const checksum = crc32(content);
  return {
    name: `POST of ${byteCount} bytes (${framing})`,
    request: Buffer.concat([Buffer.from(head), isLength ? content : inChunks(content)]),
    answers: {
      blue: receiptOf('blue', byteCount, checksum),
      green: receiptOf('green', byteCount, checksum),
    },
    framing: 'length',
  };
}

function inChunks(content: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += UPLOAD_CHUNK_BYTES) {
    const chunk = content.subarray(at, at + UPLOAD_CHUNK_BYTES);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

/** Returns the content of a whole chunked body; a broken one gives something that fits nothing. */
function withoutChunks(body: string): string {
  let content = '';
  for (let at = 0; ;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(body.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return 'no chunked body';
    if (size === 0) return content;
    content += body.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
