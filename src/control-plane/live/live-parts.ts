// What readers of this process are told by: streams, leases, series, and the wait for a switch. They are built,
// started and ended together here. Decides nothing.

import { LEASE_MAX_MS } from '../../api/api-limits.ts';
import { epochMs } from '../../base/clock.ts';
import type { RoutingTable } from '../../contract/table.ts';
import {
  STREAM_FRAMES_KEPT,
  STREAM_RETRY_MS,
  STREAM_RETRY_SOON_MS,
} from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { timers } from '../base/timers.ts';
import type { Recent } from '../memory/recent.ts';
import type { RolloutMetrics } from '../memory/rollout-tally.ts';
import type { Totals } from '../memory/totals.ts';
import type { EventFeed } from '../notifications/event-feed.ts';
import type { EventStore } from '../store/rollout-store.ts';
import { activeNumber } from '../store/service-state.ts';
import type { StoredState } from '../store/store.ts';
import { ActiveWatch } from './active.ts';
import { Leases } from './leases.ts';
import { News, toldRow, type ShownRollout } from './news.ts';
import { Series } from './series.ts';
import { Streams, type ToldRow } from './streams.ts';
import { tickOf } from './tick.ts';

export interface LiveParts {
  readonly active: ActiveWatch;
  readonly leases: Leases;
  readonly news: News;
  readonly series: Series;
  readonly streams: Streams;
  /** A table was published. */
  follow(table: RoutingTable): void;
  start(): void;
  /** Readers find another process at once: this one hands over. */
  leave(): void;
  /** The other process did not come up. */
  stay(): void;
  stop(): void;
}

export interface LiveSources {
  readonly version: string;
  readonly instance: string;
  readonly table: () => RoutingTable;
  readonly first: RoutingTable;
  /** What the process before this one has left. */
  readonly storedBefore: Pick<StoredState, 'services'>;
  readonly totals: Totals;
  readonly recent: Recent;
  readonly rolloutMetrics: RolloutMetrics;
  /** The whole view of a rollout; throws where it is not known any more. */
  readonly rolloutView: (id: string) => ShownRollout;
  readonly events: Pick<EventStore, 'add' | 'after' | 'last'>;
  readonly feed: EventFeed;
  readonly log: Log;
}

/** Of a clock that never jumps. */
function elapsedMs(): number {
  return performance.now();
}

/** Builds them; nothing runs yet. */
export function buildLive(sources: LiveSources): LiveParts {
  const { table, totals } = sources;
  const active = new ActiveWatch(table);
  const series = new Series({ table, totals, now: elapsedMs, wallNow: epochMs });
  const streams = new Streams({
    version: sources.version,
    generation: () => table().epoch,
    tick: tickOf(sources),
    startedAtMs: epochMs(),
    lastRow: () => sources.feed.seen,
    rowsAfter: (row) => rowsAfter(row, sources),
  });
  const news = new News({ ...sources, streams, timers });
  const leases = new Leases({
    now: elapsedMs,
    ...leasesBefore(sources.storedBefore, epochMs(), elapsedMs()),
  });
  return {
    active,
    leases,
    news,
    series,
    streams,
    follow(next) {
      active.follow();
      news.published(next);
    },
    start: () => series.start(),
    leave() {
      news.mute(true);
      active.stop();
      streams.close(STREAM_RETRY_SOON_MS);
    },
    stay() {
      news.mute(false);
      active.start();
      streams.reopen();
    },
    stop() {
      news.mute(true);
      series.stop();
      active.stop();
      streams.close(STREAM_RETRY_MS);
    },
  };
}

/** Returns the rows behind `row`, up to the last that was told; undefined: not all of them are kept. */
function rowsAfter(
  row: number,
  { events, feed, instance }: Pick<LiveSources, 'events' | 'instance'> & { feed: { seen: number } },
): readonly ToldRow[] | undefined {
  const upTo = feed.seen;
  // It is of another state.
  if (row > events.last()) return undefined;
  const rows = events.after(row, STREAM_FRAMES_KEPT + 1).filter(({ seq }) => seq <= upTo);
  const isWhole = rows.length === Math.max(0, upTo - row) && rows.length <= STREAM_FRAMES_KEPT;
  return isWhole ? rows.map((one) => toldRow(one, instance)) : undefined;
}

/** Returns what leases of the process before may still be held. */
export function leasesBefore(
  { services }: Pick<StoredState, 'services'>,
  wallMs: number,
  nowMs: number,
): { readonly clearAtMs: number; readonly wasActive: ReadonlySet<number> } {
  const states = [...services.values()];
  const settled = states.filter(({ activeSinceMs }) => activeSinceMs <= wallMs - LEASE_MAX_MS);
  return {
    clearAtMs: states.length === 0 ? nowMs : nowMs + LEASE_MAX_MS,
    wasActive: new Set(settled.map(activeNumber)),
  };
}
