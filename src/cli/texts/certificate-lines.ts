// The certificates of a status: for which names, from where, how long they last, and when those of ACME
// are ordered next. What an alarm has said already is not said again.

import type { StatusAnswer } from '../../api/status-answer.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { fold, foldText } from '../terminal/fold.ts';
import { agoText, inText } from '../terminal/numbers.ts';
import { styled } from '../terminal/print.ts';
import { table, widthOf } from '../terminal/width.ts';
import type { Look } from './status-tables.ts';

type Answer = Pick<Lenient<StatusAnswer>, 'certificates' | 'acme' | 'alarms'>;

/** Those that end first; `--json` has all. */
const ROWS_MAX = 12;
const NAMES_MAX = 3;
const NEVER = '';

interface Row {
  readonly cells: readonly [names: string, source: string, ends: string, next: string];
  /** As an alarm would have it; empty: there is none. */
  readonly problem: string;
  readonly text: string;
  /** For the order: an empty one comes first. */
  readonly endsAt: string;
}

/** Returns nothing where there is no certificate. */
export function certificateLines(look: Look, answer: Answer): string[] {
  const rows = [...acmeRows(answer, look.nowMs), ...fileRows(answer, look.nowMs)].toSorted((a, b) =>
    a.endsAt < b.endsAt ? -1 : Number(a.endsAt > b.endsAt),
  );
  if (rows.length === 0) return [];
  const told = answer.alarms.map(({ text = '' }) => text);
  const listed = rows.slice(0, ROWS_MAX);
  const cells = listed.map((row) => [' ', ...row.cells]);
  const lines = table([['', 'CERTIFICATE FOR', 'FROM', 'ENDS', 'NEXT'], ...cells]).split('\n');
  const isWide = Math.max(...lines.map(widthOf)) <= look.columns;
  const shownLines = listed.flatMap((row, index) => {
    const isTold = row.problem === '' || told.some((text) => text.includes(row.problem));
    const line = isWide ? [lines[index + 1]!] : narrow(look, row);
    return isTold ? line : [...line, ...problemLines(look, row.text)];
  });
  const more = rows.length - listed.length;
  return [
    '',
    ...(isWide ? [lines[0]!] : ['  CERTIFICATES']),
    ...shownLines,
    ...(more === 0 ? [] : [`  and ${more} more that end later; --json has them`]),
  ];
}

function narrow({ columns }: Look, { cells }: Row): string[] {
  const [names, ...facts] = cells;
  const said = facts.filter((fact) => fact !== '');
  return fold([`  ${names}`, ...said], { columns, indent: 4, gap: '  ' });
}

function problemLines({ terminal, columns }: Look, problem: string): string[] {
  return foldText(`    ${problem}`, columns, 4).map((line) => styled(terminal, 'yellow', line));
}

function acmeRows({ acme, certificates }: Answer, nowMs: number): Row[] {
  return acme.map(({ domain, endsAt, ordering, nextTryAt, failures, problem, advice }) => {
    const when = inText(nextTryAt, nowMs);
    const hasFailed = failures !== undefined && failures > 0;
    const what = hasFailed ? 'tried again' : hasNone(endsAt) ? 'ordered' : 'renewed';
    const next = ordering === true ? 'is being ordered' : `${what} ${when}`;
    const known = certificates.find(({ name, source }) => source === 'acme' && name === domain);
    const names = known === undefined ? shown(domain) : namesText(known);
    return {
      cells: [names, 'acme', hasNone(endsAt) ? 'none yet' : endsText(endsAt, nowMs), next],
      problem: problem ?? '',
      text: `${shown(failures)} failed: ${problem}${advice ? `; ${advice}` : ''}`,
      endsAt: hasNone(endsAt) ? NEVER : shown(endsAt),
    };
  });
}

function fileRows({ certificates, acme }: Answer, nowMs: number): Row[] {
  const ordered = new Set(acme.map(({ domain }) => domain));
  return certificates
    .filter(({ source, name }) => source !== 'acme' || !ordered.has(name))
    .map((one) => ({
      cells: [namesText(one), shown(one.source), endsText(one.endsAt, nowMs), ''],
      problem: one.problem ?? '',
      text: `what lies there now is not used: ${one.problem}`,
      endsAt: shown(one.endsAt),
    }));
}

function hasNone(endsAt: string | null | undefined): endsAt is null | undefined {
  return endsAt === null || endsAt === undefined;
}

function endsText(endsAt: string | undefined, nowMs: number): string {
  const left = inText(endsAt, nowMs);
  return left === 'now' ? `ended ${agoText(endsAt, nowMs)}` : left;
}

/** Authorities have none, and a server of an earlier version does not tell them. */
function namesText({ name, names }: Answer['certificates'][number]): string {
  if (names.length === 0) return shown(name);
  const listed = names.slice(0, NAMES_MAX).map(shown).join(', ');
  return names.length <= NAMES_MAX ? listed : `${listed} and ${names.length - NAMES_MAX} more`;
}
