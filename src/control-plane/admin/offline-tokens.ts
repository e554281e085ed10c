// Tokens of a state directory that no process uses: how the first one is made, before the admin API
// may listen where others reach it.

import { chownSync, readdirSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { parse } from './calls/parse.ts';
import { tokenBody, type Token } from '../../api/token-answers.ts';
import { tokenView } from './routes/token-routes.ts';
import { callOf } from '../audit/call.ts';
import type { Log } from '../base/log.ts';
import { OperatorError, StartError } from '../base/problems.ts';
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts';
import type { Notes } from '../store/store.ts';
import { Tokens } from '../access/tokens.ts';

export interface OfflineTokens {
  readonly all: readonly Token[];
  /** Takes what POST /v1/tokens takes, and answers as that does. */
  create(body: unknown): Promise<Token & { readonly token: string }>;
  revoke(idOrName: string, reason: string): Promise<Token>;
}

/**
 * Lets `use` have the tokens in `dir`. Throws StartError when a process uses the directory or it
 * cannot be used, OperatorError when `use` asks for what cannot be done.
 */
export async function withOfflineTokens<T>(
  dir: string,
  use: (tokens: OfflineTokens) => Promise<T>,
): Promise<T> {
  const store = openSqliteStore(dir, SILENT);
  try {
    const tokens = new Tokens(store);
    const noted = (what: string, reason: string) => (): Notes =>
      noteOf(what, reason, store.state.epoch);
    return await use({
      get all() {
        return tokens.all.map(tokenView);
      },
      create: async (body) => {
        const { life: lifeMs, reason, ...wanted } = parse(tokenBody, body, 'body-invalid');
        const made = await tokens.create({ ...wanted, lifeMs }, noted('token create', reason));
        return { ...tokenView(made.token), token: made.text };
      },
      revoke: async (idOrName, reason) =>
        tokenView(await tokens.revoke(idOrName, noted('token revoke', reason))),
    });
  } finally {
    await store.close();
    giveToOwner(dir);
  }
}

function noteOf(what: string, reason: string, generation: number): Notes {
  const call = callOf({ actor: 'shell', reason, service: '' }, what);
  return call.notes({
    outcome: 'done',
    status: 0,
    generation,
    detail: `by the user ${userName()}`,
  });
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? ''); // A container may run as a user without a name.
  }
}

/** Gives what root has made here to the owner of the directory, so that this user can write it. */
function giveToOwner(dir: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dir);
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).uid === 0) chownSync(path, uid, gid);
  }
}

/** A command in a shell tells of faults by exceptions. */
const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Returns what a person in a shell is told; undefined: it was not foreseen. */
export function offlineFault(error: unknown): string | undefined {
  const isForeseen = error instanceof StartError || error instanceof OperatorError;
  return isForeseen ? error.message : undefined;
}
