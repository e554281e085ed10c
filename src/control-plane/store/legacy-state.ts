// What versions before deployments have stored of a service, made into a state of today. Such a file
// knows a release by its addresses; each distinct one becomes a deployment.

import { z } from 'zod';
import type { Color, LegacyGeneration, LockOut } from '../../contract/table.ts';
import type { LastSwitch, ServiceState, StoredDeployment } from './service-state.ts';

/** A row of a service in such a file. */
export interface LegacyService {
  readonly name: string;
  readonly active: Color;
  readonly since: number;
  readonly sinceAtMs: number;
  /** JSON. */
  readonly state: string;
  /** Its last switch. */
  readonly last:
    | {
        readonly from: Color;
        readonly outcome: LastSwitch['outcome'];
        readonly actor: string;
        /** JSON. */
        readonly left: string;
      }
    | undefined;
}

const side = { release: z.string(), urls: z.array(z.string()) };
const lockedOut = z.strictObject({
  reason: z.string(),
  actor: z.string(),
  atMs: z.number(),
  generation: z.int(),
});
const slot = z.strictObject({
  ...side,
  hasServed: z.boolean(),
  configured: z.string(),
  lockedOut: lockedOut.optional(),
});
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
const legacyState = z.strictObject({
  blue: slot.optional(),
  green: slot.optional(),
  resumed: z.array(z.int()).default([]),
  draining: z.array(drain),
  maintenance: z.strictObject({ message: z.string(), retryAfterSeconds: z.number() }).optional(),
});
const leftSide = z.strictObject(side);

/**
 * Returns the state of `row`; deployments get numbers from `firstNumber` on. Throws where the row
 * makes no sense.
 */
export function stateOfLegacy(row: LegacyService, firstNumber: number): ServiceState {
  const { name, active, since, sinceAtMs } = row;
  const stored = legacyState.parse(JSON.parse(row.state));
  const made: StoredDeployment[] = [];
  const numberOf = (
    color: Color,
    { release, urls }: z.infer<typeof leftSide>,
    servedSince: number,
  ): number => {
    const known = made.find(
      (one) =>
        one.color === color &&
        one.release === release &&
        JSON.stringify(one.urls) === JSON.stringify(urls),
    );
    if (known !== undefined) return known.number;
    const number = firstNumber + made.length;
    const rest = { metadata: {}, actor: '', atMs: sinceAtMs, previewSeries: 0 };
    made.push({ number, color, release, urls, servedSince, takenOver: undefined, ...rest });
    return number;
  };
  const onColor = (color: Color) => {
    const known = stored[color];
    if (known === undefined) return { deployment: 0, configured: '' };
    const { configured, hasServed } = known;
    if (known.urls.length === 0) return { deployment: 0, configured };
    // A color that was left has served in some generation; which one, no cookie needs to know.
    const servedSince = color === active ? since : Number(hasServed);
    return { deployment: numberOf(color, known, servedSince), configured };
  };
  const legacy: LegacyGeneration[] = [];
  // First, so that a color that drains gets the generation that its cookies hold.
  const draining = stored.draining.map(({ generation, resumed, color, ...rest }) => {
    const deployment = numberOf(color, rest, generation);
    for (const one of [generation, ...resumed]) legacy.push([one, deployment]);
    const { startedAtMs, sessionsUntilMs, endsAtMs, longLived } = rest;
    return { deployment, startedAtMs, sessionsUntilMs, endsAtMs, longLived };
  });
  const colors = { blue: onColor('blue'), green: onColor('green') };
  const activeNumber = colors[active].deployment;
  if (activeNumber !== 0) {
    for (const generation of [since, ...stored.resumed]) legacy.push([generation, activeNumber]);
  }
  const lockOuts: LockOut[] = [];
  for (const color of ['blue', 'green'] as const) {
    const locked = stored[color]?.lockedOut;
    if (locked === undefined) continue;
    const { generation, ...rest } = locked;
    const { release } = stored[color]!;
    lockOuts.push({ ...rest, release, deployment: colors[color].deployment, epoch: generation });
  }
  const lastSwitch = row.last && {
    from: leftNumber(row.last, numberOf),
    outcome: row.last.outcome,
    actor: row.last.actor,
  };
  return {
    name,
    active,
    activeSinceMs: sinceAtMs,
    ...colors,
    deployments: made,
    draining,
    leaving: [],
    previewed: [],
    lockOuts,
    lastSwitch,
    split: undefined,
    rollout: undefined,
    hold: undefined,
    maintenance: stored.maintenance,
    legacy,
  };
}

function leftNumber(
  { from, left }: NonNullable<LegacyService['last']>,
  numberOf: (color: Color, place: z.infer<typeof leftSide>, servedSince: number) => number,
): number {
  const place = leftSide.parse(JSON.parse(left));
  return place.urls.length === 0 ? 0 : numberOf(from, place, 1);
}
