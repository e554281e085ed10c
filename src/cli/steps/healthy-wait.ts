// Waits until a release that was registered is healthy, and says meanwhile what it waits for.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../../base/duration.ts';
import { spanText } from '../../base/span-text.ts';
import { planned } from './agreement.ts';
import { waitEndText } from './drain-wait.ts';
import type { TargetStatus } from '../../api/status-answer.ts';
import type { Color } from '../../contract/table.ts';
import { shown, targetText, type Lenient } from '../client/answer.ts';
import type { ClientFlags, Trouble } from '../client/client-command.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import { liveLine, NO_LINE, type LiveLine } from '../terminal/live.ts';
import type { Plan } from './plan.ts';
import { colorName, errorSide, type Terminal } from '../terminal/print.ts';

/** Two passed checks at the usual interval, and a start that is not instant. */
export const HEALTHY_WITHIN_DEFAULT = '30s';
/** A passed check is seen this soon. */
const LOOK_EVERY_MS = 250;
/** A restart of the server takes less. */
const OUTAGE_MAX_MS = 10_000;

type Health =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly trouble: Trouble };

interface Wanted {
  readonly release: string;
  readonly to: Color;
  /** How long it may take, such as `30s`; checked before. */
  readonly within: string;
}

/** Waits until every target of a registered release is up; resolves with the plan of a switch to it. */
export async function waitUntilHealthy(
  terminal: Terminal,
  flags: ClientFlags,
  wanted: Wanted,
): Promise<Health> {
  const limit = parseDuration(wanted.within);
  if (!flags.json) {
    const until = waitEndText(terminal, limit.ok ? limit.value : 0);
    terminal.err(`${wanted.release} has ${wanted.within} to get healthy on ${wanted.to}: ${until}`);
  }
  const line = flags.json ? NO_LINE : liveLine(terminal);
  const health = await unlessInterrupted(terminal, async (interrupted) =>
    look(terminal, flags, { ...wanted, interrupted, line }),
  );
  line.end();
  if (health !== undefined) return health;
  const { release, to } = wanted;
  const message = `interrupted: traffic stays where it was; ${release} stays on ${to}`;
  return { ok: false, trouble: { code: 'interrupted', message } };
}

/** Looks until the release is healthy, another takes its place, or the time is up. */
async function look(
  terminal: Terminal,
  flags: ClientFlags,
  wanted: Wanted & { readonly interrupted: AbortSignal; readonly line: LiveLine },
): Promise<Health> {
  const { release, to, within, interrupted, line } = wanted;
  const parsed = parseDuration(within);
  const withinMs = parsed.ok ? parsed.value : 0;
  const startedMs = performance.now();
  let answeredMs = startedMs;
  for (;;) {
    const now = await planned(terminal, flags, to);
    const leftMs = withinMs - (performance.now() - startedMs);
    if (now.ok) {
      answeredMs = performance.now();
      const { next, from } = now.plan;
      if (from === to || next.release !== release) return displaced(wanted);
      if (next.health === 'up') return now;
      if (leftMs <= 0) return notHealthy(wanted, now.plan);
      line.show(progressText(terminal, release, now.plan, leftMs));
    } else if (performance.now() - answeredMs > OUTAGE_MAX_MS || leftMs <= 0) {
      return now;
    }
    await sleep(Math.min(LOOK_EVERY_MS, Math.max(0, leftMs)));
    // The wait has ended; one more question would only keep the process alive.
    if (interrupted.aborted) return displaced(wanted);
  }
}

function displaced({ release, to }: Wanted): Health {
  const message = `another caller has changed ${to} meanwhile, ${release} got no traffic: look at \`turnout status\``;
  return { ok: false, trouble: { code: 'not-healthy', message } };
}

function notHealthy({ release, to, within }: Wanted, { next }: Plan): Health {
  const sick = next.targets.filter(({ health }) => health !== 'up');
  const told = sick.map((target) => `\n  ${targetText(target)}: ${healthOf(target)}`).join('');
  const message =
    `${release} did not get healthy on ${to} within ${within}, traffic stays where it was:${told}\n` +
    'mend it and try again, or give it longer with --timeout';
  return { ok: false, trouble: { code: 'not-healthy', message } };
}

function progressText(terminal: Terminal, release: string, plan: Plan, leftMs: number): string {
  const { targets } = plan.next;
  const sick = targets.filter(({ health }) => health !== 'up');
  const up = `${targets.length - sick.length} of ${targets.length} up`;
  const why = sick.map((target) => `${targetText(target)} ${healthOf(target)}`).join(', ');
  const where = colorName(errorSide(terminal), plan.to);
  return `${plan.service}: ${release} on ${where}: ${up}, ${spanText(leftMs)} left: ${why}`;
}

function healthOf({ health, reason = '' }: Lenient<TargetStatus>): string {
  return reason === '' ? shown(health) : `${shown(health)}, ${reason}`;
}
