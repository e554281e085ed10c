// `turnout history`: the switches, the latest first.

import { listOf, partOf, textOf } from '../client/answer.ts';
import {
  askAndPrint,
  complain,
  serviceNamed,
  withService,
  type ClientFlags,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { numberProblem } from '../client/flag-check.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

/** Prints what was switched, when, and why. */
export async function history(
  terminal: Terminal,
  flags: ClientFlags & { readonly limit: string | undefined },
): Promise<ExitCode> {
  const problem = numberProblem('--limit', flags.limit);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const limit = flags.limit === undefined ? '' : `?limit=${encodeURIComponent(flags.limit)}`;
  const path = withService(terminal, flags, `/v1/history${limit}`);
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined },
    show: (answer) => historyText(terminal, answer, serviceNamed(terminal, flags)),
  });
}

function historyText(terminal: Terminal, answer: unknown, service: string): string {
  const entries = listOf(answer, 'switches');
  if (entries.length === 0) {
    // One that is gone has a history, too: no name is wrong here.
    const where =
      service === '' ? '' : ` in a service ${service}; \`turnout status\` lists those there are`;
    return `nothing was switched yet${where}`;
  }
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
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}
