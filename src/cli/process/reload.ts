// `turnout reload`: the running process reads its configuration again.

import { reloadAnswer, type ReloadAnswer, type reloadBody } from '../../api/process.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { askAndPrint, type ClientFlags, type Fields } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

export interface ReloadFlags extends ClientFlags {
  readonly dryRun: boolean;
  readonly reason: string | undefined;
}

/** Asks for a reload, and prints what has changed or would. */
export async function reload(terminal: Terminal, flags: ReloadFlags): Promise<ExitCode> {
  const { dryRun, reason } = flags;
  const body: Fields<typeof reloadBody> = { dryRun, ...(reason === undefined ? {} : { reason }) };
  return await askAndPrint(terminal, flags, {
    question: { method: 'POST', path: '/v1/reload', body, answer: reloadAnswer },
    show: (answer) => reloadText(terminal, answer, dryRun),
  });
}

function reloadText({ signs }: Terminal, answer: Lenient<ReloadAnswer>, isDryRun: boolean): string {
  const differences = answer.differences.map(
    ({ setting, from, to }) => `${shown(setting)}: ${shown(from)} ${signs.arrow} ${shown(to)}`,
  );
  const warnings = answer.warnings.map((warning) => `warning: ${warning}`);
  return [...differences, ...warnings, endText(answer, isDryRun)].join('\n');
}

function endText(
  { differences, changed, generation }: Lenient<ReloadAnswer>,
  isDryRun: boolean,
): string {
  if (differences.length === 0) return 'nothing to do: the configuration is as before';
  const isInForce = !isDryRun && changed === true;
  return isInForce ? `in force (generation ${shown(generation)})` : 'nothing has changed';
}
