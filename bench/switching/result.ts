// What a run of switches came to.

export interface SwitchResult {
  readonly workers: number;
  /** `full`: as many requests as the cores can carry; `none`: nothing but the switches. */
  readonly load: 'full' | 'none';
  /** 0 to 1: time that the least busy core had work. With full load it must be near 1. */
  readonly leastBusyCore: number;
  readonly switches: number;
  /** Answered requests of all clients. */
  readonly requests: number;
  /** Got no answer, a broken one, or a status other than 200. */
  readonly failed: number;
  /** Answered by the wrong color: sent after one switch had answered, done before the next began. */
  readonly wrong: number;
  /** Requests for which only one color was right; the others ran across a switch. */
  readonly judged: number;
  /** Reason → count. */
  readonly failures: Readonly<Record<string, number>>;
  /** Time of the call, as the operator sees it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
