// Lines on their way out: held while the reader is slow, dropped whole beyond the bound, counted, told.

import t, { type Test } from 'tap';
import { LogWriter, type LogOutlet } from '../../../src/base/log-writer.ts';

/** An outlet that finishes a write when the test says so. */
class SlowOutlet implements LogOutlet {
  readonly pieceBytes = 20;
  readonly written: string[] = [];
  closed = 0;
  #done: ((error: Error | undefined) => void)[] = [];

  write(lines: string, done: (error: Error | undefined) => void): void {
    this.written.push(lines);
    this.#done.push(done);
  }

  close(): void {
    this.closed++;
  }

  /** Ends the write that runs. */
  finish(error?: Error): void {
    this.#done.shift()?.(error);
  }

  finishAll(): void {
    while (this.#done.length > 0) this.finish();
  }
}

function open(t: Test, { gatherMs = 0, opens = () => new SlowOutlet() } = {}) {
  let nowMs = 0;
  t.intercept(performance, 'now', { value: () => nowMs });
  const dropped: number[] = [];
  const outlets: SlowOutlet[] = [];
  const writer = new LogWriter({
    open: () => {
      const outlet = opens();
      outlets.push(outlet);
      return outlet;
    },
    heldBytesMax: 100,
    gatherMs,
    told: (count) => `dropped ${count}\n`,
    onDropped: (count) => dropped.push(count),
  });
  const later = (ms: number): void => void (nowMs += ms);
  return { writer, outlets, dropped, later };
}

await t.test('a line is written at once; those that come meanwhile go together', async (t) => {
  const { writer, outlets } = open(t);
  for (const line of ['a\n', 'b\n', 'c\n', 'a long line of more\n', 'd\n']) writer.add(line);
  t.strictSame(outlets[0]!.written, ['a\n']);
  outlets[0]!.finishAll();
  t.strictSame(outlets[0]!.written, ['a\n', 'b\nc\n', 'a long line of more\n', 'd\n']);
});

await t.test(
  'a gathering writer waits until a piece is full, or until it is flushed',
  async (t) => {
    const { writer, outlets } = open(t, { gatherMs: 60_000 });
    writer.add('first\n'); // Opens the outlet.
    const [outlet] = outlets as [SlowOutlet];
    outlet.finish();
    for (const line of ['12345678\n', '12345678\n']) writer.add(line);
    t.strictSame(outlet.written, ['first\n'], 'they wait for more');
    writer.add('12345678\n');
    t.strictSame(outlet.written.slice(1), ['12345678\n12345678\n']);
    outlet.finish();
    t.equal(outlet.written.length, 2);
    let isDone = false;
    writer.flush(() => (isDone = true));
    t.equal(outlet.written[2], '12345678\n');
    t.equal(isDone, false);
    outlet.finish();
    t.equal(isDone, true);
  },
);

await t.test(
  'what does not fit is dropped whole, counted, and told when it flows again',
  async (t) => {
    const { writer, outlets, dropped } = open(t);
    const line = `${'x'.repeat(39)}\n`;
    for (let count = 0; count < 5; count++) writer.add(line);
    t.strictSame(dropped, [1, 1, 1], 'two of 40 bytes are held, of 100');
    const [outlet] = outlets as [SlowOutlet];
    outlet.finishAll();
    t.strictSame(outlet.written, [line, line, 'dropped 3\n'], 'told once, behind what was held');
    writer.add('on\n');
    outlet.finishAll();
    t.strictSame(outlet.written.slice(3), ['on\n']);
  },
);

await t.test('bytes are counted, not characters', async (t) => {
  const { writer, dropped } = open(t);
  writer.add(`${'é'.repeat(49)}\n`);
  writer.add('ab\n');
  t.strictSame(dropped, [1]);
});

await t.test('after a failure nothing is held, and a later line tries again', async (t) => {
  const { writer, outlets, dropped, later } = open(t);
  writer.add('a\n');
  writer.add('b\n');
  let isDone = false;
  writer.flush(() => (isDone = true));
  outlets[0]!.finish(new Error('EPIPE'));
  t.strictSame([dropped, outlets[0]!.closed, isDone], [[2], 1, true]);
  writer.add('c\n');
  t.equal(outlets.length, 1, 'not at once again');
  later(1_000);
  writer.add('d\n');
  t.equal(outlets.length, 2);
  outlets[1]!.finishAll();
  t.strictSame(outlets[1]!.written, ['d\n', 'dropped 3\n']);
});

await t.test('an outlet that cannot be opened costs lines and nothing else', async (t) => {
  let isThere = false;
  const { writer, outlets, dropped, later } = open(t, {
    opens: () => {
      if (!isThere) throw new Error('EBADF');
      return new SlowOutlet();
    },
  });
  writer.add('a\n');
  t.strictSame(dropped, [1]);
  isThere = true;
  later(1_000);
  writer.add('b\n');
  t.strictSame(outlets[0]!.written, ['b\n']);
});

await t.test('waiting for a reader that does not come holds no more than the bound', async (t) => {
  const { writer, outlets, dropped } = open(t, { gatherMs: 60_000 });
  for (let count = 0; count < 1_000; count++) {
    writer.add('123456789\n');
    writer.flush();
  }
  t.equal(dropped.length, 990);
  outlets[0]!.finishAll();
  const held = outlets[0]!.written.join('').length;
  t.ok(held <= 100 + 'dropped 990\n'.length, `${held} bytes`);
});
