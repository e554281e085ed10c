// What a command shows while it waits: one line that changes, or a whole screen.

import type { Terminal } from './print.ts';
import { fit } from './width.ts';

/** One line that changes while a command waits; gone in the end. */
export interface LiveLine {
  readonly show: (text: string) => void;
  readonly end: () => void;
}

/** Where no person watches, a log gets a line this often at most. */
const LOG_LINE_EVERY_MS = 10_000;

/**
 * Returns the live line of `terminal`, on standard error. Where no person watches, a text that is new
 * is a line of its own, now and then.
 */
export function liveLine(terminal: Terminal): LiveLine {
  let last = '';
  let loggedAtMs = -Infinity;
  return {
    show(text) {
      if (text === last) return;
      if (terminal.isLive) {
        // A line that wraps could not be taken back.
        terminal.raw(`\r\u001B[2K${fit(terminal, text, terminal.liveColumns() - 1)}`);
      } else {
        if (performance.now() - loggedAtMs < LOG_LINE_EVERY_MS) return;
        loggedAtMs = performance.now();
        terminal.err(text);
      }
      last = text;
    },
    end() {
      if (terminal.isLive && last !== '') terminal.raw('\r\u001B[2K');
      last = '';
    },
  };
}

/** A line that shows nothing: for scripts that read JSON. */
export const NO_LINE: LiveLine = { show: () => {}, end: () => {} };

const ALTERNATE_SCREEN = '\u001B[?1049h';
const MAIN_SCREEN = '\u001B[?1049l';
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const NO_WRAP = '\u001B[?7l';
const WRAP = '\u001B[?7h';
const HOME = '\u001B[H';
const ERASE_LINE_END = '\u001B[K';
const ERASE_BELOW = '\u001B[J';

/** A picture that is drawn over and over, on a screen of its own. */
export interface LiveScreen {
  /** Draws `text`, and below it `foot`, which stays where the window has no room for all. */
  readonly show: (text: string, foot: string) => void;
  /** Gives the terminal back as it was. */
  readonly end: () => void;
}

/** Opens the alternate screen; what was on the terminal before comes back at the end. */
export function liveScreen(terminal: Terminal): LiveScreen {
  terminal.draw(ALTERNATE_SCREEN + HIDE_CURSOR + NO_WRAP);
  return {
    show(text, foot) {
      // Each line is drawn over the one before, so that nothing flickers.
      const lines = cutToWindow(terminal, text.split('\n'), foot);
      terminal.draw(HOME + lines.join(`${ERASE_LINE_END}\r\n`) + ERASE_LINE_END + ERASE_BELOW);
    },
    end() {
      terminal.draw(WRAP + SHOW_CURSOR + MAIN_SCREEN);
    },
  };
}

function cutToWindow(
  terminal: Terminal,
  lines: readonly string[],
  foot: string,
): readonly string[] {
  const { columns, rows } = terminal.size() ?? { columns: Infinity, rows: Infinity };
  const whole = [...lines, '', foot].map((line) => fit(terminal, line, columns));
  if (whole.length <= rows) return whole;
  // Two lines are for what is left out and for the foot.
  const shown = Math.max(0, rows - 2);
  const hidden = lines.length - shown;
  const more = `${terminal.signs.ellipsis} ${hidden} more ${hidden === 1 ? 'line' : 'lines'}`;
  return [...whole.slice(0, shown), fit(terminal, more, columns), whole.at(-1)!].slice(-rows);
}
