// Lines of a log on their way out. A log never waits for its reader: lines are held up to a bound, what
// comes then is dropped whole and counted, and the count is told once the log flows again. Does not know
// where the lines go.

import { countText } from './count-text.ts';

/** Where lines go; another one is opened after it has failed. */
export interface LogOutlet {
  /** No more is given to it at once, but for one line that is longer alone. */
  readonly pieceBytes: number;
  /**
   * Writes whole lines. `done` hears later, and not within this call, that they are out, or why they
   * can't be.
   */
  write(lines: string, done: (error: Error | undefined) => void): void;
  close(): void;
}

interface LogWriterParts {
  /** May throw: then lines are dropped, until a later try. */
  readonly open: () => LogOutlet;
  /** Bytes held for a reader that is slow. */
  readonly heldBytesMax: number;
  /** Lines are gathered for this long, or until a piece is full; 0: each is written at once. */
  readonly gatherMs: number;
  /** Returns the line that tells of `count` lines that were dropped. */
  readonly told: (count: number) => string;
  /** Hears of lines that are dropped. */
  readonly onDropped: (count: number) => void;
}

/** Lines that are written together. */
interface Piece {
  text: string;
  bytes: number;
  lines: number;
}

/** After a failure (a full disk, a reader that has gone) the next try is this much later. */
const REOPEN_MS = 1_000;

/** Returns what is told of lines that were dropped. */
export function droppedText(count: number): string {
  return `${countText(count, 'line')} of the log ${count === 1 ? 'was' : 'were'} dropped: what reads it was too slow or gone`;
}

export class LogWriter {
  readonly #parts: LogWriterParts;
  #outlet: LogOutlet | undefined;
  #retryAtMs = -Infinity;
  /** In order. The first is being written while `#isWriting`; the last takes more lines. */
  #pieces: Piece[] = [];
  #heldBytes = 0;
  #isWriting = false;
  /** What is gathered is to be written too. */
  #isFlushing = false;
  /** Dropped since the last time that this was told. */
  #untold = 0;
  #waiting: (() => void)[] = [];

  constructor(parts: LogWriterParts) {
    this.#parts = parts;
    if (parts.gatherMs > 0) setInterval(() => this.flush(), parts.gatherMs).unref();
  }

  /** Takes one line, with its end; never waits. */
  add(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#heldBytes + bytes > this.#parts.heldBytesMax) {
      this.#drop(1);
      return;
    }
    this.#hold(line, bytes);
    this.#writeNext();
  }

  /** Gives on what was gathered. `done`: nothing is held any more. */
  flush(done?: () => void): void {
    if (done !== undefined) this.#waiting.push(done);
    this.#isFlushing = true;
    this.#writeNext();
    this.#lookIfEmpty();
  }

  #hold(line: string, bytes: number): void {
    this.#heldBytes += bytes;
    const last = this.#pieces.at(-1);
    const isBeingWritten = this.#isWriting && this.#pieces.length === 1;
    const pieceBytes = this.#outlet?.pieceBytes ?? 0;
    if (last === undefined || isBeingWritten || last.bytes + bytes > pieceBytes) {
      this.#pieces.push({ text: line, bytes, lines: 1 });
      return;
    }
    last.text += line;
    last.bytes += bytes;
    last.lines++;
  }

  /** The last piece waits for more lines, unless nothing is gathered. */
  #writeNext(): void {
    const isGathering = this.#parts.gatherMs > 0 && !this.#isFlushing && this.#outlet !== undefined;
    if (this.#isWriting || this.#pieces.length <= (isGathering ? 1 : 0)) return;
    const outlet = this.#opened();
    if (outlet === undefined) {
      this.#dropHeld();
      return;
    }
    this.#isWriting = true;
    outlet.write(this.#pieces[0]!.text, (error) => this.#written(error));
  }

  #written(error: Error | undefined): void {
    this.#isWriting = false;
    if (error === undefined) {
      this.#heldBytes -= this.#pieces.shift()!.bytes;
      if (this.#untold > 0 && this.#heldBytes * 2 <= this.#parts.heldBytesMax) this.#tell();
      this.#writeNext();
    } else {
      this.#outlet?.close();
      this.#outlet = undefined;
      this.#retryAtMs = performance.now() + REOPEN_MS;
      this.#dropHeld();
    }
    this.#lookIfEmpty();
  }

  #opened(): LogOutlet | undefined {
    if (this.#outlet === undefined && performance.now() >= this.#retryAtMs) {
      try {
        this.#outlet = this.#parts.open();
      } catch {
        this.#retryAtMs = performance.now() + REOPEN_MS;
      }
    }
    return this.#outlet;
  }

  #tell(): void {
    const line = this.#parts.told(this.#untold);
    this.#untold = 0;
    this.#hold(line, Buffer.byteLength(line));
  }

  #dropHeld(): void {
    const count = this.#pieces.reduce((sum, { lines }) => sum + lines, 0);
    this.#pieces = [];
    this.#heldBytes = 0;
    this.#drop(count);
  }

  #drop(count: number): void {
    this.#untold += count;
    if (count > 0) this.#parts.onDropped(count);
  }

  #lookIfEmpty(): void {
    if (this.#pieces.length > 0) return;
    this.#isFlushing = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}
