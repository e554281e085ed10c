// `turnout ready`: asks readyz once. Made for the health check of a container.

import { readyAnswer } from '../../api/process.ts';
import { shown } from '../client/answer.ts';
import { askAndPrint, type ClientFlags } from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

/** Tells by the exit code whether traffic is served: 0 or 1, as container engines expect. */
export async function ready(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  const code = await askAndPrint(terminal, flags, {
    question: { method: 'GET', path: '/readyz', body: undefined, answer: readyAnswer },
    show: ({ warning }) => (typeof warning === 'string' ? `ready; ${shown(warning)}` : 'ready'),
  });
  return code === EXIT.done || code === EXIT.usage ? code : EXIT.failed;
}
