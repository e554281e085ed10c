// Connections that send request after request, each as soon as the one before was answered, and
// note which color responded. All notes are numbered by one counter of this thread, so "sent after
// the switch had answered" is a comparison of two numbers and no matter of clocks.

import type { Note } from '../../bench/switching/judge.ts';
import { RawConnection } from '../../bench/load/raw-connection.ts';
import { colorOfAnswer, LOAD_KINDS, LONG_UPLOAD, SMALL, type LoadKind } from './load-kinds.ts';

export interface LoadOptions {
  readonly port: number;
  /** Undefined: 127.0.0.1. */
  readonly host?: string;
  readonly isTls?: boolean;
  /** Connections that send all the time. */
  readonly connections: number;
  /** Connections that send when a probe is asked for. */
  readonly probes: number;
  /** Open a connection again when the proxy has closed it. */
  readonly reopens: boolean;
}

/** What became of a request that is waited for. */
type Done = () => void;

interface Flight {
  readonly kind: LoadKind;
  readonly sentAt: number;
  readonly done: Done | undefined;
}

/** More are a proxy that is gone: no new connection is tried. */
const FAILURES_MAX = 1_000;

export class Load {
  readonly notes: Note[] = [];
  readonly failures = new Map<string, number>();
  /** Connections that the proxy closed while no request was on them. */
  closedIdleCount = 0;
  readonly #options: LoadOptions;
  readonly #flights = new Map<RawConnection, Flight>();
  readonly #open = new Set<RawConnection>();
  readonly #probes: RawConnection[] = [];
  readonly #waiting = new Set<{ readonly isDone: () => boolean; readonly resolve: Done }>();
  #straggler: RawConnection | undefined;
  #lostKinds: number[] = [];
  #tick = 0;
  #isSending = true;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Connections that are open now, those of probes left out. */
  get openCount(): number {
    return this.#open.size;
  }

  get lostCount(): number {
    return this.#lostKinds.length;
  }

  get failedCount(): number {
    return [...this.failures.values()].reduce((sum, one) => sum + one, 0);
  }

  /** Returns a number that is greater than all before it. */
  tick(): number {
    return ++this.#tick;
  }

  /** Opens all connections and resolves when each has had its first answer. */
  async start(): Promise<void> {
    const { connections, probes } = this.#options;
    const kinds = Array.from({ length: connections }, (_, index) => index % LOAD_KINDS.length);
    const firstProbes = Array.from({ length: probes }, () => this.#openProbe());
    await Promise.all([...this.#openAll(kinds), ...firstProbes]);
  }

  /** Opens what was lost again; resolves with how many when each has had an answer. */
  async reopen(): Promise<number> {
    const kinds = this.#lostKinds;
    this.#lostKinds = [];
    await Promise.all(this.#openAll(kinds));
    return kinds.length;
  }

  /** Sends a small request on each probe connection now; resolves when all are answered. */
  async probe(): Promise<void> {
    await Promise.all(
      this.#probes.map((connection) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#send(connection, SMALL, resolve);
        return promise;
      }),
    );
  }

  /** Resolves when all that is on its way now is answered; the connections go on sending. */
  async settle(): Promise<void> {
    const now = this.tick();
    await this.#until(() => [...this.#flights.values()].every(({ sentAt }) => sentAt > now));
  }

  /** Sends the first half of an upload; the function that comes back sends the rest. */
  beginUpload(): () => Promise<void> {
    const connection = (this.#straggler ??= this.#connect());
    const { promise, resolve } = Promise.withResolvers<void>();
    const { request } = LONG_UPLOAD;
    const half = request.length >> 1;
    this.#note(connection, LONG_UPLOAD, resolve);
    connection.send(request.subarray(0, half));
    return () => {
      if (this.#flights.has(connection)) connection.send(request.subarray(half));
      return promise;
    };
  }

  /** Sends nothing new and resolves when nothing is on its way; connections stay open. */
  async rest(): Promise<void> {
    this.#isSending = false;
    await this.#until(() => this.#flights.size === 0);
  }

  /** Resolves when the proxy has closed every connection. */
  async closed(): Promise<void> {
    await this.#until(() => this.#open.size === 0);
  }

  /** Closes every connection. */
  close(): void {
    this.#isSending = false;
    for (const connection of [...this.#open, ...this.#probes]) connection.close();
    this.#straggler?.close();
    this.#open.clear();
  }

  #openAll(kinds: readonly number[]): Promise<void>[] {
    return kinds.map((kind) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const connection = this.#connect();
      connection.kind = kind;
      this.#open.add(connection);
      this.#send(connection, LOAD_KINDS[kind]!, resolve);
      return promise;
    });
  }

  #openProbe(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const connection = this.#connect();
    this.#probes.push(connection);
    this.#send(connection, SMALL, resolve);
    return promise;
  }

  #connect(): RawConnection {
    const { port, host = '127.0.0.1', isTls = false } = this.#options;
    const target = { port, host, isTls, keepsBody: true };
    return new RawConnection(target, {
      onAnswer: (connection) => this.#answered(connection),
      onFailure: (connection, reason) => this.#failed(connection, reason),
    });
  }

  #send(connection: RawConnection, kind: LoadKind, done?: Done): void {
    this.#note(connection, kind, done);
    connection.send(kind.request);
  }

  #note(connection: RawConnection, kind: LoadKind, done: Done | undefined): void {
    this.#flights.set(connection, { kind, sentAt: this.tick(), done });
  }

  #answered(connection: RawConnection): void {
    const flight = this.#flights.get(connection)!;
    this.#flights.delete(connection);
    const color = colorOfAnswer(flight.kind, connection.bodyText);
    if (color === undefined) {
      this.#fail(`${flight.kind.name}: got ${connection.bodyText.slice(0, 60)}`);
    } else {
      this.notes.push({ sentMs: flight.sentAt, answeredMs: this.tick(), color });
    }
    flight.done?.();
    if (!connection.isReusable) this.#lost(connection);
    else if (this.#open.has(connection) && this.#isSending) {
      this.#send(connection, LOAD_KINDS[connection.kind]!);
    }
    this.#wake();
  }

  #failed(connection: RawConnection, reason: string): void {
    const flight = this.#flights.get(connection);
    this.#flights.delete(connection);
    if (flight === undefined) this.closedIdleCount++;
    else this.#fail(`${flight.kind.name}: ${reason}`);
    flight?.done?.();
    this.#lost(connection);
    this.#wake();
  }

  #lost(connection: RawConnection): void {
    if (connection === this.#straggler) this.#straggler = undefined;
    const probe = this.#probes.indexOf(connection);
    if (probe >= 0) this.#probes[probe] = this.#connect();
    if (!this.#open.delete(connection)) return;
    this.#lostKinds.push(connection.kind);
    const mayReopen = this.#isSending && this.failedCount < FAILURES_MAX;
    if (this.#options.reopens && mayReopen) void this.reopen();
  }

  #fail(reason: string): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1);
  }

  async #until(isDone: () => boolean): Promise<void> {
    if (isDone()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { isDone, resolve };
    this.#waiting.add(waiter);
    await promise;
    this.#waiting.delete(waiter);
  }

  #wake(): void {
    for (const { isDone, resolve } of this.#waiting) if (isDone()) resolve();
  }
}
