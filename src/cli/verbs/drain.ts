// `turnout drain`: what is left of the releases that were switched away from. Waits for the end
// of it, or brings that about.

import { listOf, partOf, textOf } from '../client/answer.ts';
import {
  askAndPrint,
  askOrComplain,
  changeOf,
  complain,
  serviceNamed,
  type ClientFlags,
} from '../client/client-command.ts';
import { parseDuration } from '../../base/duration.ts';
import { waitForDrains } from './drain-wait.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { numberProblem, timeProblem } from '../client/flag-check.ts';
import { foldText } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, styled, type Terminal } from '../terminal/print.ts';

export interface DrainFlags extends ClientFlags {
  readonly generation: string | undefined;
  readonly wait: boolean;
  /** How long `wait` waits; undefined: until the end. */
  readonly timeout: string | undefined;
  readonly evict: boolean;
  readonly reason: string | undefined;
}

/** Shows drains, waits for them, or ends them. */
export async function drain(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const { generation, timeout } = flags;
  const isIdle = timeout !== undefined && !flags.wait;
  const problem =
    numberProblem('--generation', generation) ??
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
    },
    show: (answer) => drainText(terminal, answer),
  });
}

async function evict(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const { generation, reason, json, wait } = flags;
  const body = {
    ...(generation === undefined ? {} : { generation: Number(generation) }),
    ...(reason === undefined ? {} : { reason }),
  };
  const told = await askOrComplain(terminal, flags, changeOf(terminal, flags, '/v1/drain', body));
  if (!told.ok) return told.code;
  // A script that waits as well reads what came of that.
  if (json && !wait) terminal.out(JSON.stringify(told.body));
  if (!json) terminal.out(evictText(told.body));
  return EXIT.done;
}

function evictText(answer: unknown): string {
  const what =
    partOf(answer, 'changed') === true
      ? 'sessions move over, connections close'
      : 'no session was left to move over';
  return `${textOf(answer, 'service')}: ${what}`;
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
      terminal.out(flags.json ? JSON.stringify(waited.answer) : drainText(terminal, waited.answer));
      return waited.kind === 'over' ? EXIT.done : EXIT.failed;
  }
}

function queryOf(terminal: Terminal, flags: DrainFlags): string {
  const service = serviceNamed(terminal, flags);
  return [
    ...(flags.generation === undefined ? [] : [`generation=${flags.generation}`]),
    ...(service === '' ? [] : [`service=${encodeURIComponent(service)}`]),
  ].join('&');
}

function drainText(terminal: Terminal, answer: unknown): string {
  const running = listOf(answer, 'draining');
  const columns = terminal.size()?.columns ?? Infinity;
  const rows = running.map((one) => row(terminal, one));
  const lines = running.length === 0 ? [] : [listing(HEAD, rows, columns)];
  for (const one of running) {
    const name = `generation ${textOf(one, 'generation')}`;
    for (const index of listOf(one, 'reasons').keys()) {
      lines.push(...foldText(`${name}: ${textOf(one, 'reasons', index)}`, columns, 2));
    }
  }
  const isSafe = partOf(answer, 'safeToStop') === true;
  const verdict = running.length === 0 ? 'nothing drains' : 'nothing is left of what drains';
  lines.push(
    isSafe
      ? styled(terminal, 'green', `${verdict}: what is not active may be stopped`)
      : styled(terminal, 'yellow', 'not safe to stop yet'),
  );
  return lines.join('\n');
}

const HEAD = [
  'SERVICE',
  'GENERATION',
  'COLOR',
  'RELEASE',
  'REQUESTS',
  'TUNNELS',
  'STREAMS',
  'SESSIONS',
  'SESSIONS UNTIL',
  'CUT AT',
];

function row(terminal: Terminal, drain: unknown): string[] {
  return [
    textOf(drain, 'service'),
    textOf(drain, 'generation'),
    colorName(terminal, textOf(drain, 'color')),
    textOf(drain, 'release'),
    textOf(drain, 'requests'),
    textOf(drain, 'tunnels'),
    textOf(drain, 'streams'),
    `~${textOf(drain, 'sessions', 'seen')}`,
    textOf(drain, 'deadlines', 'sessions'),
    textOf(drain, 'deadlines', 'end'),
  ];
}
