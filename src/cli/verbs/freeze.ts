// `turnout freeze`, `unfreeze` and `unlock`: whether traffic may move to another release at all.

import { changeAnswer } from '../../api/shared-fields.ts';
import {
  freezeAnswer,
  type freezeBody,
  type unfreezeBody,
  type unlockBody,
} from '../../api/switching.ts';
import { shown } from '../client/answer.ts';
import {
  askAndPrint,
  changeOf,
  serviceFlag,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { calledOffText, freezeText } from '../texts/freeze-text.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

export interface FreezeFlags extends ClientFlags {
  readonly reason: string | undefined;
}

/** Stops switching, of the process or of one service. */
export async function freeze(terminal: Terminal, flags: FreezeFlags): Promise<ExitCode> {
  const { reason, service } = flags;
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'POST',
      path: '/v1/freeze',
      body: { ...(service === undefined ? {} : { service }), reason } satisfies Fields<
        typeof freezeBody
      >,
      answer: freezeAnswer,
    },
    show: (answer) =>
      (answer.changed === true
        ? `${frozenText(service)}; let it go on with \`turnout unfreeze${serviceFlag(flags)}\``
        : `already: ${freezeText(answer.freeze, service)}`) + calledOffText(answer),
  });
}

/** Lets switching go on. */
export async function unfreeze(terminal: Terminal, flags: FreezeFlags): Promise<ExitCode> {
  const { reason, service } = flags;
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'POST',
      path: '/v1/unfreeze',
      body: { ...(service === undefined ? {} : { service }), reason } satisfies Fields<
        typeof unfreezeBody
      >,
      answer: freezeAnswer,
    },
    show: ({ changed }) =>
      changed === true
        ? `switching${service === undefined ? '' : ` of ${service}`} goes on`
        : 'nothing was frozen',
  });
}

function frozenText(service: string | undefined): string {
  return service === undefined ? 'all switching is frozen' : `switching of ${service} is frozen`;
}

export interface UnlockFlags extends FreezeFlags {
  /** `blue` or `green`; undefined: the one that is locked out. */
  readonly color: string | undefined;
}

/** Lets a release be switched to again that a rollback has locked out. */
export async function unlock(terminal: Terminal, flags: UnlockFlags): Promise<ExitCode> {
  const { color, reason } = flags;
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/unlock',
      body: { color, reason } satisfies Fields<typeof unlockBody>,
      answer: changeAnswer,
    }),
    show: ({ service, changed }) => {
      const what = color === undefined ? 'the other color' : colorName(terminal, color);
      return changed === true
        ? `${shown(service)}: ${what} may be switched to again`
        : `${shown(service)}: nothing was locked out there`;
    },
  });
}
