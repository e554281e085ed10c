// The process that takes over: started with our listening sockets, told the health of the targets;
// all else is in the store. Until it is ready we serve on; should it fail, nothing has happened.
//
//   we                                    successor
//   spawn with sockets ─────────────────► starts, reads the store, listens on the same sockets
//   health, names ──────────────────────► trusts and avoids the targets that we do
//   keys of TLS tickets ────────────────► goes on with the sessions of our clients
//                     ◄───────── ready ──
//   stop accepting, finish what runs      accepts, decides
//                     ◄─ prepare, point ─ each later table: our last requests go by it too
//   left ───────────────────────────────► how many connections we still finish

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { RoutingTable } from '../../contract/table.ts';
import type { HandedTickets } from '../certificates/ticket-keys.ts';
import type { HealthReport } from '../targets/health.ts';
import type { NameReport } from '../targets/handed-names.ts';
import {
  HANDOVER_VARIABLE,
  handoverText,
  type Inheritance,
  type InheritedSockets,
} from '../listening/inheritance.ts';
import { SUCCESSOR_READY_MS } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';

/**
 * The form of the tables and of these messages; a process of a version before it says none. Two that
 * differ hand over listeners and state all the same, but no later table.
 */
export const HANDOVER_PROTOCOL = 3;

/** Successor → predecessor. */
export type SuccessorSays =
  | { readonly kind: 'ready'; readonly version: string; readonly protocol?: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'prepare'; readonly table: RoutingTable }
  | { readonly kind: 'point'; readonly version: number }
  | { readonly kind: 'forget'; readonly version: number };

/** Predecessor → successor. */
export type PredecessorSays =
  | {
      readonly kind: 'health';
      readonly reports: readonly HealthReport[];
      readonly names?: readonly NameReport[];
      /** Secret: they are in no environment and no log. */
      readonly tickets?: HandedTickets;
      readonly protocol?: number;
    }
  | { readonly kind: 'done'; readonly what: 'prepare' | 'point'; readonly version: number }
  | { readonly kind: 'left'; readonly connections: number };

/** Descriptors 0 to 2 are the usual ones, 3 is the channel. */
const FIRST_FD = 4;

export interface SuccessorReady {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly version: string;
  /** What it says, from its first word on. */
  readonly said: Said;
  /** Whether it makes tables that this process understands. */
  readonly isAlike: boolean;
}

/** Keeps what a successor says until there is a listener: its first order may come with its first word. */
class Said {
  #kept: SuccessorSays[] = [];
  #listener: ((said: SuccessorSays) => void) | undefined;

  constructor(child: ChildProcess) {
    child.on('message', (said: SuccessorSays) => {
      if (this.#listener === undefined) this.#kept.push(said);
      else this.#listener(said);
    });
  }

  listen(listener: (said: SuccessorSays) => void): void {
    this.#listener = listener;
    for (const said of this.#kept) listener(said);
    this.#kept = [];
  }
}

/** Command that starts this program again, as it is on the disk now. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a successor gets from this process. */
export interface HandedOver {
  readonly sockets: Inheritance;
  readonly health: readonly HealthReport[];
  readonly names: readonly NameReport[];
  readonly tickets: HandedTickets;
}

/**
 * Starts a successor and resolves when it is ready. Rejects with `upgrade-failed`, also when
 * `stopAsked` says that this process shall end; then the successor has gone.
 */
export async function startSuccessor(
  { file, args, environment }: Command,
  { sockets, health, names, tickets }: HandedOver,
  stopAsked: AbortSignal,
): Promise<SuccessorReady> {
  const { given, fds } = renumbered(sockets);
  const child = spawn(file, [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...fds],
    env: { ...environment, [HANDOVER_VARIABLE]: handoverText(given) },
  });
  const said = new Said(child);
  tell(child, { kind: 'health', reports: health, names, tickets, protocol: HANDOVER_PROTOCOL });
  try {
    const { version, protocol } = await ready(child, stopAsked);
    return { child, pid: child.pid!, version, said, isAlike: protocol === HANDOVER_PROTOCOL };
  } catch (error) {
    await killed(child);
    throw error;
  }
}

/** Sends a message to a process that may end at any moment; then the message is dropped. */
export function tell(child: ChildProcess, message: PredecessorSays): void {
  if (child.connected) child.send(message, () => {});
}

/** Resolves when `child` has gone, and with it what it held of the state. */
async function killed(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** In the child the sockets stand in a row behind the channel. */
function renumbered(inheritance: Inheritance): {
  readonly given: Inheritance;
  readonly fds: number[];
} {
  const fds: number[] = [];
  const place = ({ address, fds: theirs }: InheritedSockets): InheritedSockets => ({
    address,
    fds: theirs.map((fd) => FIRST_FD + fds.push(fd) - 1),
  });
  const { listen, preview, admin, metrics } = inheritance;
  const [first, ...others] = listen;
  const given: Inheritance = {
    listen: [place(first), ...others.map(place)],
    preview: place(preview),
    admin: place(admin),
    metrics: place(metrics),
  };
  return { given, fds };
}

type Ready = Extract<SuccessorSays, { kind: 'ready' }>;

async function ready(child: ChildProcess, stopAsked: AbortSignal): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>();
  const fail = (why: string): void =>
    reject(
      new OperatorError('upgrade-failed', `${why}; this process serves on, nothing has changed`),
    );
  const onMessage = (said: SuccessorSays): void => {
    if (said.kind === 'ready') resolve(said);
    else if (said.kind === 'failed') fail(`the new process says: ${said.message}`);
  };
  const onExit = (code: number | null, signal: NodeJS.Signals | null): void => {
    const end = (): void =>
      fail(
        `the new process ended with ${code === null ? String(signal) : `exit code ${code}`}, see its output`,
      );
    // Its last word may still be on its way.
    if (child.connected) child.once('disconnect', end);
    else end();
  };
  const onError = (error: Error): void => fail(`the new process did not start: ${error.message}`);
  const onStop = (): void => fail('this process was told to stop');
  if (stopAsked.aborted) onStop();
  stopAsked.addEventListener('abort', onStop);
  const timer = setTimeout(
    () => fail(`the new process was not ready within ${SUCCESSOR_READY_MS / 1_000} s`),
    SUCCESSOR_READY_MS,
  );
  child.on('message', onMessage);
  child.once('exit', onExit);
  child.once('error', onError);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    stopAsked.removeEventListener('abort', onStop);
    child.off('message', onMessage);
    child.off('exit', onExit);
    child.off('error', onError);
  }
}
