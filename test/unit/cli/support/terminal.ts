// A terminal that remembers what was written, answers questions as told, and hears signals that a
// test sends.

import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { runCommand } from '../../../../src/cli/program/commands.ts';
import type { Terminal, WindowSize } from '../../../../src/cli/terminal/print.ts';
import { UNICODE_SIGNS, type Signs } from '../../../../src/cli/terminal/signs.ts';
import { NOW_MS } from './fake-api.ts';

interface Scene {
  readonly environment?: Readonly<Record<string, string>>;
  /** There is a window of this size; undefined: standard output is a pipe. */
  readonly window?: WindowSize;
  readonly hasColors?: boolean;
  readonly signs?: Signs;
  /** A person watches standard error. */
  readonly isLive?: boolean;
  /** What a person answers, one after the other; undefined: no person is there. */
  readonly answers?: readonly string[];
  /** What comes in on standard input. */
  readonly input?: string;
  /** A person may press keys. */
  readonly hasKeys?: boolean;
}

export interface FakeTerminal extends Terminal {
  readonly outs: string[];
  readonly errs: string[];
  /** What was written as it is: to standard error, to standard output. */
  readonly raws: string[];
  readonly draws: string[];
  readonly questions: string[];
  readonly signals: EventEmitter;
  /** Closes standard output, as `head` does. */
  close(): void;
  resize(size: WindowSize): void;
  /** Presses a key; nothing hears it while no command listens. */
  press(key: string): void;
  suspended: number;
}

export function fakeTerminal(scene: Scene = {}): FakeTerminal {
  const { environment = {}, hasColors = false, isLive = false, answers } = scene;
  let size = scene.window;
  let isClosed = false;
  const outs: string[] = [];
  const errs: string[] = [];
  const raws: string[] = [];
  const draws: string[] = [];
  const questions: string[] = [];
  const signals = new EventEmitter();
  const left = [...(answers ?? [])];
  const terminal: FakeTerminal = {
    outs,
    errs,
    raws,
    draws,
    questions,
    out: (text) => void outs.push(text),
    err: (text) => void errs.push(text),
    raw: (text) => void raws.push(text),
    draw: (text) => void draws.push(text),
    isInteractive: size !== undefined,
    isLive,
    hasColors,
    hasErrorColors: hasColors,
    signs: scene.signs ?? UNICODE_SIGNS,
    size: () => size,
    liveColumns: () => size?.columns ?? 80,
    onResize: (listener) => {
      signals.on('resize', listener);
      return () => void signals.off('resize', listener);
    },
    ask:
      answers === undefined
        ? undefined
        : async (question) => {
            questions.push(question);
            return left.shift() ?? '';
          },
    keys:
      scene.hasKeys === true
        ? (onKey) => {
            signals.on('key', onKey);
            return () => void signals.off('key', onKey);
          }
        : undefined,
    press: (key) => void signals.emit('key', key),
    input: () => Readable.from([Buffer.from(scene.input ?? '')]),
    isClosed: () => isClosed,
    signals,
    suspend: () => void terminal.suspended++,
    nowMs: () => NOW_MS,
    environment,
    close: () => (isClosed = true),
    resize: (next) => {
      size = next;
      signals.emit('resize');
    },
    suspended: 0,
  };
  return terminal;
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command on a fake terminal. */
export async function turnout(
  args: readonly string[],
  scene: Scene | FakeTerminal = {},
): Promise<Outcome> {
  const terminal = 'outs' in scene ? scene : fakeTerminal(scene);
  const code = await runCommand(terminal, args);
  return { code, out: terminal.outs.join('\n'), err: terminal.errs.join('\n') };
}
