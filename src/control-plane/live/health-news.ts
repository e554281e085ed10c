// Verdicts of health checks as events: a target that flaps, or a thousand that fail together, make a bounded
// number of them. Says how a target is in the end, and never less than that.

import { HEALTH_NEWS_MAX, HEALTH_NEWS_MS } from '../base/control-limits.ts';
import type { Timers } from '../base/timers.ts';
import type { HealthChange } from '../targets/health.ts';

export interface HealthNewsParts {
  readonly timers: Timers;
  /** Tells of one target. */
  readonly tell: (change: HealthChange, changes: number) => void;
  /** Tells that further targets of `service` have changed, which are not named. */
  readonly tellMore: (service: string, targets: number) => void;
}

interface Target {
  /** As it was told last. */
  told: HealthChange['to'];
  latest: HealthChange;
  /** Since it was told. */
  changes: number;
}

interface Window {
  /** Told one by one in this window. */
  count: number;
  readonly targets: Map<string, Target>;
  readonly more: Set<string>;
}

export class HealthNews {
  readonly #parts: HealthNewsParts;
  /** By service; one is there while it has changed lately. */
  readonly #windows = new Map<string, Window>();

  constructor(parts: HealthNewsParts) {
    this.#parts = parts;
  }

  changed(change: HealthChange): void {
    const { service } = change;
    const window = this.#windows.get(service) ?? this.#open(service);
    const key = keyOf(change);
    const known = window.targets.get(key);
    if (known !== undefined) {
      known.latest = change;
      known.changes++;
    } else if (window.count < HEALTH_NEWS_MAX) {
      window.count++;
      window.targets.set(key, { told: change.to, latest: change, changes: 0 });
      this.#parts.tell(change, 1);
    } else {
      window.more.add(key);
    }
  }

  #open(service: string): Window {
    const window: Window = { count: 0, targets: new Map(), more: new Set() };
    this.#windows.set(service, window);
    this.#parts.timers.after(HEALTH_NEWS_MS, () => this.#close(service, window));
    return window;
  }

  #close(service: string, window: Window): void {
    this.#windows.delete(service);
    if (window.more.size > 0) this.#parts.tellMore(service, window.more.size);
    const moved = [...window.targets.values()].filter(({ told, latest }) => told !== latest.to);
    if (moved.length === 0) return;
    const next = this.#open(service);
    for (const { latest, changes } of moved) {
      next.count++;
      next.targets.set(keyOf(latest), { told: latest.to, latest, changes: 0 });
      this.#parts.tell(latest, changes);
    }
  }
}

function keyOf({ color, url, place = '' }: HealthChange): string {
  return JSON.stringify([color, url, place]);
}
