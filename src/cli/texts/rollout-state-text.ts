// How far a rollout is, what it waits for and how it ended, each as a sentence for people.

import { PROBLEMS } from '../../api/problem-codes.ts';
import type { RolloutBrief, RolloutSummary, RolloutView } from '../../api/rollout-views.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { inText, timeText } from '../terminal/numbers.ts';
import type { Terminal } from '../terminal/print.ts';
import { releaseName } from './release-text.ts';

type Status = Lenient<RolloutBrief>['status'];
type End = NonNullable<Lenient<RolloutSummary>['end']>;

/** Returns a share of 100: `10 %`, `9.6 %`; `-` for none. */
export function shareOfText(share: number | null | undefined): string {
  return typeof share === 'number' ? `${Number(share.toFixed(1))} %` : '-';
}

/** A time of day further away than this could be of another day. */
const CLOCK_SPAN_MS = 20 * 3_600_000;

/** Returns a time of an answer in UTC, without its day where that is plain; `-` where it is none. */
export function clockText(time: unknown, nowMs: number): string {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(ms) || Math.abs(ms - nowMs) > CLOCK_SPAN_MS) return timeText(time);
  return `${new Date(ms).toISOString().slice(11, 19)}Z`;
}

/** Returns `v41 on blue → v42 on green`. */
export function moveText(
  terminal: Terminal,
  { from, to }: Pick<Lenient<RolloutSummary>['services'][number], 'from' | 'to'>,
): string {
  const { arrow } = terminal.signs;
  return `${releaseName(terminal, from)} ${arrow} ${releaseName(terminal, to)}`;
}

/** Returns what goes to the new release: `10 % of new sessions (9.6 % of requests)`. */
export function trafficText({ wanted, of, measured }: Lenient<RolloutSummary>['share']): string {
  const found = typeof measured === 'number' ? ` (${shareOfText(measured)} of requests)` : '';
  return `${shareOfText(wanted)} of new ${shown(of)}${found}`;
}

/** Returns what comes next, and when: `next 100 % at 14:05:10Z (in 3 min), needs guard pass`. */
export function comingText(next: Lenient<RolloutView>['next'], nowMs: number): string | undefined {
  if (next?.what === undefined) return undefined;
  const { what, at, needs } = next;
  const isAhead = typeof at === 'string' && Date.parse(at) > nowMs;
  const when = isAhead ? ` at ${clockText(at, nowMs)} (${inText(at, nowMs)})` : '';
  const asks = needs.length === 0 ? '' : `, needs: ${needs.map(shown).join('; ')}`;
  return `next ${what}${when}${asks}`;
}

/** What of a rollout says whether it goes on by itself. */
interface Going {
  readonly id?: string | undefined;
  readonly status: Status;
}

/**
 * Returns why a rollout does not go on by itself, since when and until when, and what lets it go on;
 * undefined: it does.
 */
export function waitText({ id, status }: Going, nowMs: number): string | undefined {
  const { kind, reason = '' } = status;
  const since = typeof status.since === 'string' ? ` since ${clockText(status.since, nowMs)}` : '';
  const why = reason === '' ? '' : `: ${reason}`;
  const way = (verb: string): string => `\`turnout rollout ${verb} ${shown(id)}\``;
  switch (kind) {
    case 'paused':
      return `paused${since} by ${shown(status.by)}${why}; ${way('resume')} lets it go on`;
    case 'waiting':
      return `${waitingText(status)}${since}${untilText(status, nowMs)}${why}; ${ways(status, way)}`;
    case 'blocked':
      return `blocked${since}: ${blockText(status)}${why}; it goes on by itself once that is over`;
    default:
      return undefined;
  }
}

function waitingText({ for: what, gate = '' }: Status): string {
  const name = gate === '' ? '' : ` (${gate})`;
  if (what === 'approval') return `waits for approval${name}`;
  if (what === 'inconclusive') return `the guard has no verdict${name}, a person has to decide`;
  return what === 'plan' ? 'the plan pauses here' : `waits for ${shown(what)}${name}`;
}

function untilText({ until, onTimeout }: Status, nowMs: number): string {
  if (typeof until !== 'string') return '';
  const then = THEN[String(onTimeout)] ?? shown(onTimeout);
  return `, until ${clockText(until, nowMs)} (${inText(until, nowMs)}), then it ${then}`;
}

const THEN: Readonly<Record<string, string>> = {
  stop: 'stops',
  proceed: 'goes on',
  rollback: 'rolls back',
};

function ways({ for: what }: Status, way: (verb: string) => string): string {
  if (what === 'plan') return `${way('resume')} lets it go on, ${way('abort')} takes it back`;
  return `${way('approve')} lets it go on, ${way('reject')} ends it`;
}

function blockText({ why }: Status): string {
  const problems: Readonly<Record<string, { readonly title: string }>> = PROBLEMS;
  const code = String(why);
  const { title } = (Object.hasOwn(problems, code) ? problems[code] : undefined) ?? {};
  return title === undefined ? shown(why) : title.charAt(0).toLowerCase() + title.slice(1);
}

const ENDS: Readonly<Record<string, string>> = {
  done: 'done',
  'rolled-back': 'rolled back',
  failed: 'failed, traffic stayed where it was',
  superseded: 'ended by another change',
};

/** Returns how a rollout ended and why: `rolled back (guard): errors: 5.1 % of 1,512 …`. */
export function endingText({ outcome, cause, reason, actor = '' }: End): string {
  const who = actor === '' ? '' : ` by ${actor}`;
  const what = ENDS[String(outcome)] ?? shown(outcome);
  const isPlain = outcome === 'done' && (reason ?? '') === '';
  return isPlain ? what : `${what} (${shown(cause)}${who}): ${shown(reason)}`;
}

/** Returns what else is so after an end: where the sessions went, and what is locked out. */
export function afterEndText({ restick, lockedOut }: End): string | undefined {
  const sessions = {
    all: 'its sessions went back at once',
    new: 'its sessions drain',
  }[String(restick)];
  const facts = [
    ...(sessions === undefined ? [] : [sessions]),
    ...(lockedOut === true ? ['its release is locked out until `turnout unlock`'] : []),
  ];
  return facts.length === 0 ? undefined : facts.join('; ');
}

/** Tells whether an end is what was wanted. */
export function isGoodEnd({ outcome }: End): boolean {
  return outcome === 'done';
}

/** Returns one event as a line of a log. */
export function eventText(
  id: string,
  { at, text, actor = '', kind }: Lenient<RolloutView>['events'][number],
): string {
  const word = shown(kind).replace(/^rollout\./, '');
  const what = (text ?? '') === '' ? word : `${word}: ${text}`;
  const who = actor === '' || what.includes(actor) ? '' : ` (by ${actor})`;
  return `${timeText(at)} ${id} ${what}${who}`;
}

/** Returns the rollout of a service for its status, and what it waits for, if it does. */
export function briefTexts(
  terminal: Terminal,
  brief: Lenient<RolloutBrief>,
  nowMs: number,
): readonly string[] {
  const { id, stage, plan, share, to, actor, next } = brief;
  const facts = [
    `rollout ${shown(id)} to ${releaseName(terminal, to)} by ${shown(plan)} (${shown(actor)})`,
    `${shown(stage)}, ${trafficText(share)}`,
    comingText(next, nowMs),
  ];
  const waits = waitText(brief, nowMs);
  const line = facts.filter((fact) => fact !== undefined).join('; ');
  return waits === undefined ? [line] : [line, `  ${waits}`];
}
