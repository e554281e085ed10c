// Standard output as a place for lines that is never waited for, whatever it is: a pipe, a socket, a
// terminal, a file. Knows nothing of the lines.
//
// A write to a pipe that is not read would hold a thread for ever. O_NONBLOCK prevents that, but it
// belongs to everything that has inherited the pipe: another program may take it back at its end, as
// Node itself does. So where the system lets it, the pipe is opened once more for this writer alone, as
// libuv does with terminals. A socket (the journal of systemd) can't be opened again: there the flag is
// set on what was inherited.

import { closeSync, constants, fstatSync, openSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import type { LogOutlet } from './log-writer.ts';

const STDOUT = 1;
const STDERR = 2;
/**
 * What is not longer goes into a pipe whole or not at all (PIPE_BUF, pipe(7)): so lines of several threads
 * never tear each other.
 */
const PIPE_PIECE_BYTES = 4_096;
const FILE_PIECE_BYTES = 16_384;
/** A terminal that was stopped (Ctrl-S) is asked again this much later. */
const BUSY_MS = 100;

/** Opens standard output. */
export function openStdout(): LogOutlet {
  const found = fstatSync(STDOUT);
  if (found.isFIFO() || found.isSocket()) return new StreamOutlet(ownDescriptor() ?? STDOUT);
  return new FileOutlet(isatty(STDOUT) ? (ownDescriptor() ?? STDOUT) : STDOUT);
}

/**
 * To be called when another process goes on with what this one has inherited. At its end Node would put
 * the output back to how it was found, and a write of the other process could wait for its reader then.
 */
export function leaveOutputAsItIs(): void {
  process.once('exit', () => {
    for (const fd of [STDOUT, STDERR]) closeSync(fd);
  });
}

function ownDescriptor(): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${STDOUT}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined; // A socket, another user's, no reader now, or another system.
  }
}

/** A pipe or a socket: written as the loop finds room. */
class StreamOutlet implements LogOutlet {
  readonly pieceBytes = PIPE_PIECE_BYTES;
  readonly #socket: Socket;

  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: false, writable: true });
    this.#socket.on('error', () => {}); // Each write tells its own failure.
    this.#socket.unref();
  }

  write(lines: string, done: (error: Error | undefined) => void): void {
    this.#socket.write(lines, (error) => done(error ?? undefined));
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A file or a terminal: written by the threads of the system's calls. */
class FileOutlet implements LogOutlet {
  readonly pieceBytes = FILE_PIECE_BYTES;
  readonly #fd: number;
  /** The disk was full in the middle of a line. */
  #isMidLine = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(lines: string, done: (error: Error | undefined) => void): void {
    this.#writeFrom(Buffer.from(this.#isMidLine ? `\n${lines}` : lines), 0, done);
  }

  close(): void {
    if (this.#fd !== STDOUT) closeSync(this.#fd);
  }

  #writeFrom(bytes: Buffer, from: number, done: (error: Error | undefined) => void): void {
    write(this.#fd, bytes, from, bytes.length - from, null, (error, count) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeFrom(bytes, from, done), BUSY_MS).unref();
        return;
      }
      const end = from + (error === null ? count : 0);
      if (error === null && end < bytes.length) this.#writeFrom(bytes, end, done);
      else {
        this.#isMidLine = end > 0 && end < bytes.length;
        done(error ?? undefined);
      }
    });
  }
}
