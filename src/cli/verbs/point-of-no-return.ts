// `turnout rollout point-of-no-return`: says that there is no way back from what is active, or that there is
// one again; of the rollout that goes on, else of the service. Opening the way back is asked about.

import { rolloutView, type RolloutView } from '../../api/rollout-views.ts';
import { changeAnswer, type ChangeAnswer } from '../../api/shared-fields.ts';
import { statusAnswer, type StatusAnswer } from '../../api/status-answer.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askQuietly,
  complain,
  isRefusal,
  jsonOf,
  withService,
  type Heard,
  type Trouble,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { wantsToAsk } from '../steps/agreement.ts';
import { timeText } from '../terminal/numbers.ts';
import type { Terminal } from '../terminal/print.ts';
import { lookAtCurrent, standText, type RolloutFlags } from './rollout.ts';

export interface NoReturnFlags extends RolloutFlags {
  readonly on: boolean;
  readonly reason: string | undefined;
  /** Do not ask. */
  readonly yes: boolean;
}

/** What is to be said of the way back, and who says so. */
interface NoReturn {
  readonly actor?: string | undefined;
  readonly at?: string | undefined;
  readonly reason?: string | undefined;
}

/** Says that nothing goes back any more, or may again: at any time, while a rollout runs and after it. */
export async function pointOfNoReturn(terminal: Terminal, flags: NoReturnFlags): Promise<ExitCode> {
  const found = await rolloutMeant(terminal, flags);
  if (!found.ok) return complain(terminal, flags, found.trouble);
  const { id, view } = found;
  if (id === undefined) return await ofService(terminal, flags);
  const isAgreed =
    flags.on || view === undefined || (await agrees(terminal, flags, view.pointOfNoReturn));
  if (!isAgreed) return complain(terminal, flags, NOT_CONFIRMED);
  const heard = await askQuietly(terminal, flags, {
    method: 'POST',
    path: withService(terminal, flags, `/v1/rollouts/${encodeURIComponent(id)}/point-of-no-return`),
    body: bodyOf(flags),
    answer: rolloutView,
  });
  if (heard.ok) {
    terminal.out(flags.json ? jsonOf(heard.answer) : standText(terminal, heard.answer));
    return EXIT.done;
  }
  // It has ended between the two calls, and its service is still meant.
  const isOver = flags.id === undefined && isRefusal(heard.trouble, 'rollout-over');
  if (isOver) return await ofService(terminal, flags, { isAsked: true });
  return complain(terminal, flags, heard.trouble);
}

interface Meant {
  readonly ok: true;
  /** Undefined: no rollout goes on, the service is meant. */
  readonly id: string | undefined;
  /** Undefined: it was not looked at. */
  readonly view: Lenient<RolloutView> | undefined;
}

async function rolloutMeant(
  terminal: Terminal,
  flags: NoReturnFlags,
): Promise<Meant | { readonly ok: false; readonly trouble: Trouble }> {
  const { id, on } = flags;
  if (id !== undefined && on) return { ok: true, id, view: undefined };
  const heard = await lookAtCurrent(terminal, flags);
  if (heard.ok) return { ok: true, id: id ?? shown(heard.answer.id), view: heard.answer };
  const isNone = id === undefined && isRefusal(heard.trouble, 'rollout-unknown');
  return isNone ? { ok: true, id: undefined, view: undefined } : heard;
}

async function ofService(
  terminal: Terminal,
  flags: NoReturnFlags,
  { isAsked = false }: { readonly isAsked?: boolean } = {},
): Promise<ExitCode> {
  const { on, reason = '' } = flags;
  if (reason.trim() === '') {
    const message = 'no rollout goes on, so it is about the service: say why with --reason TEXT';
    return complain(terminal, flags, { code: 'usage', message });
  }
  if (!on && !isAsked && wantsToAsk(terminal, flags)) {
    const known = await barOf(terminal, flags);
    if (!known.ok) return complain(terminal, flags, known.trouble);
    if (!(await agrees(terminal, flags, known.answer))) {
      return complain(terminal, flags, NOT_CONFIRMED);
    }
  }
  const heard: Heard<ChangeAnswer> = await askQuietly(terminal, flags, {
    method: 'POST',
    path: withService(terminal, flags, '/v1/point-of-no-return'),
    body: bodyOf(flags),
    answer: changeAnswer,
  });
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  terminal.out(flags.json ? jsonOf(heard.answer) : changeText(heard.answer, on));
  return EXIT.done;
}

/** Asks what bars the way back of the service that is meant; null: nothing does. */
async function barOf(
  terminal: Terminal,
  flags: NoReturnFlags,
): Promise<
  | { readonly ok: true; readonly answer: NoReturn | null }
  | { readonly ok: false; readonly trouble: Trouble }
> {
  const path = withService(terminal, flags, '/v1/status');
  const question = { method: 'GET', path, body: undefined, answer: statusAnswer } as const;
  const heard: Heard<StatusAnswer> = await askQuietly(terminal, flags, question);
  if (!heard.ok) return heard;
  // Where it names no service and there are several, the call itself is refused.
  const [service, other] = heard.answer.services;
  const bar = other === undefined ? service?.pointOfNoReturn : null;
  return { ok: true, answer: bar ?? null };
}

/** Asks a person, if one is there, whether the way back may be opened; nothing is asked where it is open. */
async function agrees(
  terminal: Terminal,
  flags: NoReturnFlags,
  bar: NoReturn | null | undefined,
): Promise<boolean> {
  if (bar === null || bar === undefined || !wantsToAsk(terminal, flags)) return true;
  const why = bar.reason === undefined || bar.reason === '' ? '' : `: ${bar.reason}`;
  terminal.err(`no way back since ${timeText(bar.at)}, says ${shown(bar.actor)}${why}`);
  terminal.err(
    'If that is still so, the release before answers wrongly after a rollback. Guard and failover may go back by themselves again.',
  );
  const answer = (await terminal.ask?.('allow the way back again? [y/N] ')) ?? '';
  return /^y(es)?$/i.test(answer.trim());
}

const NOT_CONFIRMED: Trouble = { code: 'not-confirmed', message: 'nothing has changed' };

function bodyOf({ on, reason }: NoReturnFlags) {
  return { on, ...(reason === undefined ? {} : { reason }) };
}

function changeText({ service, changed }: Lenient<ChangeAnswer>, on: boolean): string {
  const name = shown(service);
  if (changed === true) {
    return on
      ? `${name}: nothing goes back behind the active release any more, until a newer one serves`
      : `${name}: there is a way back again`;
  }
  return on
    ? `${name}: there was no way back already; the first reason is kept`
    : `${name}: there was a way back already`;
}
