// Starts, watches and replaces the worker threads; sends orders, hears reports. Knows
// nothing of what a worker does with a table.

import { Worker } from 'node:worker_threads';
import { unreachable } from '../../base/assert.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import type { ListenerFds, Order, Report, WorkerBirth } from '../../contract/messages.ts';
import type { DataPlaneSettings, ListenAddress } from '../../contract/worker-settings.ts';
import type { SigningKeys } from '../../contract/signing.ts';
import type { NameAddresses, RoutingTable } from '../../contract/table.ts';
import { claimAddress } from '../listening/claim-address.ts';
import { ListenPlaces } from '../listening/listen-places.ts';
import {
  LISTEN_TIMEOUT_MS,
  RESTART_BACKOFF_MAX_MS,
  RESTART_BACKOFF_MIN_MS,
  RESTART_BACKOFF_RESET_MS,
  STOP_GRACE_MS,
  WORKER_YOUNG_GENERATION_MIB,
} from '../base/control-limits.ts';
import { listenFault } from '../listening/listen-fault.ts';
import type { Log } from '../base/log.ts';
import { messageOf, OperatorError, StartError } from '../base/problems.ts';
import { dealtOut, newSeat, NOTHING, type Seat } from './worker-slot.ts';
import { resetGauges } from '../memory/totals.ts';

export interface WorkersParts {
  readonly count: number;
  readonly settings: DataPlaneSettings;
  readonly memory: SharedMemory;
  readonly keys: SigningKeys;
  /** Sockets of the process before this one. */
  readonly inherited: ListenerFds;
  readonly log: Log;
  /** Entry file of a worker thread. */
  readonly entry: URL;
}

/** The entry of the data plane, beside this file in `src` as in `dist`. */
export const WORKER_ENTRY = new URL(
  `../../data-plane/worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`,
  import.meta.url,
);

interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The worker threads. */
export class Workers {
  readonly #parts: WorkersParts;
  readonly #seats: readonly Seat[];
  readonly #waiters = new Set<Waiter>();
  /** Tables that no order to forget was given for, in order of generation. */
  #tables: readonly RoutingTable[] = [];
  readonly #places: ListenPlaces;
  /** Generations that a worker could not prepare, and why. */
  readonly #refused = new Map<number, string>();
  #keys: SigningKeys;
  #names: { readonly version: number; readonly names: readonly NameAddresses[] } = {
    version: 0,
    names: [],
  };
  #phase: 'starting' | 'running' | 'stopping' = 'starting';
  #cutCount = 0;
  #restarts = 0;

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    this.#keys = parts.keys;
    this.#places = new ListenPlaces(parts.settings);
    this.#seats = Array.from({ length: parts.count }, (_, index) => newSeat(index));
  }

  get count(): number {
    return this.#seats.length;
  }

  get listeningCount(): number {
    return this.#seats.filter((seat) => seat.isListening).length;
  }

  /** Clients may still come in. */
  get isAccepting(): boolean {
    return this.#seats.some((seat) => seat.thread !== undefined && !seat.isClosed);
  }

  /** Threads that ended unasked and were replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The sockets that listen now; empty where the system does not tell. */
  get fds(): ListenerFds {
    const all = this.#seats.map(({ fds }) => fds);
    return {
      listen: all.flatMap(({ listen }) => listen),
      preview: all.flatMap(({ preview }) => preview),
    };
  }

  /** Where traffic comes in; the port is the real one when 0 was asked for. */
  get address(): ListenAddress {
    return this.#places.address;
  }

  /** Where all requests go to the idle color; undefined: nowhere. */
  get previewAddress(): ListenAddress | undefined {
    return this.#places.previewAddress;
  }

  /**
   * Starts all workers on `table` and resolves when each of them listens. Throws StartError
   * when the address cannot be had or a worker does not come up; then none is left.
   */
  async start(table: RoutingTable): Promise<void> {
    this.#tables = [table];
    try {
      const { inherited, settings } = this.#parts;
      const { listen, previewListen } = settings;
      if (inherited.listen.length === 0) await claimAddress(listen);
      if (previewListen && inherited.preview.length === 0) await claimAddress(previewListen);
      // Where any port will do, the first worker finds the one that all share.
      const findsPort = [listen, previewListen].some(
        (one) => one?.kind === 'tcp' && one.port === 0,
      );
      if (findsPort) await this.#bringUp(this.#seats.slice(0, 1));
      await this.#bringUp(this.#seats.slice(findsPort ? 1 : 0));
      this.#phase = 'running';
    } catch (error) {
      await this.cut();
      throw error;
    }
  }

  /**
   * Gives every worker a table and resolves when each can serve it. A worker that is
   * replaced meanwhile is born with it, and counts once it listens; one that has stopped is not
   * replaced and does not count.
   */
  async prepare(given: RoutingTable, withinMs: number): Promise<void> {
    const table = await this.#places.prepare(given);
    this.#tables = [...this.#tables, table];
    for (const seat of this.#seats) {
      if (seat.thread) this.#send(seat, { kind: 'prepare', table });
      // Its wait is over: the switch should not wait for it.
      else if (this.#phase !== 'stopping') this.#spawn(seat);
    }
    const needsIt = (seat: Seat): boolean =>
      seat.thread !== undefined || this.#phase !== 'stopping';
    const missing = (): Seat[] =>
      this.#seats.filter((seat) => needsIt(seat) && !seat.tables.has(table.generation));
    await this.#until(
      () => missing().length === 0 || this.#refused.has(table.generation),
      withinMs,
      () => {
        const names = missing().map((seat) => seat.index);
        return new OperatorError(
          'workers-not-ready',
          `no answer within ${withinMs} ms from worker ${names.join(', ')}; traffic stays as it was`,
        );
      },
    );
    const why = this.#refused.get(table.generation);
    if (why !== undefined) throw new OperatorError('listener-unavailable', why);
  }

  /** All of them share the pointer. */
  async point(): Promise<void> {}

  /**
   * Tells every worker that the pointer names `generation` and resolves when each goes by it. A
   * worker that is born meanwhile goes by it from its first request on.
   */
  async adopt(generation: number, withinMs: number): Promise<void> {
    this.#places.adopt(generation);
    for (const seat of this.#seats) this.#send(seat, { kind: 'adopt', generation });
    const isDone = (): boolean =>
      this.#seats.every((seat) => seat.thread === undefined || seat.adopted >= generation);
    const late = (): Error =>
      new OperatorError('workers-not-ready', `a worker did not go on within ${withinMs} ms`);
    await this.#until(isDone, withinMs, late);
  }

  /** Gives every worker, now and later, other keys to sign and check with. */
  useKeys(keys: SigningKeys): void {
    this.#keys = keys;
    for (const seat of this.#seats) this.#send(seat, { kind: 'keys', keys });
  }

  /** Tells every worker, now and later, what all names lead to. */
  resolve(version: number, names: readonly NameAddresses[]): void {
    this.#names = { version, names };
    for (const seat of this.#seats) this.#send(seat, { kind: 'resolve', version, names });
  }

  /** The version of the names that every worker goes by, or a later one. */
  get resolvedVersion(): number {
    const threads = this.#seats.filter(({ thread }) => thread !== undefined);
    return Math.min(this.#names.version, ...threads.map(({ resolved }) => resolved));
  }

  /** Tells every worker that a table will not be needed again. */
  forget(generation: number): void {
    const wasRefused = generation > Atomics.load(this.#parts.memory.pointer, 0);
    this.#refused.delete(generation);
    this.#tables = this.#tables.filter((table) => table.generation !== generation);
    for (const seat of this.#seats) {
      seat.tables.delete(generation);
      if (seat.thread) this.#send(seat, { kind: 'forget', generation });
      // A refused table may be what kept it from coming up: it need not wait any longer.
      else if (wasRefused && this.#phase === 'running') this.#spawn(seat);
    }
  }

  /**
   * Stops accepting, lets run what runs, cuts the rest; resolves with how many were cut.
   * Connections on which nothing runs may stay for `idleMs`.
   */
  async stop(withinMs: number, { idleMs }: { readonly idleMs: number }): Promise<number> {
    this.#phase = 'stopping';
    for (const seat of this.#seats) {
      clearTimeout(seat.timer);
      if (seat.thread) this.#send(seat, { kind: 'stop', withinMs, idleMs });
    }
    const isOver = (): boolean => this.#seats.every((seat) => !seat.thread);
    await this.#until(isOver, withinMs + STOP_GRACE_MS, () => new Error('late')).catch(() => {
      this.#parts.log.warn({}, 'a worker did not stop in time and is ended');
    });
    await this.cut();
    return this.#cutCount;
  }

  /** Ends every thread at once. */
  async cut(): Promise<void> {
    this.#phase = 'stopping';
    await Promise.all(
      this.#seats.map(async (seat) => {
        clearTimeout(seat.timer);
        await this.#end(seat);
      }),
    );
  }

  async #bringUp(seats: readonly Seat[]): Promise<void> {
    for (const seat of seats) this.#spawn(seat);
    const isUp = (): boolean => seats.every((seat) => seat.isListening);
    await this.#until(isUp, LISTEN_TIMEOUT_MS, notListening);
  }

  #spawn(seat: Seat): void {
    clearTimeout(seat.timer);
    const { entry, memory, count, inherited } = this.#parts;
    const current = Atomics.load(memory.pointer, 0);
    const tables = this.#tables.filter((table) => table.generation >= current);
    const birth: WorkerBirth = {
      index: seat.index,
      workerCount: count,
      names: this.#names.names,
      memory,
      keys: this.#keys,
      settings: this.#places.settings,
      tables,
      reusePort: count > 1,
      // A socket dies with the worker that had it; the one after it opens its own.
      inherited: seat.bornAtMs === 0 ? dealtOut(inherited, seat.index, count) : NOTHING,
    };
    resetGauges(memory, seat.index);
    const thread = new Worker(entry, {
      name: `turnout worker ${seat.index}`,
      workerData: birth,
      resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MIB },
    });
    seat.thread = thread;
    seat.bornAtMs = performance.now();
    seat.bornWith = tables.map((table) => table.generation);
    seat.resolved = this.#names.version;
    seat.cause = undefined;
    seat.isClosed = false;
    seat.isEnding = false;
    thread.on('message', (report: Report) => this.#hear(seat, report));
    thread.on('error', (error) => (seat.cause = error));
    thread.on('exit', (code) => this.#ended(seat, code));
  }

  async #end(seat: Seat): Promise<void> {
    seat.isEnding = true;
    await seat.thread?.terminate();
  }

  #send(seat: Seat, order: Order): void {
    seat.thread?.postMessage(order);
  }

  #hear(seat: Seat, report: Report): void {
    switch (report.kind) {
      case 'listening':
        this.#places.found(report.port, report.previewPort);
        seat.fds = report.fds;
        seat.isListening = true;
        for (const generation of seat.bornWith) seat.tables.add(generation);
        seat.adopted = Math.max(seat.adopted, seat.bornWith[0] ?? 0);
        break;
      case 'adopted':
        seat.adopted = report.generation;
        break;
      case 'unprepared':
        this.#refused.set(report.generation, report.message);
        break;
      case 'prepared':
        seat.tables.add(report.generation);
        break;
      case 'resolved':
        seat.resolved = report.version;
        break;
      case 'listen-failed':
        seat.cause = new StartError(listenFault(this.#places.settings.listen, report));
        // It is of no use, and its end is what start and replacement wait for.
        void seat.thread?.terminate();
        break;
      case 'closed':
        seat.isClosed = true;
        break;
      case 'stopped':
        this.#cutCount += report.cutCount;
        // It has nothing left to do; a handle that it forgot must not keep the process.
        void this.#end(seat);
        break;
      case 'fault':
        this.#parts.log.error({ worker: seat.index, stack: report.stack }, report.message);
        break;
      default:
        unreachable(report);
    }
    this.#wakeWaiters();
  }

  #ended(seat: Seat, exitCode: number): void {
    seat.thread = undefined;
    seat.isListening = false;
    seat.fds = NOTHING;
    seat.adopted = 0;
    seat.tables.clear();
    if (this.#phase === 'starting') this.#failStart(seat, exitCode);
    if (this.#phase === 'running') this.#replaceLater(seat, exitCode);
    if (this.#phase === 'stopping' && !seat.isEnding) {
      const what = 'a worker ended unasked while it stopped; what it still had is cut';
      this.#parts.log.error({ worker: seat.index, exitCode, err: seat.cause }, what);
    }
    this.#wakeWaiters();
  }

  #failStart(seat: Seat, exitCode: number): void {
    const error =
      seat.cause instanceof StartError
        ? seat.cause
        : new StartError(
            `worker ${seat.index} did not start: ${seat.cause === undefined ? `exit code ${exitCode}` : messageOf(seat.cause)}`,
            { cause: seat.cause },
          );
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  #replaceLater(seat: Seat, exitCode: number): void {
    const livedMs = performance.now() - seat.bornAtMs;
    if (livedMs >= RESTART_BACKOFF_RESET_MS) seat.backoffMs = 0;
    const waitMs = seat.backoffMs;
    this.#restarts++;
    this.#parts.log.error(
      { worker: seat.index, exitCode, livedMs: Math.round(livedMs), waitMs, err: seat.cause },
      'a worker ended unasked and is replaced',
    );
    seat.backoffMs = Math.min(Math.max(waitMs * 2, RESTART_BACKOFF_MIN_MS), RESTART_BACKOFF_MAX_MS);
    seat.timer = setTimeout(() => this.#spawn(seat), waitMs);
  }

  async #until(isDone: () => boolean, withinMs: number, late: () => Error): Promise<void> {
    if (isDone()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { isDone, resolve, reject };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => reject(late()), withinMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  #wakeWaiters(): void {
    for (const waiter of this.#waiters) if (waiter.isDone()) waiter.resolve();
  }
}

function notListening(): StartError {
  return new StartError(`a worker did not listen within ${LISTEN_TIMEOUT_MS} ms`);
}
