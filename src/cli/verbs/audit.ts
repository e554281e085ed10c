// `turnout audit`: which actor did what, the latest first, and whether the log is whole.

import { countText } from '../../base/count-text.ts';
import { auditAnswer, type AuditAnswer, type AuditEntry } from '../../api/audit-answer.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askOrComplain,
  complain,
  jsonOf,
  withService,
  type ClientFlags,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { numberProblem } from '../client/flag-check.ts';
import { listing } from '../terminal/listing.ts';
import { styled, type Terminal } from '../terminal/print.ts';

export interface AuditFlags extends ClientFlags {
  readonly limit: string | undefined;
  readonly before: string | undefined;
  readonly verify: boolean;
  /** A head that was noted earlier: it must still be there. */
  readonly head: string | undefined;
}

/**
 * Prints entries; with `verify` or `head` also whether the chain is whole, and fails if it is not, or
 * if the head can't be compared any more.
 */
export async function audit(terminal: Terminal, flags: AuditFlags): Promise<ExitCode> {
  const { limit, before, head } = flags;
  const verify = flags.verify || head !== undefined;
  const problem = numberProblem('--limit', limit) ?? numberProblem('--before', before);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const query = new URLSearchParams({
    ...(limit === undefined ? {} : { limit }),
    ...(before === undefined ? {} : { before }),
    ...(verify ? { verify: 'true' } : {}),
    ...(head === undefined ? {} : { head }),
  }).toString();
  const path = withService(terminal, flags, query === '' ? '/v1/audit' : `/v1/audit?${query}`);
  const told = await askOrComplain(terminal, flags, {
    method: 'GET',
    path,
    body: undefined,
    answer: auditAnswer,
  });
  if (!told.ok) return told.code;
  const { entries, chain } = told.answer;
  if (flags.json) terminal.out(jsonOf(told.answer));
  else terminal.out([entriesText(terminal, entries), ...chainLines(terminal, chain)].join('\n'));
  const isWhole = chain?.state === 'ok' && (head === undefined || chain.noted === 'found');
  return verify && !isWhole ? EXIT.failed : EXIT.done;
}

function entriesText(terminal: Terminal, entries: readonly Lenient<AuditEntry>[]): string {
  if (entries.length === 0) return 'nothing was asked for yet';
  const head = ['SEQ', 'AT', 'BY', 'FROM', 'ACTION', 'SERVICE', 'OUTCOME', 'GENERATION', 'REASON'];
  const rows = entries.map((entry) => [
    shown(entry.seq),
    shown(entry.at),
    shown(entry.actor),
    shown(entry.address),
    shown(entry.action) + timesText(entry),
    shown(entry.service),
    outcomeText(terminal, entry),
    shown(entry.generation),
    shown(entry.reason),
  ]);
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}

function timesText({ count }: Lenient<AuditEntry>): string {
  return count === 1 ? '' : ` (${shown(count)} times)`;
}

function outcomeText(terminal: Terminal, { outcome, code }: Lenient<AuditEntry>): string {
  if (outcome === 'done' || outcome === 'unchanged') return outcome;
  return styled(
    terminal,
    outcome === 'failed' ? 'red' : 'yellow',
    `${shown(outcome)}: ${shown(code)}`,
  );
}

const TRIMMED =
  'the head that was noted is older than what the log keeps, so it cannot be compared: note it more often';

function chainLines(terminal: Terminal, chain: Lenient<AuditAnswer>['chain']): string[] {
  if (chain === null) return [];
  const { head, state, checked, noted, brokenAt, fault } = chain;
  if (state === 'ok') {
    return [
      `the log is whole: ${countText(shown(checked), 'entry', 'entries')}`,
      ...(noted === 'found' ? ['the head that was noted is still part of it'] : []),
      ...(noted === 'trimmed' ? [styled(terminal, 'yellow', TRIMMED)] : []),
      `note its head elsewhere, for --head next time: ${shown(head.seq)}:${shown(head.hash)}`,
    ];
  }
  const broken = `THE LOG IS BROKEN at entry ${shown(brokenAt)}: ${shown(fault)}`;
  return [
    styled(terminal, 'red', broken),
    'the state file was changed or replaced by an older one: compare it with a backup',
  ];
}
