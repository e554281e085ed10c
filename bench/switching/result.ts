// What a run of switches under load came to.

export interface SwitchResult {
  readonly workers: number;
  readonly switches: number;
  /** Answered requests of all clients. */
  readonly requests: number;
  /** No answer, a broken one, or a status other than 200. */
  readonly failed: number;
  /** Sent after a switch had answered, answered before the next began, by the other color. */
  readonly wrong: number;
  /** Requests of which only one color could be right; the others ran across a switch. */
  readonly judged: number;
  /** Reason → count. */
  readonly failures: Readonly<Record<string, number>>;
  /** Of the call as the operator sees it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
