// Which color may have answered a request? Pure; times in milliseconds of one clock.
//
//          called  answered            called  answered
//   ── blue ──┤ either ├──── green ────────┤ either ├── blue ──
//
// A request that lies whole inside a stretch of one color must have that color. One that
// touches a call may have either, because the flip is somewhere inside of the call.

export type Color = 'blue' | 'green';

/** One call that was answered with success. */
export interface Switch {
  readonly calledMs: number;
  readonly answeredMs: number;
  readonly to: Color;
}

/** One answered request. */
export interface Note {
  /** Before its first byte was written. */
  readonly sentMs: number;
  /** After its last byte was read. */
  readonly answeredMs: number;
  readonly color: Color;
}

export interface Judgement {
  readonly requests: number;
  /** Requests of which only one color could be right. */
  readonly judged: number;
  readonly wrong: number;
}

export interface Verdict extends Judgement {
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
}

/** Judges `notes` in any order by `switches` in order; before the first one nothing is judged. */
export function judge(notes: readonly Note[], switches: readonly Switch[]): Judgement {
  let judged = 0;
  let wrong = 0;
  for (const note of notes) {
    const index = lastAnsweredBefore(switches, note.sentMs);
    const last = switches[index];
    const next = switches[index + 1];
    if (last === undefined) continue;
    if (next !== undefined && next.calledMs <= note.answeredMs) continue;
    judged++;
    if (note.color !== last.to) wrong++;
  }
  return { requests: notes.length, judged, wrong };
}

/** Index of the last switch whose answer came before `atMs`; −1 for none. */
function lastAnsweredBefore(switches: readonly Switch[], atMs: number): number {
  let low = 0;
  let high = switches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (switches[middle]!.answeredMs < atMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
