// What the guard of a rollout has found, in numbers that a person can check.

import type { RolloutView } from '../../api/rollout-views.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { fold } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { shareText, sparkline } from '../terminal/numbers.ts';
import { styled, type Terminal } from '../terminal/print.ts';

type Guard = Lenient<RolloutView>['guard'];
type Judged = Guard['signals'][number]['old'];

/** Bars of the evidence: more are no longer of now. */
const BARS_MAX = 30;

/** Returns the lines about the guard; none where it is off. */
export function guardLines(terminal: Terminal, guard: Guard, columns: number): readonly string[] {
  const { mode, verdict, detail, limit, evidence, comparison, recent, clients } = guard;
  if (mode === 'off' || mode === undefined) return ['guard  off: nothing is looked at'];
  const { dot, bars } = terminal.signs;
  // Evidence grows by factors; its logarithm is what a line can show.
  const course = recent.map((one) => Math.log10(Math.max(1, one)));
  const max = Math.log10(Math.max(10, limit ?? 10));
  const line = sparkline(course, { bars, max, width: BARS_MAX });
  const facts = [
    `guard  ${mode === 'watch' ? 'tells' : 'rolls back'} at ${oddsText(limit)}`,
    `evidence ${oddsText(evidence)}${line === '' ? '' : ` ${line}`}`,
    ...(comparison === null ? [] : [COMPARED[String(comparison)] ?? shown(comparison)]),
    ...(verdict === null || verdict === undefined ? [] : [verdictText(terminal, verdict)]),
    ...(typeof clients.bad === 'number' && clients.bad > 0
      ? [`${clients.bad} clients met failures, needs ${shown(clients.needed)}`]
      : []),
    ...((detail ?? '') === '' ? [] : [shown(detail)]),
  ];
  const head = fold(facts, { columns, indent: 7, gap: ` ${dot} ` });
  if (guard.signals.length === 0) return head;
  const services = new Set(guard.signals.map(({ service }) => service));
  const rows = guard.signals.map(({ service, name, old, new: now, tolerated, evidence: odds }) => [
    `  ${services.size > 1 ? `${shown(service)}: ` : ''}${shown(name)}`,
    judgedText(old),
    judgedText(now),
    shown(tolerated),
    oddsText(odds),
  ]);
  return [...head, listing(['', 'OLD', 'NEW', 'TOLERATED', 'EVIDENCE'], rows, columns)];
}

const COMPARED: Readonly<Record<string, string>> = {
  'side-by-side': 'both colors in the same seconds',
  'before-after': 'with what was before the move',
};

function verdictText(terminal: Terminal, verdict: NonNullable<Guard['verdict']>): string {
  const word = String(verdict);
  const style = word === 'pass' ? 'green' : word === 'fail' ? 'red' : 'yellow';
  return styled(terminal, style, word);
}

/** Returns `0.14 % of 3,466`; `-` where nothing was judged. */
export function judgedText({ judged = 0, bad = 0 }: Pick<Judged, 'judged' | 'bad'>): string {
  return judged > 0 ? `${shareText(bad / judged)} of ${judged.toLocaleString('en')}` : '-';
}

/** Returns evidence as odds: `0.3 : 1`, `1,204 : 1`; `-` for none. */
export function oddsText(evidence: number | null | undefined): string {
  if (typeof evidence !== 'number') return '-';
  const number = evidence < 10 ? Number(evidence.toFixed(1)) : Math.round(evidence);
  return `${number.toLocaleString('en')} : 1`;
}
