// One order in a process of its own, bounded in time, memory and output. Knows no schedule and no file:
// what the program asks for is answered by two functions, and how it ended is told once.

import { fork, type ChildProcess } from 'node:child_process';
import type { AcmeChallenge } from '../../contract/certificates.ts';
import { messageOf } from '../base/problems.ts';
import { ownProblem } from './authority-answer.ts';
import { adviceFor } from './order-advice.ts';
import {
  ORDER_STEPS,
  type FromProgram,
  type OrderBrief,
  type OrderProblem,
  type OrderStep,
  type ToProgram,
} from './order-messages.ts';

/** Authorities need seconds, some of them a minute; what takes longer is begun anew later. */
const ORDER_TIMEOUT_MS = 300_000;
/** The libraries need 80 MB of heap at their start. */
const HEAP_MIB = 192;
/** Of what it wrote before it broke down. */
const LAST_WORDS_CHARS_MAX = 2_048;

export type OrderEnd =
  | { readonly kind: 'obtained'; readonly chain: string; readonly key: string }
  | { readonly kind: 'failed'; readonly problem: OrderProblem }
  | { readonly kind: 'called off' };

export interface OrderRun {
  /** Resolves when the process has ended. Never rejects. */
  readonly ended: Promise<OrderEnd>;
  /** Ends it at once. */
  callOff(): void;
}

export interface RunHands {
  /** Resolves when every worker can answer. */
  answer(challenge: AcmeChallenge): Promise<void>;
  /** The account exists, with the email of the order. */
  account(url: string): void;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  /** The program; it lies at the same place in `src` as in `dist`. */
  readonly program?: URL;
}

const PROGRAM = new URL(
  `./order-program.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`,
  import.meta.url,
);

/** Starts one order. */
export function runOrder(
  brief: OrderBrief,
  hands: RunHands,
  { timeoutMs = ORDER_TIMEOUT_MS, program = PROGRAM }: RunOptions = {},
): OrderRun {
  const { promise, resolve } = Promise.withResolvers<OrderEnd>();
  let end: OrderEnd | undefined;
  let step: OrderStep = 'directory';
  const child = start(program);
  const finish = (how: OrderEnd): void => {
    end ??= how;
    child.kill('SIGKILL');
  };
  const fail = (words: string): void => {
    const advice = adviceFor(step, brief.challenge, undefined);
    finish({
      kind: 'failed',
      problem: ownProblem(`${words} (while ${ORDER_STEPS[step]})`, advice),
    });
  };
  const timer = setTimeout(() => {
    fail(`the authority did not carry out the order within ${timeoutMs / 1_000} s`);
  }, timeoutMs);
  const lastWords = lastWordsOf(child);
  child.on('message', (news: FromProgram) => {
    if (end !== undefined) return;
    if (news.kind === 'step') ({ step } = news);
    else if (news.kind === 'account') hands.account(news.url);
    else if (news.kind === 'challenge') {
      hands.answer(news.challenge).then(
        () => tell(child, { kind: 'answering' }),
        (error: unknown) => fail(`the workers cannot answer the challenge: ${messageOf(error)}`),
      );
    } else finish(news);
  });
  child.on('error', (error) => {
    fail(`the program of orders cannot be started: ${error.message}`);
    if (child.pid === undefined) settle();
  });
  child.on('close', (code, signal) => {
    end ??= { kind: 'failed', problem: brokenDown(step, code ?? signal, lastWords()) };
    settle();
  });
  function settle(): void {
    clearTimeout(timer);
    resolve(end!);
  }
  tell(child, { kind: 'order', brief });
  return { ended: promise, callOff: () => finish({ kind: 'called off' }) };
}

/** Nothing of the environment of this process is its business. */
function start(program: URL): ChildProcess {
  return fork(program, [], {
    env: {},
    execArgv: [`--max-old-space-size=${HEAP_MIB}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** The program may end at any moment; then the message is dropped. */
function tell(child: ChildProcess, message: ToProgram): void {
  if (child.connected) child.send(message, () => {});
}

function brokenDown(step: OrderStep, how: number | string | null, lastWords: string): OrderProblem {
  return ownProblem(
    `the program of orders broke down (${how}) while ${ORDER_STEPS[step]}: ${lastWords}`,
  );
}

/** Returns the line that tells what broke, of what a program wrote to its standard error. */
function lastWordsOf({ stderr }: ChildProcess): () => string {
  let text = '';
  stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-LAST_WORDS_CHARS_MAX);
  });
  stderr?.on('error', () => {});
  return () => {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const cause = lines.find((line) => /^(?:FATAL ERROR|\w*Error)\b/.test(line));
    return cause ?? lines.at(-1) ?? 'it said nothing';
  };
}
