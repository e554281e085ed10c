// `turnout switch` and `turnout rollback`: one call each, and what came of it.

import { askAndSwitch, switchUnasked, wantsToAsk, type ConfirmFlags } from '../steps/agreement.ts';
import {
  goesOn,
  stepsTextOf,
  termsOf,
  termsProblem,
  wantsRollout,
  type TermFlags,
} from '../steps/rollout-start.ts';
import { rollbackUnasked } from '../steps/rollback-once.ts';
import { severalUnasked } from '../steps/several-services.ts';
import { drainAnswer } from '../../api/draining.ts';
import {
  switchAnswer,
  switchesAnswer,
  type rollbackBody,
  type SwitchAnswer,
  type switchBody,
} from '../../api/switching.ts';
import { documentOf, shown, type Lenient } from '../client/answer.ts';
import {
  askQuietly,
  changeOf,
  complain,
  jsonOf,
  serviceFlag,
  type ClientFlags,
  type Fields,
  type Heard,
} from '../client/client-command.ts';
import { parseDuration } from '../../base/duration.ts';
import { begunBy, waitEndText, waitForDrains, type Begun } from '../steps/drain-wait.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { colorName, jsonText, styled, type Terminal } from '../terminal/print.ts';
import { releaseName } from '../texts/release-text.ts';

interface ChangeFlags extends ClientFlags {
  readonly force: boolean;
  readonly reason: string | undefined;
  /** Only what would be done, or refused. */
  readonly dryRun: boolean;
  readonly wait: boolean;
  /** How long `wait` waits, such as `10m`; undefined: until the end. */
  readonly timeout: string | undefined;
}

export interface SwitchFlags extends ChangeFlags, ConfirmFlags, TermFlags {
  /** How far a rollout that is waited for has to get; undefined: to its end. */
  readonly until: string | undefined;
  /** A color, a release, the number of a deployment; undefined: the color that is not active. */
  readonly to: string | undefined;
  /** A time such as `10s`; undefined: no request waits. */
  readonly hold: string | undefined;
  /** Gate of the configuration that changes the data meanwhile; undefined: none does. */
  readonly migrate: string | undefined;
  /** Several services in one step: `a,b`; undefined: one. */
  readonly services: string | undefined;
}

export interface RollbackFlags extends ChangeFlags {
  /** A release, the number of a deployment, a color; undefined: what was active before. */
  readonly to: string | undefined;
  readonly restick: string | undefined;
  /** The release that is left can't be switched to until it is unlocked or replaced. */
  readonly lockOut: boolean;
}

/** Makes what is on a color, or a kept deployment, the active one. */
export async function switchTraffic(terminal: Terminal, flags: SwitchFlags): Promise<ExitCode> {
  const problem =
    termsProblem(flags) ??
    timeProblem('--hold', flags.hold) ??
    migrateProblem(flags) ??
    usageProblem(flags) ??
    destinationProblem(terminal, flags);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  if (flags.services !== undefined) return await switchSeveral(terminal, flags, flags.services);
  const { to, hold, migrate } = flags;
  const body: Fields<typeof switchBody> = {
    to,
    hold,
    ...(migrate === undefined ? {} : { migrate }),
    ...termsOf(flags),
    ...reasonOf(flags),
  };
  const asked = changeOf(terminal, flags, { path: '/v1/switch', body, answer: switchAnswer });
  const waitMs = millisecondsOf(hold);
  const question = { ...asked, waitMs };
  if (waitMs > 0 && !flags.json && !flags.dryRun && !wantsToAsk(terminal, flags)) {
    terminal.err(`${waitEndText(terminal, waitMs)}; \`turnout resume\` calls it off`);
  }
  const wanted = { to, question, holdText: hold, stepsText: stepsTextOf(flags) };
  const heard =
    wantsToAsk(terminal, flags) && !flags.dryRun
      ? await askAndSwitch(terminal, flags, wanted)
      : await switchUnasked(terminal, flags, wanted);
  return await tell(terminal, flags, heard);
}

/**
 * Without a destination a switch goes back and forth: two scripts that react to one alarm would cancel
 * each other. A person sees where it goes.
 */
function destinationProblem(terminal: Terminal, flags: SwitchFlags): string | undefined {
  if (flags.to !== undefined || terminal.ask !== undefined) return undefined;
  const of = flags.services === undefined ? serviceFlag(flags) : ` --services ${flags.services}`;
  return (
    `say where to: \`turnout switch blue${of}\`, \`turnout switch green${of}\`, or a release; ` +
    'it is left out on a terminal only'
  );
}

/** Switches several services in one step, or none of them. */
async function switchSeveral(
  terminal: Terminal,
  flags: SwitchFlags,
  names: string,
): Promise<ExitCode> {
  const { to, hold, migrate, wait, service } = flags;
  const services = names.split(',').map((name) => name.trim());
  const isDrainWait = wait && !wantsRollout(flags);
  const problem = severalProblem({ services, wait: isDrainWait, service });
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const body: Fields<typeof switchBody> = {
    to,
    services,
    hold,
    ...(migrate === undefined ? {} : { migrate }),
    ...termsOf(flags),
    ...reasonOf(flags),
  };
  if (wantsToAsk(terminal, flags) && !flags.dryRun) {
    const where = to ?? 'the other color, each';
    const agreed =
      (await terminal.ask?.(`switch ${services.join(', ')} to ${where}? [y/N] `)) ?? '';
    if (!/^y(es)?$/i.test(agreed.trim())) {
      return complain(terminal, flags, { code: 'not-confirmed', message: 'nothing has changed' });
    }
  }
  const path = '/v1/switch';
  const question = { method: 'POST', path, body, answer: switchesAnswer } as const;
  const heard = await severalUnasked(terminal, flags, {
    to,
    services,
    question: { ...question, waitMs: millisecondsOf(hold) },
  });
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  const { services: made, generation, tookMs, dryRun } = heard.answer;
  const text = made.map((one) => changeText(terminal, { ...one, generation, tookMs, dryRun }));
  const { id } = heard.answer.rollout ?? {};
  if (!flags.json) terminal.out(text.join('\n'));
  if (id !== undefined && dryRun !== true) {
    return await goesOn(terminal, flags, { id, answer: heard.answer, timeoutMs: undefined });
  }
  if (flags.json) terminal.out(jsonOf(heard.answer));
  return EXIT.done;
}

/** Returns what is wrong with `--migrate`, or undefined. */
export function migrateProblem({
  hold,
  migrate,
}: Pick<SwitchFlags, 'hold' | 'migrate'>): string | undefined {
  return migrate !== undefined && hold === undefined
    ? '--migrate needs --hold TIME: data are changed while no request runs'
    : undefined;
}

function severalProblem({
  services,
  wait,
  service,
}: {
  readonly services: readonly string[];
  readonly wait: boolean;
  readonly service: string | undefined;
}): string | undefined {
  if (services.includes('')) return '--services: expected names such as a,b';
  if (service !== undefined) return '--services and --service: name services by one of them';
  return wait
    ? '--wait: of use with one service only; `turnout drain --wait` waits for all'
    : undefined;
}

function millisecondsOf(time: string | undefined): number {
  const parsed = parseDuration(time);
  return parsed.ok ? parsed.value : 0;
}

/** Takes the last switch back, or goes to a named deployment. Never asks: it is the way out. */
export async function rollback(terminal: Terminal, flags: RollbackFlags): Promise<ExitCode> {
  const problem = usageProblem(flags);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const { to, restick, lockOut } = flags;
  const body: Fields<typeof rollbackBody> = {
    to,
    restick,
    ...(lockOut ? {} : { lockOut }),
    ...reasonOf(flags),
  };
  const question = changeOf(terminal, flags, { path: '/v1/rollback', body, answer: switchAnswer });
  const asked = await rollbackUnasked(terminal, flags, question);
  if (asked.kind === 'done-by-other') {
    const { service, text } = asked;
    terminal.out(flags.json ? jsonText({ service, changed: false }) : `${service}: ${text}`);
    return EXIT.done;
  }
  const code = await tell(terminal, flags, asked.heard);
  const isMade = code === EXIT.done && !flags.dryRun;
  const isPlain = asked.heard.ok && asked.heard.answer.rollout === undefined;
  if (isMade && isPlain && lockOut && terminal.isLive && !flags.json) {
    const unlock = `turnout unlock${serviceFlag(flags)}`;
    terminal.err(`a release with a name that was left is locked out until \`${unlock}\``);
  }
  return code;
}

function usageProblem({ force, reason, wait, timeout }: ChangeFlags): string | undefined {
  if (force && (reason ?? '') === '') {
    return '--force needs --reason TEXT: the history keeps why health was overridden';
  }
  if (timeout !== undefined && !wait) return '--timeout: of use with --wait only';
  return timeProblem('--timeout', timeout);
}

function reasonOf({
  force,
  reason,
  dryRun,
}: ChangeFlags): Pick<Fields<typeof switchBody>, 'force' | 'reason' | 'dryRun'> {
  return {
    ...(force ? { force } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(dryRun ? { dryRun } : {}),
  };
}

type TellFlags = Pick<ChangeFlags, 'wait' | 'timeout'> & ClientFlags;

/** Prints what came of a switch; waits for the rollout or the drain that it began, if asked to. */
export async function tell(
  terminal: Terminal,
  flags: TellFlags & Partial<Pick<SwitchFlags, 'until'>>,
  heard: Heard<SwitchAnswer>,
): Promise<ExitCode> {
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  const { answer } = heard;
  const { id } = answer.rollout ?? {};
  if (!flags.json && (id === undefined || answer.changed === true)) {
    terminal.out(changeText(terminal, answer));
  }
  if (id !== undefined && answer.dryRun !== true) {
    const limit = parseDuration(flags.timeout);
    const timeoutMs = limit.ok ? limit.value : undefined;
    return await goesOn(terminal, { until: undefined, ...flags }, { id, answer, timeoutMs });
  }
  if (flags.wait && answer.changed !== false && answer.dryRun !== true) {
    return await waitAndTell(terminal, flags, answer);
  }
  if (flags.json) terminal.out(jsonOf(answer));
  return EXIT.done;
}

function changeText(terminal: Terminal, answer: Lenient<SwitchAnswer>): string {
  const service = shown(answer.service);
  const to = colorName(terminal, shown(answer.to));
  const deployment = `deployment ${shown(answer.deployment)}`;
  const generation = `generation ${shown(answer.generation)}`;
  if (answer.changed === false) {
    return `${service}: ${to} is active already, nothing has changed (${deployment}, ${generation})`;
  }
  const from = colorName(terminal, shown(answer.from));
  const { release = '' } = answer;
  const what = release === '' ? '' : `release ${release}, `;
  const move = `${from} ${terminal.signs.arrow} ${to}`;
  if (answer.dryRun === true) {
    return `${service}: ${move} would be made (${what}${deployment}); nothing has changed`;
  }
  return `${service}: ${move} (${what}${deployment}, ${generation}, ${shown(answer.tookMs)} ms)`;
}

/** Waits for the drain that `switched` has begun; 1 if it lasts longer or was taken back. */
async function waitAndTell(
  terminal: Terminal,
  flags: Pick<ChangeFlags, 'timeout'> & ClientFlags,
  switched: Lenient<SwitchAnswer>,
): Promise<ExitCode> {
  const service = shown(switched.service);
  const query = `service=${encodeURIComponent(service)}`;
  const drains = await askQuietly(terminal, flags, {
    method: 'GET',
    path: `/v1/drain?${query}`,
    body: undefined,
    answer: drainAnswer,
  });
  if (!drains.ok) return complain(terminal, flags, drains.trouble);
  const begun = begunBy(switched, drains.answer);
  if (begun === undefined) {
    if (flags.json) terminal.out(jsonWith(switched, null));
    else terminal.out(`${service}: nothing was left to drain`);
    return EXIT.done;
  }
  const deployment = shown(begun.drain.deployment);
  const limit = parseDuration(flags.timeout);
  const waited = await waitForDrains(terminal, flags, {
    query: `${query}&deployment=${deployment}`,
    timeoutMs: limit.ok ? limit.value : undefined,
  });
  const onward = `\`turnout drain --wait --deployment ${deployment}\` waits on`;
  if (waited.kind === 'interrupted') {
    const message = `the switch is made, its drain goes on: ${onward}`;
    return complain(terminal, flags, { code: 'interrupted', message });
  }
  if (waited.kind === 'trouble') return complain(terminal, flags, waited.trouble);
  // A server that was started anew has forgotten what ended before.
  const last = begunBy(switched, waited.answer) ?? begun;
  if (flags.json) terminal.out(jsonWith(switched, documentOf(last.drain)));
  const name = `${service}: deployment ${deployment} (${releaseName(terminal, last.drain)})`;
  if (waited.kind === 'timeout') {
    if (!flags.json) terminal.err(`${name} still drains after ${flags.timeout}: ${onward}`);
    return EXIT.failed;
  }
  if (!flags.json) terminal.out(`${name} ${endText(terminal, last)}`);
  return last.how === 'resumed' ? EXIT.failed : EXIT.done;
}

/** Returns the answer to a switch with the drain that it began, for scripts. */
function jsonWith(switched: Lenient<SwitchAnswer>, drain: unknown): string {
  return jsonText({ ...Object(documentOf(switched)), drain });
}

function endText(terminal: Terminal, { how }: Begun): string {
  switch (how) {
    case 'resumed':
      return styled(terminal, 'red', 'is active again: another caller has taken the switch back');
    case 'deadline':
      return styled(
        terminal,
        'yellow',
        'had no more time: what was left is cut, its targets may be stopped',
      );
    default:
      return styled(terminal, 'green', 'has drained: its targets may be stopped');
  }
}
