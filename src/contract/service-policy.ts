// What an operator has decided about one service: sessions, drains, version skew, waiting.
// Part of the routing table, because it may differ from one table to the next.

export interface ServicePolicy {
  readonly affinity: AffinityPolicy;
  readonly drain: DrainPolicy;
  readonly skew: SkewPolicy;
  readonly retry: RetryPolicy;
  readonly hold: HoldLimits;
  readonly maintenance: MaintenancePolicy;
  readonly errors: ErrorPolicy;
  readonly guard: GuardPolicy;
  readonly edge: EdgePolicy;
  /** During a hold or maintenance the proxy itself answers 200 to this path; empty: to none. */
  readonly healthPath: string;
}

/**
 * `off`: no cookie. `drain`: a session stays on its generation while that drains and can serve.
 * `strict`: it stays even if that generation cannot serve.
 */
export type AffinityMode = 'off' | 'drain' | 'strict';

export type SameSite = 'lax' | 'strict' | 'none';

interface AffinityPolicy {
  readonly mode: AffinityMode;
  /** Without the prefix that a secure cookie gets; empty: see cookie-names.ts. */
  readonly cookieName: string;
  readonly cookiePath: string;
  /** Which requests from other sites bring the cookie (RFC 6265bis §4.1.2.7). */
  readonly sameSite: SameSite;
  /** A session that was not seen for this long has ended. */
  readonly idleMs: number;
  /** A session that is older than this has ended. */
  readonly lifeMs: number;
}

/** What becomes of tunnels and event streams when their deployment drains. */
export type LongLived = 'linger' | 'spread' | 'cut';

interface DrainPolicy {
  /** For sessions, from the switch on. */
  readonly sessionsMs: number;
  /** For requests, once no session is left that could send more of them. */
  readonly requestsMs: number;
  /** For tunnels and event streams: the window of `spread`, the deadline of `linger`. */
  readonly streamsMs: number;
  readonly longLived: LongLived;
  /** Closes per second of the whole process; 0: no limit. */
  readonly closesPerSecond: number;
}

interface SkewPolicy {
  /** Requests follow the release id they name; page loads go to the active color. */
  readonly isOn: boolean;
  /** Paths whose 404 on the active color is tried once on the other; `*` stands for anything. */
  readonly rescue: readonly string[];
}

/** What clients see of the service from outside. */
interface EdgePolicy {
  /** Requests for its other hosts are sent there, with 308; empty: each host is answered. */
  readonly canonicalHost: string;
  /** Targets get paths without the prefix that made the service match. */
  readonly stripPrefix: boolean;
  /** For `Strict-Transport-Security` on what leaves over TLS; 0: there is no such field. */
  readonly hstsMs: number;
}

/** Whether a response with 502, 503 or 504 lets another target be asked, where that is safe. */
export interface RetryPolicy {
  readonly isOn: boolean;
  /** Second tries at most, in percent of the requests. */
  readonly budgetPercent: number;
}

/** Bounds on requests that wait, in one worker. */
interface HoldLimits {
  readonly requestsMax: number;
  readonly bytesMax: number;
}

/** HTML by status. */
export type ErrorPages = Readonly<Record<502 | 503 | 504, string>>;

interface ErrorPolicy {
  /** An HTML page for browsers where no target could answer; empty: a line. */
  readonly page: string;
  /** The same for one status alone; empty: the page above. */
  readonly pages: ErrorPages;
}

/** Which requests count for or against a release. */
export interface GuardPolicy {
  /** From `min` to `max`, both included. */
  readonly badStatuses: readonly { readonly min: number; readonly max: number }[];
  /** Paths whose requests do not count; `*` stands for anything. */
  readonly ignorePaths: readonly string[];
}

interface MaintenancePolicy {
  /** An HTML page for browsers; empty: the built-in one. */
  readonly page: string;
}
