// Where what happens becomes what is told: rows of the event log, tables and health → frames of the streams;
// health and freezes → rows of the log. Decides nothing, and nothing waits for it.

import { isDeepStrictEqual } from 'node:util';
import { epochMs } from '../../base/clock.ts';
import type { RoutingTable, Service } from '../../contract/table.ts';
import { TABLE_NEWS_MS } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import type { Timers } from '../base/timers.ts';
import type { EventFeed } from '../notifications/event-feed.ts';
import type { EventDraft, EventStore, StoredEvent } from '../store/rollout-store.ts';
import { payloadOf } from '../notifications/payload.ts';
import type { Freeze } from '../store/store.ts';
import type { HealthChange } from '../targets/health.ts';
import { HealthNews } from './health-news.ts';
import type { Streams, ToldRow } from './streams.ts';

/** A view of a rollout, as far as it matters who may see it. */
export interface ShownRollout {
  readonly services: readonly { readonly service: string }[];
}

export interface NewsParts {
  readonly streams: Pick<Streams, 'say'>;
  readonly events: Pick<EventStore, 'add'>;
  readonly feed: Pick<EventFeed, 'look' | 'listen'>;
  /** The whole view of a rollout; throws where it is not known any more. */
  readonly rolloutView: (id: string) => ShownRollout;
  readonly instance: string;
  readonly first: RoutingTable;
  readonly timers: Timers;
  readonly log: Pick<Log, 'warn'>;
}

/** The first word of an event → the frames that tell of it; all others are `event`. */
const FRAME_OF: Readonly<Record<string, string>> = {
  drain: 'drain',
  freeze: 'freeze',
  health: 'health',
};

/** A freeze window that is in force, or was. */
interface WindowNews {
  readonly window: { readonly when: string; readonly reason: string };
  readonly untilMs: number;
}

export class News {
  readonly #parts: NewsParts;
  readonly #health: HealthNews;
  #told: RoutingTable;
  #latest: RoutingTable;
  #isDue = false;
  /** The state is that of another process. */
  #isMute = false;

  constructor(parts: NewsParts) {
    this.#parts = parts;
    this.#told = parts.first;
    this.#latest = parts.first;
    this.#health = new HealthNews({
      timers: parts.timers,
      tell: (change, changes) => this.#tellHealth(change, changes),
      tellMore: (service, targets) => {
        this.#add({ kind: 'health.changed', service, data: { targets } });
      },
    });
    parts.feed.listen((rows) => {
      for (const row of rows) this.#tell(row);
    });
  }

  /** A table was published; the events that it was stored with are there. */
  published(table: RoutingTable): void {
    this.#latest = table;
    this.#parts.feed.look();
    if (this.#isDue) return;
    this.#isDue = true;
    this.#parts.timers.after(TABLE_NEWS_MS, () => this.#tellTables());
  }

  /** Tells nothing of its own while another process does. */
  mute(isMute: boolean): void {
    this.#isMute = isMute;
  }

  healthChanged(change: HealthChange): void {
    if (this.#isMute) return;
    this.#health.changed(change);
  }

  /** Switching was frozen, or goes on (undefined): of one service, or of all (empty). */
  frozen(freeze: Freeze | undefined, actor: string, service = ''): void {
    const data = { on: freeze !== undefined, actor, reason: freeze?.reason ?? '' };
    this.#add({ kind: 'freeze', service, data });
  }

  /** A freeze window of the configuration has begun for `service`, or has ended. */
  windowChanged(service: string, { window, untilMs }: WindowNews, on: boolean): void {
    if (this.#isMute) return;
    const { when, reason } = window;
    const until = new Date(untilMs).toISOString();
    const data = { on, window: when, reason, ...(on ? { until } : {}) };
    this.#add({ kind: 'freeze', service, data });
  }

  #tellHealth(change: HealthChange, changes: number): void {
    const { service, color, url, place, from, to, reason } = change;
    const data = { color, target: url, address: place ?? null, from, to, reason, changes };
    // That a target is up at its first check is shown to readers, but no receiver is woken by it.
    if (from === 'unknown' && to === 'up') this.#parts.streams.say('health', service, data);
    else this.#add({ kind: 'health.changed', service, data });
  }

  #add(event: Pick<EventDraft, 'kind' | 'service' | 'data'>): void {
    void this.#write({ ...event, rollout: '', atMs: epochMs() });
  }

  async #write(draft: EventDraft): Promise<void> {
    const { events, feed, log } = this.#parts;
    try {
      await events.add([draft]);
      feed.look();
    } catch (error) {
      log.warn({ err: error, kind: draft.kind }, `an event was not stored: ${draft.kind}`);
    }
  }

  #tell(row: StoredEvent): void {
    const { streams, instance, rolloutView, log } = this.#parts;
    const { event, service, data } = toldRow(row, instance);
    streams.say(event, service, data, { row: row.seq });
    if (!row.kind.startsWith('rollout.') || row.rollout === '') return;
    try {
      const view = rolloutView(row.rollout);
      // The whole of it is told, so a reader has to be allowed all of its services.
      const tells = view.services.map(({ service }) => service);
      streams.say('rollout', row.service, view, { tells, row: row.seq });
    } catch (error) {
      log.warn({ err: error, rollout: row.rollout }, 'a rollout could not be shown to readers');
    }
  }

  #tellTables(): void {
    this.#isDue = false;
    const before = new Map(this.#told.services.map((one) => [one.name, one]));
    const after = new Map(this.#latest.services.map((one) => [one.name, one]));
    const generation = this.#latest.epoch;
    this.#told = this.#latest;
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      const what = whatOf(before.get(name), after.get(name));
      if (what === undefined) continue;
      this.#parts.streams.say('table', name, { generation, service: name, what });
    }
  }
}

/** Returns a row of the event log as streams tell it. */
export function toldRow(row: StoredEvent, instance: string): ToldRow {
  const [word = ''] = row.kind.split('.', 1);
  const event = FRAME_OF[word] ?? 'event';
  return { row: row.seq, event, service: row.service, data: payloadOf(row, instance) };
}

function whatOf(
  before: Service | undefined,
  after: Service | undefined,
): 'added' | 'removed' | 'changed' | undefined {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  return isDeepStrictEqual(before, after) ? undefined : 'changed';
}
