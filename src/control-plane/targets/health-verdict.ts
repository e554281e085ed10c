// Pure: when a target counts as up or down. Reads no clock, opens no socket.
//
//   unknown ──rise passes──► up ──fall failures──► down ──rise passes──► up
//   unknown ──fall failures──► down

export type HealthState = 'unknown' | 'up' | 'down';

export interface Verdict {
  readonly state: HealthState;
  /** Probes in a row that ended like the last one, up to the count that decides. */
  readonly streak: number;
  readonly streakOf: ProbeOutcome;
}

export type ProbeOutcome = 'pass' | 'fail';

export interface RiseAndFall {
  readonly rise: number;
  readonly fall: number;
}

/** Nothing is known, so nothing is trusted. */
export const UNKNOWN: Verdict = { state: 'unknown', streak: 0, streakOf: 'fail' };

/** Returns the verdict after one more probe. */
export function judge(
  verdict: Verdict,
  outcome: ProbeOutcome,
  { rise, fall }: RiseAndFall,
): Verdict {
  const needed = outcome === 'pass' ? rise : fall;
  const before = outcome === verdict.streakOf ? verdict.streak : 0;
  const streak = Math.min(before + 1, needed);
  if (streak < needed) return { state: verdict.state, streak, streakOf: outcome };
  return { state: outcome === 'pass' ? 'up' : 'down', streak, streakOf: outcome };
}
