// Asks the server what it would refuse of several changes, before the first of them is made.

import { dryRunAnswer, type DryRunStep } from '../../api/dry-runs.ts';
import { PROBLEMS } from '../../api/problem-codes.ts';
import { shown } from '../client/answer.ts';
import { askQuietly, isRefusal, type ClientFlags, type Trouble } from '../client/client-command.ts';
import type { Terminal } from '../terminal/print.ts';

/** One step that would be refused. */
interface Refused {
  /** Index of the step. */
  readonly step: number;
  readonly trouble: Trouble;
}

type Foreseen =
  | { readonly ok: true; readonly refused: readonly Refused[] }
  | { readonly ok: false; readonly trouble: Trouble };

/** Resolves with what would be refused of `steps`; at most one of each service. */
export async function foresee(
  terminal: Terminal,
  flags: ClientFlags,
  steps: readonly DryRunStep[],
): Promise<Foreseen> {
  const heard = await askQuietly(terminal, flags, {
    method: 'POST',
    path: '/v1/dry-run',
    body: { steps },
    answer: dryRunAnswer,
  });
  if (!heard.ok) {
    if (!isUnable(heard.trouble)) return heard;
    if (!flags.json)
      terminal.err('this server tells no refusal beforehand: each step may be refused');
    return { ok: true, refused: [] };
  }
  const refused = heard.answer.refusals.map(({ step, code, detail }): Refused => {
    const known = Object.entries(PROBLEMS).find(([name]) => name === code)?.[1];
    const { status, title } = known ?? { status: 409, title: 'It would be refused' };
    const problem = { title, detail, code: shown(code) };
    return { step: step ?? 0, trouble: { code: 'problem', status, problem } };
  });
  return { ok: true, refused };
}

/** A server of an older version, or more than fits into one call: the steps themselves are checked. */
function isUnable(trouble: Trouble): boolean {
  return isRefusal(trouble, 'not-found') || isRefusal(trouble, 'body-too-large');
}
