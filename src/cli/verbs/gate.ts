// `turnout hold`, `resume` and `maintenance`: whether requests go through at all.

import { changeAnswer } from '../../api/shared-fields.ts';
import type { holdBody, maintenanceBody, resumeBody } from '../../api/holding.ts';
import { shown } from '../client/answer.ts';
import {
  askAndPrint,
  changeOf,
  complain,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import type { Terminal } from '../terminal/print.ts';

export interface GateFlags extends ClientFlags {
  readonly reason: string | undefined;
}

export interface HoldFlags extends GateFlags {
  /** A time such as `10s`; undefined: what is usual. */
  readonly for: string | undefined;
  readonly methods: string | undefined;
}

/** What the server takes where nothing is said. */
const HOLD_DEFAULT = '10s';

/** Lets requests wait. */
export async function hold(terminal: Terminal, flags: HoldFlags): Promise<ExitCode> {
  const { for: time, methods, reason } = flags;
  const problem = timeProblem('--for', time);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/hold',
      body: { for: time, methods, reason } satisfies Fields<typeof holdBody>,
      answer: changeAnswer,
    }),
    show: ({ service }) =>
      `${shown(service)}: ${methods === 'writes' ? 'writes' : 'requests'} wait for at most ${time ?? HOLD_DEFAULT}; ` +
      '`turnout resume` lets them go on',
  });
}

/** Ends a hold: the requests that wait go on. */
export async function resume(terminal: Terminal, flags: GateFlags): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/resume',
      body: { reason: flags.reason } satisfies Fields<typeof resumeBody>,
      answer: changeAnswer,
    }),
    show: ({ service, changed }) =>
      `${shown(service)}: ${changed === true ? 'requests go on' : 'nothing was held'}`,
  });
}

export interface MaintenanceFlags extends GateFlags {
  readonly on: boolean;
  readonly message: string | undefined;
  readonly retryAfter: string | undefined;
}

/** Begins or ends maintenance. */
export async function maintenance(terminal: Terminal, flags: MaintenanceFlags): Promise<ExitCode> {
  const { on, message, retryAfter, reason } = flags;
  const problem = timeProblem('--retry-after', retryAfter);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/maintenance',
      body: { on, message, retryAfter, reason } satisfies Fields<typeof maintenanceBody>,
      answer: changeAnswer,
    }),
    show: ({ service, changed }) => {
      const was = changed === true ? '' : ' already';
      const then = ': everybody gets 503; `turnout maintenance off` ends it';
      const state = on ? `in maintenance${was}${then}` : `out of maintenance${was}`;
      return `${shown(service)}: ${state}`;
    },
  });
}
