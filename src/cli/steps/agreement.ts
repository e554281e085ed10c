// Makes a switch that a person agreed to, and nothing else: shows the plan, asks, and binds the
// change to what was shown. If that is not true any more, the person is asked again.

import type { Question } from '../client/admin-client.ts';
import { statusAnswer } from '../../api/status-answer.ts';
import type { SwitchAnswer } from '../../api/switching.ts';
import {
  askQuietly,
  isRefusal,
  withService,
  type ClientFlags,
  type Heard,
  type Trouble,
} from '../client/client-command.ts';
import { planOf, planText, wayBackProblem, type Plan, type Planned } from './plan.ts';
import type { Terminal } from '../terminal/print.ts';

export interface ConfirmFlags extends ClientFlags {
  /** Do not ask. */
  readonly yes: boolean;
}

/** A switch that is wanted. */
export interface WantedSwitch {
  /** A color, a release, the number of a deployment; undefined: the color that is not active. */
  readonly to: string | undefined;
  readonly question: Question<SwitchAnswer>;
  /** How long requests wait for others to end; undefined: none waits. */
  readonly holdText: string | undefined;
  /** In which steps traffic moves: `10%:5m, 100%`; undefined: in one. */
  readonly stepsText?: string | undefined;
}

/** Every other decision makes a new generation; after this many in a row it gives up. */
const TRIES_MAX = 5;

/** True where a person is there to be asked and wants to be. */
export function wantsToAsk(terminal: Terminal, { yes, json }: ConfirmFlags): boolean {
  return terminal.ask !== undefined && !yes && !json;
}

/** Asks the server what a switch to `to` would do now. */
export async function planned(
  terminal: Terminal,
  flags: ClientFlags,
  to: string | undefined,
): Promise<Planned> {
  const path = withService(terminal, flags, '/v1/status');
  const question = { method: 'GET', path, body: undefined, answer: statusAnswer } as const;
  const heard = await askQuietly(terminal, flags, question);
  return heard.ok ? planOf(heard.answer, to) : heard;
}

/** Shows what would happen and makes it happen once a person says yes. */
export async function askAndSwitch(
  terminal: Terminal,
  flags: ConfirmFlags,
  wanted: WantedSwitch,
): Promise<Heard<SwitchAnswer>> {
  let now = await planned(terminal, flags, wanted.to);
  for (;;) {
    if (!now.ok) return now;
    const { plan } = now;
    // There is nothing to agree to; the server says so.
    if (plan.from === plan.to) return await askQuietly(terminal, flags, wanted.question);
    if (plan.barred !== undefined) return no(plan.barred);
    terminal.err(planText(terminal, plan, wanted));
    const answer = (await terminal.ask?.(`switch to ${wanted.to ?? plan.to}? [y/N] `)) ?? '';
    if (!/^y(es)?$/i.test(answer.trim())) return no(NOT_CONFIRMED);
    now = await planned(terminal, flags, wanted.to);
    if (!now.ok) return now;
    if (now.plan.key === plan.key) {
      const terms = { plan: now.plan, sameBy: 'key' } as const;
      const made = await askAsPlanned(terminal, flags, wanted, terms);
      if (made.kind === 'heard') return made.heard;
      now = made.now;
    }
    terminal.err('\nmeanwhile this has changed:');
  }
}

const NOT_CONFIRMED: Trouble = { code: 'not-confirmed', message: 'nothing has changed' };

type Made<T> =
  | { readonly kind: 'heard'; readonly heard: Heard<T> }
  /** The plan is another one by now; nothing was done. */
  | { readonly kind: 'changed'; readonly heard: Heard<T>; readonly now: Planned };

/** What has to stay as it was: all that a person was shown, or what the change is about. */
type SameBy = 'key' | 'binding';

/** Makes a change only as long as `plan` is what it is about. */
export async function askAsPlanned<T>(
  terminal: Terminal,
  flags: ClientFlags,
  { to, question }: { readonly to: string | undefined; readonly question: Question<T> },
  { plan, sameBy }: { readonly plan: Plan; readonly sameBy: SameBy },
): Promise<Made<T>> {
  let { generation } = plan;
  for (let tries = 1; ; tries++) {
    const heard = await askQuietly(terminal, flags, { ...question, ifMatch: generation });
    if (heard.ok || !isMismatch(heard.trouble)) return { kind: 'heard', heard };
    // Decisions on other services make generations too; they change nothing here.
    const now = await planned(terminal, flags, to);
    if (!now.ok || now.plan[sameBy] !== plan[sameBy]) return { kind: 'changed', heard, now };
    if (tries === TRIES_MAX) return { kind: 'heard', heard };
    ({ generation } = now.plan);
  }
}

/**
 * Makes a switch that no person has to agree to, bound to what is so now: another one at the same
 * moment is noticed, and two that want the same make one switch. Where the status can't be read, the
 * server alone decides; a switch without a destination is not made then.
 */
export async function switchUnasked(
  terminal: Terminal,
  flags: ClientFlags,
  { to, question }: WantedSwitch,
): Promise<Heard<SwitchAnswer>> {
  const before = await planned(terminal, flags, to);
  if (!before.ok) {
    const isAsked = to === undefined || before.trouble.code === 'no-server';
    return isAsked ? before : await askQuietly(terminal, flags, question);
  }
  const { plan } = before;
  const wanted = { to: to ?? plan.to, question };
  if (plan.from === plan.to) return await askQuietly(terminal, flags, question);
  const shut = wayBackProblem(plan);
  if (shut !== undefined && !flags.json) terminal.err(`${plan.service}: ${shut}`);
  const made = await askAsPlanned(terminal, flags, wanted, { plan, sameBy: 'binding' });
  if (made.kind === 'heard') return made.heard;
  // Another caller has just done what is wanted here: the server says so.
  const isDone = made.now.ok && made.now.plan.from === made.now.plan.to && to !== undefined;
  return isDone ? await askQuietly(terminal, flags, question) : made.heard;
}

/** Tells whether a change was refused because another decision was made meanwhile. */
export function isMismatch(trouble: Trouble): boolean {
  return isRefusal(trouble, 'generation-mismatch');
}

function no(trouble: Trouble): { readonly ok: false; readonly trouble: Trouble } {
  return { ok: false, trouble };
}
