// What the configured freeze windows say of a service now. Windows may change with a reload; what they
// say is worked out again when one begins or ends. Refuses nothing itself.

import type { FreezeWindow } from '../../config/values/freeze-window.ts';
import { nextChange, windowsAt, type WindowsNow } from './windows.ts';

/** Tells what the windows say of a service now. */
export type FreezesOf = (service: string) => WindowsNow;

/** The windows of all services, and those of one, as configured now: the same lists until a reload. */
export type FreezeWindows = (service: string) => readonly (readonly FreezeWindow[])[];

interface CalendarParts {
  readonly windowsOf: FreezeWindows;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Known {
  readonly lists: readonly (readonly FreezeWindow[])[];
  readonly said: WindowsNow;
  /** What is said holds from then on, until then. */
  readonly fromMs: number;
  readonly untilMs: number;
}

export class FreezeCalendar {
  readonly #parts: CalendarParts;
  readonly #known = new Map<string, Known>();

  constructor(parts: CalendarParts) {
    this.#parts = parts;
  }

  /** Returns what the windows say of `service` now. */
  of(service: string): WindowsNow {
    const nowMs = this.#parts.now();
    const lists = this.#parts.windowsOf(service);
    const known = this.#known.get(service);
    if (known !== undefined && isSame(known.lists, lists) && isWithin(known, nowMs)) {
      return known.said;
    }
    const windows = lists.flat();
    const said = windowsAt(windows, nowMs);
    const untilMs = nextChange(windows, nowMs) ?? Infinity;
    this.#known.set(service, { lists, said, fromMs: nowMs, untilMs });
    return said;
  }

  /** Returns when something begins or ends for `service` next; Infinity: nothing does. */
  changesAtMs(service: string): number {
    this.of(service);
    return this.#known.get(service)!.untilMs;
  }

  /** Forgets services that are configured no more. */
  retain(services: ReadonlySet<string>): void {
    for (const service of this.#known.keys()) {
      if (!services.has(service)) this.#known.delete(service);
    }
  }
}

function isSame(
  before: readonly (readonly FreezeWindow[])[],
  after: readonly (readonly FreezeWindow[])[],
): boolean {
  return before.length === after.length && before.every((list, at) => list === after[at]);
}

/** A clock that was set back makes what was worked out later worthless. */
function isWithin({ fromMs, untilMs }: Known, nowMs: number): boolean {
  return nowMs >= fromMs && nowMs < untilMs;
}
