// `turnout history`: the switches, the latest first.

import { historyAnswer, type HistoryAnswer } from '../../api/switching.ts';
import { shown, type Lenient } from '../client/answer.ts';
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
    question: { method: 'GET', path, body: undefined, answer: historyAnswer },
    show: (answer) => historyText(terminal, answer, serviceNamed(terminal, flags)),
  });
}

function historyText(
  terminal: Terminal,
  { switches: entries }: Lenient<HistoryAnswer>,
  service: string,
): string {
  if (entries.length === 0) {
    // One that is gone has a history, too: no name is wrong here.
    const where =
      service === '' ? '' : ` in a service ${service}; \`turnout status\` lists those there are`;
    return `nothing was switched yet${where}`;
  }
  const head = 'AT|GENERATION|SERVICE|FROM|TO|RELEASE|DEPLOYMENT|OUTCOME|BY|REASON'.split('|');
  const rows = entries.map((entry) => [
    shown(entry.at),
    shown(entry.generation),
    shown(entry.service),
    colorName(terminal, shown(entry.from)),
    colorName(terminal, shown(entry.to)),
    shown(entry.release),
    // Of a switch before deployments were numbered it is not known.
    shown(entry.deployment === 0 ? undefined : entry.deployment),
    shown(entry.outcome) + (entry.forced === true ? ', forced' : ''),
    shown(entry.actor),
    shown(entry.reason),
  ]);
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}
