// What is shown while a command waits: a line that changes, a screen that is drawn over.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import t from 'tap';
import { unlessInterrupted } from '../../../../src/cli/terminal/interrupt.ts';
import { liveLine, liveScreen } from '../../../../src/cli/terminal/live.ts';
import { widthOf } from '../../../../src/cli/terminal/width.ts';
import { fakeTerminal } from '../support/terminal.ts';

await t.test('a live line is drawn over, never wider than the window, and gone at the end', (t) => {
  const terminal = fakeTerminal({ isLive: true, window: { columns: 20, rows: 5 } });
  const line = liveLine(terminal);
  line.show('one');
  line.show('one');
  line.show('x'.repeat(50));
  line.end();
  line.end();
  t.same(terminal.raws, ['\r\u001b[2Kone', `\r\u001b[2K${'x'.repeat(18)}…`, '\r\u001b[2K']);
  t.same(terminal.errs, []);
  t.end();
});

await t.test('a live line that was never shown leaves no trace', (t) => {
  const terminal = fakeTerminal({ isLive: true });
  liveLine(terminal).end();
  t.same(terminal.raws, []);
  t.end();
});

await t.test('where nobody watches, a log gets a line now and then', (t) => {
  const terminal = fakeTerminal();
  let nowMs = 0;
  t.intercept(performance, 'now', { value: () => nowMs });
  const line = liveLine(terminal);
  for (let step = 0; step < 25; step++) {
    line.show(`step ${step}`);
    nowMs += 1_000;
  }
  line.end();
  t.same(terminal.errs, ['step 0', 'step 10', 'step 20']);
  t.same(terminal.raws, []);
  t.end();
});

await t.test('a screen is drawn over in place and given back as it was', (t) => {
  const terminal = fakeTerminal({ window: { columns: 10, rows: 3 } });
  const screen = liveScreen(terminal);
  screen.show('a line that is too long', 'foot');
  screen.show(['1', '2', '3', '4', '5'].join('\n'), 'foot');
  screen.end();
  const [begin, first, second, end] = terminal.draws;
  t.equal(begin, '\u001b[?1049h\u001b[?25l\u001b[?7l');
  t.equal(first, '\u001b[Ha line th…\u001b[K\r\n\u001b[K\r\nfoot\u001b[K\u001b[J');
  t.equal(second, '\u001b[H1\u001b[K\r\n… 4 more …\u001b[K\r\nfoot\u001b[K\u001b[J');
  t.equal(end, '\u001b[?7h\u001b[?25h\u001b[?1049l');
  for (const line of second!.split('\r\n')) t.ok(widthOf(line.replace(/\u001b\[[HKJ]/g, '')) <= 10);
  t.end();
});

/** Returns three lines and a foot as a window of so many rows shows them. */
function shownIn(rows: number): readonly string[] {
  const terminal = fakeTerminal({ window: { columns: 20, rows } });
  liveScreen(terminal).show('1\n2\n3', 'foot');
  const lines = terminal.draws.at(-1)!.split('\r\n');
  return lines.map((line) => line.replaceAll(/\u001b\[[HKJ]/g, ''));
}

await t.test('no window is too small for the foot', (t) => {
  t.same(shownIn(5), ['1', '2', '3', '', 'foot']);
  t.same(shownIn(4), ['1', '2', '… 1 more line', 'foot']);
  t.same(shownIn(2), ['… 3 more lines', 'foot']);
  t.same(shownIn(1), ['foot']);
  t.end();
});

await t.test('a signal ends a wait, and nothing listens afterwards', async (t) => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    const { signals, ...rest } = fakeTerminal();
    let told: AbortSignal | undefined;
    const waiting = unlessInterrupted({ ...rest, signals }, async (interrupted) => {
      told = interrupted;
      return await new Promise<string>(() => {});
    });
    signals.emit(name);
    t.equal(await waiting, undefined);
    t.equal(told?.aborted, true);
    t.same(signals.eventNames(), []);
  }
});

await t.test('a wait that ends by itself gives what it waited for', async (t) => {
  const terminal = fakeTerminal();
  t.equal(await unlessInterrupted(terminal, async () => 'there'), 'there');
  await t.rejects(
    unlessInterrupted(terminal, async () => {
      throw new Error('broken');
    }),
    { message: 'broken' },
  );
  t.same(terminal.signals.eventNames(), []);
});
