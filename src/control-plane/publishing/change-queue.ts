// Whose turn it is: one line per service, so changes of different services do not wait for each
// other. A change of several services, or of the whole table, stands in all its lines at once. What
// gets traffic back to safety goes first, and calls off what only prepares or holds requests. Knows
// neither tables nor services, only the names of lines.
//
//   waiting ─► running ─► (holding) ─► past its last moment ─► ended
//                 └───────────┴──► called off

import { assert } from '../../base/assert.ts';
import { OperatorError } from '../base/problems.ts';

/** The services that a change is about; `all`: the whole table. */
export type Lines = readonly string[] | 'all';

/** What a change says of itself when it comes. */
export interface Entry {
  readonly lines: Lines;
  /** For people: `switch by deploy-bot`. */
  readonly what: string;
  /** It goes first and calls off what is in its way, which is told this. */
  readonly callsOff?: OperatorError | undefined;
  /** It lets requests wait until others have ended, which may last. */
  readonly mayHold?: boolean | undefined;
}

/** What a change knows of its turn. */
export interface Turn {
  /** Aborted when the change is called off; the reason is what its caller is told. */
  readonly signal: AbortSignal;
  /** What this change has called off, for people. */
  readonly calledOff: readonly string[];
  /** The last moment to be called off: throws if that has come to pass, else it never will. */
  pass(): void;
  /** Runs `wait`, which may last: changes of other services do not wait for those behind it. */
  holding<T>(wait: () => Promise<T>): Promise<T>;
}

/** Stands for the whole table among the names of lines. */
const TABLE = '*';

class Ticket implements Turn {
  readonly entry: Entry;
  readonly lines: readonly string[];
  readonly #ending = new AbortController();
  readonly #onChange: () => void;
  readonly begin = Promise.withResolvers<void>();
  calledOff: readonly string[] = [];
  isRunning = false;
  isHolding = false;
  #hasPassed = false;

  constructor(entry: Entry, onChange: () => void) {
    this.entry = entry;
    this.lines = entry.lines === 'all' ? [TABLE] : entry.lines;
    this.#onChange = onChange;
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get isUrgent(): boolean {
    return this.entry.callsOff !== undefined;
  }

  /** It waits in more lines than one. */
  get isWide(): boolean {
    return this.lines.length > 1 || this.lines[0] === TABLE;
  }

  pass(): void {
    this.signal.throwIfAborted();
    this.#hasPassed = true;
  }

  async holding<T>(wait: () => Promise<T>): Promise<T> {
    this.isHolding = true;
    this.#onChange();
    try {
      return await wait();
    } finally {
      this.isHolding = false;
    }
  }

  /** Returns whether it was called off by this. */
  callOff(why: OperatorError): boolean {
    const isPossible = this.isRunning && !this.isUrgent && !this.#hasPassed;
    if (!isPossible || this.signal.aborted) return false;
    this.#ending.abort(why);
    return true;
  }
}

/** Runs changes in turn. */
export class ChangeQueue {
  readonly #waitersMax: number;
  /** Of those that wait, the urgent stand first, each kind in the order it came. */
  #tickets: readonly Ticket[] = [];
  readonly #idlers = new Set<() => void>();

  /** `waitersMax`: in one line, behind the one that runs; as many urgent ones may wait beside them. */
  constructor({ waitersMax }: { readonly waitersMax: number }) {
    this.#waitersMax = waitersMax;
  }

  /** Runs `task` when it is its turn in all its lines; refuses with `busy` when too many wait. */
  async run<T>(entry: Entry, task: (turn: Turn) => Promise<T>): Promise<T> {
    assert(entry.lines.length > 0, 'a change is about something');
    const ticket = new Ticket(entry, () => this.#advance());
    this.#checkRoom(ticket);
    if (entry.callsOff !== undefined) {
      ticket.calledOff = this.#callOff(ticket.lines, entry.callsOff);
    }
    const goesBefore = (one: Ticket): boolean =>
      !one.isRunning && (one.isUrgent || !ticket.isUrgent);
    const at = this.#tickets.findLastIndex(goesBefore) + 1;
    this.#tickets = this.#tickets.toSpliced(at, 0, ticket);
    this.#advance();
    await ticket.begin.promise;
    try {
      ticket.signal.throwIfAborted(); // Called off in the moment in which its turn came.
      return await task(ticket);
    } finally {
      this.#tickets = this.#tickets.filter((one) => one !== ticket);
      this.#advance();
    }
  }

  /** Calls off what holds requests, or is about to; returns what that was. What only prepares ends by itself. */
  callOffHolds(why: OperatorError): string[] {
    return this.#tickets
      .filter((one) => one.entry.mayHold === true && one.callOff(why))
      .map(({ entry }) => entry.what);
  }

  /** Calls off what runs in one of `lines` and may still be called off; returns what that was. */
  #callOff(lines: readonly string[], why: OperatorError): string[] {
    return this.#tickets
      .filter((one) => isShared(one.lines, lines) && one.callOff(why))
      .map(({ entry }) => entry.what);
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    if (this.#tickets.length === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idlers.add(resolve);
    await promise;
  }

  #checkRoom(ticket: Ticket): void {
    for (const line of ticket.lines) {
      const alike = this.#tickets.filter(
        (one) => one.isUrgent === ticket.isUrgent && one.lines.includes(line),
      );
      if (alike.length <= this.#waitersMax) continue;
      const where = line === TABLE ? 'of the whole table' : `of ${line}`;
      throw new OperatorError(
        'busy',
        `${this.#waitersMax} changes ${where} wait already; try again shortly`,
      );
    }
  }

  /**
   * Begins what nothing is in the way of. A ticket that waits keeps its lines for itself, or a row
   * of later ones would put it off for ever; unless it is wide and waits for one that holds
   * requests: then others go on that hold none themselves.
   */
  #advance(): void {
    const running = this.#tickets.filter((one) => one.isRunning);
    const taken: Ticket[] = [...running];
    const kept: Ticket[] = [];
    for (const ticket of this.#tickets) {
      if (ticket.isRunning) continue;
      const isInTheWay = (one: Ticket): boolean => isShared(one.lines, ticket.lines);
      const isBlocked =
        taken.some(isInTheWay) || (ticket.entry.mayHold === true && kept.some(isInTheWay));
      if (!isBlocked) {
        ticket.isRunning = true;
        taken.push(ticket);
        ticket.begin.resolve();
        continue;
      }
      const waitsForHold = running.some((one) => one.isHolding && isInTheWay(one));
      (ticket.isWide && !ticket.isUrgent && waitsForHold ? kept : taken).push(ticket);
    }
    if (this.#tickets.length > 0) return;
    for (const resolve of this.#idlers) resolve();
    this.#idlers.clear();
  }
}

function isShared(a: readonly string[], b: readonly string[]): boolean {
  return a.includes(TABLE) || b.includes(TABLE) || a.some((line) => b.includes(line));
}
