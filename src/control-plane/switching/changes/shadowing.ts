// Copies of requests, turned on for a while: the one that wants them has to say so again and again,
// else they end by themselves. So nothing is copied for ever because a gate was cut short.

import { otherColor, type RoutingTable, type Shadow } from '../../../contract/table.ts';
import type { Log } from '../../base/log.ts';
import { holdChange } from '../../deployments/change.ts';
import { shadowed, unshadowed } from '../../deployments/shadow-edit.ts';
import { shadowCounts, type ShadowCounts } from '../../memory/shadow-counts.ts';
import type { Totals } from '../../memory/totals.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';

/** Longer than a gate waits between two looks. */
export const SHADOW_LEASE_MS = 60_000;

export interface ShadowingParts {
  readonly runner: Pick<ChangeRunner, 'publish' | 'settle'>;
  readonly table: () => RoutingTable;
  readonly totals: Pick<Totals, 'blockSlot' | 'lifeOf'>;
  readonly log: Log;
}

export class Shadowing {
  readonly #parts: ShadowingParts;
  /** By service: ends its copies. */
  readonly #leases = new Map<string, NodeJS.Timeout>();

  constructor(parts: ShadowingParts) {
    this.#parts = parts;
  }

  /** Copies requests of `service`, from when this resolves until `SHADOW_LEASE_MS` after the last call. */
  async keepOn(service: string, shadow: Shadow): Promise<void> {
    this.#lease(service);
    if (isSame(this.#now(service), shadow)) return;
    await this.#parts.runner.publish(holdChange, { shadows: shadowed(service, shadow) });
    this.#parts.runner.settle();
  }

  /** Ends the copies of `services`. Never rejects. */
  async end(services: readonly string[]): Promise<void> {
    for (const service of services) {
      clearTimeout(this.#leases.get(service));
      this.#leases.delete(service);
    }
    if (services.every((service) => this.#now(service) === undefined)) return;
    const { runner, log } = this.#parts;
    try {
      await runner.publish(holdChange, { shadows: unshadowed(services) });
      runner.settle();
    } catch (error) {
      log.error({ err: error, services }, 'copies of requests go on; their end is tried again');
      for (const service of services) this.#lease(service);
    }
  }

  /** Returns what became of copies to the deployment on the idle color; undefined: it is another one. */
  counts(service: string, deployment: number): ShadowCounts | undefined {
    const { totals } = this.#parts;
    const found = this.#service(service);
    if (found === undefined) return undefined;
    const idle = found[otherColor(found.active)];
    if (idle.number !== deployment) return undefined;
    return shadowCounts(totals, idle.block);
  }

  #lease(service: string): void {
    clearTimeout(this.#leases.get(service));
    const lease = setTimeout(() => void this.end([service]), SHADOW_LEASE_MS);
    lease.unref();
    this.#leases.set(service, lease);
  }

  #now(service: string): Shadow | undefined {
    return this.#service(service)?.shadow;
  }

  #service(name: string): RoutingTable['services'][number] | undefined {
    return this.#parts.table().services.find((one) => one.name === name);
  }
}

function isSame(now: Shadow | undefined, wanted: Shadow): boolean {
  return now !== undefined && JSON.stringify(now) === JSON.stringify(wanted);
}
