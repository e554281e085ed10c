// Turnout's commands on a terminal of their own: script(1) opens a pseudo-terminal, the test types
// and reads. What is typed goes through the line discipline of the kernel, as from a keyboard.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import type { Test } from 'tap';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';
export const CTRL_Z = '\u001a';

interface Scene {
  readonly columns?: number;
  readonly rows?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface OpenTerminal {
  /** Everything that was written to the terminal so far. */
  readonly output: () => string;
  /** The same without what steers the terminal, lines ended by `\n`. */
  readonly text: () => string;
  readonly type: (text: string) => void;
  /** Resolves once what was written after `from` characters matches; resolves with their number. */
  readonly until: (pattern: RegExp, from?: number) => Promise<number>;
  readonly resize: (columns: number, rows: number) => void;
  /** Returns the processes of this terminal whose command line matches, as ps(1) tells them. */
  readonly processes: (pattern: RegExp) => readonly { pid: number; state: string }[];
  /** Exit code of the shell line; 128 and a number where a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Runs a line of sh on a new terminal, in which `turnout` is the command line of this checkout. */
export function openTerminal(
  t: Test,
  line: string,
  { columns = 120, rows = 40, environment = {} }: Scene = {},
): OpenTerminal {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('TURNOUT_') && name !== 'NO_COLOR' && name !== 'FORCE_COLOR',
  );
  const command = [
    `turnout() { ${quote(process.execPath)} ${quote(MAIN)} "$@"; }`,
    `stty cols ${columns} rows ${rows}`,
    'echo "<$(tty)>"',
    line,
  ].join('\n');
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: {
      ...Object.fromEntries(inherited),
      SHELL: '/bin/sh',
      TERM: 'xterm-256color',
      LC_ALL: 'C.UTF-8',
      ...environment,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (part: Buffer) => {
    output += part.toString();
    for (const look of waiting) look();
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const until = async (pattern: RegExp, from = 0): Promise<number> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (pattern.test(output.slice(from))) resolve();
    };
    waiting.add(look);
    look();
    const early = ended.then(() => {
      look();
      throw new Error(`expected ${pattern}, got ${JSON.stringify(output.slice(from))}`);
    });
    early.catch(() => {}); // Most often it came before the end.
    await Promise.race([promise, early]);
    waiting.delete(look);
    return output.length;
  };
  const device = (): string => /<(\S+)>/.exec(output)![1]!;
  return {
    output: () => output,
    text: () => stripVTControlCharacters(output).replaceAll('\r\n', '\n'),
    type: (text) => void child.stdin.write(text),
    until,
    resize: (columns, rows) => {
      const size = ['cols', String(columns), 'rows', String(rows)];
      execFileSync('stty', ['-F', device(), ...size]);
    },
    processes: (pattern) => {
      const columns = ['-o', 'pid=,stat=,args=', '-ww'];
      const told = execFileSync('ps', ['-t', device(), ...columns], { encoding: 'utf8' });
      return [...told.matchAll(/^ *(\d+) +(\S+) +(.*)$/gm)]
        .filter(([, , , args]) => pattern.test(args!))
        .map(([, pid, state]) => ({ pid: Number(pid), state: state! }));
    },
    ended,
  };
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
