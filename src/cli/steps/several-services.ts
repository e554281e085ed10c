// Switches several services in one step. The call is bound to what the status says of each of them at
// that moment, so another switch at the same time is noticed.

import { statusAnswer } from '../../api/status-answer.ts';
import type { SwitchesAnswer } from '../../api/switching.ts';
import type { Question } from '../client/admin-client.ts';
import { askQuietly, type ClientFlags, type Heard } from '../client/client-command.ts';
import type { Terminal } from '../terminal/print.ts';
import { isMismatch } from './agreement.ts';

interface SeveralWanted {
  readonly to: string | undefined;
  readonly services: readonly string[];
  readonly question: Question<SwitchesAnswer>;
}

/** Decisions on other services make generations, too. */
const TRIES_MAX = 5;

/** Where the status can't be read, the server alone decides, if a destination is named. */
export async function severalUnasked(
  terminal: Terminal,
  flags: ClientFlags,
  { to, services, question }: SeveralWanted,
): Promise<Heard<SwitchesAnswer>> {
  const before = await look(terminal, flags, services);
  if (!before.ok) return to === undefined ? before : await askQuietly(terminal, flags, question);
  let { generation } = before;
  for (let tries = 1; ; tries++) {
    const heard = await askQuietly(terminal, flags, { ...question, ifMatch: generation });
    if (heard.ok || !isMismatch(heard.trouble) || tries === TRIES_MAX) return heard;
    const now = await look(terminal, flags, services);
    if (!now.ok || now.key !== before.key) return heard;
    ({ generation } = now);
  }
}

async function look(terminal: Terminal, flags: ClientFlags, names: readonly string[]) {
  const question = { method: 'GET', path: '/v1/status', body: undefined } as const;
  const heard = await askQuietly(terminal, flags, { ...question, answer: statusAnswer });
  if (!heard.ok) return heard;
  const { services, generation } = heard.answer;
  if (generation === undefined) {
    const message = 'expected the status of a Turnout, got something else';
    return { ok: false, trouble: { code: 'no-answer', message } } as const;
  }
  const meant = services.filter(({ name }) => name !== undefined && names.includes(name));
  const key = JSON.stringify(
    meant.map(({ name, active, since, blue, green }) => [
      [name, String(active), since.generation].join(),
      [blue.deployment, green.deployment].join(),
    ]),
  );
  return { ok: true, generation, key } as const;
}
