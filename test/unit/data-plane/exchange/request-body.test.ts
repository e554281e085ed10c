// The body of a request, taken out of any pieces and framed for the target.

import * as fc from 'fast-check';
import t from 'tap';
import { RequestBody, TOO_LARGE } from '../../../../src/data-plane/exchange/request-body.ts';
import { CHUNKED } from '../../../../src/http/grammar/framing.ts';

interface Taken {
  readonly framed: string;
  readonly isDone: boolean;
  /** Bytes of the input that belong to the body, or the negative result. */
  readonly stop: number;
  readonly bytes: number;
}

/** Feeds `text` cut at `cuts`. */
function take(body: RequestBody, text: string, cuts: readonly number[], isLasting = false): Taken {
  const bytes = Buffer.from(text, 'latin1');
  let framed = '';
  let from = 0;
  for (const cut of [...new Set(cuts), bytes.length].toSorted((a, b) => a - b)) {
    while (from < cut && !body.isDone) {
      const stop = body.take(bytes, from, cut, isLasting);
      if (stop < 0) return { framed, isDone: body.isDone, stop, bytes: body.bytes };
      framed += typeof body.piece === 'string' ? body.piece : body.piece.toString('latin1');
      from = stop;
    }
  }
  return { framed, isDone: body.isDone, stop: from, bytes: body.bytes };
}

await t.test('a body of known length ends at its length, however it is cut', async () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 200, unit: 'binary-ascii' }),
      fc.array(fc.nat(250)),
      fc.boolean(),
      (content, cuts, isLasting) => {
        const body = new RequestBody(content.length, 0);
        const text = `${content}NEXT`;
        const taken = take(
          body,
          text,
          cuts.filter((cut) => cut > 0 && cut < text.length),
          isLasting,
        );
        return taken.framed === content && taken.stop === content.length && taken.isDone;
      },
    ),
  );
});

await t.test('a chunked body is framed anew, however it is cut', async (t) => {
  const text = '3;a=b\r\nabc\r\n0004\r\ndefg\r\n0\r\nT: 1\r\n\r\n';
  for (let cut = 0; cut <= text.length; cut++) {
    const taken = take(new RequestBody(CHUNKED, 0), `${text}NEXT`, [cut]);
    t.equal(taken.stop, text.length, `cut at ${cut}`);
    t.equal(taken.isDone, true);
    t.equal(taken.bytes, 7);
    t.match(taken.framed, /0\r\nT: 1\r\n\r\n$/);
    t.equal(taken.framed.replaceAll(/[0-9]+\r\n|\r\n|T: 1/g, ''), 'abcdefg');
  }
});

await t.test('a declared length over the limit is known at once', async (t) => {
  t.equal(new RequestBody(11, 10).isTooLarge, true);
  t.equal(new RequestBody(10, 10).isTooLarge, false);
  t.equal(new RequestBody(1e15, 0).isTooLarge, false, '0 is no limit');
});

/** How far a chunked body is taken when 4 bytes are the limit. */
function limit(text: string): number {
  return take(new RequestBody(CHUNKED, 4), text, []).stop;
}

await t.test('a chunked body over the limit is noticed at the byte that is too many', async (t) => {
  t.equal(limit('4\r\nabcd\r\n0\r\n\r\n'), 14);
  t.equal(limit('5\r\nabcde\r\n'), TOO_LARGE);
  t.equal(limit('3\r\nabc\r\n2\r\nde\r\n'), TOO_LARGE);
});

await t.test('a body of no length is done before anything comes', async (t) => {
  t.equal(new RequestBody(0, 0).isDone, true);
  t.equal(new RequestBody(CHUNKED, 0).isDone, false);
});

await t.test('a large piece that lasts is not copied', async (t) => {
  const bytes = Buffer.alloc(40_000, 'a');
  const body = new RequestBody(40_000, 0);
  body.take(bytes, 0, bytes.length, true);
  t.ok(typeof body.piece !== 'string' && body.piece.buffer === bytes.buffer);
  const other = new RequestBody(40_000, 0);
  other.take(bytes, 0, bytes.length, false);
  t.ok(typeof other.piece !== 'string' && other.piece.buffer !== bytes.buffer);
});
