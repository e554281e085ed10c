// The numbers of this second, as a tick of the stream tells them: what flows to each color of each service, and
// what its rollout does. Computed once for all readers. Reads what others count.

import { epochMs } from '../../base/clock.ts';
import { BLOCK } from '../../contract/counters.ts';
import { COLORS, type Color, type RoutingTable, type Service } from '../../contract/table.ts';
import type { Recent } from '../memory/recent.ts';
import type { RolloutMetrics } from '../memory/rollout-tally.ts';
import type { Totals } from '../memory/totals.ts';

export interface TickParts {
  readonly table: () => RoutingTable;
  readonly totals: Pick<Totals, 'blockSlot' | 'sessions'>;
  readonly recent: Pick<Recent, 'of'>;
  readonly rolloutMetrics: Pick<RolloutMetrics, 'running'>;
}

/** Makes the tick: service → what it does now. */
export function tickOf(parts: TickParts): () => ReadonlyMap<string, unknown> {
  return () => {
    const running = new Map(parts.rolloutMetrics.running().map((one) => [one.service, one]));
    return new Map(
      parts.table().services.map((service) => {
        const { blue, green } = colorsOf(service, parts);
        const rollout = running.get(service.name);
        const told = rollout === undefined ? null : rolloutNow(rollout);
        return [service.name, { active: service.active, blue, green, rollout: told }];
      }),
    );
  };
}

function rolloutNow({
  stage,
  status,
  share,
  evidence,
}: ReturnType<RolloutMetrics['running']>[number]) {
  return {
    stage,
    status,
    share: { wanted: share.wanted, measured: share.measured ?? null },
    evidence,
  };
}

function colorsOf(service: Service, parts: TickParts): Record<Color, ReturnType<typeof colorNow>> {
  const [blue, green] = COLORS.map((color) => colorNow(service, color, parts));
  return { blue: blue!, green: green! };
}

function colorNow(service: Service, color: Color, { totals, recent }: TickParts) {
  const { block, release } = service[color];
  const { requestsPerSecond, errorsPerSecond, p50Ms, p99Ms } = recent.of(block);
  const windowS = Math.ceil(service.policy.affinity.idleMs / 1_000);
  return {
    release,
    requestsPerSecond: round(requestsPerSecond.at(-1)),
    errorsPerSecond: round(errorsPerSecond.at(-1)),
    p50Ms: p50Ms === undefined ? null : round(p50Ms),
    p99Ms: p99Ms === undefined ? null : round(p99Ms),
    inflight: totals.blockSlot(block, BLOCK.inflight),
    tunnels: totals.blockSlot(block, BLOCK.tunnels),
    sessions: totals.sessions(block, { nowS: Math.floor(epochMs() / 1_000), windowS }),
  };
}

function round(value = 0): number {
  return Number(value.toFixed(2));
}
