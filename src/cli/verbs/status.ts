// `turnout status`: what is active, how every target is, and what flows; once, or all the time.

import { setTimeout as sleep } from 'node:timers/promises';
import { statusAnswer, type StatusAnswer } from '../../api/status-answer.ts';
import type { Lenient } from '../client/answer.ts';
import type { Question } from '../client/admin-client.ts';
import {
  askAndPrint,
  askOrComplain,
  askQuietly,
  complain,
  troubleText,
  withService,
  type ClientFlags,
  type Heard,
} from '../client/client-command.ts';
import { durationText, parseDuration } from '../../base/duration.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import { liveScreen } from '../terminal/live.ts';
import { styled, type Terminal } from '../terminal/print.ts';
import { statusText } from '../texts/status-text.ts';

export interface StatusFlags extends ClientFlags {
  readonly watch: boolean;
  /** How often `watch` asks, such as `2s`; undefined: what is usual. */
  readonly interval: string | undefined;
}

const INTERVAL_DEFAULT_MS = 1_000;
/** More often than this is more than an eye can follow. */
const INTERVAL_MIN_MS = 100;
/** Longer, and it is no watching. */
const INTERVAL_MAX_MS = 3_600_000;

/** Prints the status of a running Turnout. */
export async function status(terminal: Terminal, flags: StatusFlags): Promise<ExitCode> {
  const path = withService(terminal, flags, '/v1/status');
  const question: Question<StatusAnswer> = {
    method: 'GET',
    path,
    body: undefined,
    answer: statusAnswer,
  };
  if (!flags.watch) {
    return await askAndPrint(terminal, flags, {
      question,
      show: (answer) => statusText(terminal, answer),
    });
  }
  const problem = watchProblem(flags);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  // What is wrong from the start is no trouble that passes.
  const told = await askOrComplain(terminal, flags, question);
  if (!told.ok) return told.code;
  const watch = terminal.isInteractive ? watchOnScreen : watchInLog;
  await watch({ terminal, flags, question, first: told.answer, everyMs: intervalOf(flags) });
  return EXIT.done;
}

function watchProblem({ json, interval }: StatusFlags): string | undefined {
  if (json) return '--watch is for people: call `turnout status --json` as often as you need it';
  const parsed = parseDuration(interval ?? '1s');
  if (!parsed.ok) return `--interval: ${parsed.problem}`;
  const isUsual = parsed.value >= INTERVAL_MIN_MS && parsed.value <= INTERVAL_MAX_MS;
  return isUsual ? undefined : '--interval: expected at least 100ms and at most 1h';
}

function intervalOf({ interval }: StatusFlags): number {
  const parsed = parseDuration(interval);
  return parsed.ok ? parsed.value : INTERVAL_DEFAULT_MS;
}

interface Watching {
  readonly terminal: Terminal;
  readonly flags: StatusFlags;
  readonly question: Question<StatusAnswer>;
  readonly first: Lenient<StatusAnswer>;
  readonly everyMs: number;
}

/** Draws in place until a signal ends it; the terminal is given back as it was. */
async function watchOnScreen(watching: Watching): Promise<void> {
  const { terminal, everyMs } = watching;
  let answer = watching.first;
  let trouble: readonly string[] = [];
  let screen = liveScreen(terminal);
  const draw = (): void => {
    const clock = new Date(terminal.nowMs()).toISOString().slice(11, 19);
    const foot = styled(
      terminal,
      'dim',
      `${clock}Z, every ${durationText(everyMs)} ${terminal.signs.dot} Ctrl-C ends`,
    );
    const told = trouble.map((line) => styled(terminal, 'red', line));
    screen.show([...told, statusText(terminal, answer)].join('\n'), foot);
  };
  const onStop = (): void => {
    screen.end();
    terminal.suspend();
  };
  const onContinue = (): void => {
    screen = liveScreen(terminal);
    draw();
  };
  const endResize = terminal.onResize(draw);
  terminal.signals.on('SIGTSTP', onStop);
  terminal.signals.on('SIGCONT', onContinue);
  try {
    draw();
    await follow(watching, (heard) => {
      if (heard.ok) answer = heard.answer;
      trouble = heard.ok ? [] : [...troubleText(heard.trouble), 'asking again; last seen:', ''];
      draw();
    });
  } finally {
    endResize();
    terminal.signals.off('SIGTSTP', onStop);
    terminal.signals.off('SIGCONT', onContinue);
    screen.end();
  }
}

/** Prints one status after the other, where there is no screen to draw on. */
async function watchInLog(watching: Watching): Promise<void> {
  const { terminal, first } = watching;
  const print = (answer: Lenient<StatusAnswer>): void =>
    terminal.out(`${statusText(terminal, answer)}\n`);
  print(first);
  await follow(watching, (heard) => {
    if (heard.ok) print(heard.answer);
    // On standard output as well: the next write shows whether its reader has gone.
    else terminal.out([...troubleText(heard.trouble), ''].join('\n'));
  });
}

/** Asks again and again, until a signal came or the reader of standard output has gone. */
async function follow(
  watching: Watching,
  onHeard: (heard: Heard<StatusAnswer>) => void,
): Promise<void> {
  const { terminal, flags, question, everyMs } = watching;
  await unlessInterrupted(terminal, async (interrupted) => {
    while (!terminal.isClosed()) {
      await sleep(everyMs, undefined, { signal: interrupted }).catch(() => {
        // Interrupted: the lines below end the loop.
      });
      if (interrupted.aborted) return;
      const heard = await askQuietly(terminal, flags, question);
      if (interrupted.aborted) return;
      onHeard(heard);
    }
  });
}
