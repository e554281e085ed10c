// Calls of operators, what they were told, and the entries of the audit log that have to say the same.

import type { Test } from 'tap';
import type { Color } from '../../src/contract/table.ts';
import type { AdminAnswer, AdminClient } from '../support/admin-client.ts';

export interface Call {
  /** Its key, and its reason: by that its entry is found. */
  readonly key: string;
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly body: object;
  readonly ifMatch?: string;
}

export interface Answered extends Call {
  readonly answer: AdminAnswer;
}

export interface Entry {
  readonly seq: number;
  readonly actor: string;
  readonly action: string;
  readonly reason: string;
  readonly outcome: string;
  readonly status: number;
  readonly detail: string;
  readonly generation: number;
}

/** Makes a call with its key. */
export async function send(
  admin: AdminClient,
  { method, path, body, key, ifMatch }: Call,
): Promise<AdminAnswer> {
  const headers = {
    'idempotency-key': key,
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
  };
  return method === 'PUT' ? admin.put(path, body, headers) : admin.post(path, body, headers);
}

/** Asks for the active color of the first service. */
export async function activeOf(admin: AdminClient): Promise<Color> {
  const { json } = await admin.get('/v1/status');
  return (json['services'] as readonly { active: Color }[])[0]!.active;
}

/** Reads the whole audit log, the oldest first, and has its chain checked. */
export async function readAll(admin: AdminClient, t: Test): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let before = ''; ;) {
    const { json } = await admin.get(`/v1/audit?limit=1000&verify=true${before}`);
    t.match(json['chain'], { state: /^ok$/ }, 'the chain of the audit log is whole');
    const entries = json['entries'] as readonly Entry[];
    all.push(...entries);
    if (entries.length < 1_000) return all.toReversed();
    before = `&before=${entries.at(-1)!.seq}`;
  }
}

/**
 * Tells whether a call has one entry, beside those of repeats, that says what its caller was told. A
 * refusal is not remembered under its key: asked again, the call is judged anew, with one more entry.
 */
export function isTold({ answer, path, method }: Answered, all: readonly Entry[]): boolean {
  const entries = all.filter((one) => !isReplay(one));
  const made = entries.filter(({ outcome }) => outcome !== 'refused');
  const entry =
    answer.status === 200 ? made[0] : entries.findLast(({ status }) => status === answer.status);
  if (entry === undefined || made.length > 1) return false;
  const isMade = answer.status === 200;
  const isSame = isMade && answer.json['changed'] === false;
  const outcome = isSame ? 'unchanged' : isMade ? 'done' : 'refused';
  if (entry.outcome !== outcome || entry.status !== answer.status) return false;
  const { generation } = answer.json;
  const isRight = !isMade || generation === undefined || generation === entry.generation;
  return isRight && entry.action === `${method} ${path}`;
}

/** Tells whether an action that was done has made a new table. */
export function changesTable(action: string): boolean {
  const isSilent = action === 'start' || action === 'drains ended';
  return !isSilent && action !== 'POST /v1/tokens' && !isFreeze(action);
}

/** Tells whether an action begins or ends a freeze of all switching. */
export function isFreeze(action: string): boolean {
  return action === 'POST /v1/freeze' || action === 'POST /v1/unfreeze';
}

function isReplay({ detail }: Entry): boolean {
  return detail.startsWith('answered again');
}

/**
 * Returns what of an answer is the same when it is given again. How long it took is completed later,
 * and may be lost; a secret is told once.
 */
export function stable({ json }: AdminAnswer): object {
  const { tookMs: _, publishedAt: __, token: ___, ...rest } = json;
  return rest;
}
