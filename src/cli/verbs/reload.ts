// `turnout reload`: the running process reads its configuration again.

import { listOf, partOf, textOf } from '../client/answer.ts';
import { askAndPrint, type ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

export interface ReloadFlags extends ClientFlags {
  readonly dryRun: boolean;
  readonly reason: string | undefined;
}

/** Asks for a reload, and prints what has changed or would. */
export async function reload(terminal: Terminal, flags: ReloadFlags): Promise<ExitCode> {
  const { dryRun, reason } = flags;
  const body = { dryRun, ...(reason === undefined ? {} : { reason }) };
  return await askAndPrint(terminal, flags, {
    question: { method: 'POST', path: '/v1/reload', body },
    show: (answer) => reloadText(terminal, answer, dryRun),
  });
}

function reloadText({ signs }: Terminal, answer: unknown, isDryRun: boolean): string {
  const found = listOf(answer, 'differences');
  const lines = found.map((one) => {
    return `${textOf(one, 'setting')}: ${textOf(one, 'from')} ${signs.arrow} ${textOf(one, 'to')}`;
  });
  const warnings = listOf(answer, 'warnings').map((warning) => `warning: ${String(warning)}`);
  return [...lines, ...warnings, endText(answer, { isDryRun, count: found.length })].join('\n');
}

function endText(
  answer: unknown,
  { isDryRun, count }: { readonly isDryRun: boolean; readonly count: number },
): string {
  if (count === 0) return 'nothing to do: the configuration is as before';
  if (isDryRun) return 'nothing has changed';
  const isChanged = partOf(answer, 'changed') === true;
  return isChanged
    ? `in force (generation ${textOf(answer, 'generation')})`
    : 'nothing has changed';
}
