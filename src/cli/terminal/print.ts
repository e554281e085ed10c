// What people and scripts get to read: aligned tables, colors on terminals only, JSON.

import { stripVTControlCharacters, styleText } from 'node:util';
import { visibleJson } from '../../base/visible-text.ts';
import type { Signs } from './signs.ts';

/** Where a command writes, and what it is told. */
export interface Terminal {
  /** Results: what a script reads. */
  readonly out: (text: string) => void;
  /** Everything else: faults, hints. */
  readonly err: (text: string) => void;
  /** Writes to standard error as it is; only where `isLive`. */
  readonly raw: (text: string) => void;
  /** Writes to standard output as it is; only where `isInteractive`. */
  readonly draw: (text: string) => void;
  /** A person watches standard output. */
  readonly isInteractive: boolean;
  /** A person watches standard error: a line of it may change while a command waits. */
  readonly isLive: boolean;
  /** On standard output. */
  readonly hasColors: boolean;
  /** On standard error. */
  readonly hasErrorColors: boolean;
  readonly signs: Signs;
  /** Returns the size of the window that shows standard output; undefined: it is none. */
  readonly size: () => WindowSize | undefined;
  /** Returns the width of the window that shows standard error. */
  readonly liveColumns: () => number;
  /** Calls `listener` when the window changes its size; returns what ends that. */
  readonly onResize: (listener: () => void) => () => void;
  /**
   * Shows `question` and resolves with the line that a person types, '' at the end of input.
   * Undefined: no person is there to be asked.
   */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Standard input, for a command that was told to read it. */
  readonly input: () => AsyncIterable<Uint8Array>;
  /** True once the reader of standard output has gone. */
  readonly isClosed: () => boolean;
  readonly signals: Signals;
  /** Stops this process until the shell lets it go on (Ctrl-Z). */
  readonly suspend: () => void;
  /** Returns the time of day in ms since the epoch. */
  readonly nowMs: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** Signals of this process; a listener takes the place of what a signal does by itself. */
interface Signals {
  on(name: NodeJS.Signals, listener: () => void): unknown;
  off(name: NodeJS.Signals, listener: () => void): unknown;
}

type Style = 'blue' | 'green' | 'red' | 'yellow' | 'bold' | 'dim';

/** Returns `text` for standard output, in a style where that has any. */
export function styled(terminal: Terminal, style: Style, text: string): string {
  if (!terminal.hasColors || text === '') return text;
  return styleText(style, text, { validateStream: false });
}

/** Returns `terminal` with the styles that standard error has. */
export function errorSide(terminal: Terminal): Terminal {
  return { ...terminal, hasColors: terminal.hasErrorColors };
}

/** Returns `text` for standard error, in a style where that has any. */
export function styledError(terminal: Terminal, style: Style, text: string): string {
  return styled(errorSide(terminal), style, text);
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

/** Returns a value as JSON for a script: its very text, in characters that a terminal can show. */
export function jsonText(value: unknown): string {
  return visibleJson(JSON.stringify(value));
}

/** Returns how many cells of a window `text` takes, its styles left out. */
export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Returns one line cut to `columns` cells, with a sign that something is missing; styles stay whole. */
export function fit({ signs }: Pick<Terminal, 'signs'>, line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  const sign = signs.ellipsis.slice(0, columns);
  let room = columns - sign.length;
  let cut = '';
  let hasStyle = false;
  // Styles take no room; whatever else stands here does.
  for (const [part] of line.matchAll(STYLE_OR_TEXT)) {
    if (part.startsWith('\u001B')) {
      cut += part;
      hasStyle = true;
    } else if (room > 0) {
      cut += part.slice(0, room);
      room -= Math.min(room, part.length);
    }
  }
  return `${cut}${hasStyle ? '\u001B[0m' : ''}${sign}`;
}

// oxlint-disable-next-line no-control-regex -- styles begin with one
const STYLE_OR_TEXT = /\u001B\[[\d;]*m|[^\u001B]+|\u001B/g;
