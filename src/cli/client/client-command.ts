// What all commands share that ask a running Turnout: find it, ask, and turn trouble into
// words and an exit code. A refusal comes with what to do next.

import { unreachable } from '../../base/assert.ts';
import type { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '../../api/problem-codes.ts';
import type { ProblemAnswer } from '../../api/process.ts';
import { documentOf, shown, type Lenient } from './answer.ts';
import { connectionOf, type ConnectionFlags } from './admin-connection.ts';
import { ask, type Asked, type Question } from './admin-client.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { inOwnWords, nextStep } from './next-steps.ts';
import { jsonText, styledError, type Terminal } from '../terminal/print.ts';

/** Flags of every such command. */
export interface ClientFlags extends ConnectionFlags {
  readonly service: string | undefined;
  readonly json: boolean;
}

/** What came of a question: an answer, or trouble that was printed already. */
export type Told<T> =
  | { readonly ok: true; readonly answer: Lenient<T> }
  | { readonly ok: false; readonly code: ExitCode };

/** Asks `question` and prints the answer with `show`, or as it came with `--json`. */
export async function askAndPrint<T>(
  terminal: Terminal,
  flags: ClientFlags,
  { question, show }: Asking<T>,
): Promise<ExitCode> {
  const told = await askOrComplain(terminal, flags, question);
  if (!told.ok) return told.code;
  terminal.out(flags.json ? jsonOf(told.answer) : show(told.answer));
  return EXIT.done;
}

interface Asking<T> {
  readonly question: Question<T>;
  readonly show: (answer: Lenient<T>) => string;
}

/** Returns an answer as it came, for scripts. */
export function jsonOf(answer: unknown): string {
  return jsonText(documentOf(answer));
}

/** Asks `question`; prints what kept it from being answered as asked. */
export async function askOrComplain<T>(
  terminal: Terminal,
  flags: ClientFlags,
  question: Question<T>,
): Promise<Told<T>> {
  const heard = await askQuietly(terminal, flags, question);
  return heard.ok ? heard : { ok: false, code: complain(terminal, flags, heard.trouble) };
}

/** What came of a question, and nothing was printed. */
export type Heard<T> =
  | { readonly ok: true; readonly answer: Lenient<T> }
  | { readonly ok: false; readonly trouble: Trouble };

/** Asks `question`; what kept it from being answered is for the caller to tell. */
export async function askQuietly<T>(
  terminal: Terminal,
  flags: ClientFlags,
  question: Question<T>,
): Promise<Heard<T>> {
  const connection = connectionOf(terminal, flags);
  if (!connection.ok) return no({ code: 'usage', message: connection.problem });
  const asked = await ask(connection.value, question);
  return asked.kind === 'answer'
    ? { ok: true, answer: asked.answer }
    : no(troubleOf(asked, question));
}

/** Returns what kept `question` from being answered, with a way on. */
export function troubleOf(
  asked: Exclude<Asked<unknown>, { readonly kind: 'answer' }>,
  { method, path }: Pick<Question<unknown>, 'method' | 'path'>,
): Trouble {
  switch (asked.kind) {
    case 'no-server':
    case 'not-admitted':
      return { code: asked.kind, message: `${asked.message}: ${asked.hint}` };
    case 'no-answer': {
      const hint = method === 'GET' ? '' : ': ask `turnout status` what is active now';
      return { code: 'no-answer', message: asked.message + hint };
    }
    case 'problem': {
      const { status, problem } = asked;
      return { code: 'problem', status, problem, isReload: path.startsWith('/v1/reload') };
    }
    default:
      return unreachable(asked);
  }
}

/** The fields that the schema of a body has, for a check of names; the server checks values. */
export type Fields<Body extends z.ZodType> = { readonly [Name in keyof z.input<Body>]?: unknown };

/** Returns a change of a service, which is asked for by POST. */
export function changeOf<T>(
  terminal: Terminal,
  flags: ClientFlags,
  { path, ...rest }: Pick<Question<T>, 'path' | 'body' | 'answer'>,
): Question<T> {
  return { method: 'POST', path: withService(terminal, flags, path), ...rest };
}

function no(trouble: Trouble): { readonly ok: false; readonly trouble: Trouble } {
  return { ok: false, trouble };
}

/** Returns the service that flags or variable name; empty: none. */
export function serviceNamed(terminal: Terminal, flags: ClientFlags): string {
  return flags.service ?? terminal.environment['TURNOUT_SERVICE'] ?? '';
}

/** Returns what names the service in a command to type, as in the one that was typed; often empty. */
export function serviceFlag({ service }: Pick<ClientFlags, 'service'>): string {
  return service === undefined ? '' : ` --service ${service}`;
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
  /** The server said no, or could not. */
  | {
      readonly code: 'problem';
      readonly status: number;
      readonly problem: Pick<Lenient<ProblemAnswer>, 'title' | 'detail' | 'code'>;
      /** It was asked of a reload. */
      readonly isReload?: boolean;
    };

/** Returns a refusal that the server would give as well, found before it was asked. */
export function refusal(code: ProblemCode, detail: string): Trouble {
  const { status, title } = PROBLEMS[code];
  return { code: 'problem', status, problem: { title, detail, code } };
}

/** Tells whether the server has refused something for this reason. */
export function isRefusal(trouble: Trouble, code: ProblemCode): boolean {
  return trouble.code === 'problem' && trouble.problem.code === code;
}

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

/**
 * Prints what kept a command from being done; with `--json` as the one document, `progress` in it.
 */
export function complain(
  terminal: Terminal,
  { json, service }: Pick<ClientFlags, 'json'> & Partial<Pick<ClientFlags, 'service'>>,
  trouble: Trouble,
  progress?: object,
): ExitCode {
  if (json) {
    const document = trouble.code === 'problem' ? documentOf(trouble.problem) : trouble;
    const whole = progress === undefined ? document : { ...Object(document), ...progress };
    terminal.out(jsonText(whole));
  } else {
    const [first, ...rest] = troubleText(trouble, service);
    const isProblem = trouble.code === 'problem';
    terminal.err(isProblem ? styledError(terminal, 'red', first!) : `turnout: ${first}`);
    for (const line of rest) terminal.err(line);
  }
  if (trouble.code !== 'problem') return EXIT_OF[trouble.code];
  // A problem of the server itself is a failure; a no with a reason is a refusal.
  const isReasoned = trouble.problem.code !== undefined;
  return isReasoned && trouble.status < 500 ? EXIT.refused : EXIT.failed;
}

/** Returns `trouble` as lines for a person: what, and what to do next where that is known. */
export function troubleText(trouble: Trouble, service?: string): readonly string[] {
  if (trouble.code !== 'problem') return [trouble.message];
  const { problem, status, isReload } = trouble;
  if (problem.code === undefined) {
    return [`expected the admin API of Turnout, got another server (status ${status})`];
  }
  const next = nextStep(problem.code, { service, isReload });
  const what = inOwnWords(`${shown(problem.title)}: ${shown(problem.detail)}`);
  return next === undefined ? [what] : [what, next];
}
