// Framing written around data where it lies: what is sent must decode to the same data, whatever
// the sizes, extensions and cuts of the chunks that came.

import * as fc from 'fast-check';
import t from 'tap';
import { ChunkedDecoder, frameInPlace, lastChunk } from '../../../../src/http/bodies/chunked.ts';

const MARGIN = 32;

function chunkLine(size: number, zeros: number, extension: string): string {
  return `${'0'.repeat(zeros)}${size.toString(16)}${extension}\r\n`;
}

/** Returns the data of a whole chunked body, decoded by the decoder that other tests compare with llhttp. */
function decode(body: Buffer): string {
  const decoder = new ChunkedDecoder();
  const stop = decoder.push(body, 0, body.length);
  if (stop !== body.length || !decoder.isDone) return `not a whole body: ${stop}`;
  let data = '';
  for (let i = 0; i < decoder.ranges.length; i += 2) {
    data += body.toString('latin1', decoder.ranges[i], decoder.ranges[i + 1]);
  }
  return data;
}

const arbitraryChunk = fc.record({
  data: fc
    .string({ minLength: 1, maxLength: 40 })
    .map((text) => Buffer.from(text).toString('latin1')),
  zeros: fc.integer({ min: 0, max: 4 }),
  extension: fc.constantFrom('', '', ';a', ';name="some value of an extension"'),
});

await t.test('a body framed in place decodes to the data that came', async (t) => {
  let inPlace = 0;
  const decodes = fc.property(
    fc.array(arbitraryChunk, { minLength: 1, maxLength: 6 }),
    (chunks) => {
      const came = chunks
        .map(
          ({ data, zeros, extension }) => `${chunkLine(data.length, zeros, extension)}${data}\r\n`,
        )
        .join('');
      const bytes = Buffer.from(
        `${' '.repeat(MARGIN)}${came}0\r\n\r\n${' '.repeat(MARGIN)}`,
        'latin1',
      );
      const decoder = new ChunkedDecoder();
      decoder.push(bytes, MARGIN, bytes.length - MARGIN);
      const { ranges } = decoder;
      const first = `${(ranges[1]! - ranges[0]!).toString(16)}\r\n`;
      const framed = frameInPlace(bytes, ranges, first, `\r\n${lastChunk('')}`);
      if (framed === undefined) return chunks.some(({ extension }) => extension.length > 0);
      inPlace++;
      return decode(framed) === chunks.map(({ data }) => data).join('');
    },
  );
  fc.assert(decodes, { numRuns: 2_000 });
  t.ok(inPlace > 500, `${inPlace} of 2,000 bodies were framed in place`);
});

await t.test('what does not fit before or behind the data is left to the caller', async (t) => {
  const bytes = Buffer.from('data', 'latin1');
  t.equal(frameInPlace(bytes, [1, 4], 'ab', ''), undefined, 'before');
  t.equal(frameInPlace(bytes, [1, 4], 'a', 'b'), undefined, 'behind');
  t.equal(frameInPlace(bytes, [1, 4], 'a', '')?.toString(), 'aata');
});

await t.test('a gap that can hold no chunk border is left to the caller', async (t) => {
  const bytes = Buffer.from('aaaa....bbbb', 'latin1');
  t.equal(frameInPlace(bytes, [0, 4, 8, 12], '', ''), undefined);
});
