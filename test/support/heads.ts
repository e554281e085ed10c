// Heads as the product parses them, for tests of the rules that read them.

import { copyHead, type CopyableHead, type DropTable } from '../../src/http/forward/copy-head.ts';
import { USUAL_NAMES, type FieldNames } from '../../src/http/grammar/field-kind.ts';
import { HeadBuffer } from '../../src/http/forward/head-buffer.ts';
import { RequestHead } from '../../src/http/heads/request-head.ts';
import { ResponseHead } from '../../src/http/heads/response-head.ts';

const LIMITS = { headBytesMax: 65_536, headFieldsMax: 200, targetBytesMax: 8_192 };

/** Field lines without their line ends. */
type Fields = readonly string[];

interface Asked {
  readonly method?: string;
  readonly target?: string;
  /** What the parser knows by name. */
  readonly names?: FieldNames;
}

/** Returns the head of a request for shop.test; each has a parser of its own, so all stay valid. */
export function requestWith(
  fields: Fields,
  { method = 'GET', target = '/', names = USUAL_NAMES }: Asked = {},
): RequestHead {
  return parsedRequest(`${method} ${target} HTTP/1.1\r\n`, ['Host: shop.test', ...fields], names);
}

/** Returns the head that `startLine` and `fields` make; bytes around it are not part of it. */
export function parsedRequest(
  startLine: string,
  fields: Fields,
  names: FieldNames = USUAL_NAMES,
): RequestHead {
  const head = new RequestHead(LIMITS, names);
  const { bytes, end } = around(startLine, fields);
  const next = head.parse(bytes, MARGIN.length, bytes.length);
  if (next !== end) throw new Error(`expected a request, got fault ${next}: ${startLine}`);
  return head;
}

/** Returns what `copyHead` copies. */
export function copiedText(
  head: CopyableHead,
  from: number,
  stop: number,
  dropped: DropTable,
): string {
  const to = new HeadBuffer();
  copyHead(to, head, from, stop, dropped);
  return to.take();
}

/** Returns the head of a response to GET. */
export function responseWith(
  status: number,
  fields: Fields,
  names: FieldNames = USUAL_NAMES,
): ResponseHead {
  const head = new ResponseHead(LIMITS, names);
  const { bytes, end } = around(`HTTP/1.1 ${status} Any\r\n`, fields);
  const next = head.parse(bytes, MARGIN.length, bytes.length, false);
  if (next !== end) throw new Error(`expected a response, got fault ${next}`);
  return head;
}

/** Looks like the end of one message and the begin of another, so that looking there is noticed. */
const MARGIN = 'Cookie: turnout=margin\r\n\r\n';

function around(startLine: string, fields: Fields): { bytes: Buffer; end: number } {
  const head = `${startLine}${fields.map((line) => `${line}\r\n`).join('')}\r\n`;
  const bytes = Buffer.from(MARGIN + head + MARGIN, 'latin1');
  return { bytes, end: MARGIN.length + head.length };
}
