// `turnout hold`, `release` and `maintenance`: whether requests go through at all.

import { partOf, textOf } from './answer.ts';
import { askAndPrint, changeOf, type ClientFlags } from './client-command.ts';
import type { ExitCode } from './exit.ts';
import type { Terminal } from './print.ts';

export interface GateFlags extends ClientFlags {
  readonly reason: string | undefined;
}

export interface HoldFlags extends GateFlags {
  /** A time such as `10s`; undefined: what is usual. */
  readonly for: string | undefined;
  readonly methods: string | undefined;
}

/** Lets requests wait. */
export async function hold(terminal: Terminal, flags: HoldFlags): Promise<ExitCode> {
  const { for: time, methods, reason } = flags;
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, '/v1/hold', { for: time, methods, reason }),
    show: (answer) =>
      `${textOf(answer, 'service')}: ${methods === 'writes' ? 'writes' : 'requests'} wait; ` +
      'let them go on with `turnout release`',
  });
}

/** Lets those who wait go on. */
export async function release(terminal: Terminal, flags: GateFlags): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, '/v1/release', { reason: flags.reason }),
    show: (answer) => {
      const was = partOf(answer, 'changed') === true ? 'requests go on' : 'nothing was held';
      return `${textOf(answer, 'service')}: ${was}`;
    },
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
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, '/v1/maintenance', { on, message, retryAfter, reason }),
    show: (answer) => {
      const state = on ? 'in maintenance: everybody gets 503' : 'out of maintenance';
      const was = partOf(answer, 'changed') === true ? '' : ' already';
      return `${textOf(answer, 'service')}: ${state}${was}`;
    },
  });
}
