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
import { planOf, planText, type Plan, type Planned } from './plan.ts';
import type { Terminal } from '../terminal/print.ts';

export interface ConfirmFlags extends ClientFlags {
  /** Do not ask. */
  readonly yes: boolean;
  /** How traffic moves. */
  readonly plan: string | undefined;
}

/** A switch that is wanted. */
export interface WantedSwitch {
  /** A color, a release, the number of a deployment; undefined: the color that is not active. */
  readonly to: string | undefined;
  readonly question: Question<SwitchAnswer>;
  /** How long requests wait for others to end; undefined: none waits. */
  readonly holdText: string | undefined;
}

/** Every other decision makes a new generation; after this many in a row it gives up. */
const TRIES_MAX = 5;

/** Returns what is wrong with `--plan`, or undefined. */
export function planProblem(plan: string | undefined): string | undefined {
  if (plan === undefined || plan === 'all-at-once') return undefined;
  return `--plan: expected all-at-once, got "${plan}": this version moves all traffic in one step; plans with several come with a later one`;
}

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
    terminal.err(planText(terminal, plan, wanted.holdText));
    const answer = (await terminal.ask?.(`switch to ${wanted.to ?? plan.to}? [y/N] `)) ?? '';
    if (!/^y(es)?$/i.test(answer.trim())) return no(NOT_CONFIRMED);
    now = await planned(terminal, flags, wanted.to);
    if (!now.ok) return now;
    if (now.plan.key === plan.key) {
      const made = await switchAsPlanned(terminal, flags, wanted, now.plan);
      if (made.kind === 'heard') return made.heard;
      now = made.now;
    }
    terminal.err('\nmeanwhile this has changed:');
  }
}

const NOT_CONFIRMED: Trouble = { code: 'not-confirmed', message: 'nothing has changed' };

type Made =
  | { readonly kind: 'heard'; readonly heard: Heard<SwitchAnswer> }
  /** The plan is another one by now; nothing was done. */
  | { readonly kind: 'changed'; readonly heard: Heard<SwitchAnswer>; readonly now: Planned };

/** Makes the change only as long as `plan` is what it does. */
export async function switchAsPlanned(
  terminal: Terminal,
  flags: ClientFlags,
  { to, question }: WantedSwitch,
  plan: Plan,
): Promise<Made> {
  let { generation } = plan;
  for (let tries = 1; ; tries++) {
    const heard = await askQuietly(terminal, flags, { ...question, ifMatch: generation });
    if (heard.ok || !isMismatch(heard.trouble)) return { kind: 'heard', heard };
    // Decisions on other services make generations too; they change nothing here.
    const now = await planned(terminal, flags, to);
    if (!now.ok || now.plan.key !== plan.key) return { kind: 'changed', heard, now };
    if (tries === TRIES_MAX) return { kind: 'heard', heard };
    ({ generation } = now.plan);
  }
}

/** Tells whether a change was refused because another decision was made meanwhile. */
export function isMismatch(trouble: Trouble): boolean {
  return isRefusal(trouble, 'generation-mismatch');
}

function no(trouble: Trouble): { readonly ok: false; readonly trouble: Trouble } {
  return { ok: false, trouble };
}
