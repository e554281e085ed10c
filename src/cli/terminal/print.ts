// What people and scripts get to read: aligned tables, colors on terminals only, JSON.

import { styleText } from 'node:util';
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
  /**
   * Calls `onKey` with each key that a person presses, Ctrl-C and Ctrl-Z included, which are no signals
   * meanwhile; returns what ends that. Undefined: no person is there to press any.
   */
  readonly keys: ((onKey: (key: string) => void) => () => void) | undefined;
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

/** Returns a value as JSON for a script: its very text, in characters that a terminal can show. */
export function jsonText(value: unknown): string {
  return visibleJson(JSON.stringify(value));
}
