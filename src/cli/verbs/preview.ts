// `turnout preview`: how to see the idle color before a switch.

import { previewAnswer, type PreviewAnswer, type previewBody } from '../../api/releases.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askAndPrint,
  changeOf,
  complain,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { releaseName } from '../steps/status-text.ts';
import { timeProblem } from '../client/flag-check.ts';
import { type Terminal } from '../terminal/print.ts';

export interface PreviewFlags extends ClientFlags {
  /** A time such as `1h`; undefined: what is usual. */
  readonly for: string | undefined;
}

/** Gets a token and says how to use it. */
export async function preview(terminal: Terminal, flags: PreviewFlags): Promise<ExitCode> {
  const problem = timeProblem('--for', flags.for);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/preview',
      body: { for: flags.for } satisfies Fields<typeof previewBody>,
      answer: previewAnswer,
    }),
    show: (answer) => previewText(terminal, answer),
  });
}

function previewText(terminal: Terminal, answer: Lenient<PreviewAnswer>): string {
  const what = releaseName(terminal, answer);
  const token = shown(answer.token);
  const lines = [
    `${shown(answer.service)}: ${what} can be seen until ${shown(answer.expiresAt)}`,
    `  with a field:  curl -H '${shown(answer.field)}: ${token}' URL`,
    `  in a browser:  document.cookie = '${shown(answer.cookie)}=${token}; path=/'`,
  ];
  if (typeof answer.listen === 'string') {
    lines.push(`  without token: http://${shown(answer.listen)}`);
  }
  return lines.join('\n');
}
