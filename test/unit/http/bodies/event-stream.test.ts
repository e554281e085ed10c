// Where server-sent events end, however the bytes are cut: compared with a reader that splits the
// whole stream into lines.

import * as fc from 'fast-check';
import t from 'tap';
import { EventStreamTracker } from '../../../../src/http/bodies/event-stream.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

/** The reference: `text` (latin1) ends with a blank line, or has not begun. */
function isEventEnd(text: string): boolean {
  const body = text.startsWith('\u00ef\u00bb\u00bf') ? text.slice(3) : text;
  const lines = body.split(/\r\n|\r|\n/);
  if (lines.at(-1) !== '') return false;
  return lines.length === 1 || lines.at(-2) === '';
}

/** Offset after the first event end of `text` in [from, to], or -1; with the LF of its CRLF. */
function firstEventEnd(text: string, from: number, to: number): number {
  if (isEventEnd(text.slice(0, from))) return from;
  for (let end = from + 1; end <= to; end++) {
    if (isEventEnd(text.slice(0, end))) {
      return end < to && text.slice(end - 1, end + 1) === '\r\n' ? end + 1 : end;
    }
  }
  return -1;
}

/** `text` as bytes with misleading line ends around it, as in a shared read buffer. */
function pieceOf(text: string): Buffer {
  return Buffer.from(`\n\n\n\n${text}\n\n\n\n`, 'latin1');
}

function push(tracker: EventStreamTracker, text: string): void {
  tracker.push(pieceOf(text), 4, 4 + text.length);
}

function trackerAfter(text: string): EventStreamTracker {
  const tracker = new EventStreamTracker();
  push(tracker, text);
  return tracker;
}

function expectSame<T extends boolean | number>(got: T, expected: T, where: string): void {
  if (got !== expected) throw new Error(`${where}: expected ${expected}, got ${got}`);
}

function placesIn(text: string, cuts: readonly number[]): number[] {
  const places = cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b);
  return [...places, text.length];
}

const PIECES = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('\r', '\n', '\r\n', '\n\n', '\r\r', '\n\r') },
    { weight: 2, arbitrary: fc.constantFrom('a', 'data: x', ': keep-alive', '\0', '\xff', '\x85') },
    { weight: 1, arbitrary: fc.constantFrom('\xef\xbb\xbf', '\xef', '\xbb', '\xbf', '\xef\xbb') },
  ),
  { maxLength: 14 },
);
const START = fc.constantFrom('', '', '\xef\xbb\xbf', '\xef\xbb\xbf\xef\xbb\xbf', '\xef\xbb');
const STREAM = fc.tuple(START, PIECES).map(([start, pieces]) => start + pieces.join(''));
const CUTS = fc.array(fc.nat({ max: 200 }), { maxLength: 10 });

await t.test('EventStreamTracker knows the place however the body is cut', async (t) => {
  const property = fc.property(STREAM, CUTS, (text, cuts) => {
    const tracker = new EventStreamTracker();
    let from = 0;
    for (const to of placesIn(text, cuts)) {
      push(tracker, text.slice(from, to));
      expectSame(tracker.isAtEventEnd, isEventEnd(text.slice(0, to)), `after ${to}`);
      from = to;
    }
  });
  fc.assert(property, { numRuns: RUNS * 4 });
  t.pass(`${RUNS * 4} bodies`);
});

await t.test('EventStreamTracker knows the place at every prefix', async (t) => {
  const property = fc.property(STREAM, (text) => {
    const byByte = new EventStreamTracker();
    for (let end = 0; end <= text.length; end++) {
      const expected = isEventEnd(text.slice(0, end));
      if (end > 0) push(byByte, text[end - 1]!);
      expectSame(byByte.isAtEventEnd, expected, `byte by byte, after ${end}`);
      expectSame(trackerAfter(text.slice(0, end)).isAtEventEnd, expected, `at once, after ${end}`);
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} bodies`);
});

await t.test('EventStreamTracker is right on every short body, cut in every way', async (t) => {
  const texts = ['\xef\xbb\xbf', ''].flatMap((start) => {
    let all = [start];
    const found = [start];
    for (let length = 1; length <= 6; length++) {
      all = all.flatMap((text) => ['\r', '\n', 'x'].map((byte) => text + byte));
      found.push(...all);
    }
    return found;
  });
  let checked = 0;
  const wrong: string[] = [];
  for (const text of texts) {
    for (let cut = 0; cut <= text.length; cut++) {
      const tracker = trackerAfter(text.slice(0, cut));
      push(tracker, text.slice(cut));
      checked++;
      if (tracker.isAtEventEnd !== isEventEnd(text)) wrong.push(JSON.stringify([text, cut]));
    }
  }
  t.strictSame(wrong, [], `${checked} bodies`);
});

await t.test('pushUntilEventEnd stops after the first event end, and only there', async (t) => {
  const property = fc.property(STREAM, CUTS, (text, cuts) => {
    const places = placesIn(text, cuts);
    for (const from of places) {
      for (const to of places.filter((place) => place >= from)) {
        const tracker = trackerAfter(text.slice(0, from));
        const piece = pieceOf(text.slice(from, to));
        const got = tracker.pushUntilEventEnd(piece, 4, 4 + to - from);
        const stop = got === -1 ? -1 : from + got - 4;
        expectSame(stop, firstEventEnd(text, from, to), `${from} to ${to}`);
        expectSame(tracker.isAtEventEnd, stop !== -1, `place after ${from} to ${to}`);
        // What it remembers is right: it goes on like a tracker that saw the same bytes.
        const rest = text.slice(stop === -1 ? to : stop);
        push(tracker, rest);
        expectSame(tracker.isAtEventEnd, isEventEnd(text), `end, after ${from} to ${to}`);
      }
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} bodies`);
});

await t.test('push and pushUntilEventEnd mix', async (t) => {
  const property = fc.property(STREAM, CUTS, (text, cuts) => {
    const tracker = new EventStreamTracker();
    let from = 0;
    for (const to of placesIn(text, cuts)) {
      if (to <= from) continue;
      const piece = pieceOf(text.slice(from, to));
      if ((to + from) % 2 === 0) {
        tracker.push(piece, 4, 4 + to - from);
        from = to;
      } else {
        const got = tracker.pushUntilEventEnd(piece, 4, 4 + to - from);
        expectSame(
          got === -1 ? -1 : from + got - 4,
          firstEventEnd(text, from, to),
          `${from}-${to}`,
        );
        from = got === -1 ? to : from + got - 4;
      }
      expectSame(tracker.isAtEventEnd, isEventEnd(text.slice(0, from)), `after ${from}`);
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass(`${RUNS} bodies`);
});

/** Body → whether it ends with an event, in words of the standard. */
const BODIES: readonly (readonly [what: string, text: string, ends: boolean])[] = [
  ['nothing', '', true],
  ['an event with LF', 'data: x\n\n', true],
  ['an event with CR', 'data: x\r\r', true],
  ['an event with CRLF', 'data: x\r\n\r\n', true],
  ['an event with CRLF whose last LF is to come', 'data: x\r\n\r', true],
  ['a line with LF', 'data: x\n', false],
  ['a line with CR', 'data: x\r', false],
  ['a line with CRLF', 'data: x\r\n', false],
  ['a comment and a blank line', ': keep-alive\n\n', true],
  ['a comment', ': keep-alive\n', false],
  ['a blank line of two kinds', 'data: x\n\r\n', true],
  ['the beginning of the next event', 'data: x\n\nd', false],
  ['a byte order mark', '\xef\xbb\xbf', true],
  ['a byte order mark and a blank line', '\xef\xbb\xbf\n', true],
  ['half a byte order mark', '\xef\xbb', false],
  ['half a byte order mark and a line end', '\xef\xbb\n', false],
  ['a second byte order mark and a line end', '\xef\xbb\xbf\xef\xbb\xbf\n', false],
  ['a byte order mark in a later line', 'data: x\n\n\xef\xbb\xbf\n', false],
  ['a line of blanks, which is not blank', 'data: x\n \n', false],
  ['the line ends of Unicode, which are none', 'data: x\xc2\x85\xc2\x85', false],
];
for (const [what, text, ends] of BODIES) {
  await t.test(`a body of ${what} is ${ends ? '' : 'not '}at an event end`, async (t) => {
    t.equal(trackerAfter(text).isAtEventEnd, ends);
  });
}

await t.test('pushUntilEventEnd takes the LF of the last CRLF only if it is there', async (t) => {
  const whole = Buffer.from('x\r\n\r\ny', 'latin1');
  const tracker = new EventStreamTracker();
  tracker.push(whole, 0, 1);
  t.equal(tracker.pushUntilEventEnd(whole, 1, 6), 5);
  const split = trackerAfter('x');
  t.equal(split.pushUntilEventEnd(whole, 1, 4), 4);
  t.equal(split.pushUntilEventEnd(whole, 4, 6), 4, 'at an end already, nothing is taken');
  split.push(whole, 4, 5);
  t.equal(split.isAtEventEnd, true);
});

await t.test('push looks at no more than four bytes of a later piece', async (t) => {
  let looks = 0;
  const watched = new Proxy(Buffer.alloc(1_000, 'x\n'), {
    get(target, key): unknown {
      if (typeof key === 'string' && Number.isInteger(Number(key))) looks++;
      return Reflect.get(target, key, target);
    },
  });
  const tracker = trackerAfter('data');
  tracker.push(watched, 0, 1_000);
  t.ok(looks <= 4, `${looks} bytes`);
  t.equal(tracker.isAtEventEnd, false);
});
