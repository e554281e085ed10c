// What all commands share that ask a running Turnout: find it, ask, and turn trouble into
// words and an exit code. A refusal comes with what to do next.

import { partOf, textOf } from './answer.ts';
import { unreachable } from '../../base/assert.ts';
import { accessOf, type AccessFlags } from './admin-access.ts';
import { ask, type Question } from './admin-client.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { NEXT_STEPS } from './next-steps.ts';
import { styledError, type Terminal } from '../terminal/print.ts';

/** Flags of every such command. */
export interface ClientFlags extends AccessFlags {
  readonly service: string | undefined;
  readonly json: boolean;
}

/** What came of a question: an answer, or trouble that was printed already. */
export type Told =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly code: ExitCode };

/** Asks `question` and prints the answer with `show`, or as it came with `--json`. */
export async function askAndPrint(
  terminal: Terminal,
  flags: ClientFlags,
  { question, show }: { readonly question: Question; readonly show: (answer: unknown) => string },
): Promise<ExitCode> {
  const told = await askOrComplain(terminal, flags, question);
  if (!told.ok) return told.code;
  terminal.out(flags.json ? JSON.stringify(told.body) : show(told.body));
  return EXIT.done;
}

/** Asks `question`; prints what kept it from being answered as asked. */
export async function askOrComplain(
  terminal: Terminal,
  flags: ClientFlags,
  question: Question,
): Promise<Told> {
  const heard = await askQuietly(terminal, flags, question);
  return heard.ok ? heard : { ok: false, code: complain(terminal, flags, heard.trouble) };
}

/** What came of a question, and nothing was printed. */
export type Heard =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly trouble: Trouble };

/** Asks `question`; what kept it from being answered is for the caller to tell. */
export async function askQuietly(
  terminal: Terminal,
  flags: ClientFlags,
  question: Question,
): Promise<Heard> {
  const access = accessOf(terminal, flags);
  if (!access.ok) return no({ code: 'usage', message: access.problem });
  const asked = await ask(access.value, question);
  switch (asked.kind) {
    case 'no-server':
      return no({ code: 'no-server', message: `${asked.message}: ${asked.hint}` });
    case 'not-admitted':
      return no({ code: 'not-admitted', message: `${asked.message}: ${asked.hint}` });
    case 'no-answer': {
      const hint = question.method === 'GET' ? '' : ': ask `turnout status` what is active now';
      return no({ code: 'no-answer', message: asked.message + hint });
    }
    case 'answer':
      if (asked.status >= 200 && asked.status <= 299) return { ok: true, body: asked.body };
      return no({ code: 'problem', status: asked.status, problem: asked.body });
    default:
      return unreachable(asked);
  }
}

/** A change that is asked for with a JSON body. */
export function changeOf(
  terminal: Terminal,
  flags: ClientFlags,
  path: string,
  body: object,
): Question {
  return { method: 'POST', path: withService(terminal, flags, path), body };
}

function no(trouble: Trouble): Heard {
  return { ok: false, trouble };
}

/** Returns the service that flags or variable name; empty: none. */
export function serviceNamed(terminal: Terminal, flags: ClientFlags): string {
  return flags.service ?? terminal.environment['TURNOUT_SERVICE'] ?? '';
}

/** Returns `path` with the service in its query, where one is named. */
export function withService(terminal: Terminal, flags: ClientFlags, path: string): string {
  const service = serviceNamed(terminal, flags);
  if (service === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}service=${encodeURIComponent(service)}`;
}

/** What kept a command from being done. */
export type Trouble =
  | {
      readonly code: keyof typeof EXIT_OF;
      readonly message: string;
    }
  /** The server said no, or could not: `problem` is its document. */
  | { readonly code: 'problem'; readonly status: number; readonly problem: unknown };

const EXIT_OF = {
  usage: EXIT.usage,
  'no-server': EXIT.noServer,
  'not-admitted': EXIT.refused,
  'no-answer': EXIT.failed,
  'not-healthy': EXIT.failed,
  'not-confirmed': EXIT.failed,
  overtaken: EXIT.failed,
  interrupted: EXIT.interrupted,
} as const satisfies Readonly<Record<string, ExitCode>>;

/** Prints what kept a command from being done; with `--json` as the one document. */
export function complain(
  terminal: Terminal,
  { json }: Pick<ClientFlags, 'json'>,
  trouble: Trouble,
): ExitCode {
  if (json) {
    terminal.out(JSON.stringify(trouble.code === 'problem' ? trouble.problem : trouble));
  } else {
    const [first, ...rest] = troubleText(trouble);
    const isProblem = trouble.code === 'problem';
    terminal.err(isProblem ? styledError(terminal, 'red', first!) : `turnout: ${first}`);
    for (const line of rest) terminal.err(line);
  }
  if (trouble.code !== 'problem') return EXIT_OF[trouble.code];
  // A problem of the server itself is a failure; a no with a reason is a refusal.
  const isReasoned = typeof partOf(trouble.problem, 'code') === 'string';
  return isReasoned && trouble.status < 500 ? EXIT.refused : EXIT.failed;
}

/** Returns `trouble` as lines for a person: what, and what to do next where that is known. */
export function troubleText(trouble: Trouble): readonly string[] {
  if (trouble.code !== 'problem') return [trouble.message];
  const { problem, status } = trouble;
  if (typeof partOf(problem, 'code') !== 'string') {
    return [`expected the admin API of Turnout, got another server (status ${status})`];
  }
  const next = NEXT_STEPS[textOf(problem, 'code')];
  const what = `${textOf(problem, 'title')}: ${textOf(problem, 'detail')}`;
  return next === undefined ? [what] : [what, next];
}
