// `turnout rollout schema`: states the schema that the data of a service have, where no release has brought
// it, as after the restore of a backup. To lower it opens the way to older releases, which is asked about.

import { changeAnswer, type ChangeAnswer } from '../../api/shared-fields.ts';
import { statusAnswer, type StatusAnswer } from '../../api/status-answer.ts';
import type { schemaBody } from '../../api/switching.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askQuietly,
  complain,
  jsonOf,
  withService,
  type ClientFlags,
  type Fields,
  type Heard,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { wantsToAsk } from '../steps/agreement.ts';
import type { Terminal } from '../terminal/print.ts';

export interface DataSchemaFlags extends ClientFlags {
  /** A number, or `unknown`. */
  readonly level: string;
  readonly reason: string | undefined;
  /** Do not ask. */
  readonly yes: boolean;
}

export async function dataSchema(terminal: Terminal, flags: DataSchemaFlags): Promise<ExitCode> {
  const { level, reason = '' } = flags;
  const schema = level === 'unknown' ? null : Number(level);
  const usage = (message: string) => complain(terminal, flags, { code: 'usage', message });
  if (schema !== null && !/^\d{1,14}$/.test(level)) {
    return usage(`expected a number such as 12, or unknown, got "${level}"`);
  }
  if (reason.trim() === '') {
    return usage('say with --reason TEXT what has changed the data beside the releases');
  }
  if (wantsToAsk(terminal, flags)) {
    const known = await knownSchema(terminal, flags);
    if (!known.ok) return complain(terminal, flags, known.trouble);
    if (!(await agrees(terminal, known.answer, schema))) {
      return complain(terminal, flags, { code: 'not-confirmed', message: 'nothing has changed' });
    }
  }
  const heard: Heard<ChangeAnswer> = await askQuietly(terminal, flags, {
    method: 'POST',
    path: withService(terminal, flags, '/v1/schema'),
    body: { schema, reason } satisfies Fields<typeof schemaBody>,
    answer: changeAnswer,
  });
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  terminal.out(flags.json ? jsonOf(heard.answer) : changeText(heard.answer, schema));
  return EXIT.done;
}

type Known =
  | { readonly ok: true; readonly answer: number | undefined }
  | (Heard<StatusAnswer> & { readonly ok: false });

/** Asks which schema the data have so far; undefined: not known. */
async function knownSchema(terminal: Terminal, flags: DataSchemaFlags): Promise<Known> {
  const path = withService(terminal, flags, '/v1/status');
  const question = { method: 'GET', path, body: undefined, answer: statusAnswer } as const;
  const heard: Heard<StatusAnswer> = await askQuietly(terminal, flags, question);
  if (!heard.ok) return heard;
  // Where it names no service and there are several, the call itself is refused.
  const [service, other] = heard.answer.services;
  return { ok: true, answer: other === undefined ? (service?.schema ?? undefined) : undefined };
}

/** Asks a person whether older releases may serve again; nothing is asked where none comes to fit. */
async function agrees(
  terminal: Terminal,
  before: number | undefined,
  schema: number | null,
): Promise<boolean> {
  if (before === undefined || (schema !== null && schema >= before)) return true;
  terminal.err(
    `the data have schema ${before}, as far as releases have told\n` +
      'If that is still so, a release from before it answers wrongly once it gets traffic again.',
  );
  const answer = (await terminal.ask?.(`go on with ${textOf(schema)}? [y/N] `)) ?? '';
  return /^y(es)?$/i.test(answer.trim());
}

function changeText({ service, changed }: Lenient<ChangeAnswer>, schema: number | null): string {
  const already = changed === true ? '' : ' already';
  return schema === null
    ? `${shown(service)}: the schema of the data is unknown${already}; every release fits`
    : `${shown(service)}: the data have schema ${schema}${already}`;
}

function textOf(schema: number | null): string {
  return schema === null ? 'an unknown schema' : `schema ${schema}`;
}
