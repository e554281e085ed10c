// `turnout drain`: what is left of the releases that were switched away from. Waits for the end
// of it, or brings that about.

import { drainAnswer, type Drain, type drainBody, type DrainAnswer } from '../../api/draining.ts';
import { changeAnswer, type ChangeAnswer } from '../../api/shared-fields.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askAndPrint,
  askOrComplain,
  changeOf,
  complain,
  jsonOf,
  serviceNamed,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import { parseDuration } from '../../base/duration.ts';
import { waitForDrains } from '../steps/drain-wait.ts';
import { drainName } from '../texts/release-text.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { numberProblem, timeProblem } from '../client/flag-check.ts';
import { foldText } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, styled, type Terminal } from '../terminal/print.ts';

export interface DrainFlags extends ClientFlags {
  readonly deployment: string | undefined;
  /** Instead of its number: the generation in which it last became active. */
  readonly generation: string | undefined;
  readonly wait: boolean;
  /** How long `wait` waits; undefined: until the end. */
  readonly timeout: string | undefined;
  readonly evict: boolean;
  readonly reason: string | undefined;
}

/** Shows drains, waits for them, or ends them. */
export async function drain(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const { deployment, generation, timeout } = flags;
  const isIdle = timeout !== undefined && !flags.wait;
  const problem =
    numberProblem('--deployment', deployment) ??
    numberProblem('--generation', generation) ??
    (deployment !== undefined && generation !== undefined
      ? 'expected --deployment or --generation, got both'
      : undefined) ??
    timeProblem('--timeout', timeout) ??
    (isIdle ? '--timeout: of use with --wait only' : undefined);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const limit = parseDuration(timeout);
  if (flags.evict) {
    const code = await evict(terminal, flags);
    if (code !== EXIT.done || !flags.wait) return code;
  }
  if (flags.wait) return await waitForEnd(terminal, flags, limit.ok ? limit.value : undefined);
  const query = queryOf(terminal, flags);
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'GET',
      path: `/v1/drain${query === '' ? '' : `?${query}`}`,
      body: undefined,
      answer: drainAnswer,
    },
    show: (answer) => drainText(terminal, answer),
  });
}

async function evict(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const { deployment, generation, reason, json, wait } = flags;
  const body: Fields<typeof drainBody> = {
    ...(deployment === undefined ? {} : { deployment: Number(deployment) }),
    ...(generation === undefined ? {} : { generation: Number(generation) }),
    ...(reason === undefined ? {} : { reason }),
  };
  const question = changeOf(terminal, flags, { path: '/v1/drain', body, answer: changeAnswer });
  const told = await askOrComplain(terminal, flags, question);
  if (!told.ok) return told.code;
  // A script that waits as well reads what came of that.
  if (json && !wait) terminal.out(jsonOf(told.answer));
  if (!json) terminal.out(evictText(told.answer));
  return EXIT.done;
}

function evictText({ service, changed }: Lenient<ChangeAnswer>): string {
  const what =
    changed === true ? 'sessions move over, connections close' : 'no session was left to move over';
  return `${shown(service)}: ${what}`;
}

async function waitForEnd(
  terminal: Terminal,
  flags: DrainFlags,
  timeoutMs: number | undefined,
): Promise<ExitCode> {
  const query = queryOf(terminal, flags);
  const waited = await waitForDrains(terminal, flags, { query, timeoutMs });
  switch (waited.kind) {
    case 'interrupted': {
      const message = 'the wait was interrupted; what drains goes on';
      return complain(terminal, flags, { code: 'interrupted', message });
    }
    case 'trouble':
      return complain(terminal, flags, waited.trouble);
    default:
      terminal.out(flags.json ? jsonOf(waited.answer) : drainText(terminal, waited.answer));
      return waited.kind === 'over' ? EXIT.done : EXIT.failed;
  }
}

function queryOf(terminal: Terminal, flags: DrainFlags): string {
  const service = serviceNamed(terminal, flags);
  return [
    ...(flags.deployment === undefined ? [] : [`deployment=${flags.deployment}`]),
    ...(flags.generation === undefined ? [] : [`generation=${flags.generation}`]),
    ...(service === '' ? [] : [`service=${encodeURIComponent(service)}`]),
  ].join('&');
}

function drainText(
  terminal: Terminal,
  { draining: running, safeToStop }: Lenient<DrainAnswer>,
): string {
  const columns = terminal.size()?.columns ?? Infinity;
  const rows = running.map((one) => row(terminal, one));
  const lines = running.length === 0 ? [] : [listing(HEAD, rows, columns)];
  for (const one of running) {
    if (one.scope === 'targets') lines.push(...foldText(leavingText(one), columns, 2));
    const name = drainName(one);
    for (const reason of one.reasons) {
      lines.push(...foldText(`${name}: ${shown(reason)}`, columns, 2));
    }
  }
  const verdict = running.length === 0 ? 'nothing drains' : 'nothing is left of what drains';
  lines.push(
    safeToStop === true
      ? styled(terminal, 'green', `${verdict}: what is not active may be stopped`)
      : styled(terminal, 'yellow', 'not safe to stop yet'),
  );
  return lines.join('\n');
}

/** The deployment goes on, so its number does not say what drains. */
function leavingText({ deployment, targets }: Lenient<Drain>): string {
  return `deployment ${shown(deployment)} goes on without ${targets.map(shown).join(', ')}`;
}

const HEAD = [
  'SERVICE',
  'DEPLOYMENT',
  'COLOR',
  'RELEASE',
  'REQUESTS',
  'TUNNELS',
  'STREAMS',
  'SESSIONS',
  'SESSIONS UNTIL',
  'CUT AT',
];

function row(terminal: Terminal, drain: Lenient<Drain>): string[] {
  return [
    shown(drain.service),
    shown(drain.deployment),
    colorName(terminal, shown(drain.color)),
    shown(drain.release),
    shown(drain.requests),
    shown(drain.tunnels),
    shown(drain.streams),
    `~${shown(drain.sessions.seen)}`,
    shown(drain.deadlines.sessions),
    shown(drain.deadlines.end),
  ];
}
