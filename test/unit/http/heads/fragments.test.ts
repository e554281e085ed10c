// How bytes are cut into packets says nothing: any fragmentation gives the same reading, and a
// body takes exactly its own bytes.

import * as fc from 'fast-check';
import t from 'tap';
import { ChunkedDecoder } from '../../../../src/http/bodies/chunked.ts';
import { findHeadEnd } from '../../../../src/http/grammar/fields.ts';
import { CHUNKED_BODY, REQUESTS, RUNS } from '../../../support/arbitrary-message.ts';
import { rangesText } from '../../../support/own-reader.ts';

const CUTS = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });

interface Decoded {
  readonly data: string;
  readonly trailers: string;
  readonly isDone: boolean;
  /** Negative: the fault. */
  readonly end: number;
}

/** Decodes `text` in the pieces that `cuts` make, each in a buffer of its own. */
function decode(text: string, cuts: readonly number[]): Decoded {
  const decoder = new ChunkedDecoder();
  const places = [...new Set([...cuts.filter((cut) => cut < text.length), text.length])];
  places.sort((a, b) => a - b);
  let from = 0;
  let data = '';
  for (const to of places) {
    // Bytes around the piece, as in a shared read buffer, must not be looked at.
    const bytes = Buffer.from(`\r\n${text.slice(from, to)}\r\n0\r\n\r\n`, 'latin1');
    const end = decoder.push(bytes, 2, 2 + to - from);
    if (end < 0) return { data: '', trailers: '', isDone: false, end };
    data += rangesText(bytes, decoder.ranges);
    if (decoder.isDone) {
      return { data, trailers: decoder.trailers, isDone: true, end: from + end - 2 };
    }
    from = to;
  }
  return { data, trailers: '', isDone: false, end: text.length };
}

await t.test('ChunkedDecoder reads the same body however it is cut', async (t) => {
  const property = fc.property(CHUNKED_BODY, fc.string(), CUTS, (body, behind, cuts) => {
    const whole = decode(body + behind, []);
    const cut = decode(body + behind, cuts);
    if (JSON.stringify(whole) !== JSON.stringify(cut)) {
      throw new Error(`whole ${JSON.stringify(whole)}, cut ${JSON.stringify(cut)}`);
    }
    if (whole.isDone && whole.end !== body.length) {
      throw new Error(`the body ends at ${body.length}, not at ${whole.end}`);
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} bodies`);
});

await t.test('ChunkedDecoder finds the same fault however the body is cut', async (t) => {
  const spoilt = fc
    .tuple(
      CHUNKED_BODY,
      fc.nat({ max: 60 }),
      fc.constantFrom('\n', '\r', 'x', ' ', '\0', '', ';', '"'),
    )
    .map(([body, at, put]) => body.slice(0, at) + put + body.slice(at + 1));
  const property = fc.property(spoilt, CUTS, (body, cuts) => {
    const whole = decode(body, []);
    const cut = decode(body, cuts);
    if (JSON.stringify(whole) !== JSON.stringify(cut)) {
      throw new Error(`whole ${JSON.stringify(whole)}, cut ${JSON.stringify(cut)}`);
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} bodies`);
});

await t.test('findHeadEnd finds the same end however the head arrives', async (t) => {
  const property = fc.property(REQUESTS, CUTS, (text, cuts) => {
    const bytes = Buffer.from(text, 'latin1');
    const whole = findHeadEnd(bytes, 0, bytes.length);
    let scanned = 0;
    let found = 0;
    for (const end of [...cuts, bytes.length]
      .filter((cut) => cut <= bytes.length)
      .toSorted((a, b) => a - b)) {
      found = findHeadEnd(bytes, scanned, end);
      if (found !== 0) break;
      scanned = end;
    }
    if (found !== whole) throw new Error(`whole ${whole}, cut ${found}`);
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} heads`);
});
