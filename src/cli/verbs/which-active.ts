// `turnout active`: is this color the active one? For cron jobs and scripts of both colors.

import { setTimeout as sleep } from 'node:timers/promises';
import { ACTIVE_WAIT_MAX_MS } from '../../api/api-limits.ts';
import { activeAnswer, type ActiveAnswer } from '../../api/live-answers.ts';
import { durationText, parseDuration } from '../../base/duration.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askQuietly,
  complain,
  jsonOf,
  withService,
  type ClientFlags,
  type Heard,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { mayPass } from '../steps/drain-wait.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

export interface ActiveFlags extends ClientFlags {
  /** Undefined: which one is active is told, and there is one. */
  readonly color: string | undefined;
  /** How long it may take until the color is the active one. */
  readonly wait: string | undefined;
}

type Answer = Lenient<ActiveAnswer>;

/** After an answer that may be another one in a moment. */
const ASK_AGAIN_MS = 500;

/** Tells what is active; 0 where the color that was named is that, 1 where it is not. */
export async function active(terminal: Terminal, flags: ActiveFlags): Promise<ExitCode> {
  const { color, wait = '0s', json } = flags;
  const limit = parseDuration(wait);
  if (!limit.ok) {
    return complain(terminal, flags, { code: 'usage', message: `--wait: ${limit.problem}` });
  }
  if (flags.wait !== undefined && color === undefined) {
    const message = '--wait: of use with --color only: it waits until that one is active';
    return complain(terminal, flags, { code: 'usage', message });
  }
  const deadlineMs = performance.now() + limit.value;
  const heard = await unlessInterrupted(terminal, async (signal) => {
    let answer: Answer | undefined;
    for (;;) {
      const leftMs = Math.max(0, Math.floor(deadlineMs - performance.now()));
      const heard = await look(terminal, flags, { answer, leftMs });
      if (signal.aborted || leftMs === 0) return heard;
      if (heard.ok) {
        if (isActive(heard.answer, color)) return heard;
        ({ answer } = heard);
        continue;
      }
      // Where a server was there, a restart or an upgrade is under way: that is part of the wait.
      const wasThere = answer !== undefined || heard.trouble.code === 'problem';
      if (!wasThere || !mayPass(heard.trouble)) return heard;
      await sleep(Math.min(leftMs, ASK_AGAIN_MS), undefined, { signal }).catch(() => {
        // Interrupted: the next look ends it.
      });
    }
  });
  if (heard === undefined) {
    return complain(terminal, flags, { code: 'interrupted', message: 'not waited for any longer' });
  }
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  const { answer } = heard;
  terminal.out(json ? jsonOf(answer) : activeText(terminal, answer, color));
  return isActive(answer, color) ? EXIT.done : EXIT.failed;
}

/** Asks at once the first time, then for the next switch. */
async function look(
  terminal: Terminal,
  flags: ActiveFlags,
  { answer, leftMs }: { readonly answer: Answer | undefined; readonly leftMs: number },
): Promise<Heard<ActiveAnswer>> {
  const { color } = flags;
  const waitMs = answer?.generation === undefined ? 0 : Math.min(leftMs, ACTIVE_WAIT_MAX_MS);
  // A script that is run once can't renew a lease: it asks for none.
  const query = [
    'lease=0s',
    ...(color === undefined ? [] : [`color=${encodeURIComponent(color)}`]),
    ...(waitMs === 0 ? [] : [`since=${shown(answer?.generation)}`, `wait=${durationText(waitMs)}`]),
  ];
  return await askQuietly(terminal, flags, {
    method: 'GET',
    path: withService(terminal, flags, `/v1/active?${query.join('&')}`),
    body: undefined,
    answer: activeAnswer,
    waitMs,
  });
}

function isActive({ you }: Answer, color: string | undefined): boolean {
  return color === undefined || you?.isActive === true;
}

function activeText(terminal: Terminal, answer: Answer, color: string | undefined): string {
  const { service, release, deployment, generation, you } = answer;
  const facts = `release ${shown(release)}, deployment ${shown(deployment)}, since generation ${shown(generation)}`;
  const line = `${shown(service)}: ${colorName(terminal, shown(answer.color))} is active (${facts})`;
  if (color === undefined || isActive(answer, color)) return line;
  return `${line}; ${colorName(terminal, color)} is ${shown(you?.role)}`;
}
