// What people and scripts get to read: aligned tables, colors on terminals only, JSON.

import { isatty } from 'node:tty';
import { stripVTControlCharacters, styleText } from 'node:util';

/** Where a command writes, and what it is told. */
export interface Terminal {
  /** Results: what a script reads. */
  readonly out: (text: string) => void;
  /** Everything else: faults, hints. */
  readonly err: (text: string) => void;
  /** Writes to the terminal as it is; only where a person watches. */
  readonly raw: (text: string) => void;
  /** A person watches. */
  readonly isInteractive: boolean;
  readonly hasColors: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Returns the terminal of this process. Colors need one on stdout, and no NO_COLOR. */
export function processTerminal(): Terminal {
  const { env, stdout, stderr } = process;
  // no-color.org: set and not empty means none.
  const wantsColors = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const isTerminal = isatty(stdout.fd);
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    raw: (text) => void stderr.write(text),
    isInteractive: isTerminal,
    hasColors: isTerminal && wantsColors,
    environment: env,
  };
}

type Style = 'blue' | 'green' | 'red' | 'yellow' | 'bold' | 'dim';

/** Returns `text` in a style where the terminal has any. */
export function styled(terminal: Terminal, style: Style, text: string): string {
  if (!terminal.hasColors) return text;
  return styleText(style, text, { validateStream: false });
}

/** One line that changes while a command waits; gone in the end. */
export interface LiveLine {
  readonly show: (text: string) => void;
  readonly end: () => void;
}

/** Returns the live line of `terminal`; where nobody watches, each new text is a line of its own. */
export function liveLine(terminal: Terminal): LiveLine {
  let last = '';
  return {
    show(text) {
      if (text === last) return;
      last = text;
      if (terminal.isInteractive) terminal.raw(`\r\u001B[2K${text}`);
      else terminal.err(text);
    },
    end() {
      if (terminal.isInteractive && last !== '') terminal.raw('\r\u001B[2K');
    },
  };
}

/** Returns the name of a color in that color. */
export function colorName(terminal: Terminal, color: string): string {
  return color === 'blue' || color === 'green' ? styled(terminal, color, color) : color;
}

/** Returns `rows` with their columns aligned, two spaces apart; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    }
  }
  const pad = (cell: string, column: number): string =>
    cell + ' '.repeat(widths[column]! - widthOf(cell));
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** Returns text from outside without what would steer a terminal. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
