// `turnout freeze`, `unfreeze` and `unlock`: whether traffic may move to another release at all.

import { partOf, textOf } from '../client/answer.ts';
import { askAndPrint, changeOf, type ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { timeText } from '../terminal/numbers.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

export interface FreezeFlags extends ClientFlags {
  readonly reason: string | undefined;
}

/** Stops all switching of the process. */
export async function freeze(terminal: Terminal, flags: FreezeFlags): Promise<ExitCode> {
  const { reason } = flags;
  return await askAndPrint(terminal, flags, {
    question: { method: 'POST', path: '/v1/freeze', body: { reason } },
    show: (answer) =>
      partOf(answer, 'changed') === true
        ? 'all switching is frozen; let it go on with `turnout unfreeze`'
        : `already: ${freezeText(partOf(answer, 'freeze'))}`,
  });
}

/** Lets switching go on. */
export async function unfreeze(terminal: Terminal, flags: FreezeFlags): Promise<ExitCode> {
  const { reason } = flags;
  return await askAndPrint(terminal, flags, {
    question: { method: 'POST', path: '/v1/unfreeze', body: { reason } },
    show: (answer) =>
      partOf(answer, 'changed') === true ? 'switching goes on' : 'nothing was frozen',
  });
}

export interface UnlockFlags extends FreezeFlags {
  /** `blue` or `green`; undefined: the one that is locked out. */
  readonly color: string | undefined;
}

/** Lets a release be switched to again that a rollback has locked out. */
export async function unlock(terminal: Terminal, flags: UnlockFlags): Promise<ExitCode> {
  const { color, reason } = flags;
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, '/v1/unlock', { color, reason }),
    show: (answer) => {
      const service = textOf(answer, 'service');
      const what = color === undefined ? 'the other color' : colorName(terminal, color);
      return partOf(answer, 'changed') === true
        ? `${service}: ${what} may be switched to again`
        : `${service}: nothing was locked out there`;
    },
  });
}

/** Returns a freeze of the status as one line. */
export function freezeText(freeze: unknown): string {
  const who = textOf(freeze, 'actor');
  const at = timeText(partOf(freeze, 'at'));
  return `all switching is frozen since ${at} by ${who}: ${textOf(freeze, 'reason')}`;
}

/** Returns a lock-out of the status as one line; `release` is what it is about. */
export function lockOutText(release: string, lockedOut: unknown): string {
  const at = timeText(partOf(lockedOut, 'at'));
  const reason = textOf(lockedOut, 'reason');
  const why = reason === '-' ? '' : `: ${reason}`;
  return `${release} is locked out since ${at} by ${textOf(lockedOut, 'actor')}${why}`;
}
