// Coarse timers for everything a worker owns: one interval, one slot list, no timer per request.
// Moving a deadline back, which every request does several times, only stores a number; the
// entry is looked at again when its slot comes up.

import { TICK_MS } from '../../base/limits.ts';
import { WallClock } from './wall-clock.ts';

const SLOTS = 512; // 51 s at 100 ms; later deadlines are looked at once per turn

/** What a timer tells when its time is up. */
export interface TimerOwner {
  onDeadline(): void;
  /** `onDeadline` threw: the owner ends itself, so that nothing else suffers from it. */
  onFault(error: unknown): void;
}

/** One deadline of one owner, linked into the slot at which it is looked at next. */
export class Timer {
  readonly owner: TimerOwner;
  /** Tick at which it fires; 0: disarmed. */
  deadlineTick = 0;
  /** Tick of the slot it is linked into; 0: in none. */
  placedTick = 0;
  next: Timer | undefined = undefined;
  previous: Timer | undefined = undefined;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }

  get isArmed(): boolean {
    return this.deadlineTick !== 0;
  }
}

export class Wheel {
  /** Read again with every turn. */
  readonly wall = new WallClock();
  /** Starts at 1, because 0 means "none". */
  #nowTick = 1;
  readonly #slots: (Timer | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  #interval: NodeJS.Timeout | undefined;
  #lastTurnMs = 0;

  /** Starts turning with the real clock; without it, `advance` turns the wheel by hand. */
  start(): void {
    this.#lastTurnMs = performance.now();
    this.#interval = setInterval(() => {
      // The loop may have been busy for longer than a tick: catch up.
      const ticks = Math.floor((performance.now() - this.#lastTurnMs) / TICK_MS);
      this.#lastTurnMs += ticks * TICK_MS;
      this.wall.update();
      this.advance(ticks);
    }, TICK_MS);
    this.#interval.unref();
  }

  /** Milliseconds since some fixed moment, as coarse as the ticks; costs nothing. */
  nowMs(): number {
    return this.#nowTick * TICK_MS;
  }

  /** Milliseconds by which `nowMs` is late, because the loop was busy for longer than a tick. */
  behindMs(): number {
    return this.#lastTurnMs === 0 ? 0 : performance.now() - this.#lastTurnMs;
  }

  stop(): void {
    clearInterval(this.#interval);
  }

  /** Lets `timer` fire once, `afterMs` from now at the earliest; replaces an earlier deadline. */
  arm(timer: Timer, afterMs: number): void {
    const deadline = this.#nowTick + Math.ceil(afterMs / TICK_MS) + 1;
    timer.deadlineTick = deadline;
    if (timer.placedTick !== 0) {
      if (timer.placedTick <= deadline) return;
      this.#unlink(timer);
    }
    this.#link(timer);
  }

  /** Forgets the deadline; the timer may stay linked and is dropped when its slot comes up. */
  disarm(timer: Timer): void {
    timer.deadlineTick = 0;
  }

  /** Forgets the timer altogether, so that nothing keeps its owner alive. */
  remove(timer: Timer): void {
    timer.deadlineTick = 0;
    if (timer.placedTick !== 0) this.#unlink(timer);
  }

  /** Turns the wheel by `ticks`. */
  advance(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      this.#nowTick++;
      this.#turn(this.#nowTick % SLOTS);
    }
  }

  /** Empties one slot from its head, because an owner that runs may remove timers behind it. */
  #turn(slot: number): void {
    for (let timer = this.#slots[slot]; timer !== undefined; timer = this.#slots[slot]) {
      this.#unlink(timer);
      if (timer.deadlineTick > this.#nowTick) {
        this.#link(timer); // Never into this slot: it is at most SLOTS − 1 ticks ahead.
      } else if (timer.deadlineTick !== 0) {
        timer.deadlineTick = 0;
        fire(timer.owner);
      }
    }
  }

  #link(timer: Timer): void {
    const tick = Math.min(timer.deadlineTick, this.#nowTick + SLOTS - 1);
    const slot = tick % SLOTS;
    const first = this.#slots[slot];
    timer.placedTick = tick;
    timer.previous = undefined;
    timer.next = first;
    if (first !== undefined) first.previous = timer;
    this.#slots[slot] = timer;
  }

  #unlink(timer: Timer): void {
    if (timer.previous !== undefined) timer.previous.next = timer.next;
    else this.#slots[timer.placedTick % SLOTS] = timer.next;
    if (timer.next !== undefined) timer.next.previous = timer.previous;
    timer.next = timer.previous = undefined;
    timer.placedTick = 0;
  }
}

function fire(owner: TimerOwner): void {
  try {
    owner.onDeadline();
  } catch (error) {
    try {
      owner.onFault(error);
    } catch {
      // `onFault` threw as well; the other timers of the worker still have to run.
    }
  }
}
