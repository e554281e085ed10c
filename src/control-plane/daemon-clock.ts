// The parts of a running Turnout that go by the clock of the wall: freeze windows, which begin and end by
// themselves, and switches at a time. Builds them; nothing runs yet.

import { epochMs } from '../base/clock.ts';
import type { FreezeWindow } from '../config/values/freeze-window.ts';
import type { Tokens } from './access/tokens.ts';
import type { Log } from './base/log.ts';
import { timers } from './base/timers.ts';
import { FreezeCalendar, type FreezeWindows } from './freezes/calendar.ts';
import { FreezeWatch } from './freezes/watch.ts';
import type { LiveParts } from './live/live-parts.ts';
import type { LiveConfig } from './reload/live-config.ts';
import type { RolloutDesk } from './rollouts/desk/desk.ts';
import { Scheduler } from './schedule/scheduler.ts';
import type { Store } from './store/store.ts';
import type { Switchboard } from './switching/switchboard.ts';

interface Freezes {
  /** As configured now. */
  readonly freezeWindows: FreezeWindows;
  readonly calendar: FreezeCalendar;
}

/** Builds what tells whether a service may be switched at a moment. */
export function buildFreezes(live: LiveConfig): Freezes {
  const freezeWindows: FreezeWindows = (service) => [
    live.config.freezes,
    live.service(service)?.freezes ?? NO_FREEZES,
  ];
  const calendar = new FreezeCalendar({ windowsOf: freezeWindows, now: epochMs });
  return { freezeWindows, calendar };
}

const NO_FREEZES: readonly FreezeWindow[] = [];

interface ClockSources extends Freezes {
  readonly board: Switchboard;
  readonly store: Store;
  readonly tokens: Tokens;
  /** Is there once all parts are. */
  readonly rollouts: () => RolloutDesk;
  readonly news: () => LiveParts['news'];
  /** Something was told, and is stored: see `Store.events`. */
  readonly onTold: () => void;
  readonly log: Log;
}

interface ClockParts {
  readonly freezeWatch: FreezeWatch;
  readonly scheduler: Scheduler;
}

/** Builds what does something when its time has come. */
export function buildClock(sources: ClockSources): ClockParts {
  const {
    freezeWindows: windows,
    calendar,
    board,
    store,
    tokens,
    rollouts,
    news,
    onTold,
    log,
  } = sources;
  const freezeWatch = new FreezeWatch({
    calendar,
    services: () => board.table.services.map(({ name }) => name),
    onBegun: (service, period) => {
      const { window, untilMs } = period;
      const { when, reason } = window;
      news().windowChanged(service, period, true);
      const until = new Date(untilMs).toISOString();
      log.info({ service, when, reason, until }, `${service} is not switched now: ${reason}`);
    },
    onEnded: (service, period) => {
      news().windowChanged(service, period, false);
      log.info({ service, when: period.window.when }, `${service} may be switched again`);
    },
    timers,
    now: epochMs,
  });
  const scheduler = new Scheduler({
    board,
    store: () => store.schedules,
    carryOut: async (services, terms) =>
      services === undefined
        ? await rollouts().switchNow(terms)
        : await rollouts().switchAllNow(services, terms),
    tokens,
    windows,
    onTold,
    timers,
    log,
  });
  return { freezeWatch, scheduler };
}
