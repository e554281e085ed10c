// The terminal of this process: its streams, its window, its keyboard, its signals. Nothing else
// under cli/ touches them.

import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import { visibleLines } from '../../base/visible-text.ts';
import type { Terminal, WindowSize } from './print.ts';
import { signsOf } from './signs.ts';

/** A window that does not say how large it is, as of a serial line. */
const UNKNOWN_WINDOW: WindowSize = { columns: 80, rows: 24 };

export interface ProcessTerminal extends Terminal {
  /** Resolves when all was written; false: something was lost on the way to a file. */
  readonly flushed: () => Promise<boolean>;
}

/** Returns the terminal of this process. Colors need one on the stream, and no NO_COLOR. */
export function processTerminal(): ProcessTerminal {
  const { env, stdin, stdout, stderr } = process;
  // no-color.org: set and not empty means none.
  const wantsColors = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const isTerminal = isatty(stdout.fd);
  const isLive = isatty(stderr.fd);
  const outlet = watch(stdout, (text) => void stderr.write(text));
  watch(stderr, () => {});
  return {
    out: (text) => void stdout.write(`${visibleLines(text)}\n`),
    err: (text) => void stderr.write(`${visibleLines(text)}\n`),
    raw: (text) => void stderr.write(text),
    draw: (text) => void stdout.write(text),
    isInteractive: isTerminal,
    isLive,
    hasColors: isTerminal && wantsColors,
    hasErrorColors: isLive && wantsColors,
    signs: signsOf(env),
    size: () => (isTerminal ? sizeOf(stdout) : undefined),
    liveColumns: () => sizeOf(stderr).columns,
    onResize: (listener) => {
      stdout.on('resize', listener);
      return () => void stdout.off('resize', listener);
    },
    ask: isatty(stdin.fd) && isLive ? askPerson : undefined,
    keys: isatty(stdin.fd) && isTerminal ? hearKeys : undefined,
    input: () => stdin,
    isClosed: () => outlet.isClosed,
    signals: process,
    // SIGTSTP has a listener then; this one can't have any.
    suspend: () => void process.kill(process.pid, 'SIGSTOP'),
    nowMs: () => Date.now(),
    environment: env,
    flushed: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (outlet.isClosed || outlet.hasFailed) return !outlet.hasFailed;
      stdout.write('', () => resolve());
      await promise;
      return !outlet.hasFailed;
    },
  };
}

interface Outlet {
  isClosed: boolean;
  hasFailed: boolean;
}

/** Hears what goes wrong with a stream, which would otherwise end the process with a stack. */
function watch(stream: NodeJS.WriteStream, complain: (text: string) => void): Outlet {
  const outlet = { isClosed: false, hasFailed: false };
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // `turnout history | head -1`: the reader has closed the pipe, which is no fault.
    if (error.code === 'EPIPE' || error.code === 'EIO') {
      outlet.isClosed = true;
      return;
    }
    if (!outlet.hasFailed) complain(`turnout: the output cannot be written (${error.code})\n`);
    outlet.hasFailed = true;
  });
  return outlet;
}

function sizeOf(stream: NodeJS.WriteStream): WindowSize {
  // A window that says 0 has not been told its size.
  return {
    columns: stream.columns || UNKNOWN_WINDOW.columns,
    rows: stream.rows || UNKNOWN_WINDOW.rows,
  };
}

const CTRL_C = '\u0003';

/** Several letters at once were pasted, or are a key such as an arrow: not typed to be obeyed. */
function hearKeys(onKey: (key: string) => void): () => void {
  const { stdin } = process;
  const onData = (part: Buffer): void => {
    const text = part.toString();
    if (text.includes(CTRL_C)) onKey(CTRL_C);
    else if (text.length === 1) onKey(text);
  };
  stdin.setRawMode(true);
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.pause();
    stdin.setRawMode(false);
  };
}

/** The kernel edits the line and hears Ctrl-C: nothing has to be restored afterwards. */
async function askPerson(question: string): Promise<string> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: false,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  lines.once('close', () => resolve(''));
  lines.question(question, resolve);
  const answer = await promise;
  lines.close();
  return answer;
}
