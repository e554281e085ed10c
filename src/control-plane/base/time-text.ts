// A time as JSON tells it.

/** Returns a time of the wall clock as RFC 3339 has it, in UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
