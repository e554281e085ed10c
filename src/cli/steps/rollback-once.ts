// Makes a rollback once, also where two operators who react to one alarm ask for it at the same time. It
// is the way out, so nothing keeps it from being made: where the status can't be read, the server alone
// decides.

import { statusAnswer, type ServiceStatus } from '../../api/status-answer.ts';
import type { SwitchAnswer } from '../../api/switching.ts';
import { shown, type Lenient } from '../client/answer.ts';
import type { Question } from '../client/admin-client.ts';
import { askQuietly, withService, type ClientFlags, type Heard } from '../client/client-command.ts';
import type { Terminal } from '../terminal/print.ts';
import { isMismatch } from './agreement.ts';

type RolledBack =
  | { readonly kind: 'heard'; readonly heard: Heard<SwitchAnswer> }
  /** Another operator has left the same deployment meanwhile. */
  | { readonly kind: 'done-by-other'; readonly service: string; readonly text: string };

/** Other decisions make generations, too; after so many in a row the server alone decides. */
const TRIES_MAX = 3;

/** Rolls back from what is active now, and from nothing that becomes active meanwhile. */
export async function rollbackUnasked(
  terminal: Terminal,
  flags: ClientFlags,
  question: Question<SwitchAnswer>,
): Promise<RolledBack> {
  const before = await look(terminal, flags);
  if (before === undefined) return unbound();
  let { generation } = before;
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const heard = await askQuietly(terminal, flags, { ...question, ifMatch: generation });
    if (heard.ok || !isMismatch(heard.trouble)) return { kind: 'heard', heard };
    const seen = await look(terminal, flags);
    if (seen === undefined) break;
    ({ generation } = seen);
    if (isSame(before.service, seen.service)) continue;
    const by = rolledBackBy(seen.service, deploymentOf(before.service));
    if (by === undefined) return { kind: 'heard', heard };
    const { name, active } = seen.service;
    const text = `${by} has rolled back already: ${shown(active)} is active, nothing more was done`;
    return { kind: 'done-by-other', service: shown(name), text };
  }
  return unbound();

  async function unbound(): Promise<RolledBack> {
    return { kind: 'heard', heard: await askQuietly(terminal, flags, question) };
  }
}

interface Seen {
  readonly generation: number;
  readonly service: Lenient<ServiceStatus>;
}

async function look(terminal: Terminal, flags: ClientFlags): Promise<Seen | undefined> {
  const path = withService(terminal, flags, '/v1/status');
  const question = { method: 'GET', path, body: undefined, answer: statusAnswer } as const;
  const heard = await askQuietly(terminal, flags, question);
  if (!heard.ok) return undefined;
  const { services, generation } = heard.answer;
  const [service] = services;
  const isOne = service !== undefined && services.length === 1;
  return isOne && generation !== undefined ? { generation, service } : undefined;
}

function isSame(before: Lenient<ServiceStatus>, now: Lenient<ServiceStatus>): boolean {
  return deploymentOf(before) === deploymentOf(now);
}

/** Returns the deployment that is active, as text: it may be of a server that tells none. */
function deploymentOf({ active, since, blue, green }: Lenient<ServiceStatus>): string {
  const { deployment } = shown(active) === 'blue' ? blue : green;
  return `${shown(active)} ${shown(deployment)} ${shown(since.generation)}`;
}

function rolledBackBy(
  { switches, previous }: Lenient<ServiceStatus>,
  left: string,
): string | undefined {
  const last = switches[0] ?? previous;
  if (last === null || last.outcome !== 'rolled-back') return undefined;
  return left.startsWith(`${shown(last.from)} ${shown(last.left)} `)
    ? shown(last.actor)
    : undefined;
}
