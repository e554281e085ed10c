// One run of a program: without a shell, in a process group of its own, with nothing to read and an
// environment that its caller chose. Ends with all of its group. Knows no gate and no exit code's meaning.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { codeOf, messageOf } from '../base/problems.ts';

/** Of what it wrote last. */
const TAIL_BYTES_MAX = 2_048;
/** Output that is read at full speed; after it a flood is slowed down, so that it costs this thread little. */
const FAST_BYTES_MAX = 1_048_576;
const SLOW_PAUSE_MS = 5;
/** Between asking the group to end and ending it. */
const GRACE_MS = 5_000;
/** For what stands in the pipes when it has ended; a process that left its group may keep them open. */
const LAST_WORDS_MS = 250;

export type CommandEnd =
  | { readonly kind: 'exited'; readonly code: number; readonly tail: string }
  | { readonly kind: 'signal'; readonly signal: string; readonly tail: string }
  /** It could not be started. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface CommandRun {
  /** Resolves when it and its group have ended. Never rejects. */
  readonly ended: Promise<CommandEnd>;
  /** Ends it and its group: gently, then by force. */
  end(): void;
}

/** Starts a program. */
export function runCommand(
  [program, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): CommandRun {
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      env,
      detached: true, // a session and a group of its own
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    return { ended: Promise.resolve(startFailed(error)), end: () => {} };
  }
  const tails = [tailOf(child.stderr), tailOf(child.stdout)];
  const { promise, resolve } = Promise.withResolvers<CommandEnd>();
  let force: NodeJS.Timeout | undefined;
  child.on('error', (error) => resolve(startFailed(error)));
  child.on('exit', (code, signal) => {
    clearTimeout(force);
    // What it has left behind would run on, unseen, and write into closed pipes.
    killGroup(child, 'SIGKILL');
    const lastWords = setTimeout(settle, LAST_WORDS_MS);
    child.once('close', () => {
      clearTimeout(lastWords);
      settle();
    });
    function settle(): void {
      child.stdout?.destroy();
      child.stderr?.destroy();
      const tail = tails.map((one) => one()).find((text) => text.trim() !== '') ?? '';
      resolve(
        signal === null
          ? { kind: 'exited', code: code ?? 0, tail }
          : { kind: 'signal', signal, tail },
      );
    }
  });
  return {
    ended: promise,
    end: () => {
      if (force !== undefined || child.exitCode !== null || child.signalCode !== null) return;
      killGroup(child, 'SIGTERM');
      force = setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS);
    },
  };
}

function startFailed(error: unknown): CommandEnd {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'the program is not there',
    EACCES: 'the program may not be run',
    E2BIG: 'its arguments and environment are too long',
    EAGAIN: 'the system lets no further process start',
  };
  return { kind: 'failed', reason: reasons[codeOf(error)] ?? messageOf(error) };
}

function killGroup({ pid }: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is empty.
  }
}

/** Follows a stream and returns how its end reads at the moment. */
function tailOf(stream: Readable | null): () => string {
  let tail = Buffer.alloc(0);
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES_MAX);
    bytes += chunk.length;
    if (bytes <= FAST_BYTES_MAX) return;
    stream.pause();
    setTimeout(() => stream.resume(), SLOW_PAUSE_MS);
  });
  stream?.on('error', () => {});
  return () => tail.toString('utf8');
}
