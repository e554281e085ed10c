// `turnout token`: makes, lists and revokes the tokens of the admin API, by asking a running server
// or, with --state, in a state directory that no server uses.

import {
  offlineFault,
  withOfflineTokens,
  type OfflineTokens,
} from '../../control-plane/admin/offline-tokens.ts';
import { listOf, partOf, textOf } from '../client/answer.ts';
import { askOrComplain, complain, type ClientFlags } from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { listing } from '../terminal/listing.ts';
import { plain, styledError, type Terminal } from '../terminal/print.ts';

export interface TokenFlags extends ClientFlags {
  /** Directory of a server that does not run; undefined: ask the one that does. */
  readonly state: string | undefined;
}

export interface TokenCreateFlags extends TokenFlags {
  readonly name: string;
  readonly role: string | undefined;
  /** Separated by commas. */
  readonly services: string | undefined;
  readonly life: string | undefined;
  readonly reason: string | undefined;
}

/** Makes a token. Its text is all that goes to stdout, so that a script can keep it. */
export async function tokenCreate(terminal: Terminal, flags: TokenCreateFlags): Promise<ExitCode> {
  const { name, role = 'switch', services, life, reason } = flags;
  const problem = timeProblem('--life', life);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const body = {
    name,
    role,
    ...(services === undefined ? {} : { services: services.split(',').map((one) => one.trim()) }),
    ...(life === undefined ? {} : { life }),
    ...(reason === undefined ? {} : { reason }),
  };
  return await reach(terminal, flags, {
    online: { method: 'POST', path: '/v1/tokens', body },
    offline: async (tokens) => tokens.create(body),
    show: (answer) => {
      const list = listOf(answer, 'services').join(', ');
      const expires = partOf(answer, 'expiresAt');
      const lines = [
        `token ${plain(textOf(answer, 'name'))} (${textOf(answer, 'id')}), role ${textOf(answer, 'role')}`,
        `good for ${list === '' ? 'all services' : plain(list)}, ` +
          (typeof expires === 'string' ? `until ${expires}` : 'until it is revoked'),
        'keep it now: it is shown this once, and only its hash is stored',
      ];
      terminal.err(lines.join('\n'));
      return textOf(answer, 'token');
    },
  });
}

/** Lists the tokens that are known. */
export async function tokenList(terminal: Terminal, flags: TokenFlags): Promise<ExitCode> {
  return await reach(terminal, flags, {
    online: { method: 'GET', path: '/v1/tokens', body: undefined },
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
    online: { method: 'POST', path: '/v1/tokens/revoke', body: { id, reason } },
    offline: async (tokens) => tokens.revoke(id, reason),
    show: (answer) =>
      `token ${plain(textOf(answer, 'name'))} (${textOf(answer, 'id')}) opens nothing any more`,
  });
}

interface Errand {
  readonly online: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body: unknown;
  };
  readonly offline: (tokens: OfflineTokens) => Promise<unknown>;
  readonly show: (answer: unknown) => string;
}

async function reach(terminal: Terminal, flags: TokenFlags, errand: Errand): Promise<ExitCode> {
  const told =
    flags.state === undefined
      ? await askOrComplain(terminal, flags, errand.online)
      : await inDirectory(terminal, flags.state, { errand, json: flags.json });
  if (!told.ok) return told.code;
  terminal.out(flags.json ? JSON.stringify(told.body) : errand.show(told.body));
  return EXIT.done;
}

async function inDirectory(
  terminal: Terminal,
  dir: string,
  { errand, json }: { readonly errand: Errand; readonly json: boolean },
): Promise<
  { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly code: ExitCode }
> {
  try {
    return { ok: true, body: await withOfflineTokens(dir, errand.offline) };
  } catch (error) {
    const message = offlineFault(error);
    if (message === undefined) throw error;
    if (json) terminal.out(JSON.stringify({ code: 'refused', message }));
    else terminal.err(styledError(terminal, 'red', `turnout: ${message}`));
    if (!json && message.includes(' is in use by ')) {
      terminal.err('ask the server that uses it: leave out --state');
    }
    return { ok: false, code: EXIT.refused };
  }
}

function listText(terminal: Terminal, answer: unknown): string {
  const tokens = listOf(answer, 'tokens');
  if (tokens.length === 0) return 'there is no token; `turnout token create NAME` makes one';
  const head = ['ID', 'NAME', 'ROLE', 'SERVICES', 'CREATED', 'LAST USED', 'STATE'];
  const rows = tokens.map((one) => {
    const services = listOf(one, 'services');
    return [
      textOf(one, 'id'),
      plain(textOf(one, 'name')),
      textOf(one, 'role'),
      services.length === 0 ? 'all' : plain(services.join(', ')),
      textOf(one, 'createdAt'),
      partOf(one, 'lastUsedAt') === null ? 'never' : textOf(one, 'lastUsedAt'),
      stateOf(one),
    ];
  });
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}

function stateOf(token: unknown): string {
  const [revoked, expires] = [partOf(token, 'revokedAt'), partOf(token, 'expiresAt')];
  if (typeof revoked === 'string') return `revoked ${revoked}`;
  if (typeof expires !== 'string') return 'good';
  return Date.parse(expires) <= Date.now() ? `expired ${expires}` : `good until ${expires}`;
}
