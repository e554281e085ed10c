// Pure: the points of a rollout → what the API tells of them.

import type { RolloutSeries } from '../../../api/rollout-series.ts';
import { DURATION_EDGES_MS } from '../../../contract/counters.ts';
import { ROLLOUT_POINT_MS } from '../../base/control-limits.ts';
import { limitOf, restoredGuard } from '../../guard/guard.ts';
import { stateOf } from '../watching/guard-watch.ts';
import type { Leg, Rollout, Side } from '../machine/rollout-record.ts';
import type { PointCounts, SeriesPoint } from '../watching/series-point.ts';

type ServiceView = RolloutSeries['services'][number];
type PointView = ServiceView['points'][number];

export function seriesView(rollout: Rollout, points: readonly SeriesPoint[]): RolloutSeries {
  return {
    id: rollout.id,
    everySeconds: ROLLOUT_POINT_MS / 1_000,
    edgesMs: [...DURATION_EDGES_MS],
    services: rollout.legs.map((leg) => serviceView(rollout, leg, points)),
  };
}

function serviceView(
  rollout: Rollout,
  { service, from, to }: Leg,
  points: readonly SeriesPoint[],
): ServiceView {
  return {
    service,
    from: sideView(from),
    to: sideView(to),
    limit: limitIn(rollout, service),
    points: points.flatMap((point) => pointView(point, service) ?? []),
  };
}

function sideView({ color, release, deployment }: Side): ServiceView['from'] {
  return { color, release, deployment };
}

function limitIn(rollout: Rollout, service: string): number | null {
  const kept = stateOf(rollout)?.legs.find((one) => one.service === service)?.guard;
  const guard = restoredGuard(kept, { elapsedMs: 0, reason: '' });
  return guard === undefined ? null : Math.round(limitOf(guard));
}

function pointView({ atMs, spanMs, stage, legs }: SeriesPoint, service: string): PointView | null {
  const leg = legs.find((one) => one.service === service);
  if (leg === undefined) return null;
  const { wanted, evidence = null, old, new: next } = leg;
  const requests = old.requests + next.requests;
  const measured = requests === 0 ? null : Number(((100 * next.requests) / requests).toFixed(1));
  return {
    at: new Date(atMs).toISOString(),
    seconds: Math.round(spanMs) / 1_000,
    stage,
    share: { wanted: wanted / 100, measured },
    evidence,
    old: countsView(old),
    new: countsView(next),
  };
}

function countsView({ slower, ...counts }: PointCounts): PointView['old'] {
  return { ...counts, slower: DURATION_EDGES_MS.map((_, edge) => slower[edge] ?? 0) };
}
