// All that is durable about one service: its deployments, which of them is active, what drains, what
// is locked out, held, in maintenance. Kept as one JSON text, read and written whole. Every decision
// is a pure function from one state to the next: see deployments/state-edit.ts.

import { z } from 'zod';
import type { LongLived } from '../../contract/service-policy.ts';
import { SHARE_MAX } from '../../contract/split-share.ts';
import {
  COLORS,
  type Color,
  type Hold,
  type LegacyGeneration,
  type LockOut,
  type Maintenance,
  otherColor,
  type Split,
} from '../../contract/table.ts';

/** A release and where it runs. */
export interface ReleasePlace {
  readonly release: string;
  /** Targets in normal form. */
  readonly urls: readonly string[];
}

/** Another release was registered at an address of a deployment: what runs there is not it. */
export interface TakenOver {
  readonly service: string;
  readonly deployment: number;
  readonly release: string;
}

/** What a release says of the schema of the data. */
export interface ReleaseSchema {
  /** What its migrations bring. */
  readonly provides: number;
  /** What its code can work with, both ends included. */
  readonly requires: readonly [least: number, most: number];
}

/** An operator has said that there is no way back. */
export interface ServiceFreeze {
  readonly actor: string;
  readonly reason: string;
  readonly atMs: number;
}

export interface NoReturn {
  readonly actor: string;
  readonly reason: string;
  readonly atMs: number;
}

/** One registration of a release on a color, as it is remembered. */
export interface StoredDeployment extends ReleasePlace {
  /** Above 0; given once. */
  readonly number: number;
  readonly color: Color;
  /** What else was said of it, such as a digest or a range of schemas. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly actor: string;
  readonly atMs: number;
  /** Epoch in which it last became the active one; 0: it never was. */
  readonly servedSince: number;
  readonly previewSeries: number;
  readonly takenOver: TakenOver | undefined;
  /** Where its targets may lead, as the token that registered it says; left out: anywhere. */
  readonly allow?: readonly string[] | undefined;
  /** Left out: it says nothing of it. */
  readonly schema?: ReleaseSchema | undefined;
}

/** What is on one color. */
interface StoredColor {
  /** 0: nothing is registered. */
  readonly deployment: number;
  /** What the configuration said when it was last followed: once it says something else, that counts. */
  readonly configured: string;
}

export interface StoredDrain {
  readonly deployment: number;
  readonly startedAtMs: number;
  readonly sessionsUntilMs: number;
  readonly endsAtMs: number;
  readonly longLived: LongLived;
}

/** Targets that were taken from a deployment, which goes on without them. */
export interface StoredLeaving {
  readonly deployment: number;
  /** In normal form. */
  readonly urls: readonly string[];
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly longLived: LongLived;
}

export type SwitchOutcome = 'switched' | 'rolled-back';

/** The last time that another deployment became active. */
export interface LastSwitch {
  /** What was left: where a rollback leads. 0: nothing was there. */
  readonly from: number;
  readonly outcome: SwitchOutcome;
  readonly actor: string;
}

/** A rollout has a service to itself. */
export interface RolloutClaim {
  readonly id: string;
  /** The deployment that it leads to. */
  readonly deployment: number;
}

export interface ServiceState {
  readonly name: string;
  readonly active: Color;
  /** When another deployment last became active, in ms since the epoch. */
  readonly activeSinceMs: number;
  readonly blue: StoredColor;
  readonly green: StoredColor;
  /** Those in use, and the last that were; by number. */
  readonly deployments: readonly StoredDeployment[];
  readonly draining: readonly StoredDrain[];
  readonly leaving: readonly StoredLeaving[];
  /** Kept deployments that only a preview link leads to. */
  readonly previewed: readonly number[];
  readonly lockOuts: readonly LockOut[];
  readonly lastSwitch: LastSwitch | undefined;
  /** A rollout that shifts. */
  readonly split: Split | undefined;
  /** The rollout that moves this service: other switches wait for it. */
  readonly rollout: RolloutClaim | undefined;
  readonly hold: Hold | undefined;
  readonly maintenance: Maintenance | undefined;
  readonly legacy: readonly LegacyGeneration[];
  /** The highest schema that a release which has served brings; left out: not known. */
  readonly schema?: number | undefined;
  /** An operator has frozen switching of this service; left out: none has. */
  readonly freeze?: ServiceFreeze | undefined;
  /** Left out: there is a way back. */
  readonly noReturn?: NoReturn | undefined;
}

/** Returns a service on which nothing is registered. */
export function emptyState(name: string, active: Color, nowMs: number): ServiceState {
  const nothing = { deployment: 0, configured: '' };
  return {
    name,
    active,
    activeSinceMs: nowMs,
    blue: nothing,
    green: nothing,
    deployments: [],
    draining: [],
    leaving: [],
    previewed: [],
    lockOuts: [],
    lastSwitch: undefined,
    split: undefined,
    rollout: undefined,
    hold: undefined,
    maintenance: undefined,
    legacy: [],
  };
}

/** Returns the deployment with `number`; undefined: it is not kept, or none. */
export function deploymentOf(state: ServiceState, number: number): StoredDeployment | undefined {
  return state.deployments.find((one) => one.number === number);
}

/** Returns the color that a deployment is on; undefined: it is on none. */
export function colorWith(state: ServiceState, number: number): Color | undefined {
  return number === 0 ? undefined : COLORS.find((color) => state[color].deployment === number);
}

/** Returns the number of the active deployment; 0: there is none. */
export function activeNumber(state: ServiceState): number {
  return state[state.active].deployment;
}

/** Tells whether a rollout shifts sessions to the deployment `number`. */
export function isCanary({ split }: Pick<ServiceState, 'split'>, number: number): boolean {
  return split !== undefined && split.deployment === number;
}

/** Returns why a release must not be switched to; undefined: it may. */
export function lockOutOf(
  { lockOuts }: Pick<ServiceState, 'lockOuts'>,
  { release }: Pick<ReleasePlace, 'release'>,
): LockOut | undefined {
  return lockOuts.find((one) => one.release === release);
}

const colorName = z.enum(COLORS);
const lockOut = z.strictObject({
  release: z.string(),
  deployment: z.int(),
  reason: z.string(),
  actor: z.string(),
  atMs: z.number(),
  epoch: z.int(),
});
const takenOver = z.strictObject({
  service: z.string(),
  deployment: z.int(),
  release: z.string(),
});
const deployment = z
  .strictObject({
    number: z.int().min(1),
    color: colorName,
    release: z.string(),
    urls: z.array(z.string()),
    metadata: z.record(z.string(), z.string()),
    actor: z.string(),
    atMs: z.number(),
    servedSince: z.int(),
    previewSeries: z.int(),
    takenOver: takenOver.optional(),
    allow: z.array(z.string()).optional(),
    schema: z.strictObject({ provides: z.int(), requires: z.tuple([z.int(), z.int()]) }).optional(),
  })
  .transform(({ takenOver: taken, ...rest }): StoredDeployment => ({ ...rest, takenOver: taken }));
const onColor = z.strictObject({ deployment: z.int(), configured: z.string() });
const drain = z.strictObject({
  deployment: z.int(),
  startedAtMs: z.number(),
  sessionsUntilMs: z.number(),
  endsAtMs: z.number(),
  longLived: z.enum(['linger', 'spread', 'cut']),
});
const leaving = z.strictObject({
  deployment: z.int(),
  urls: z.array(z.string()),
  startedAtMs: z.number(),
  endsAtMs: z.number(),
  longLived: drain.shape.longLived,
});
const maintenance = z
  .strictObject({
    message: z.string(),
    retryAfterSeconds: z.number(),
    closesLongLived: z.literal(true).optional(),
  })
  .transform(({ closesLongLived, ...rest }): Maintenance => {
    return closesLongLived === undefined ? rest : { ...rest, closesLongLived };
  });
const share = z.int().min(0).max(SHARE_MAX);
const split = z
  .strictObject({
    deployment: z.int().min(1),
    salt: z.int(),
    sinceS: z.int(),
    share,
    ramp: z.strictObject({ from: share, startsAtMs: z.number(), endsAtMs: z.number() }).optional(),
    sessions: z.enum(['new', 'all']),
    by: z.enum(['session', 'address', 'request']),
  })
  .transform(({ ramp, ...rest }): Split => ({ ...rest, ramp }));
const state = z
  .strictObject({
    name: z.string(),
    active: colorName,
    activeSinceMs: z.number(),
    blue: onColor,
    green: onColor,
    deployments: z.array(deployment),
    draining: z.array(drain),
    leaving: z.array(leaving).default([]),
    previewed: z.array(z.int()),
    lockOuts: z.array(lockOut),
    lastSwitch: z
      .strictObject({
        from: z.int(),
        outcome: z.enum(['switched', 'rolled-back']),
        actor: z.string(),
      })
      .optional(),
    split: split.optional(),
    rollout: z.strictObject({ id: z.string(), deployment: z.int().min(1) }).optional(),
    hold: z
      .strictObject({
        methods: z.enum(['all', 'writes']),
        untilMs: z.number(),
        closesLongLived: z.boolean(),
      })
      .optional(),
    maintenance: maintenance.optional(),
    legacy: z.array(z.tuple([z.int(), z.int()])),
    schema: z.int().optional(),
    freeze: z.strictObject({ actor: z.string(), reason: z.string(), atMs: z.number() }).optional(),
    noReturn: z
      .strictObject({ actor: z.string(), reason: z.string(), atMs: z.number() })
      .optional(),
  })
  .transform(
    ({ lastSwitch, split: shift, rollout, hold, maintenance: shut, ...rest }): ServiceState => ({
      ...rest,
      lastSwitch,
      split: shift,
      rollout,
      hold,
      maintenance: shut,
    }),
  )
  .refine(isWhole);

/** Everything that is named is there. */
function isWhole(read: ServiceState): boolean {
  const named = [
    ...COLORS.map((color) => read[color].deployment).filter((number) => number !== 0),
    ...[...read.draining, ...read.leaving].map((one) => one.deployment),
    ...read.previewed,
  ];
  // A split leads to what is on the idle color, and to nothing else.
  const { split: shift } = read;
  const idle = read[otherColor(read.active)].deployment;
  if (shift !== undefined && shift.deployment !== idle) return false;
  return named.every((number) => deploymentOf(read, number) !== undefined);
}

/** Returns the text of `value`. */
export function printState(value: ServiceState): string {
  return JSON.stringify(value);
}

/** Returns the state in `text`, or undefined when it is no such thing. */
export function parseState(text: string): ServiceState | undefined {
  return state.safeParse(jsonOf(text)).data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No state, and what is no state is told by the schema.
  }
}
