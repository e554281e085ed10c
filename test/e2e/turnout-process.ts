// Turnout as a real process: started like a user starts it, asked through its own commands.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Who runs a process; empty: the user of the test. */
export interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** Runs a command to its end. Variables of this shell that are Turnout's are left out. */
export async function turnout(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  user: User = {},
): Promise<Ended> {
  const child = launch(args, environment, user);
  let out = '';
  let err = '';
  child.stdout?.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (err += part.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: out.trimEnd(), err: err.trimEnd() };
}

export interface Running {
  /** `127.0.0.1:12345`. */
  readonly proxy: string;
  readonly admin: string;
  readonly process: ChildProcess;
  /** Lines on stdout so far. */
  readonly lines: readonly string[];
  /** Resolves with the first line, past or to come, that `wanted` accepts. */
  line(wanted: (line: string) => boolean): Promise<string>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

/** Starts `turnout run` on free ports of loopback; resolves when it says that it is ready. */
export async function startTurnout(
  t: Test,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  user: User = {},
): Promise<Running> {
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
  const state = ['--state', temporaryDirectory(t)];
  return startAsGiven(t, [...listen, ...state, ...args], environment, user);
}

/** Starts `turnout run` with `args` alone; resolves when it says that it is ready. */
export async function startAsGiven(
  t: Test,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  user: User = {},
): Promise<Running> {
  const process = launch(['run', ...args], environment, user);
  t.teardown(() => process.kill('SIGKILL'));
  const lines: string[] = [];
  const waiting = new Set<{ wanted: (line: string) => boolean; resolve: (line: string) => void }>();
  createInterface({ input: process.stdout! }).on('line', (text) => {
    lines.push(text);
    for (const one of waiting) if (one.wanted(text)) one.resolve(text);
  });
  let errors = '';
  process.stderr!.on('data', (part: Buffer) => (errors += part.toString()));
  const ended = once(process, 'close').then(([code]) => code as number | null);
  const line = async (wanted: (line: string) => boolean): Promise<string> => {
    const past = lines.find(wanted);
    if (past !== undefined) return past;
    const { promise, resolve } = Promise.withResolvers<string>();
    waiting.add({ wanted, resolve });
    return await promise;
  };
  const early = ended.then((code) => {
    throw new Error(`expected a start, got exit code ${code}: ${errors}`);
  });
  const ready = await Promise.race([line((text) => text.includes('"msg":"ready"')), early]);
  early.catch(() => {}); // Later ends are for the test to judge.
  const said: unknown = JSON.parse(ready);
  const { listen: proxy, admin } = said as { readonly listen: string; readonly admin: string };
  return { proxy, admin, process, lines, line, ended };
}

/** Returns a directory that is removed with the test. */
export function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'turnout-e2e-'));
  t.teardown(() => {
    // A process that was killed may write for a moment longer.
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  return directory;
}

/** Starts a child without waiting for anything. */
export function launch(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  user: User = {},
): ChildProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TURNOUT_'));
  return spawn(process.execPath, [MAIN, ...args], {
    ...user,
    // Signs that are printed are those of this locale, whatever the machine has.
    env: { ...Object.fromEntries(inherited), LC_ALL: 'C.UTF-8', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
