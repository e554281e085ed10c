// What is durable about one service beside its active color: what was registered on its colors,
// what drains, and whether it is in maintenance. Kept as one JSON text, read and written whole.

import { z } from 'zod';
import type { LongLived } from '../../contract/service-policy.ts';
import type { Color, LockOut, Maintenance } from '../../contract/table.ts';

/** A release and where it runs. */
export interface StoredSide {
  readonly release: string;
  readonly urls: readonly string[];
}

/** One color. */
export interface StoredSlot extends StoredSide {
  readonly hasServed: boolean;
  readonly lockedOut: LockOut | undefined;
  /** What the configuration said when this was registered: once it says something else, that counts. */
  readonly configured: string;
}

export interface StoredDrain extends StoredSide {
  readonly generation: number;
  readonly resumed: readonly number[];
  readonly color: Color;
  readonly startedAtMs: number;
  readonly sessionsUntilMs: number;
  readonly endsAtMs: number;
  readonly longLived: LongLived;
}

export interface ServiceState {
  readonly blue: StoredSlot | undefined;
  readonly green: StoredSlot | undefined;
  /** Earlier generations of the active side. */
  readonly resumed: readonly number[];
  readonly draining: readonly StoredDrain[];
  readonly maintenance: Maintenance | undefined;
}

export const NO_STATE: ServiceState = {
  blue: undefined,
  green: undefined,
  resumed: [],
  draining: [],
  maintenance: undefined,
};

const side = { release: z.string(), urls: z.array(z.string()) };
const lockOut = z.strictObject({
  reason: z.string(),
  actor: z.string(),
  atMs: z.number(),
  generation: z.int(),
});
const slot = z
  .strictObject({
    ...side,
    hasServed: z.boolean(),
    configured: z.string(),
    lockedOut: lockOut.optional(),
  })
  .transform(({ lockedOut, ...rest }): StoredSlot => ({ ...rest, lockedOut }));
const drain = z.strictObject({
  ...side,
  generation: z.int(),
  resumed: z.array(z.int()),
  color: z.enum(['blue', 'green']),
  startedAtMs: z.number(),
  sessionsUntilMs: z.number(),
  endsAtMs: z.number(),
  longLived: z.enum(['linger', 'spread', 'cut']),
});
const state = z.strictObject({
  blue: slot.optional(),
  green: slot.optional(),
  resumed: z.array(z.int()).default([]),
  draining: z.array(drain),
  maintenance: z.strictObject({ message: z.string(), retryAfterSeconds: z.number() }).optional(),
});

/** Returns the text of `value`. */
export function printState(value: ServiceState): string {
  return JSON.stringify(value);
}

/** Returns the state in `text`, or undefined when it is no such thing. */
export function parseState(text: string): ServiceState | undefined {
  const parsed = state.safeParse(jsonOf(text));
  if (!parsed.success) return undefined;
  const { blue, green, resumed, draining, maintenance } = parsed.data;
  return { blue, green, resumed, draining, maintenance };
}

export function printSide({ release, urls }: StoredSide): string {
  return JSON.stringify({ release, urls });
}

/** Returns the side in `text`, or undefined when it is no such thing. */
export function parseSide(text: string): StoredSide | undefined {
  return z.strictObject(side).safeParse(jsonOf(text)).data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No state, and what is no state is told by the schema.
  }
}
