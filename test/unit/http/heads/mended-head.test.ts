// Heads of responses that are mended: what becomes of each, and that nothing changes in a good one.

import * as fc from 'fast-check';
import t from 'tap';
import { INCOMPLETE } from '../../../../src/http/grammar/faults.ts';
import { mendHead } from '../../../../src/http/heads/mended-head.ts';
import { ResponseHead } from '../../../../src/http/heads/response-head.ts';
import { REPLY, RUNS } from '../../../support/arbitrary-message.ts';

const LIMITS = { headBytesMax: 65_536, headFieldsMax: 200 };

function mend(text: string): string | undefined {
  const bytes = Buffer.from(`before${text}after`, 'latin1');
  const mended = mendHead(bytes, 6, bytes.length - 5);
  if (mended === INCOMPLETE) return 'incomplete';
  return mended?.toString('latin1');
}

const S = 'HTTP/1.1 200 OK\r\n';

const MENDED: Readonly<Record<string, string>> = {
  [`${S}A: b\r\n\r\nbody\n\n`]: `${S}A: b\r\n\r\nbody\n\n`,
  'HTTP/1.1 200 OK\nA:b \n\nbody': `${S}A: b\r\n\r\nbody`,
  'HTTP/1.9 200 OK\r\n\r\n': `${S}\r\n`,
  'HTTP/1.0 200\r\n\r\n': 'HTTP/1.0 200 \r\n\r\n',
  'HTTP/1.1 200 a\x01b\r\n\r\n': 'HTTP/1.1 200 a b\r\n\r\n',
  [`${S}A \t:  b\x02\x7fc\x0b\r\n\r\n`]: `${S}A: b  c\r\n\r\n`,
  [`${S}A: b\r\n\tc\r\n \r\n  d\r\n\r\n`]: `${S}A: b c  d\r\n\r\n`,
  [`${S}Content-Length: 007\r\nA: b\r\nCONTENT-LENGTH: 7, 07\r\n\r\n`]: `${S}Content-Length: 7\r\nA: b\r\n\r\n`,
  [`${S}Transfer-Encoding: ,chunked ,\r\n\r\n`]: `${S}Transfer-Encoding: chunked\r\n\r\n`,
  [`${S}Connection: close; x, content-length, "y", Keep-Alive=5\r\n\r\n`]: `${S}Connection: close, Keep-Alive\r\n\r\n`,
};

const REFUSED = [
  'HTTP/1.1 200 OK\nA: b\r\n\r\n',
  `${S}A: b\n\r\n`,
  `${S}A: b\rc\r\n\r\n`,
  `${S}A: \0\r\n\r\n`,
  `${S}A: b\r\n \0\r\n\r\n`,
  `${S} A: b\r\n\r\n`,
  `${S}A b: c\r\n\r\n`,
  `${S}A\r\n\r\n`,
  `${S}: b\r\n\r\n`,
  `${S}Content-Length: 7\r\nContent-Length: 8\r\n\r\n`,
  `${S}Content-Length: 7, 8\r\n\r\n`,
  `${S}Content-Length: +7\r\n\r\n`,
  `${S}Content-Length: 7\r\n 8\r\n\r\n`,
  `${S}Content-Length: 7\x0b\r\n\r\n`,
  `${S}Content-Length:\r\n\r\n`,
  'HTTP/2.0 200 OK\r\n\r\n',
  'HTTP/1.1  200 OK\r\n\r\n',
  'ICY 200 OK\r\n\r\n',
  'SSH-2.0-x',
  'SSH-2.0-x\r\n',
  '\n\n',
  'HTTP/1.1 2\n',
];

await t.test('what has one reading is written as the rules say', (t) => {
  for (const [text, mended] of Object.entries(MENDED)) t.equal(mend(text), mended, text);
  for (const text of REFUSED) t.equal(mend(text), undefined, text);
  t.end();
});

await t.test('a head that may still become one is waited for', (t) => {
  for (const text of ['', 'H', 'HTTP/1.2 200 OK', 'HTTP/1.2 200 OK\n', `${S}A : b\r\n`]) {
    t.equal(mend(text), 'incomplete', text);
  }
  t.end();
});

interface Meaning {
  readonly status: number;
  readonly minor: number;
  readonly bodyLength: number;
  readonly keepAlive: boolean;
  readonly fields: readonly string[];
}

/** Returns what the strict parser reads; undefined: no whole head. */
function meaning(bytes: Buffer): Meaning | undefined {
  const head = new ResponseHead(LIMITS);
  if (head.parse(bytes, 0, bytes.length, false) <= 0) return undefined;
  const { lines, status, minor, bodyLength, keepAlive } = head;
  const fields = Array.from({ length: lines.count }, (_, i) => {
    const name = bytes.toString('latin1', lines.nameStart(i), lines.nameEnd(i));
    const isConnection = name.toLowerCase() === 'connection';
    return isConnection
      ? name
      : `${name}: ${bytes.toString('latin1', lines.valueStart(i), lines.valueEnd(i))}`;
  });
  return { status, minor, bodyLength, keepAlive, fields };
}

await t.test('mending changes nothing in a head that keeps the rules', (t) => {
  let acceptedCount = 0;
  const property = fc.property(REPLY, (text) => {
    const bytes = Buffer.from(text, 'latin1');
    const strict = meaning(bytes);
    if (strict === undefined) return;
    acceptedCount++;
    const mended = mendHead(bytes, 0, bytes.length);
    if (mended === undefined || mended === INCOMPLETE) throw new Error('it was not mended');
    const loose = meaning(mended);
    if (JSON.stringify(loose) !== JSON.stringify(strict)) {
      throw new Error(`${JSON.stringify(strict)} has become ${JSON.stringify(loose)}`);
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.ok(acceptedCount > RUNS / 6, `${acceptedCount} of ${RUNS}`);
  t.end();
});
