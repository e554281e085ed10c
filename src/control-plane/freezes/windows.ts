// Pure: which of the configured freeze windows is in force at a moment, until when, and which is next.
// A window begins when the clock of its zone first shows its time, and ends when that clock has passed
// the end for good: an hour that comes twice is frozen both times. Refuses nothing itself.

import type { FreezeWindow } from '../../config/values/freeze-window.ts';
import { firstMoment, lastMoment, wallMsAt } from '../../base/zone-time.ts';

/** One time that a window is in force; in ms since the epoch. */
export interface FreezePeriod {
  readonly window: FreezeWindow;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What the windows say at a moment. */
export interface WindowsNow {
  /** In force; of several the one that ends last. */
  readonly present: FreezePeriod | undefined;
  /** When no window is in force any more; windows that follow on each other are passed through. */
  readonly freeAtMs: number | undefined;
  /** The first that begins from then on; undefined: none does. */
  readonly next: FreezePeriod | undefined;
}

/** One that is in force may have begun in the turn before the last: a clock may step by a day. */
const TURNS_BACK = 2;
const TURNS_AHEAD = 2;
/** Windows that leave no gap: after so many of them no end is told. */
const FOLLOWED_MAX = 50;

/** Returns what `windows` say at `nowMs`. */
export function windowsAt(windows: readonly FreezeWindow[], nowMs: number): WindowsNow {
  const present = presentAt(windows, nowMs);
  const freeAtMs = present && freeFrom(windows, present.untilMs);
  const next = windows
    .flatMap((window) => periodsNear(window, freeAtMs ?? nowMs))
    .filter(({ fromMs }) => fromMs > (freeAtMs ?? nowMs))
    .toSorted((a, b) => a.fromMs - b.fromMs)[0];
  return { present, freeAtMs, next };
}

/** Returns when something begins or ends next; undefined: nothing does. */
export function nextChange(windows: readonly FreezeWindow[], nowMs: number): number | undefined {
  const moments = windows
    .flatMap((window) => periodsNear(window, nowMs))
    .flatMap(({ fromMs, untilMs }) => [fromMs, untilMs])
    .filter((moment) => moment > nowMs);
  return moments.length === 0 ? undefined : Math.min(...moments);
}

function presentAt(windows: readonly FreezeWindow[], nowMs: number): FreezePeriod | undefined {
  return windows
    .flatMap((window) => periodsNear(window, nowMs))
    .filter(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs)
    .toSorted((a, b) => b.untilMs - a.untilMs)[0];
}

function freeFrom(windows: readonly FreezeWindow[], endMs: number): number | undefined {
  let atMs = endMs;
  for (let followed = 0; followed < FOLLOWED_MAX; followed++) {
    const following = presentAt(windows, atMs);
    if (following === undefined) return atMs;
    atMs = following.untilMs;
  }
  return undefined;
}

/** Returns the times around `nowMs` at which `window` is in force, in order. */
function periodsNear(window: FreezeWindow, nowMs: number): FreezePeriod[] {
  const { zone, everyMs, fromMs, untilMs } = window;
  if (everyMs === undefined) return periodOf(window, 0);
  const lengthMs = untilMs - fromMs;
  const turn = Math.floor((wallMsAt(zone, nowMs) - fromMs) / everyMs);
  // One that is longer than its turn would be in force all the time.
  const back = TURNS_BACK + Math.ceil(lengthMs / everyMs);
  const turns = Array.from({ length: back + TURNS_AHEAD + 1 }, (_, at) => turn - back + at);
  return turns.flatMap((one) => periodOf(window, one * everyMs));
}

/** None where the clock skips all of it. */
function periodOf(window: FreezeWindow, shiftMs: number): FreezePeriod[] {
  const { zone } = window;
  const fromMs = firstMoment(zone, window.fromMs + shiftMs);
  const untilMs = lastMoment(zone, window.untilMs + shiftMs);
  return untilMs > fromMs ? [{ window, fromMs, untilMs }] : [];
}
