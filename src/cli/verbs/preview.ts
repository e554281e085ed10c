// `turnout preview`: a link that shows one deployment, and its end.

import {
  previewAnswer,
  type PreviewAnswer,
  type previewBody,
  type previewRevokeBody,
} from '../../api/releases.ts';
import { changeAnswer } from '../../api/shared-fields.ts';
import { shown, type Lenient } from '../client/answer.ts';
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

export interface PreviewFlags extends ClientFlags {
  /** A color, a release id or a number; undefined: the idle color. */
  readonly of: string | undefined;
  /** A time such as `1h`; undefined: what is usual. */
  readonly for: string | undefined;
  readonly lasting: boolean;
  /** Ends the links that were given so far. */
  readonly revoke: boolean;
  readonly reason: string | undefined;
}

/** Gets a token and says how to use it, or ends those that were given. */
export async function preview(terminal: Terminal, flags: PreviewFlags): Promise<ExitCode> {
  const problem = problemOf(flags);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  if (flags.revoke) return await revoke(terminal, flags, flags.of!);
  const { of, for: life, lasting, reason } = flags;
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/preview',
      body: { of, for: life, lasting, reason } satisfies Fields<typeof previewBody>,
      answer: previewAnswer,
    }),
    show: (answer) => previewText(answer),
  });
}

async function revoke(terminal: Terminal, flags: PreviewFlags, of: string): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/preview/revoke',
      body: { of, reason: flags.reason } satisfies Fields<typeof previewRevokeBody>,
      answer: changeAnswer,
    }),
    show: (answer) => `${shown(answer.service)}: preview links of ${of} open nothing any more`,
  });
}

function problemOf({ of, for: life, lasting, revoke: isEnd }: PreviewFlags): string | undefined {
  if (isEnd && of === undefined) return '--revoke needs the deployment or release that is meant';
  if (isEnd && (life !== undefined || lasting)) return '--revoke goes without --for and --lasting';
  if (lasting && life !== undefined) return 'expected --for or --lasting, not both';
  return timeProblem('--for', life);
}

function previewText(answer: Lenient<PreviewAnswer>): string {
  const number = shown(answer.deployment);
  const { release, expiresAt } = answer;
  const what = release === undefined || release === '' ? '' : `${release}, `;
  const end = typeof expiresAt === 'string' ? `until ${expiresAt}` : 'until it is revoked';
  const token = shown(answer.token);
  const lines = [
    `${shown(answer.service)}: ${what}deployment ${number}, can be seen ${end}`,
    `  with a field:  curl -H '${shown(answer.field)}: ${token}' URL`,
    `  in a browser:  document.cookie = '${shown(answer.cookie)}=${token}; path=/'`,
    `  to end it:     turnout preview --revoke ${number}`,
  ];
  if (typeof answer.listen === 'string') {
    lines.push(`  without token: http://${shown(answer.listen)} shows the idle color`);
  }
  return lines.join('\n');
}
