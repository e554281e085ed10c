// A head that names thousands of fields in Connection: what it costs grows with the names alone.

import t from 'tap';
import { namedLines } from '../../src/http/grammar/named-lines.ts';
import { RequestHead } from '../../src/http/heads/request-head.ts';
import { dropTable } from '../../src/http/forward/copy-head.ts';
import { copiedText } from '../support/heads.ts';
import { testSettings } from '../support/plane.ts';

const KIB = 1_024;

function parsed(names: readonly string[], lineCount: number, nameOf = usualName) {
  const fields = Array.from({ length: lineCount }, (_, i) => `${nameOf(i)}: ${i}\r\n`).join('');
  const connection = `Connection: ${names.join(',')}\r\n`;
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${connection}${fields}\r\n`, 'latin1');
  const limits = { headBytesMax: 1_024 * KIB, headFieldsMax: 500 };
  const head = new RequestHead({ ...testSettings({}).client, ...limits });
  t.equal(head.parse(bytes, 0, bytes.length), bytes.length);
  return head;
}

function usualName(index: number): string {
  return `a${index.toString().padStart(4, '0')}`;
}

/** Returns how many bytes are looked at to find the named lines. */
function readsOf({ bytes, lines, connection }: RequestHead): number {
  let readCount = 0;
  const counted = new Proxy(bytes, {
    get(target, key) {
      readCount++;
      return Reflect.get(target, key) as unknown;
    },
  });
  namedLines(counted, lines, connection.names);
  return readCount;
}

/** Names of each kind that an attacker could choose, `count` of them. */
const CHOICES: Readonly<Record<string, (index: number) => string>> = {
  'none is a line': (index) => `b${index.toString(36).padStart(4, '0')}`,
  'each is a line': (index) => usualName(index % 490).toUpperCase(),
  'all are one line': () => usualName(7),
  'all are as long as no line': () => 'abcdef',
};

for (const [what, nameOf] of Object.entries(CHOICES)) {
  await t.test(`names of which ${what} cost a short search each`, async (t) => {
    const lineCount = 490;
    const names = Array.from({ length: 4_000 }, (_, index) => nameOf(index));
    const head = parsed(names, lineCount);
    // Nine steps of a search among 490 lines, two bytes each at most five times.
    t.ok(readsOf(head) <= (names.length + lineCount) * 10 * 2 * 6);
    const few = parsed(names.slice(0, 400), lineCount);
    t.ok(readsOf(head) - readsOf(few) <= 3_600 * 10 * 2 * 6);
  });
}

await t.test('lines that all have one name are marked once', async (t) => {
  const names = Array.from({ length: 4_000 }, () => 'same');
  const head = parsed(names, 490, () => 'Same');
  t.ok(readsOf(head) <= (names.length + 490) * 10 * 2 * 6);
  t.equal(
    copiedText(head, head.start, head.end - 2, dropTable([])),
    'GET / HTTP/1.1\r\nHost: a\r\n',
  );
});

await t.test('names are kept as places in the head, not as strings', async (t) => {
  const head = parsed(['x-a', 'close', 'X-B', 'keep-alive'], 1);
  t.strictSame(
    head.connection.names.map((at) => typeof at),
    ['number', 'number', 'number', 'number'],
  );
  t.ok(head.connection.close);
  const { bytes, connection } = head;
  t.equal(bytes.toString('latin1', connection.names[2], connection.names[3]), 'X-B');
});
