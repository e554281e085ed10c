// `turnout upgrade`: the program on the disk takes over from the one that runs.

import { upgradeAnswer } from '../../api/process.ts';
import { shown } from '../client/answer.ts';
import { askAndPrint, type ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

/** Asks the running process to hand over to a new one. */
export async function upgrade(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: { method: 'POST', path: '/v1/upgrade', body: {}, answer: upgradeAnswer },
    show: ({ version, pid, tookMs }) =>
      `version ${shown(version)} took over as process ${shown(pid)} (${shown(tookMs)} ms)`,
  });
}
