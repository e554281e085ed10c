// What the planes say to each other about shadowing: how copies of requests are compared, and what
// differed. No bodies, no queries, no values of fields: a copy of a request may belong to any client.

/** How the response to a copy is compared with the one that the client got. */
export interface ShadowRules {
  /** Names of the response fields that are compared, in small letters. */
  readonly fields: readonly string[];
  /** What may differ in bodies and values of fields: all between the texts of a list, or its only text. */
  readonly ignore: readonly (readonly string[])[];
  /** Patterns of paths that are not copied; `*` stands for any. */
  readonly ignorePaths: readonly string[];
  /** Bytes of a body that are compared; 0: bodies are not. */
  readonly bodyBytesMax: number;
  /** A response that begins this much later than that of the client differs; 0: time is not compared. */
  readonly slowerMs: number;
}

/**
 * What became of copies, in the order of their counters. `differed` and `failed` say no: each is the
 * end of one copy, as are `same` and `unpaired`. `unpaired`: the client got no whole response to compare
 * with. `dropped`: nothing was sent, because all places for copies were taken or no target is up.
 */
export const SHADOW_RESULTS = [
  'sent',
  'same',
  'differed',
  'failed',
  'unpaired',
  'dropped',
] as const;

export type ShadowResult = (typeof SHADOW_RESULTS)[number];

/** What two responses differ in; the first that was found. */
export type DifferenceKind = 'status' | 'field' | 'body' | 'time' | 'none';

/** How two responses differ. Of each pair, the first is what the client got. */
export interface ShadowDifference {
  /** `none`: the copy got no whole response. */
  readonly kind: DifferenceKind;
  /** Name of the field; empty unless that is what differs. */
  readonly field: string;
  readonly statuses: readonly [number, number];
  /** Compared bytes of the bodies, without what is ignored. */
  readonly bytes: readonly [number, number];
  /** Beginnings of their SHA-256; empty unless the bodies differ. */
  readonly hashes: readonly [string, string];
}

/** Differences of one path; identifiers in it are left out, and so is the query. */
export interface ShadowedPath {
  readonly method: string;
  readonly path: string;
  readonly count: number;
  /** The latest. */
  readonly example: ShadowDifference;
}
