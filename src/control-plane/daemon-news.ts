// The parts of a running Turnout that tell what happens: the feed of stored events, the receivers of the
// configuration, and what readers of the API look at. Builds them; nothing runs yet.

import { epochMs } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { RoutingTable } from '../contract/table.ts';
import { timers } from './base/timers.ts';
import { hookCommand } from './gates/hook-command.ts';
import { buildLive, type LiveParts, type LiveSources } from './live/live-parts.ts';
import { EventFeed } from './notifications/event-feed.ts';
import { Notifier } from './notifications/notifier.ts';
import { receiversOf } from './notifications/receivers.ts';
import { signedPost, type PostParts } from './notifications/signed-post.ts';
import type { LiveConfig } from './reload/live-config.ts';
import type { EventStore } from './store/rollout-store.ts';

export interface NewsTellers {
  readonly feed: EventFeed;
  readonly notifier: Notifier;
  readonly liveParts: LiveParts;
  /** Notifications that were given up, by what was to hear of it. */
  readonly hookFailures: () => ReadonlyMap<string, number>;
  /** A table was published. */
  readonly tellOf: (table: RoutingTable) => void;
}

interface NewsSources extends Omit<LiveSources, 'version' | 'feed' | 'events'>, PostParts {
  readonly live: LiveConfig;
  /** Of this process; programs get what they need of it. */
  readonly environment: Parameters<typeof hookCommand>[0];
  readonly store: { readonly events: EventStore };
}

/** Builds them. */
export function buildNews(sources: NewsSources): NewsTellers {
  const { log, live, instance } = sources;
  const { events } = sources.store;
  const feed = new EventFeed(events);
  const notifier = new Notifier({
    log,
    events,
    feed,
    post: signedPost(sources),
    run: hookCommand(sources.environment),
    instance,
    timers,
    now: () => performance.now(),
    wallNow: epochMs,
  });
  let { config } = live;
  notifier.use(receiversOf(config.notify, config.services));
  const liveParts = buildLive({ ...sources, version: VERSION, events, feed });
  return {
    feed,
    notifier,
    liveParts,
    hookFailures: () => notifier.failures,
    tellOf(table) {
      liveParts.follow(table);
      if (live.config === config) return;
      ({ config } = live);
      notifier.use(receiversOf(config.notify, config.services));
    },
  };
}
