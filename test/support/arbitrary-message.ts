// Makes messages for property tests: mostly right, then bent in the ways that have made two
// implementations read one message differently.

import * as fc from 'fast-check';

/** Runs of each property; TURNOUT_RUNS raises it for a long hunt. */
export const RUNS = Number(process.env['TURNOUT_RUNS'] ?? 1_500);

/** What attackers and broken peers put into heads: framing twice, almost right, or hidden. */
const NASTY = [
  '\r',
  '\n',
  '\r\n',
  '\n\r',
  '\r\r\n',
  '\0',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x85',
  '\xa0',
  '\xff',
  ' ',
  '\t',
  '\r\n ',
  '\r\n\t',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '#',
  '%',
  '/',
  '0',
  '1',
  'a',
  'chunked',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 5, 5\r\n',
  'content-length:\t5\r\n',
  'Content-Length:\r\n 5\r\n',
  'Content-Length : 5\r\n',
  'Content-Length: 18446744073709551621\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: Chunked \r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n',
  'X: y\nTransfer-Encoding: chunked\r\n',
  'X: y\rTransfer-Encoding: chunked\r\n',
  ' Transfer-Encoding: chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Host: evil.test\r\n',
  'Host : evil.test\r\n',
  'Connection: close\r\n',
  'Connection: Content-Length\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  '0\r\n\r\n',
  '0\r\nX: 1\r\n\r\n',
  'FFFFFFFFFFFFFFFFF\r\n',
  '10000000000000005\r\n',
  '0x5\r\n',
  '5;a=b\r\n',
  '5;a="\r\n"\r\n',
  '5 \r\n',
  '-1\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0',
  'HTTP/2.0',
];

const METHODS =
  'GET GET POST POST HEAD PUT DELETE OPTIONS PATCH TRACE QUERY PROPFIND REPORT ' +
  'SEARCH PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ACL BIND UNBIND REBIND LINK UNLINK ' +
  'CHECKOUT MERGE MKACTIVITY MKCALENDAR NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH PURGE SOURCE CONNECT BREW get';

const METHOD = fc.constantFrom(...METHODS.split(' '));

const visible = (from: number, to: number): fc.Arbitrary<string> =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code));

const TARGET = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .string({ unit: fc.oneof(visible(0x24, 0x7e), visible(0x21, 0x22)), maxLength: 12 })
      .map((rest) => `/${rest}`),
  },
  fc.constantFrom(
    '/',
    '/a%2Fb',
    '//x',
    '/..;/a',
    '/?a#b',
    '*',
    'http://shop.test/',
    'http://shop.test',
  ),
  fc.constantFrom(
    'https://shop.test?x',
    'HTTP://shop.test:80/a',
    'a',
    '',
    'shop.test:80',
    'ftp://a/',
  ),
);

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~09azAZ".split('');

const FIELD_NAME = fc.oneof(
  fc.constantFrom(
    'Accept',
    'Cookie',
    'X-A',
    'x-a',
    'TE',
    'Trailer',
    'Via',
    'Upgrade',
    'Keep-Alive',
    'a',
  ),
  fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1, maxLength: 8 }),
);

const FIELD_VALUE = fc.oneof(
  fc.string({
    unit: fc.oneof(visible(0x20, 0x7e), visible(0x80, 0xff), fc.constant('\t')),
    maxLength: 16,
  }),
  fc.constantFrom('', ' ', '\t x \t', 'chunked', '5', 'close', 'keep-alive', 'gzip, br'),
);

const FIELD_LINE = fc
  .tuple(FIELD_NAME, fc.constantFrom(':', ': ', ':\t', ':  '), FIELD_VALUE)
  .map(([name, colon, value]) => `${name}${colon}${value}\r\n`);

const CONTENT = fc.oneof(
  fc.string({ unit: visible(0, 0xff), maxLength: 40 }),
  fc.constantFrom('0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n', '\r\n'),
);

const EXTENSION = fc.constantFrom('', '', '', ';a', ';a=b', ';a="b;\\"c"', ';a;b=c');

/** A body as it is sent, and what it means. */
export interface Body {
  /** The framing field line; empty for no body. */
  readonly field: string;
  readonly wire: string;
  readonly data: string;
  readonly trailers: readonly string[];
}

const CHUNKS = fc.array(
  fc.record({
    data: fc.string({ unit: visible(0, 0xff), minLength: 1, maxLength: 20 }),
    zeros: fc.constantFrom('', '', '0', '000'),
    isUpper: fc.boolean(),
    extension: EXTENSION,
  }),
  { maxLength: 4 },
);

/** Content in the chunked coding, with odd but legal sizes and extensions, and `trailers`. */
function chunkedBody(trailers: fc.Arbitrary<readonly string[]>): fc.Arbitrary<Body> {
  return fc.tuple(CHUNKS, EXTENSION, trailers).map(([chunks, lastExtension, lines]) => {
    const encoded = chunks.map(({ data, zeros, isUpper, extension }) => {
      const hex = data.length.toString(16);
      return `${zeros}${isUpper ? hex.toUpperCase() : hex}${extension}\r\n${data}\r\n`;
    });
    const end = lines.map((line) => `${line}\r\n`).join('');
    return {
      field: 'Transfer-Encoding: chunked\r\n',
      wire: `${encoded.join('')}0${lastExtension}\r\n${end}\r\n`,
      data: chunks.map(({ data }) => data).join(''),
      trailers: lines,
    };
  });
}

/** Chunked content whose trailers may be any fields, also forbidden ones. */
export const CHUNKED_BODY: fc.Arbitrary<string> = chunkedBody(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(
      FIELD_LINE.map((line) => line.slice(0, -2)),
      { maxLength: 3 },
    ),
  ),
).map(({ wire }) => wire);

const PLAIN_BODY: fc.Arbitrary<Body> = CONTENT.map((data) => ({
  field: `Content-Length: ${data.length}\r\n`,
  wire: data,
  data,
  trailers: [],
}));

/** A body in either framing that must pass. */
export const GOOD_BODY: fc.Arbitrary<Body> = fc.oneof(
  PLAIN_BODY,
  chunkedBody(fc.constantFrom([], [], ['X-Sum: 1'], ['X-Sum: \xff', 'x-sum:2'])),
);

/** Chunked content with one line end that is not quite one. */
const SPOILT_CHUNKS = fc
  .tuple(
    CHUNKED_BODY,
    fc.nat({ max: 8 }),
    fc.constantFrom('\n', '\r', '\rX', 'X\n', '\r\r\n', ' \r\n'),
  )
  .map(([text, place, end]) => {
    const parts = text.split('\r\n');
    const at = place % Math.max(1, parts.length - 1);
    return `${parts.slice(0, at + 1).join('\r\n')}${end}${parts.slice(at + 1).join('\r\n')}`;
  });

/** Framing fields and a body that fits one of them, sometimes on purpose not quite. */
const BODY = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ field: '', text: '' }) },
  {
    weight: 4,
    arbitrary: CONTENT.map((text) => ({ field: `Content-Length: ${text.length}\r\n`, text })),
  },
  {
    weight: 4,
    arbitrary: CHUNKED_BODY.map((text) => ({ field: 'Transfer-Encoding: chunked\r\n', text })),
  },
  SPOILT_CHUNKS.map((text) => ({ field: 'Transfer-Encoding: chunked\r\n', text })),
  CHUNKED_BODY.map((text) => ({
    field: `Content-Length: ${text.length}\r\nTransfer-Encoding: chunked\r\n`,
    text,
  })),
  CONTENT.map((text) => ({
    field: `Content-Length: ${text.length}\r\nContent-Length: 0${text.length}\r\n`,
    text,
  })),
);

const HOST_LINE = fc.constantFrom(
  ...Array.from({ length: 20 }, () => 'Host: shop.test\r\n'),
  'host:shop.test:80\r\n',
  'HOST: [::1]:8080\r\n',
  'Host: \r\n',
  'Host: a b\r\n',
  '',
);

const REQUEST = fc
  .record({
    method: METHOD,
    target: TARGET,
    version: fc.constantFrom(
      ...Array.from({ length: 16 }, () => 'HTTP/1.1'),
      'HTTP/1.0',
      'HTTP/1.0',
      'HTTP/1.2',
    ),
    host: HOST_LINE,
    before: fc.array(FIELD_LINE, { maxLength: 3 }),
    after: fc.array(FIELD_LINE, { maxLength: 3 }),
    body: BODY,
  })
  .map(
    ({ method, target, version, host, before, after, body }) =>
      `${method} ${target} ${version}\r\n${before.join('')}${host}${body.field}${after.join('')}\r\n${body.text}`,
  );

/** One to three requests in line, most of them bent somewhere. */
export const REQUESTS: fc.Arbitrary<string> = bent(
  fc.array(REQUEST, { minLength: 1, maxLength: 3 }).map((requests) => requests.join('')),
);

const STATUS_LINE = fc.constantFrom(
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 204 No',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 200 ',
  'HTTP/1.1 200',
  'HTTP/1.1 599 \xfc\t',
  'HTTP/1.1 299 x y',
  'HTTP/1.1 404 Not Found',
  'HTTP/1.1 099 x',
  'HTTP/1.1 20 x',
  'HTTP/2.0 200 OK',
  'ICY 200 OK',
  'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK',
);

/** A response, perhaps with an informational one before it or bytes behind it, most of them bent. */
export const REPLY: fc.Arbitrary<string> = bent(
  fc
    .record({
      line: STATUS_LINE,
      before: fc.array(FIELD_LINE, { maxLength: 3 }),
      after: fc.array(FIELD_LINE, { maxLength: 3 }),
      body: fc.oneof(
        { weight: 4, arbitrary: BODY },
        CONTENT.map((text) => ({ field: '', text })),
      ),
    })
    .map(
      ({ line, before, after, body }) =>
        `${line}\r\n${before.join('')}${body.field}${after.join('')}\r\n${body.text}`,
    ),
);

/** Bends `whole` at up to three places: something nasty put in, or some bytes left out. */
function bent(whole: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const bend = fc.record({
    // A part of the length, so that shrinking the message keeps the place.
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    put: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NASTY) }, fc.constant('')),
    leaveOut: fc.constantFrom(0, 0, 0, 1, 2),
    atLine: fc.boolean(),
  });
  const bends = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(bend, { minLength: 1, maxLength: 3 }) },
  );
  return fc.tuple(whole, bends).map(([text, list]) => {
    let result = text;
    for (const { place, put, leaveOut, atLine } of list) {
      let at = Math.floor(place * result.length);
      if (atLine) at = result.lastIndexOf('\r\n', at) < 0 ? 0 : result.lastIndexOf('\r\n', at) + 2;
      result = result.slice(0, at) + put + result.slice(at + leaveOut);
    }
    return result;
  });
}
