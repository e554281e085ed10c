// Leaves endpoints out for a while that fail live requests, as workers count them: no connection, no
// response, or a status from 500 on. An endpoint is left out only while another one of its deployment
// serves; where none does, all serve. Says so in the health words; what checks say of a target it does not
// touch, so no switch and no failover depends on it.
//
//   serving ──run of failures──► ejected ──time──► trial ──an answer──► serving
//                                   ▲                └──run of failures──┘ (for longer)

import { epochMs } from '../../base/clock.ts';
import { spanText } from '../../base/span-text.ts';
import type { EjectionConfig } from '../../config/config.ts';
import { ENDPOINT_ROW, HEALTH_WORD } from '../../contract/counters.ts';
import {
  deploymentsOf,
  type Color,
  type LiveEndpoint,
  type RoutingTable,
} from '../../contract/table.ts';
import { EJECTIONS_LOOK_MS } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import type { Timers } from '../base/timers.ts';
import type { Totals } from '../memory/totals.ts';
import {
  ejectionMs,
  isOutlier,
  NO_OUTCOMES,
  remember,
  timesNow,
  type Outcomes,
} from './ejection-rule.ts';
import type { EndpointHealth, Health } from './health.ts';
import type { Names } from './names.ts';

interface EjectionsParts {
  /** The one in force. */
  readonly table: () => RoutingTable;
  readonly names: Pick<Names, 'of'>;
  readonly health: Pick<Health, 'status' | 'mark'>;
  readonly totals: Pick<Totals, 'endpoint'>;
  readonly configOf: (service: string) => EjectionConfig | undefined;
  readonly timers: Timers;
  readonly now: () => number;
  readonly log: Log;
}

/** An endpoint that is left out. */
export interface Ejection {
  readonly reason: string;
  /** In ms since the epoch; then it is tried. */
  readonly untilMs: number;
}

/** What is known about one endpoint. */
interface Watched {
  readonly service: string;
  readonly color: Color;
  /** Epoch since which its deployment is active; 0: it never was. */
  readonly servedSince: number;
  readonly endpoint: LiveEndpoint;
  /** As counted by the last look. */
  counted: Outcomes & { readonly connectFailures: number };
  recent: Outcomes;
  /** Requests that it failed since it last answered one, and connects that failed since then. */
  run: number;
  runConnects: number;
  phase: 'serving' | 'ejected' | 'trial';
  /** How often in a row it was ejected. */
  times: number;
  /** By the clock of `now`. */
  untilMs: number;
  servesSinceMs: number;
  answeredAtMs: number;
  ejection: Ejection | undefined;
  /** How often it was left out in all. */
  ejectionCount: number;
}

export class Ejections {
  readonly #parts: EjectionsParts;
  #watched: ReadonlyMap<number, Watched> = new Map();
  /** Number of the next trial, of whichever endpoint. */
  #trial: number = HEALTH_WORD.trial;
  #cancel = (): void => {};

  constructor(parts: EjectionsParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#cancel = this.#parts.timers.after(EJECTIONS_LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  /** Returns why and until when the endpoint with this slot is left out; undefined: it is not. */
  of(slot: number): Ejection | undefined {
    return this.#watched.get(slot)?.ejection;
  }

  /** Returns how often the endpoint with this slot was left out. */
  countOf(slot: number): number {
    return this.#watched.get(slot)?.ejectionCount ?? 0;
  }

  #look(): void {
    const groups = this.#groups();
    this.#watched = new Map(
      groups.flatMap(([, all]) => all.map((one) => [one.endpoint.slot, one])),
    );
    for (const [config, all] of groups) {
      for (const one of all) this.#count(one);
      if (config?.mode === 'on') this.#judge(all, config);
      else this.#takeBackAll(all, 'ejection is off now');
    }
  }

  /** The endpoints of each deployment. */
  #groups(): (readonly [EjectionConfig | undefined, Watched[]])[] {
    const { table, configOf, names } = this.#parts;
    return table().services.flatMap((service) => {
      // One that drains may be the idle one, too.
      const deployments = new Map(deploymentsOf(service).map((one) => [one.number, one]));
      return [...deployments.values()].map(({ color, servedSince, endpoints }) => {
        const live = endpoints.flatMap((endpoint) => names.of(endpoint));
        const of = { service: service.name, color, servedSince };
        const all = live.map((endpoint) => this.#one({ ...of, endpoint }));
        return [configOf(service.name), all] as const;
      });
    });
  }

  #one(of: Pick<Watched, 'service' | 'color' | 'servedSince' | 'endpoint'>): Watched {
    const found = this.#watched.get(of.endpoint.slot);
    const known = found !== undefined && isSame(found.endpoint, of.endpoint) ? found : undefined;
    // What an idle deployment did while it started says nothing about it once it is active.
    if (known?.servedSince === of.servedSince) return known;
    if (found?.ejection !== undefined) this.#parts.health.mark(of.endpoint.slot, undefined);
    return {
      ...of,
      counted: this.#counted(of.endpoint.slot),
      recent: NO_OUTCOMES,
      run: 0,
      runConnects: 0,
      phase: 'serving',
      times: 0,
      untilMs: 0,
      servesSinceMs: this.#parts.now(),
      answeredAtMs: 0,
      ejection: undefined,
      ejectionCount: known?.ejectionCount ?? 0,
    };
  }

  #counted(slot: number): Watched['counted'] {
    const { totals } = this.#parts;
    return {
      failed: totals.endpoint(slot, ENDPOINT_ROW.failed),
      answered: totals.endpoint(slot, ENDPOINT_ROW.answered),
      connectFailures: totals.endpoint(slot, ENDPOINT_ROW.connectFailures),
    };
  }

  /** Takes into account what has ended since the last look. */
  #count(one: Watched): void {
    const before = one.counted;
    const now = this.#counted(one.endpoint.slot);
    one.counted = now;
    const failed = now.failed - before.failed;
    const answered = now.answered - before.answered;
    if (failed < 0 || answered < 0) return; // Another endpoint had the slot.
    one.recent = remember(one.recent, { failed, answered });
    one.run = answered > 0 ? 0 : one.run + failed;
    if (answered > 0) one.answeredAtMs = this.#parts.now();
    const connects = now.connectFailures - before.connectFailures;
    one.runConnects = one.run === 0 ? 0 : one.runConnects + connects;
    if (answered > 0 && one.phase === 'trial') this.#takeBack(one, 'it has answered a request');
  }

  #judge(all: readonly Watched[], config: EjectionConfig): void {
    const isFailing = ({ run }: Watched): boolean => run >= config.failures;
    const isUp = ({ endpoint }: Watched): boolean =>
      this.#parts.health.status(endpoint.slot).state !== 'down';
    const serving = all.filter((one) => one.phase === 'serving' && isUp(one));
    if (serving.every(isFailing)) {
      this.#takeBackAll(all, 'no other endpoint of its color serves');
      return;
    }
    const sound = serving.filter((one) => !isFailing(one)).map(({ recent }) => recent);
    for (const one of all) {
      if (one.phase === 'ejected' && this.#parts.now() >= one.untilMs) this.#try(one);
      if (one.phase === 'ejected') {
        // Said again: an address that was away for a moment has lost it.
        this.#parts.health.mark(one.endpoint.slot, HEALTH_WORD.ejected);
        continue;
      }
      if (isFailing(one) && isOutlier(one.run, sound)) this.#eject(one, config);
      else if (one.phase === 'trial') this.#goOn(one, isFailing(one));
    }
  }

  /** Its ejection is over: few requests are sent there until one is answered. */
  #try(one: Watched): void {
    one.phase = 'trial';
    one.run = 0;
    one.runConnects = 0;
    one.recent = NO_OUTCOMES;
  }

  /** The trial of an endpoint has no end yet. */
  #goOn(one: Watched, isFailing: boolean): void {
    if (isFailing) {
      this.#takeBack(one, 'the other endpoints of its color fail requests too');
      return;
    }
    this.#trial = this.#trial === TRIAL_MAX ? HEALTH_WORD.trial : this.#trial + 1;
    this.#parts.health.mark(one.endpoint.slot, this.#trial);
  }

  #eject(one: Watched, config: EjectionConfig): void {
    const nowMs = this.#parts.now();
    const servedMs = one.phase === 'serving' ? one.answeredAtMs - one.servesSinceMs : 0;
    one.times = timesNow({ times: one.times, servedMs }, config);
    const ms = ejectionMs(one.times, config);
    one.phase = 'ejected';
    one.untilMs = nowMs + ms;
    one.ejectionCount++;
    const connects = Math.min(one.run, one.runConnects);
    const how = connects > 0 ? ` (${connects} of them got no connection)` : '';
    const reason = `${one.run} requests in a row failed there${how}, while the rest of its color answers`;
    one.ejection = { reason, untilMs: epochMs() + ms };
    this.#parts.health.mark(one.endpoint.slot, HEALTH_WORD.ejected);
    const { service, color, endpoint } = one;
    const fields = { service, color, target: nameOf(endpoint), failures: one.run, forMs: ms };
    this.#parts.log.warn(
      fields,
      `${service} ${color} ${nameOf(endpoint)} is ejected for ${spanText(ms)}: ${reason}`,
    );
  }

  #takeBackAll(all: readonly Watched[], why: string): void {
    for (const one of all) if (one.phase !== 'serving') this.#takeBack(one, why);
  }

  #takeBack(one: Watched, why: string): void {
    one.phase = 'serving';
    one.run = 0;
    one.runConnects = 0;
    one.servesSinceMs = this.#parts.now();
    one.ejection = undefined;
    this.#parts.health.mark(one.endpoint.slot, undefined);
    const { service, color, endpoint } = one;
    this.#parts.log.info(
      { service, color, target: nameOf(endpoint) },
      `${service} ${color} ${nameOf(endpoint)} gets requests again: ${why}`,
    );
  }
}

/** Returns what is known about targets, but that one is down which is left out. */
export function servingOf(
  known: readonly EndpointHealth[],
  ejections: Pick<Ejections, 'of'>,
): readonly EndpointHealth[] {
  return known.map((one) => {
    const ejection = ejections.of(one.slot);
    if (ejection === undefined) return one;
    return { ...one, state: 'down', reason: `ejected: ${ejection.reason}` };
  });
}

/** Health words have 32 bits. */
const TRIAL_MAX = 2 ** 31 - 1;

function isSame(a: LiveEndpoint, b: LiveEndpoint): boolean {
  return a.deployment === b.deployment && a.url === b.url && a.place === b.place;
}

function nameOf({ url, place }: LiveEndpoint): string {
  return place === undefined ? url : `${url} (${place})`;
}
