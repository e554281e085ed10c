// `turnout token`: makes, lists and revokes the tokens of the admin API, by asking a running server
// or, with --state, in a state directory that no server uses.

import {
  offlineFault,
  withOfflineTokens,
  type OfflineTokens,
} from '../../control-plane/admin/offline-tokens.ts';
import {
  token,
  tokenAnswer,
  tokensAnswer,
  type revokeBody,
  type Token,
  type tokenBody,
  type TokensAnswer,
} from '../../api/token-answers.ts';
import { readLeniently, shown, type Lenient } from '../client/answer.ts';
import type { Question } from '../client/admin-client.ts';
import {
  askOrComplain,
  complain,
  jsonOf,
  type ClientFlags,
  type Fields,
  type Told,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { listing } from '../terminal/listing.ts';
import { jsonText, styledError, type Terminal } from '../terminal/print.ts';

export interface TokenFlags extends ClientFlags {
  /** Directory of a server that does not run; undefined: ask the one that does. */
  readonly state: string | undefined;
}

export interface TokenCreateFlags extends TokenFlags {
  readonly name: string;
  readonly role: string | undefined;
  /** Separated by commas. */
  readonly services: string | undefined;
  /** Where targets may lead that are registered with it; separated by commas. */
  readonly targets: string | undefined;
  readonly life: string | undefined;
  readonly reason: string | undefined;
}

/** Makes a token. Its text is all that goes to stdout, so that a script can keep it. */
export async function tokenCreate(terminal: Terminal, flags: TokenCreateFlags): Promise<ExitCode> {
  const { name, role = 'switch', services, targets, life, reason } = flags;
  const problem = timeProblem('--life', life);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const body: Fields<typeof tokenBody> = {
    name,
    role,
    ...(services === undefined ? {} : { services: listOf(services) }),
    ...(targets === undefined ? {} : { targets: listOf(targets) }),
    ...(life === undefined ? {} : { life }),
    ...(reason === undefined ? {} : { reason }),
  };
  return await reach(terminal, flags, {
    online: { method: 'POST', path: '/v1/tokens', body, answer: tokenAnswer },
    offline: async (tokens) => tokens.create(body),
    show: (answer) => {
      const list = answer.services.join(', ');
      const { expiresAt } = answer;
      const lines = [
        `token ${nameOf(answer)}, role ${shown(answer.role)}`,
        `good for ${list === '' ? 'all services' : list}, ` +
          (typeof expiresAt === 'string' ? `until ${expiresAt}` : 'until it is revoked'),
        ...(answer.targets.length === 0 ? [] : [`targets within ${answer.targets.join(', ')}`]),
        'keep it now: it is shown this once, and only its hash is stored',
      ];
      terminal.err(lines.join('\n'));
      return shown(answer.token);
    },
  });
}

/** Lists the tokens that are known. */
export async function tokenList(terminal: Terminal, flags: TokenFlags): Promise<ExitCode> {
  return await reach(terminal, flags, {
    online: { method: 'GET', path: '/v1/tokens', body: undefined, answer: tokensAnswer },
    offline: async ({ all }) => ({ tokens: all }),
    show: (answer) => listText(terminal, answer),
  });
}

/** Ends a token. */
export async function tokenRevoke(
  terminal: Terminal,
  flags: TokenFlags & { readonly id: string; readonly reason: string | undefined },
): Promise<ExitCode> {
  const { id, reason = '' } = flags;
  return await reach(terminal, flags, {
    online: {
      method: 'POST',
      path: '/v1/tokens/revoke',
      body: { id, reason } satisfies Fields<typeof revokeBody>,
      answer: token,
    },
    offline: async (tokens) => tokens.revoke(id, reason),
    show: (answer) => `token ${nameOf(answer)} opens nothing any more`,
  });
}

interface Errand<T> {
  readonly online: Question<T>;
  readonly offline: (tokens: OfflineTokens) => Promise<unknown>;
  readonly show: (answer: Lenient<T>) => string;
}

async function reach<T>(
  terminal: Terminal,
  flags: TokenFlags,
  errand: Errand<T>,
): Promise<ExitCode> {
  const told =
    flags.state === undefined
      ? await askOrComplain(terminal, flags, errand.online)
      : await inDirectory(terminal, flags.state, { errand, json: flags.json });
  if (!told.ok) return told.code;
  terminal.out(flags.json ? jsonOf(told.answer) : errand.show(told.answer));
  return EXIT.done;
}

async function inDirectory<T>(
  terminal: Terminal,
  dir: string,
  { errand, json }: { readonly errand: Errand<T>; readonly json: boolean },
): Promise<Told<T>> {
  try {
    const document = await withOfflineTokens(dir, errand.offline);
    return { ok: true, answer: readLeniently(errand.online.answer, document) };
  } catch (error) {
    const message = offlineFault(error);
    if (message === undefined) throw error;
    if (json) terminal.out(jsonText({ code: 'refused', message }));
    else terminal.err(styledError(terminal, 'red', `turnout: ${message}`));
    if (!json && message.includes(' is in use by ')) {
      terminal.err('ask the server that uses it: leave out --state');
    }
    return { ok: false, code: EXIT.refused };
  }
}

function listOf(text: string): string[] {
  return text.split(',').map((one) => one.trim());
}

function nameOf({ name, id }: Lenient<Token>): string {
  return `${shown(name)} (${shown(id)})`;
}

function listText(terminal: Terminal, { tokens }: Lenient<TokensAnswer>): string {
  if (tokens.length === 0) return 'there is no token; `turnout token create NAME` makes one';
  const head = ['ID', 'NAME', 'ROLE', 'SERVICES', 'CREATED', 'LAST USED', 'STATE'];
  const rows = tokens.map((one) => [
    shown(one.id),
    shown(one.name),
    shown(one.role),
    one.services.length === 0 ? 'all' : one.services.join(', '),
    shown(one.createdAt),
    one.lastUsedAt === null ? 'never' : shown(one.lastUsedAt),
    stateOf(terminal, one),
  ]);
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}

function stateOf(terminal: Terminal, { revokedAt, expiresAt }: Lenient<Token>): string {
  if (typeof revokedAt === 'string') return `revoked ${revokedAt}`;
  if (typeof expiresAt !== 'string') return 'good';
  const isOver = Date.parse(expiresAt) <= terminal.nowMs();
  return isOver ? `expired ${expiresAt}` : `good until ${expiresAt}`;
}
