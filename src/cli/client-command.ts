// What all commands share that ask a running Turnout: find it, ask, and turn trouble into
// words and an exit code. A refusal comes with what to do next.

import { partOf, textOf } from './answer.ts';
import { unreachable } from '../base/assert.ts';
import { adminAddress, ask, type Question } from './admin-client.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { styled, type Terminal } from './print.ts';

/** Flags of every such command. */
export interface ClientFlags {
  readonly admin: string | undefined;
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
  const address = adminAddress(flags.admin ?? terminal.environment['TURNOUT_ADMIN']);
  if (!address.ok) {
    return no(complain(terminal, flags, { code: 'usage', message: `--admin: ${address.problem}` }));
  }
  const asked = await ask(address.value, question);
  switch (asked.kind) {
    case 'no-server': {
      const hint = 'start one with `turnout run`, or name its address with --admin';
      const message = `${asked.message}: ${hint}`;
      return no(complain(terminal, flags, { code: 'no-server', message }));
    }
    case 'no-answer': {
      const hint = question.method === 'GET' ? '' : ': ask `turnout status` what is active now';
      const message = asked.message + hint;
      return no(complain(terminal, flags, { code: 'no-answer', message }));
    }
    case 'answer':
      if (asked.status >= 200 && asked.status <= 299) return { ok: true, body: asked.body };
      return no(refused(terminal, flags, { status: asked.status, problem: asked.body }));
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

function no(code: ExitCode): Told {
  return { ok: false, code };
}

/** Returns `path` with the service in its query, where one is named. */
export function withService(terminal: Terminal, flags: ClientFlags, path: string): string {
  const service = flags.service ?? terminal.environment['TURNOUT_SERVICE'] ?? '';
  if (service === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}service=${encodeURIComponent(service)}`;
}

interface Complaint {
  readonly code: 'usage' | 'no-server' | 'no-answer';
  readonly message: string;
}

const EXIT_OF = {
  usage: EXIT.usage,
  'no-server': EXIT.noServer,
  'no-answer': EXIT.failed,
} as const satisfies Readonly<Record<Complaint['code'], ExitCode>>;

/** Prints what kept a command from being asked or answered. */
export function complain(terminal: Terminal, flags: ClientFlags, complaint: Complaint): ExitCode {
  if (flags.json) terminal.out(JSON.stringify(complaint));
  else terminal.err(`turnout: ${complaint.message}`);
  return EXIT_OF[complaint.code];
}

/** What an operator does about a refusal, by the stable code of the problem. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  'target-unhealthy':
    'mend its targets and try again, or go ahead at your own risk: --force --reason TEXT',
  'no-targets': 'give the color targets in the configuration and start again',
  'color-active': 'register on the idle color and switch to it',
  'address-in-use': 'see `turnout drain`; end one with `turnout drain --evict`',
  'no-slot': 'see `turnout drain`; end one with `turnout drain --evict`',
  'drain-unknown': '`turnout drain` lists what drains',
  'hold-timeout': 'nothing has changed; give it a longer --hold, or switch without',
  'nothing-to-roll-back-to': '`turnout history` lists what was switched',
  'generation-mismatch': 'somebody else changed it meanwhile: look at `turnout status` first',
  'service-required': 'name one with --service',
  'service-unknown': '`turnout status` lists the services',
  'store-failed': 'nothing has changed; look at the disk and at the log of the server',
  'workers-not-ready': 'nothing has changed; look at the log of the server and try again',
  busy: 'nothing has changed; try again in a moment',
  frozen: 'traffic goes on; look at the log of the server and restart it',
};

function refused(
  terminal: Terminal,
  flags: ClientFlags,
  { status, problem }: { readonly status: number; readonly problem: unknown },
): ExitCode {
  if (flags.json) {
    terminal.out(JSON.stringify(problem));
  } else {
    const title = textOf(problem, 'title');
    terminal.err(styled(terminal, 'red', `${title}: ${textOf(problem, 'detail')}`));
    const next = NEXT_STEPS[textOf(problem, 'code')];
    if (next !== undefined) terminal.err(next);
  }
  // A problem of the server itself is a failure; a no with a reason is a refusal.
  const isProblem = typeof partOf(problem, 'code') === 'string';
  return isProblem && status < 500 ? EXIT.refused : EXIT.failed;
}
