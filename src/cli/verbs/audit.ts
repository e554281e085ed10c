// `turnout audit`: who did what, the latest first, and whether the log is whole.

import { countText } from '../../base/count-text.ts';
import { listOf, partOf, textOf } from '../client/answer.ts';
import {
  askOrComplain,
  complain,
  withService,
  type ClientFlags,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { numberProblem } from '../client/flag-check.ts';
import { listing } from '../terminal/listing.ts';
import { plain, styled, type Terminal } from '../terminal/print.ts';

export interface AuditFlags extends ClientFlags {
  readonly limit: string | undefined;
  readonly before: string | undefined;
  readonly verify: boolean;
}

/** Prints entries; with `verify` also whether the chain is whole, and fails if it is not. */
export async function audit(terminal: Terminal, flags: AuditFlags): Promise<ExitCode> {
  const { limit, before, verify } = flags;
  const problem = numberProblem('--limit', limit) ?? numberProblem('--before', before);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const query = new URLSearchParams({
    ...(limit === undefined ? {} : { limit }),
    ...(before === undefined ? {} : { before }),
    ...(verify ? { verify: 'true' } : {}),
  }).toString();
  const path = withService(terminal, flags, query === '' ? '/v1/audit' : `/v1/audit?${query}`);
  const told = await askOrComplain(terminal, flags, { method: 'GET', path, body: undefined });
  if (!told.ok) return told.code;
  const chain = partOf(told.body, 'chain');
  if (flags.json) terminal.out(JSON.stringify(told.body));
  else terminal.out([entriesText(terminal, told.body), ...chainLines(terminal, chain)].join('\n'));
  return verify && textOf(chain, 'state') !== 'ok' ? EXIT.failed : EXIT.done;
}

function entriesText(terminal: Terminal, answer: unknown): string {
  const entries = listOf(answer, 'entries');
  if (entries.length === 0) return 'nothing was asked for yet';
  const head = ['SEQ', 'AT', 'BY', 'FROM', 'ACTION', 'SERVICE', 'OUTCOME', 'GENERATION', 'REASON'];
  const rows = entries.map((entry) => [
    textOf(entry, 'seq'),
    textOf(entry, 'at'),
    plain(textOf(entry, 'actor')),
    textOf(entry, 'address'),
    plain(textOf(entry, 'action')) + timesText(entry),
    plain(textOf(entry, 'service')),
    outcomeText(terminal, entry),
    textOf(entry, 'generation'),
    plain(textOf(entry, 'reason')),
  ]);
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}

function timesText(entry: unknown): string {
  const count = textOf(entry, 'count');
  return count === '1' ? '' : ` (${count} times)`;
}

function outcomeText(terminal: Terminal, entry: unknown): string {
  const outcome = textOf(entry, 'outcome');
  if (outcome === 'done' || outcome === 'unchanged') return outcome;
  return styled(
    terminal,
    outcome === 'failed' ? 'red' : 'yellow',
    `${outcome}: ${textOf(entry, 'code')}`,
  );
}

function chainLines(terminal: Terminal, chain: unknown): string[] {
  if (chain === null || chain === undefined) return [];
  const head = partOf(chain, 'head');
  if (textOf(chain, 'state') === 'ok') {
    return [
      `the log is whole: ${countText(textOf(chain, 'checked'), 'entry', 'entries')}; its head is ` +
        `${textOf(head, 'seq')} ${textOf(head, 'hash')}`,
    ];
  }
  const broken = `THE LOG IS BROKEN at entry ${textOf(chain, 'brokenAt')}: ${plain(textOf(chain, 'fault'))}`;
  return [
    styled(terminal, 'red', broken),
    'somebody has changed the state file: compare it with a backup',
  ];
}
