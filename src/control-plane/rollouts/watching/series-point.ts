// Pure: one point of the series of a rollout, how points are put together, and which of them are once there
// are too many. A point holds sums, so points that are put together lose nothing but when within them.

import { z } from 'zod';
import {
  ROLLOUT_POINT_MS,
  ROLLOUT_POINTS_COARSE,
  ROLLOUT_POINTS_FINE,
  ROLLOUT_POINTS_MAX,
} from '../../base/control-limits.ts';
import { STAGES } from '../machine/rollout-record.ts';

const counts = z.object({
  requests: z.number(),
  judged: z.number(),
  bad: z.number(),
  /** For each of DURATION_EDGES_MS, how many took longer; zeros at the end are left out. */
  slower: z.array(z.number()),
});
export type PointCounts = z.infer<typeof counts>;

const seriesPoint = z.object({
  /** Its end, in ms since the epoch. */
  atMs: z.number(),
  /** Of a clock that never jumps: the time that was measured. */
  spanMs: z.number(),
  stage: z.enum(STAGES),
  /** The same services in the same order, through all points of a rollout. */
  legs: z.array(
    z.object({
      service: z.string(),
      /** At the end of the point, of 10,000. */
      wanted: z.number(),
      /** The highest; undefined: no guard looked. */
      evidence: z.number().optional(),
      old: counts,
      new: counts,
    }),
  ),
});
export type SeriesPoint = Readonly<z.infer<typeof seriesPoint>>;
type PointLeg = SeriesPoint['legs'][number];

/** Returns a point that was stored; undefined: this version cannot read it. */
export function parsePoint(text: string): SeriesPoint | undefined {
  const { success, data } = seriesPoint.safeParse(JSON.parse(text));
  return success ? data : undefined;
}

/** Returns two points that follow each other as one. */
export function joined(first: SeriesPoint, next: SeriesPoint): SeriesPoint {
  return {
    atMs: next.atMs,
    spanMs: first.spanMs + next.spanMs,
    stage: next.stage,
    legs: next.legs.map((leg) => {
      const before = first.legs.find(({ service }) => service === leg.service);
      return before === undefined ? leg : joinedLeg(before, leg);
    }),
  };
}

function joinedLeg(first: PointLeg, next: PointLeg): PointLeg {
  const evidence = [first.evidence, next.evidence].filter((one) => one !== undefined);
  return {
    ...next,
    evidence: evidence.length === 0 ? undefined : Math.max(...evidence),
    old: sum(first.old, next.old),
    new: sum(first.new, next.new),
  };
}

function sum(one: PointCounts, other: PointCounts): PointCounts {
  const [longer, shorter] = one.slower.length < other.slower.length ? [other, one] : [one, other];
  return {
    requests: one.requests + other.requests,
    judged: one.judged + other.judged,
    bad: one.bad + other.bad,
    slower: longer.slower.map((count, edge) => count + (shorter.slower[edge] ?? 0)),
  };
}

/**
 * Returns `points` as they are while there are not too many. Else the last hour stays, and those before it are
 * put together to points of 20 s, 40 s, … until few enough are left: a rollout of days has coarse points but
 * for its end, which is what explains it. Points of different stages stay apart.
 */
export function thinned(points: readonly SeriesPoint[]): readonly SeriesPoint[] {
  if (points.length <= ROLLOUT_POINTS_MAX) return points;
  const older = points.slice(0, -ROLLOUT_POINTS_FINE);
  let coarse = older;
  for (let spanMs = 2 * ROLLOUT_POINT_MS; coarse.length > ROLLOUT_POINTS_COARSE; spanMs *= 2) {
    const before = coarse.length;
    coarse = coarser(older, spanMs);
    // Only stages keep them apart by now.
    if (coarse.length === before && spanMs > SPAN_MAX_MS) break;
  }
  return [...coarse, ...points.slice(-ROLLOUT_POINTS_FINE)];
}

/** More than any rollout takes. */
const SPAN_MAX_MS = 2 ** 40;

/** Returns the points with neighbours put together, as long as one measured no more than `spanMs`. */
function coarser(points: readonly SeriesPoint[], spanMs: number): SeriesPoint[] {
  const made: SeriesPoint[] = [];
  for (const point of points) {
    const last = made.at(-1);
    const fits = last?.stage === point.stage && last.spanMs + point.spanMs <= spanMs;
    if (fits) made[made.length - 1] = joined(last, point);
    else made.push(point);
  }
  return made;
}
