// Starts, watches and replaces the worker threads; sends orders, hears reports. Knows
// nothing of what a worker does with a table.

import { Worker } from 'node:worker_threads';
import { unreachable } from '../../base/assert.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import type { ListenerFds, Order, Report, WorkerBirth } from '../../contract/messages.ts';
import {
  addressOfListener,
  keyOfListener,
  type DataPlaneSettings,
  type ListenAddress,
  type Listener,
} from '../../contract/worker-settings.ts';
import type { SigningKeys } from '../../contract/signing.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { claimAddress } from '../listening/claim-address.ts';
import { ListenPlaces } from '../listening/listen-places.ts';
import {
  LISTEN_TIMEOUT_MS,
  STOP_GRACE_MS,
  WORKER_YOUNG_GENERATION_MIB,
} from '../base/control-limits.ts';
import { listenFault } from '../listening/listen-fault.ts';
import type { Log } from '../base/log.ts';
import { OperatorError, StartError } from '../base/problems.ts';
import type { RunningRequest } from '../../contract/running-request.ts';
import { Conditions } from './conditions.ts';
import { tellCrowded } from './crowded.ts';
import { RunningQuestions } from './running-questions.ts';
import { ShadowDifferences } from './shadow-differences.ts';
import { StandingOrders } from './standing-orders.ts';
import {
  dealtOut,
  emptied,
  filled,
  newWorkerSlot,
  startError,
  takeBackoffMs,
  type WorkerSlot,
} from './worker-slot.ts';
import { resetGauges } from '../memory/totals.ts';

export interface WorkersParts {
  readonly count: number;
  readonly settings: DataPlaneSettings;
  readonly memory: SharedMemory;
  readonly keys: SigningKeys;
  readonly instance: string;
  /** Sockets of the process before this one. */
  readonly inherited: readonly ListenerFds[];
  readonly log: Log;
  /** Entry file of a worker thread. */
  readonly entry: URL;
}

/** The entry of the data plane: it lies at the same place in `src` as in `dist`. */
export const WORKER_ENTRY = new URL(
  `../../data-plane/worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`,
  import.meta.url,
);

/** The worker threads. */
export class Workers {
  readonly #parts: WorkersParts;
  readonly #slots: readonly WorkerSlot[];
  readonly #conditions = new Conditions();
  readonly #questions = new RunningQuestions();
  /** Of responses to copies of requests. */
  readonly shadowDifferences = new ShadowDifferences();
  /** Keys, names, certificates. */
  readonly standing: StandingOrders;
  /** Tables that no order to forget was given for, in order of version. */
  #tables: readonly RoutingTable[] = [];
  readonly #places: ListenPlaces;
  /** Generations that a worker could not prepare, and why. */
  readonly #refused = new Map<number, string>();
  #phase: 'starting' | 'running' | 'stopping' = 'starting';
  #cutCount = 0;
  #restarts = 0;

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    this.#places = new ListenPlaces(parts.settings);
    this.#slots = Array.from({ length: parts.count }, (_, index) => newWorkerSlot(index));
    this.standing = new StandingOrders(this.#slots, this.#conditions, parts.keys);
  }

  get count(): number {
    return this.#slots.length;
  }

  get listeningCount(): number {
    return this.#slots.filter((slot) => slot.isListening).length;
  }

  /** Clients may still come in. */
  get isAccepting(): boolean {
    return this.#slots.some((slot) => slot.thread !== undefined && !slot.isClosed);
  }

  /** Threads that ended unasked and were replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Where clients come in, with the ports that were found. */
  get listeners(): readonly Listener[] {
    return this.#places.settings.listeners;
  }

  /** Returns the sockets that listen now for `listener`; none where the system does not tell. */
  fdsOf(listener: Listener): number[] {
    const key = keyOfListener(listener);
    const all = this.#slots.flatMap(({ listeners }) => listeners);
    return all.filter((one) => one.listener === key).flatMap(({ fds }) => fds);
  }

  /** Where traffic comes in first; the port is the real one when 0 was asked for. */
  get address(): ListenAddress {
    return addressOfListener(this.listeners.find(({ use }) => use === 'traffic')!);
  }

  /** Where all requests go to the idle color; undefined: nowhere. */
  get previewAddress(): ListenAddress | undefined {
    const preview = this.listeners.find(({ use }) => use === 'preview');
    return preview && addressOfListener(preview);
  }

  /**
   * Starts all workers on `table` and resolves when each of them listens. Throws StartError
   * when the address cannot be had or a worker does not come up; then none is left.
   */
  async start(table: RoutingTable): Promise<void> {
    this.#tables = [table];
    try {
      const { inherited, settings } = this.#parts;
      const own = new Set(inherited.map(({ listener }) => listener));
      for (const listener of settings.listeners) {
        if (!own.has(keyOfListener(listener))) await claimAddress(listener.address);
      }
      // Where any port will do, the first worker finds the one that all share.
      const findsPort = settings.listeners.some(
        ({ address }) => address.kind === 'tcp' && address.port === 0,
      );
      if (findsPort) await this.#bringUp(this.#slots.slice(0, 1));
      await this.#bringUp(this.#slots.slice(findsPort ? 1 : 0));
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
    for (const slot of this.#slots) {
      if (slot.thread) this.#send(slot, { kind: 'prepare', table });
      // Its wait is over: the switch should not wait for it.
      else if (this.#phase !== 'stopping') this.#spawn(slot);
    }
    const needsIt = (slot: WorkerSlot): boolean =>
      slot.thread !== undefined || this.#phase !== 'stopping';
    const missing = (): WorkerSlot[] =>
      this.#slots.filter((slot) => needsIt(slot) && !slot.tables.has(table.version));
    await this.#conditions.until(
      () => missing().length === 0 || this.#refused.has(table.version),
      withinMs,
      () => {
        const names = missing().map((slot) => slot.index);
        return new OperatorError(
          'workers-not-ready',
          `no answer within ${withinMs} ms from worker ${names.join(', ')}; traffic stays as it was`,
        );
      },
    );
    const why = this.#refused.get(table.version);
    if (why !== undefined) throw new OperatorError('listener-unavailable', why);
  }

  /** Nothing is to be done: all workers share the pointer. */
  async point(): Promise<void> {}

  /**
   * Tells every worker that the pointer names `version` and resolves when each goes by it. A
   * worker that is born meanwhile goes by it from its first request on.
   */
  async adopt(version: number, withinMs: number): Promise<void> {
    this.#places.adopt(version);
    for (const slot of this.#slots) this.#send(slot, { kind: 'adopt', version });
    const isDone = (): boolean =>
      this.#slots.every((slot) => slot.thread === undefined || slot.adopted >= version);
    const late = (): Error =>
      new OperatorError('workers-not-ready', `a worker did not go on within ${withinMs} ms`);
    await this.#conditions.until(isDone, withinMs, late);
  }

  /** Returns the `max` oldest requests that still run on these counter blocks, in all workers. */
  async running(blocks: readonly number[], max: number): Promise<RunningRequest[]> {
    return this.#questions.ask({ blocks, max }, (order) => {
      const asked = this.#slots.filter(({ thread }) => thread !== undefined);
      for (const slot of asked) this.#send(slot, order);
      return asked.length;
    });
  }

  /** Tells every worker that a table will not be needed again. */
  forget(version: number): void {
    const wasRefused = version > Atomics.load(this.#parts.memory.pointer, 0);
    this.#refused.delete(version);
    this.#tables = this.#tables.filter((table) => table.version !== version);
    for (const slot of this.#slots) {
      slot.tables.delete(version);
      if (slot.thread) this.#send(slot, { kind: 'forget', version });
      // A refused table may be what kept it from coming up: it need not wait any longer.
      else if (wasRefused && this.#phase === 'running') this.#spawn(slot);
    }
  }

  /**
   * Stops accepting, lets run what runs, cuts the rest; resolves with how many were cut.
   * Connections on which nothing runs may stay for `idleMs`.
   */
  async stop(withinMs: number, { idleMs }: { readonly idleMs: number }): Promise<number> {
    this.#phase = 'stopping';
    for (const slot of this.#slots) {
      clearTimeout(slot.timer);
      if (slot.thread) this.#send(slot, { kind: 'stop', withinMs, idleMs });
    }
    const isOver = (): boolean => this.#slots.every((slot) => !slot.thread);
    await this.#conditions
      .until(isOver, withinMs + STOP_GRACE_MS, () => new Error('late'))
      .catch(() => {
        this.#parts.log.warn({}, 'a worker did not stop in time and is ended');
      });
    await this.cut();
    return this.#cutCount;
  }

  /** Ends every thread at once. */
  async cut(): Promise<void> {
    this.#phase = 'stopping';
    await Promise.all(
      this.#slots.map(async (slot) => {
        clearTimeout(slot.timer);
        await this.#end(slot);
      }),
    );
  }

  async #bringUp(slots: readonly WorkerSlot[]): Promise<void> {
    for (const slot of slots) this.#spawn(slot);
    const isUp = (): boolean => slots.every((slot) => slot.isListening);
    await this.#conditions.until(isUp, LISTEN_TIMEOUT_MS, notListening);
  }

  #spawn(slot: WorkerSlot): void {
    clearTimeout(slot.timer);
    const { entry, memory, count, inherited, instance } = this.#parts;
    const current = Atomics.load(memory.pointer, 0);
    const tables = this.#tables.filter((table) => table.version >= current);
    const birth: WorkerBirth = {
      index: slot.index,
      workerCount: count,
      memory,
      ...this.standing.birth,
      instance,
      settings: this.#places.settings,
      tables,
      reusePort: count > 1,
      // A socket dies with the worker that had it; the one after it opens its own.
      inherited: slot.bornAtMs === 0 ? dealtOut(inherited, slot.index, count) : [],
    };
    resetGauges(memory, slot.index);
    const thread = new Worker(entry, {
      name: `turnout worker ${slot.index}`,
      workerData: birth,
      // What it opens is its log: that belongs to its socket, which closes it with the thread.
      trackUnmanagedFds: false,
      resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MIB },
    });
    const bornWith = tables.map((table) => table.version);
    filled(slot, thread, { bornWith, ...this.standing.versions });
    thread.on('message', (report: Report) => this.#hear(slot, report));
    thread.on('error', (error) => (slot.cause = error));
    thread.on('exit', (code) => this.#ended(slot, code));
  }

  async #end(slot: WorkerSlot): Promise<void> {
    slot.isEnding = true;
    await slot.thread?.terminate();
  }

  #send(slot: WorkerSlot, order: Order): void {
    slot.thread?.postMessage(order);
  }

  #hear(slot: WorkerSlot, report: Report): void {
    switch (report.kind) {
      case 'listening':
        this.#places.found(report.listeners);
        slot.listeners = report.listeners;
        slot.isListening = true;
        for (const version of slot.bornWith) slot.tables.add(version);
        slot.adopted = Math.max(slot.adopted, slot.bornWith[0] ?? 0);
        break;
      case 'adopted':
        slot.adopted = report.version;
        break;
      case 'unprepared':
        this.#refused.set(report.version, listenFault(report.address, report));
        break;
      case 'prepared':
        slot.tables.add(report.version);
        break;
      case 'certified':
        slot.certified = report.version;
        break;
      case 'resolved':
        slot.resolved = report.version;
        break;
      case 'listen-failed':
        slot.cause = new StartError(listenFault(report.address, report));
        // It is of no use, and its end is what start and replacement wait for.
        void slot.thread?.terminate();
        break;
      case 'running':
        this.#questions.hear(report);
        break;
      case 'closed':
        slot.isClosed = true;
        break;
      case 'stopped':
        this.#cutCount += report.cutCount;
        // It has nothing left to do; a handle that it forgot must not keep the process.
        void this.#end(slot);
        break;
      case 'crowded':
        tellCrowded(this.#parts.log, slot.index, report);
        break;
      case 'shadow-differences':
        this.shadowDifferences.hear(report.deployment, report.paths);
        break;
      case 'fault':
        this.#parts.log.error({ worker: slot.index, stack: report.stack }, report.message);
        break;
      default:
        unreachable(report);
    }
    this.#conditions.look();
  }

  #ended(slot: WorkerSlot, exitCode: number): void {
    emptied(slot);
    if (this.#phase === 'starting') this.#conditions.fail(startError(slot, exitCode));
    if (this.#phase === 'running') this.#replaceLater(slot, exitCode);
    if (this.#phase === 'stopping' && !slot.isEnding) {
      const what = 'a worker ended unasked while it stopped; what it still had is cut';
      this.#parts.log.error({ worker: slot.index, exitCode, err: slot.cause }, what);
    }
    this.#conditions.look();
  }

  #replaceLater(slot: WorkerSlot, exitCode: number): void {
    const livedMs = performance.now() - slot.bornAtMs;
    const waitMs = takeBackoffMs(slot, livedMs);
    this.#restarts++;
    this.#parts.log.error(
      { worker: slot.index, exitCode, livedMs: Math.round(livedMs), waitMs, err: slot.cause },
      'a worker ended unasked and is replaced',
    );
    slot.timer = setTimeout(() => this.#spawn(slot), waitMs);
  }
}

function notListening(): StartError {
  return new StartError(`a worker did not listen within ${LISTEN_TIMEOUT_MS} ms`);
}
