// A rollout for people, in a window of any width: how far it is, what it waits for, when it goes on,
// what was measured, and by whom. The same text whether it is printed once or drawn all the time.

import { durationText } from '../../base/duration.ts';
import type { RolloutsAnswer } from '../../api/rollouts.ts';
import type { RolloutView } from '../../api/rollout-views.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { fold, foldText } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { agoText, millisecondsText } from '../terminal/numbers.ts';
import { styled, type Terminal } from '../terminal/print.ts';
import { fit, widthOf } from '../terminal/width.ts';
import { guardLines } from './rollout-guard-text.ts';
import {
  afterEndText,
  clockText,
  endingText,
  isGoodEnd,
  moveText,
  comingText,
  shareOfText,
  trafficText,
  waitText,
} from './rollout-state-text.ts';

type View = Lenient<RolloutView>;
type Stage = View['stages'][number];

/** Where lines may be of any length, times stand here. */
const COLUMNS_USUAL = 96;
/** Narrower windows have no column for times. */
const COLUMNS_FOR_TIMES = 60;
/** Sign, space, the longest stage, two spaces. */
const DETAIL_AT = 14;

/** Returns all of one rollout. */
export function rolloutText(terminal: Terminal, view: View): string {
  const columns = terminal.size()?.columns ?? Infinity;
  const nowMs = terminal.nowMs();
  const lines = [
    ...headLines(terminal, view, columns),
    ...standLines(terminal, view, { columns, nowMs }),
    ...view.stages.flatMap((one) => stageLines(terminal, view, { one, columns, nowMs })),
    ...stepLines(terminal, view, columns),
    ...gateLines(terminal, view, columns),
    ...guardLines(terminal, view.guard, columns),
    ...noticeLines(terminal, view, columns),
  ];
  // A window of a few columns has no room for some words.
  return lines
    .flatMap((text) => text.split('\n'))
    .map((line) => fit(terminal, line, columns))
    .join('\n');
}

function headLines(terminal: Terminal, view: View, columns: number): string[] {
  const { id, services, plan, actor, reason = '', startedAt } = view;
  const { dot } = terminal.signs;
  const names = services.map(({ service }) => styled(terminal, 'bold', shown(service)));
  const [only] = services;
  const isOne = services.length === 1 && only !== undefined;
  const facts = [
    names.join(', '),
    shown(id),
    ...(isOne ? [moveText(terminal, only)] : []),
    shown(plan),
    `by ${shown(actor)}${reason === '' ? '' : `: ${reason}`}`,
    `since ${clockText(startedAt, terminal.nowMs())}`,
  ];
  const moves = isOne
    ? []
    : services.map((one) => `  ${shown(one.service)}: ${moveText(terminal, one)}`);
  return [
    ...fold(facts, { columns, indent: 2, gap: ` ${dot} ` }),
    ...moves.flatMap((move) => foldText(move, columns, 4)),
  ];
}

interface Window {
  readonly columns: number;
  readonly nowMs: number;
}

/** How it ended, or why it does not go on by itself: what a person looks for first. */
function standLines(terminal: Terminal, view: View, { columns, nowMs }: Window): string[] {
  const { end } = view;
  const text = end === null ? waitText(view, nowMs) : endingText(end);
  if (text === undefined) return [];
  const style = end === null ? 'yellow' : isGoodEnd(end) ? 'green' : 'red';
  const after = end === null ? undefined : afterEndText(end);
  return [text, ...(after === undefined ? [] : [after])].flatMap((one) =>
    foldText(`  ${one}`, columns, 4).map((line) => styled(terminal, style, line)),
  );
}

function stageLines(
  terminal: Terminal,
  view: View,
  { one, columns, nowMs }: Window & { readonly one: Stage },
): string[] {
  const { stage, state } = one;
  const took = timeOf(view, one);
  const next = state === 'running' ? comingText(view.next, nowMs) : undefined;
  const facts = [detailOf(view, one), ...(next === undefined ? [] : [next])].filter(
    (fact) => fact !== '',
  );
  const word = styled(terminal, state === 'running' ? 'bold' : 'dim', shown(stage));
  const pad = ' '.repeat(Math.max(1, DETAIL_AT - 2 - widthOf(shown(stage))));
  const name = `  ${signOf(terminal, state)} ${word}${pad}`;
  const gap = ` ${terminal.signs.dot} `;
  const indent = DETAIL_AT + 2;
  if (columns < COLUMNS_FOR_TIMES) {
    const all = took === '' ? facts : [...facts, took];
    const [first = '', ...more] = all;
    return fold([`${name}${first}`.trimEnd(), ...more], { columns, indent: 6, gap });
  }
  const width = Math.min(columns, COLUMNS_USUAL);
  const [first = '', ...rest] = fold([`${name}${facts[0] ?? ''}`.trimEnd(), ...facts.slice(1)], {
    columns: width - widthOf(took) - 2,
    indent,
    gap,
  });
  const room = Math.max(2, width - widthOf(first) - widthOf(took));
  return [took === '' ? first : `${first}${' '.repeat(room)}${took}`, ...rest];
}

function signOf(terminal: Terminal, state: Stage['state']): string {
  const { done, failed, running, next } = terminal.signs;
  switch (state) {
    case 'done':
      return styled(terminal, 'green', done);
    case 'failed':
      return styled(terminal, 'red', failed);
    case 'running':
      return styled(terminal, 'bold', running);
    default:
      return next;
  }
}

function detailOf({ stage: now, share }: View, { stage, state, detail = '' }: Stage): string {
  if (state === 'skipped') return detail === '' ? 'skipped' : `skipped: ${detail}`;
  const isMoving = state === 'running' && stage === 'shifting' && now === 'shifting';
  return isMoving ? trafficText(share) : detail;
}

/** How long a stage took, or how far it is of the time that was planned. */
function timeOf({ step, steps, bake }: View, { stage, state, tookMs }: Stage): string {
  if (stage === 'baking' && state !== 'done') return spanOf(bake.observed, bake.for);
  if (stage === 'shifting' && state === 'running' && typeof step === 'number') {
    const current = steps[step];
    return current === undefined ? '' : spanOf(current.observed, current.for);
  }
  if (typeof tookMs !== 'number') return '';
  return tookMs < 60_000
    ? millisecondsText(tookMs)
    : durationText(Math.round(tookMs / 1_000) * 1_000);
}

function spanOf(observed: string | null | undefined, planned: string | null | undefined): string {
  if (typeof observed !== 'string') return planned ?? '';
  return typeof planned === 'string' ? `${observed} of ${planned}` : observed;
}

/** A plan of two steps is in the line of its stage. */
function stepLines(terminal: Terminal, { steps }: View, columns: number): string[] {
  if (steps.length <= 2) return [];
  const facts = steps.map(({ share, for: time, pause, approve, state, observed }) => {
    const then = approve === true ? ' then approve' : pause === true ? ' then pause' : '';
    const span = state === 'running' ? spanOf(observed, time) : (time ?? '');
    const sign = state === 'next' ? '' : `${signOf(terminal, state)} `;
    return `${sign}${shareOfText(share)}${span === '' ? '' : ` ${span}`}${then}`;
  });
  const [first = '', ...more] = facts;
  const gap = ` ${terminal.signs.dot} `;
  return fold([`steps  ${first}`, ...more], { columns, indent: 7, gap });
}

/** Gates that have not opened; what opened stands in the line of its stage. */
function gateLines(terminal: Terminal, { gates, skipped }: View, columns: number): string[] {
  const lines = gates
    .filter(({ verdict }) => verdict !== null && verdict !== 'ok')
    .flatMap(({ name, verdict, tries = 0, detail = '', isOver, until }) => {
      const asked = tries > 1 ? ` after ${tries} tries` : '';
      const left =
        isOver === true || until === null
          ? ''
          : `, asked until ${clockText(until, terminal.nowMs())}`;
      const text = `gate ${shown(name)}: ${shown(verdict)}${asked}${left}`;
      const style = isOver === true && verdict !== 'skipped' ? 'red' : 'yellow';
      return foldText(detail === '' ? text : `${text}: ${detail}`, columns, 7).map((line) =>
        styled(terminal, style, line),
      );
    });
  if (skipped === null || skipped.gates.length === 0) return lines;
  const names = skipped.gates.map(shown).join(', ');
  const text = `left out: ${names} (${shown(skipped.reason)})`;
  return [...lines, ...foldText(text, columns, 2).map((line) => styled(terminal, 'yellow', line))];
}

function noticeLines(terminal: Terminal, view: View, columns: number): string[] {
  const { pointOfNoReturn, warnings } = view;
  const texts = warnings.map((warning) => `warning: ${shown(warning)}`);
  if (pointOfNoReturn !== null) {
    const { actor, at, reason = '' } = pointOfNoReturn;
    const why = reason === '' ? '' : `: ${reason}`;
    texts.push(
      `past the point of no return since ${clockText(at, terminal.nowMs())} by ${shown(actor)}${why}; nothing rolls back by itself`,
    );
  }
  return texts
    .flatMap((text) => foldText(text, columns, 2))
    .map((line) => styled(terminal, 'yellow', line));
}

const HEAD = ['ID', 'SERVICE', 'MOVE', 'PLAN', 'STAGE', 'SHARE', 'STARTED', 'BY', ''];

/** Returns rollouts as a table, each with what became of it. */
export function rolloutsText(terminal: Terminal, { rollouts }: Lenient<RolloutsAnswer>): string {
  if (rollouts.length === 0) return 'no rollout is kept';
  const nowMs = terminal.nowMs();
  const rows = rollouts.map((one) => [
    shown(one.id),
    one.services.map(({ service }) => shown(service)).join(', '),
    one.services.map((move) => moveText(terminal, move)).join(', '),
    shown(one.plan),
    shown(one.stage),
    shareOfText(one.share.wanted),
    agoText(one.startedAt, nowMs),
    shown(one.actor),
    one.end === null ? (waitText(one, nowMs) ?? '') : shown(one.end.reason),
  ]);
  return listing(HEAD, rows, terminal.size()?.columns ?? Infinity);
}
