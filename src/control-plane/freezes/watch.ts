// Tells when a freeze window begins and ends for a service, once each. What it knows was told by this
// process: after a restart, one that is in force is told again. Refuses nothing.

import type { Timers } from '../base/timers.ts';
import type { FreezeCalendar } from './calendar.ts';
import type { FreezePeriod } from './windows.ts';

export interface FreezeWatchParts {
  readonly calendar: Pick<FreezeCalendar, 'of' | 'changesAtMs' | 'retain'>;
  readonly services: () => readonly string[];
  /** Called once for each window that is in force by now, and once when none is any more. */
  readonly onBegun: (service: string, period: FreezePeriod) => void;
  readonly onEnded: (service: string, period: FreezePeriod) => void;
  readonly timers: Timers;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The clock of the system may jump, and a reload may change the windows. */
const LOOK_AT_LEAST_EVERY_MS = 30_000;

export class FreezeWatch {
  readonly #parts: FreezeWatchParts;
  readonly #told = new Map<string, FreezePeriod>();
  #cancel: (() => void) | undefined;

  constructor(parts: FreezeWatchParts) {
    this.#parts = parts;
  }

  /** Looks now, and again whenever something may have changed. */
  start(): void {
    this.#cancel?.();
    const { timers, now } = this.#parts;
    const nextMs = this.look();
    const waitMs = Math.min(Math.max(nextMs - now(), 1), LOOK_AT_LEAST_EVERY_MS);
    this.#cancel = timers.after(waitMs, () => this.start());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Tells what has begun and ended since the last look; returns when the next change is due. */
  look(): number {
    const { calendar, services, onBegun, onEnded } = this.#parts;
    const names = services();
    let nextMs = Infinity;
    for (const service of names) {
      const { present } = calendar.of(service);
      const told = this.#told.get(service);
      nextMs = Math.min(nextMs, calendar.changesAtMs(service));
      if (present !== undefined && told?.window.when !== present.window.when) {
        this.#told.set(service, present);
        onBegun(service, present);
      } else if (present === undefined && told !== undefined) {
        this.#told.delete(service);
        onEnded(service, told);
      }
    }
    const known = new Set(names);
    for (const name of this.#told.keys()) if (!known.has(name)) this.#told.delete(name);
    calendar.retain(known);
    return nextMs;
  }
}
