// Which services have an outage: no target of their active color can be used, so no request of theirs
// is served. Tells the log once when that begins and once when it ends. Decides on nothing: failover
// does that.

import { epochMs } from '../../base/clock.ts';
import { spanText } from '../../base/span-text.ts';
import {
  otherColor,
  type Color,
  type Endpoint,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import type { Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import { activeTargetsText } from './active-targets-text.ts';
import type { Health } from './health.ts';
import type { NameBook } from './looked-up-name.ts';

/** What is the matter with a service of which no request can be served. */
export interface Outage {
  readonly sinceMs: number;
  /** What its active color is: `DOWN`, or `without a target`. */
  readonly state: string;
  /** Its targets, each with the reason; empty where it has none. */
  readonly targets: string;
  /** What a switch would be made to; undefined: none would. */
  readonly wayOut: Color | undefined;
  /** Why a switch would be refused; empty where there is a way out. */
  readonly obstacle: string;
}

interface OutageParts {
  readonly table: () => RoutingTable;
  readonly health: Pick<Health, 'of'>;
  readonly names: Pick<NameBook, 'of'>;
  /** Throws what would refuse a switch of `service` to its idle color. */
  readonly checkMove: (service: Service) => void;
  /** False once another process answers for the targets: this one tells nothing any more. */
  readonly isInCharge: () => boolean;
  readonly log: Log;
}

export class Outages {
  readonly #parts: OutageParts;
  /** Since when, by service. */
  #since: ReadonlyMap<string, number> = new Map();

  constructor(parts: OutageParts) {
    this.#parts = parts;
  }

  /** Looks at every service. To be called when the health of a target or the table has changed. */
  look(): void {
    const { table, isInCharge } = this.#parts;
    if (!isInCharge()) return;
    const { services } = table();
    const before = this.#since;
    const down = services.filter((service) => !this.#isServed(service));
    this.#since = new Map(
      down.map((service) => [service.name, before.get(service.name) ?? this.#beginning(service)]),
    );
    for (const service of down) if (!before.has(service.name)) this.#tellBegin(service);
    for (const { name, active } of services) {
      const sinceMs = before.get(name);
      if (sinceMs !== undefined && !this.#since.has(name)) this.#tellEnd(name, active, sinceMs);
    }
  }

  /** Returns what is the matter with a service; undefined: requests can be served. */
  of(service: Service): Outage | undefined {
    if (this.#isServed(service)) return undefined;
    const sinceMs = this.#since.get(service.name) ?? this.#beginning(service);
    const obstacle = this.#obstacle(service);
    const wayOut = obstacle === '' ? otherColor(service.active) : undefined;
    const isEmpty = service[service.active].endpoints.length === 0;
    const state = isEmpty ? 'without a target' : 'DOWN';
    const targets = activeTargetsText(service, this.#parts.health);
    return { sinceMs, state, targets, wayOut, obstacle };
  }

  /** Returns how many services are out. */
  get count(): number {
    return this.#parts.table().services.filter((service) => !this.#isServed(service)).length;
  }

  /** A target of which nothing is known yet gets requests, so it counts as one that can be used. */
  #isServed(service: Service): boolean {
    const { health, names } = this.#parts;
    const isUsable = (endpoint: Endpoint): boolean =>
      names.of(endpoint).length > 0 && health.of(endpoint).some(({ state }) => state !== 'down');
    return service[service.active].endpoints.some(isUsable);
  }

  /** The last of its targets went down then; of a color without any, that is not known. */
  #beginning(service: Service): number {
    const { health } = this.#parts;
    const changes = service[service.active].endpoints.flatMap((endpoint) =>
      health.of(endpoint).map(({ changedAtMs }) => changedAtMs),
    );
    return Math.max(0, ...changes) || epochMs();
  }

  #obstacle(service: Service): string {
    try {
      this.#parts.checkMove(service);
      return '';
    } catch (error) {
      if (error instanceof OperatorError) return error.message;
      throw error;
    }
  }

  #tellBegin(service: Service): void {
    const { name, active } = service;
    const { state, targets, wayOut, obstacle } = this.of(service)!;
    const what = targets === '' ? state : `${state}: ${targets}`;
    const named = this.#parts.table().services.length > 1 ? ` --service ${name}` : '';
    const then =
      wayOut === undefined
        ? `no switch is possible: ${obstacle}`
        : `${wayOut} is up: \`turnout switch ${wayOut}${named}\``;
    this.#parts.log.error(
      { service: name, active },
      `${name}: no request is served: ${active} is active and ${what}; ${then}`,
    );
  }

  #tellEnd(name: string, active: Color, sinceMs: number): void {
    const lasted = spanText(epochMs() - sinceMs);
    this.#parts.log.warn(
      { service: name, active },
      `${name}: requests are served again, by ${active}, after ${lasted}`,
    );
  }
}
