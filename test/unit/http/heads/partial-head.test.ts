// The head of a message in pieces: found once it is whole, however it was cut, and bounded.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { PartialHead } from '../../../../src/http/heads/partial-head.ts';
import { FAULT, INCOMPLETE } from '../../../../src/http/grammar/faults.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n';

/** Appends `pieces` until one of them says more than INCOMPLETE; each lies amid other bytes. */
function append(partial: PartialHead, pieces: readonly string[]): number {
  for (const piece of pieces) {
    const bytes = Buffer.from(`\r\n\r\n${piece}\r\n\r\n`, 'latin1');
    partial.append(bytes, 4, 4 + piece.length);
    const found = partial.find();
    bytes.fill('x'); // The buffer is used again.
    if (found !== INCOMPLETE) return found;
  }
  return INCOMPLETE;
}

function textOf(partial: PartialHead): string {
  return partial.bytes.toString('latin1', 0, partial.length);
}

function cutAt(text: string, places: readonly number[]): string[] {
  const cuts = [...new Set([0, ...places.map((place) => place % text.length), text.length])];
  cuts.sort((a, b) => a - b);
  return cuts.slice(1).map((cut, i) => text.slice(cuts[i], cut));
}

await t.test('a head is found at its end, wherever it was cut', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), fc.string(), (places, behind) => {
      const partial = new PartialHead(1_000);
      const pieces = cutAt(HEAD, places);
      pieces.push(pieces.pop()! + behind);
      assert.equal(append(partial, pieces), HEAD.length);
      assert.equal(textOf(partial), HEAD + behind, 'all that came is kept');
    }),
    { numRuns: RUNS },
  );
});

await t.test('a head is found byte by byte', async (t) => {
  t.equal(append(new PartialHead(1_000), HEAD.split('')), HEAD.length);
});

await t.test('a head that misses one byte is incomplete', async (t) => {
  for (let end = 0; end < HEAD.length; end++) {
    t.equal(append(new PartialHead(1_000), [HEAD.slice(0, end)]), INCOMPLETE);
  }
});

await t.test('a line feed alone is a fault, also as the first byte of a piece', async (t) => {
  t.equal(append(new PartialHead(1_000), ['HTTP/1.1 200 OK\nX']), FAULT.LINE_END);
  t.equal(append(new PartialHead(1_000), ['HTTP/1.1 200 OK', '\nX']), FAULT.LINE_END);
  t.equal(append(new PartialHead(1_000), ['HTTP/1.1 200 OK\r', '\nX']), INCOMPLETE);
});

await t.test('a head that does not end within its bound is a fault', async (t) => {
  const partial = new PartialHead(HEAD.length - 4);
  t.equal(append(partial, [HEAD.slice(0, -4)]), INCOMPLETE, 'up to the bound it may go on');
  t.equal(append(partial, [HEAD.slice(-4, -3)]), FAULT.HEAD_BYTES);
});

await t.test('a head that ends in the piece that goes over the bound is found', async (t) => {
  // The parser measures whole heads; what is bounded here is what has to be kept.
  t.equal(append(new PartialHead(20), [HEAD.slice(0, 20), HEAD.slice(20)]), HEAD.length);
});
