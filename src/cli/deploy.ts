// `turnout deploy`: a release comes to the idle color, gets healthy, and gets the traffic. Up to
// the last step traffic stays where it is.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  askAndSwitch,
  planned,
  planProblem,
  switchAsPlanned,
  wantsToAsk,
  type ConfirmFlags,
  type Order,
} from './agreement.ts';
import { listOf, partOf, targetText, textOf } from './answer.ts';
import { askQuietly, complain, changeOf, withService, type Trouble } from './client-command.ts';
import { parseDuration } from '../config/duration.ts';
import type { ExitCode } from './exit.ts';
import { unlessInterrupted } from './interrupt.ts';
import { liveLine, NO_LINE, type LiveLine } from './live.ts';
import { spanText } from './numbers.ts';
import type { Color, Plan } from './plan.ts';
import { colorName, errorSide, type Terminal } from './print.ts';
import { tell } from './switch.ts';

export interface DeployFlags extends ConfirmFlags {
  readonly release: string;
  /** URL[,URL] */
  readonly targets: string;
  readonly evict: boolean;
  readonly reason: string | undefined;
  readonly wait: boolean;
  /** How long targets may take to get healthy, such as `1m`; undefined: what is usual. */
  readonly timeout: string | undefined;
}

/** Two passed checks at the usual interval, and a start that is not instant. */
const HEALTHY_WITHIN_DEFAULT = '30s';
/** A passed check is seen this soon. */
const LOOK_EVERY_MS = 250;
/** A restart of the server takes less. */
const OUTAGE_MAX_MS = 10_000;

/** Registers a release on the idle color, waits until it is healthy, and switches to it. */
export async function deploy(terminal: Terminal, flags: DeployFlags): Promise<ExitCode> {
  const targets = flags.targets.split(',').map((target) => target.trim());
  const within = parseDuration(flags.timeout ?? HEALTHY_WITHIN_DEFAULT);
  const problem =
    planProblem(flags.plan) ??
    (within.ok ? undefined : `--timeout: ${within.problem}`) ??
    (targets.includes('') ? '--targets: expected URL[,URL], got an empty one' : undefined);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const before = await planned(terminal, flags, undefined);
  if (!before.ok) return complain(terminal, flags, before.trouble);
  const { to } = before.plan;
  const registered = await askQuietly(terminal, flags, {
    method: 'PUT',
    path: withService(terminal, flags, `/v1/releases/${to}`),
    body: {
      release: flags.release,
      targets,
      ...(flags.evict ? { evict: true } : {}),
      ...reasonOf(flags),
    },
  });
  if (!registered.ok) return complain(terminal, flags, registered.trouble);
  const withinMs = within.ok ? within.value : 0;
  const healthy = await waitUntilHealthy(terminal, flags, { to, targets, withinMs });
  if (!healthy.ok) return complain(terminal, flags, healthy.trouble);
  const question = changeOf(terminal, flags, '/v1/switch', { to, ...reasonOf(flags) });
  const order: Order = { to, question, holdText: undefined };
  const heard = wantsToAsk(terminal, flags)
    ? await askAndSwitch(terminal, flags, order)
    : (await switchAsPlanned(terminal, flags, order, healthy.plan)).heard;
  return await tell(terminal, { ...flags, timeout: undefined }, heard);
}

function reasonOf({ reason }: DeployFlags): object {
  return reason === undefined ? {} : { reason };
}

type Health =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly trouble: Trouble };

interface Wanted {
  readonly to: Color;
  readonly targets: readonly string[];
  readonly withinMs: number;
}

async function waitUntilHealthy(
  terminal: Terminal,
  flags: DeployFlags,
  wanted: Wanted,
): Promise<Health> {
  const line = flags.json ? NO_LINE : liveLine(terminal);
  const health = await unlessInterrupted(terminal, async (interrupted) =>
    look(terminal, flags, { ...wanted, interrupted, line }),
  );
  line.end();
  if (health !== undefined) return health;
  const message = `interrupted: traffic stays where it was; ${flags.release} stays on ${wanted.to}`;
  return { ok: false, trouble: { code: 'interrupted', message } };
}

/** Looks until the release is healthy, another takes its place, or the time is up. */
async function look(
  terminal: Terminal,
  flags: DeployFlags,
  {
    to,
    withinMs,
    interrupted,
    line,
  }: Wanted & { readonly interrupted: AbortSignal; readonly line: LiveLine },
): Promise<Health> {
  const startedMs = performance.now();
  let answeredMs = startedMs;
  for (;;) {
    const now = await planned(terminal, flags, to);
    const leftMs = withinMs - (performance.now() - startedMs);
    if (now.ok) {
      answeredMs = performance.now();
      const { next, from } = now.plan;
      if (from === to || textOf(next, 'release') !== flags.release) return displaced(flags, to);
      if (partOf(next, 'health') === 'up') return now;
      if (leftMs <= 0) return notHealthy(flags, now.plan);
      line.show(progressText(terminal, flags.release, now.plan, leftMs));
    } else if (performance.now() - answeredMs > OUTAGE_MAX_MS || leftMs <= 0) {
      return now;
    }
    await sleep(Math.min(LOOK_EVERY_MS, Math.max(0, leftMs)));
    // Whoever waited has gone; one more question would keep the process for nothing.
    if (interrupted.aborted) return displaced(flags, to);
  }
}

function displaced({ release }: DeployFlags, to: Color): Health {
  const message = `somebody else has changed ${to} meanwhile, ${release} got no traffic: look at \`turnout status\``;
  return { ok: false, trouble: { code: 'not-healthy', message } };
}

function notHealthy({ release, timeout }: DeployFlags, { to, next }: Plan): Health {
  const within = timeout ?? HEALTHY_WITHIN_DEFAULT;
  const sick = listOf(next, 'targets').filter((target) => partOf(target, 'health') !== 'up');
  const told = sick.map((target) => `\n  ${targetText(target)}: ${healthOf(target)}`).join('');
  const message =
    `${release} did not get healthy on ${to} within ${within}, traffic stays where it was:${told}\n` +
    'mend it and deploy again, or give it longer with --timeout';
  return { ok: false, trouble: { code: 'not-healthy', message } };
}

function progressText(terminal: Terminal, release: string, plan: Plan, leftMs: number): string {
  const targets = listOf(plan.next, 'targets');
  const sick = targets.filter((target) => partOf(target, 'health') !== 'up');
  const up = `${targets.length - sick.length} of ${targets.length} targets are up`;
  const why = sick.map((target) => `${targetText(target)} ${healthOf(target)}`).join(', ');
  const where = colorName(errorSide(terminal), plan.to);
  return `${release} on ${where}: ${up}, ${spanText(leftMs)} left: ${why}`;
}

function healthOf(target: unknown): string {
  const reason = textOf(target, 'reason');
  const health = textOf(target, 'health');
  return reason === '-' ? health : `${health}, ${reason}`;
}
