// `turnout preview`: how to see the idle color before a switch.

import { partOf, textOf } from '../client/answer.ts';
import { askAndPrint, changeOf, complain, type ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

export interface PreviewFlags extends ClientFlags {
  /** A time such as `1h`; undefined: what is usual. */
  readonly for: string | undefined;
}

/** Gets a token and says how to use it. */
export async function preview(terminal: Terminal, flags: PreviewFlags): Promise<ExitCode> {
  const problem = timeProblem('--for', flags.for);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, '/v1/preview', { for: flags.for }),
    show: (answer) => previewText(terminal, answer),
  });
}

function previewText(terminal: Terminal, answer: unknown): string {
  const color = colorName(terminal, textOf(answer, 'color'));
  const release = textOf(answer, 'release');
  const what = release === '-' ? color : `${release} on ${color}`;
  const token = textOf(answer, 'token');
  const lines = [
    `${textOf(answer, 'service')}: ${what} can be seen until ${textOf(answer, 'expiresAt')}`,
    `  with a field:  curl -H '${textOf(answer, 'field')}: ${token}' URL`,
    `  in a browser:  document.cookie = '${textOf(answer, 'cookie')}=${token}; path=/'`,
  ];
  if (typeof partOf(answer, 'listen') === 'string') {
    lines.push(`  without token: http://${textOf(answer, 'listen')}`);
  }
  return lines.join('\n');
}
