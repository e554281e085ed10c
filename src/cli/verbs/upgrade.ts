// `turnout upgrade`: the program on the disk takes over from the one that runs.

import { textOf } from '../client/answer.ts';
import { askAndPrint, type ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

/** Asks the running process to hand over to a new one. */
export async function upgrade(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: { method: 'POST', path: '/v1/upgrade', body: {} },
    show: (answer) =>
      `version ${textOf(answer, 'version')} took over as process ${textOf(answer, 'pid')} ` +
      `(${textOf(answer, 'tookMs')} ms)`,
  });
}
