// `turnout rollout`: shows rollouts, follows one, and steers it.

import { rolloutsAnswer, type rolloutAbortBody, type RolloutsAnswer } from '../../api/rollouts.ts';
import { rolloutView, type RolloutView } from '../../api/rollout-views.ts';
import { parseDuration } from '../../base/duration.ts';
import { parseTrafficPlan } from '../../config/values/traffic-plan.ts';
import { documentOf, shown, type Lenient } from '../client/answer.ts';
import {
  askAndPrint,
  askQuietly,
  complain,
  isRefusal,
  jsonOf,
  withService,
  type ClientFlags,
  type Fields,
  type Heard,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { numberProblem, timeProblem } from '../client/flag-check.ts';
import { endingText, eventText, trafficText, waitText } from '../texts/rollout-state-text.ts';
import { endOfFollowing, untilOf } from '../steps/rollout-follow.ts';
import { watchAnywhere } from '../steps/rollout-watch.ts';
import { planStepsJson, planStepsText } from '../steps/rollout-start.ts';
import { rolloutsText, rolloutText } from '../texts/rollout-text.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';

/** Stands for the rollout that goes on. */
const CURRENT = 'current';

export interface RolloutFlags extends ClientFlags {
  /** Undefined: the one that goes on. */
  readonly id: string | undefined;
}

/** Prints all of one rollout: the one that goes on, else the last one. */
export async function rollout(terminal: Terminal, flags: RolloutFlags): Promise<ExitCode> {
  const heard = await lookAt(terminal, flags);
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  terminal.out(flags.json ? jsonOf(heard.answer) : rolloutText(terminal, heard.answer));
  return EXIT.done;
}

/** Asks for the rollout that is named, else for the one that goes on. */
export async function lookAtCurrent(
  terminal: Terminal,
  flags: RolloutFlags,
): Promise<Heard<RolloutView>> {
  return await viewOf(terminal, flags, flags.id ?? CURRENT);
}

/** Asks for the rollout that is named, else for the one that goes on, else for the last one. */
export async function lookAt(terminal: Terminal, flags: RolloutFlags): Promise<Heard<RolloutView>> {
  const { id } = flags;
  const heard = await viewOf(terminal, flags, id ?? CURRENT);
  if (heard.ok || id !== undefined || !isRefusal(heard.trouble, 'rollout-unknown')) return heard;
  const path = withService(terminal, flags, '/v1/rollouts?limit=1');
  const question = { method: 'GET', path, body: undefined, answer: rolloutsAnswer } as const;
  const listed: Heard<RolloutsAnswer> = await askQuietly(terminal, flags, question);
  if (!listed.ok) return listed;
  const last = listed.answer.rollouts[0]?.id;
  return last === undefined ? heard : await viewOf(terminal, flags, last);
}

async function viewOf(terminal: Terminal, flags: ClientFlags, id: string) {
  const path = withService(terminal, flags, `/v1/rollouts/${encodeURIComponent(id)}`);
  const question = { method: 'GET', path, body: undefined, answer: rolloutView } as const;
  return await askQuietly(terminal, flags, question);
}

export interface ListFlags extends ClientFlags {
  /** Those that go on, alone. */
  readonly active: boolean;
  readonly limit: string | undefined;
}

/** Lists rollouts, the latest first. */
export async function listRollouts(terminal: Terminal, flags: ListFlags): Promise<ExitCode> {
  const { active, limit } = flags;
  const problem = numberProblem('--limit', limit);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const query = [
    ...(active ? ['active=true'] : []),
    ...(limit === undefined ? [] : [`limit=${limit}`]),
  ].join('&');
  const path = withService(terminal, flags, `/v1/rollouts${query === '' ? '' : `?${query}`}`);
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined, answer: rolloutsAnswer },
    show: (answer) => rolloutsText(terminal, answer),
  });
}

export interface WatchFlags extends RolloutFlags {
  /** How far it has to get; undefined: to its end. */
  readonly until: string | undefined;
  readonly timeout: string | undefined;
}

/** Follows a rollout to its end, or as far as is wanted; the exit code says how it went. */
export async function watchRollout(terminal: Terminal, flags: WatchFlags): Promise<ExitCode> {
  const { id = CURRENT, timeout, json } = flags;
  const until = untilOf(flags.until) ?? 'done';
  const problem = timeProblem('--timeout', timeout);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const limit = parseDuration(timeout);
  const following = { id, until, timeoutMs: limit.ok ? limit.value : undefined };
  const followed = await watchAnywhere(terminal, flags, following, (event, view) => {
    const said = { rollout: view.id, ...Object(documentOf(event)) };
    terminal.out(json ? jsonText(said) : eventText(shown(view.id), event));
  });
  return endOfFollowing(terminal, flags, followed);
}

/** Shows what a plan means; asks no server. */
export function showPlan(
  terminal: Terminal,
  { plan, json }: Pick<ClientFlags, 'json'> & { readonly plan: string },
): ExitCode {
  const parsed = parseTrafficPlan(plan);
  if (!parsed.ok) return complain(terminal, { json }, { code: 'usage', message: parsed.problem });
  terminal.out(json ? jsonText(planStepsJson(parsed.value)) : planStepsText(parsed.value));
  return EXIT.done;
}

/** What may be done to a rollout. */
export type ActVerb = 'approve' | 'reject' | 'pause' | 'resume' | 'skip' | 'promote' | 'abort';

/** Made only while the rollout is as it was when the command looked. */
const BOUND: ReadonlySet<string> = new Set(['approve', 'reject', 'skip', 'promote']);

export interface ActFlags extends RolloutFlags {
  readonly reason: string | undefined;
  readonly gate?: string | undefined;
  readonly restick?: string | undefined;
  readonly ramp?: string | undefined;
  /** False: the release that is left is not at fault. */
  readonly lockOut?: boolean;
  readonly force?: boolean;
}

/** Steers a rollout. */
export async function actOnRollout(
  terminal: Terminal,
  flags: ActFlags,
  verb: ActVerb,
): Promise<ExitCode> {
  const { reason, gate, restick, ramp, lockOut, force } = flags;
  const problem =
    timeProblem('--ramp', ramp) ??
    (verb === 'promote' && (reason ?? '').trim() === ''
      ? 'promote needs --reason TEXT: it takes all traffic over without the rest of the plan'
      : undefined);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const body: Fields<typeof rolloutAbortBody> & { readonly gate?: string } = {
    ...(reason === undefined ? {} : { reason }),
    ...(gate === undefined ? {} : { gate }),
    ...(restick === undefined ? {} : { restick }),
    ...(ramp === undefined ? {} : { ramp }),
    ...(lockOut === false ? { lockOut } : {}),
    ...(force === true ? { force } : {}),
  };
  return await act(terminal, flags, { verb, body, isBound: BOUND.has(verb) });
}

async function act(
  terminal: Terminal,
  flags: RolloutFlags,
  {
    verb,
    body,
    isBound,
  }: { readonly verb: string; readonly body: object; readonly isBound: boolean },
): Promise<ExitCode> {
  // Without an id, the one that goes on now is meant: not one that is started meanwhile.
  const before =
    isBound || flags.id === undefined
      ? await viewOf(terminal, flags, flags.id ?? CURRENT)
      : undefined;
  if (before?.ok === false) return complain(terminal, flags, before.trouble);
  const id = flags.id ?? shown(before?.answer.id);
  const event = before?.answer.event;
  const heard = await askQuietly(terminal, flags, {
    method: 'POST',
    path: withService(terminal, flags, `/v1/rollouts/${encodeURIComponent(id)}/${verb}`),
    body,
    answer: rolloutView,
    ...(isBound && event !== undefined ? { ifMatch: event } : {}),
  });
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  terminal.out(flags.json ? jsonOf(heard.answer) : standText(terminal, heard.answer));
  return EXIT.done;
}

/** How a rollout stands, in one line. */
export function standText(terminal: Terminal, view: Lenient<RolloutView>): string {
  const { id, stage, share, end } = view;
  if (end !== null) return `${shown(id)}: ${endingText(end)}`;
  const wait = waitText(view, terminal.nowMs());
  const stand = `${shown(id)}: ${shown(stage)}, ${trafficText(share)}`;
  return wait === undefined ? stand : `${stand}; ${wait}`;
}
