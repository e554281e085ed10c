// `turnout drain`: what is left of the releases that were switched away from. Waits for the end
// of it, or brings that about.

import { listOf, partOf, textOf } from './answer.ts';
import {
  askAndPrint,
  askOrComplain,
  changeOf,
  complain,
  withService,
  type ClientFlags,
} from './client-command.ts';
import { parseDuration } from '../config/duration.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { colorName, liveLine, styled, table, type Terminal } from './print.ts';

export interface DrainFlags extends ClientFlags {
  readonly generation: string | undefined;
  readonly wait: boolean;
  /** How long `wait` waits; undefined: until the end. */
  readonly timeout: string | undefined;
  readonly evict: boolean;
  readonly reason: string | undefined;
}

/** One question waits this long; then the next shows how far it is. */
const STEP_MS = 1_000;

/** Shows drains, waits for them, or ends them. */
export async function drain(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const { generation } = flags;
  if (generation !== undefined && !/^[1-9]\d{0,14}$/.test(generation)) {
    const message = `--generation: expected a number such as 12, got "${generation}"`;
    return complain(terminal, flags, { code: 'usage', message });
  }
  if (flags.evict) {
    const code = await evict(terminal, flags);
    if (code !== EXIT.done || !flags.wait) return code;
  }
  if (flags.wait) return await waitForEnd(terminal, flags);
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path: pathOf(terminal, flags, 0), body: undefined },
    show: (answer) => drainText(terminal, answer),
  });
}

async function evict(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const { generation, reason } = flags;
  const body = {
    ...(generation === undefined ? {} : { generation: Number(generation) }),
    ...(reason === undefined ? {} : { reason }),
  };
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, '/v1/drain', body),
    show: (answer) =>
      partOf(answer, 'changed') === true
        ? `${textOf(answer, 'service')}: sessions move over, connections close`
        : `${textOf(answer, 'service')}: no session was left to move over`,
  });
}

async function waitForEnd(terminal: Terminal, flags: DrainFlags): Promise<ExitCode> {
  const limit = flags.timeout === undefined ? undefined : parseDuration(flags.timeout);
  if (limit?.ok === false) {
    const message = `--timeout: ${limit.problem}`;
    return complain(terminal, flags, { code: 'usage', message });
  }
  const deadlineMs = limit === undefined ? Infinity : performance.now() + limit.value;
  const line = liveLine(terminal);
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    const stepMs = Math.max(0, Math.min(STEP_MS, Math.floor(leftMs)));
    const path = pathOf(terminal, flags, stepMs);
    const told = await askOrComplain(terminal, flags, { method: 'GET', path, body: undefined });
    if (!told.ok) return told.code;
    const running = listOf(told.body, 'draining');
    const isOver = running.length === 0;
    if (isOver || deadlineMs - performance.now() <= 0) {
      line.end();
      terminal.out(flags.json ? JSON.stringify(told.body) : drainText(terminal, told.body));
      return isOver ? EXIT.done : EXIT.failed;
    }
    if (!flags.json) line.show(running.map(progressText).join(' · '));
  }
}

function pathOf(terminal: Terminal, { generation, ...flags }: DrainFlags, waitMs: number): string {
  const wanted = generation === undefined ? '' : `&generation=${generation}`;
  return withService(terminal, flags, `/v1/drain?wait=${waitMs}ms${wanted}`);
}

function progressText(drain: unknown): string {
  const name = `${textOf(drain, 'service')} generation ${textOf(drain, 'generation')}`;
  const counts = ['requests', 'tunnels', 'streams'].map((key) => `${textOf(drain, key)} ${key}`);
  return `${name}: ${counts.join(', ')}, ~${textOf(drain, 'sessions', 'seen')} sessions`;
}

function drainText(terminal: Terminal, answer: unknown): string {
  const running = listOf(answer, 'draining');
  const lines =
    running.length === 0 ? [] : [table([HEAD, ...running.map((one) => row(terminal, one))])];
  for (const one of running) {
    const name = `generation ${textOf(one, 'generation')}`;
    for (const reason of listOf(one, 'reasons')) lines.push(`${name}: ${String(reason)}`);
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
