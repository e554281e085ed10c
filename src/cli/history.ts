// `turnout history`: the switches, the latest first.

import { listOf, partOf, textOf } from './answer.ts';
import { askAndPrint, withService, type ClientFlags } from './client-command.ts';
import type { ExitCode } from './exit.ts';
import { colorName, table, type Terminal } from './print.ts';

/** Prints what was switched, when, and why. */
export async function history(
  terminal: Terminal,
  flags: ClientFlags & { readonly limit: string | undefined },
): Promise<ExitCode> {
  const limit = flags.limit === undefined ? '' : `?limit=${encodeURIComponent(flags.limit)}`;
  const path = withService(terminal, flags, `/v1/history${limit}`);
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined },
    show: (answer) => historyText(terminal, answer),
  });
}

function historyText(terminal: Terminal, answer: unknown): string {
  const entries = listOf(answer, 'switches');
  if (entries.length === 0) return 'nothing was switched yet';
  const head = ['AT', 'GENERATION', 'SERVICE', 'FROM', 'TO', 'RELEASE', 'OUTCOME', 'BY', 'REASON'];
  const rows = entries.map((entry) => [
    textOf(entry, 'at'),
    textOf(entry, 'generation'),
    textOf(entry, 'service'),
    colorName(terminal, textOf(entry, 'from')),
    colorName(terminal, textOf(entry, 'to')),
    textOf(entry, 'release'),
    textOf(entry, 'outcome') + (partOf(entry, 'forced') === true ? ', forced' : ''),
    textOf(entry, 'actor'),
    textOf(entry, 'reason'),
  ]);
  return table([head, ...rows]);
}
