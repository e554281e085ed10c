// "Am I live?": which deployment of a service is the active one, what another one is, and a wait for the next
// switch. Knows tables; how a call is made is the business of the route.

import type { Color, Deployment, RoutingTable, Service } from '../../contract/table.ts';
import { COLORS, deploymentsOf } from '../../contract/table.ts';
import { ACTIVE_WAITERS_MAX } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';

/** What a deployment is for its service; `gone`: nothing leads there. */
export type DeploymentRole = 'active' | 'canary' | 'draining' | 'idle' | 'gone';

/** Who asks: the deployment of a color, or one by its number. */
export type Self =
  | { readonly kind: 'color'; readonly color: Color }
  | { readonly kind: 'deployment'; readonly number: number };

export class ActiveWatch {
  readonly #table: () => RoutingTable;
  readonly #waiters = new Set<() => void>();
  #isStopped = false;

  constructor(table: () => RoutingTable) {
    this.#table = table;
  }

  /** A table was published. */
  follow(): void {
    for (const look of this.#waiters) look();
  }

  /** Lets calls wait again. */
  start(): void {
    this.#isStopped = false;
  }

  /** Answers all that wait, and those that come. */
  stop(): void {
    this.#isStopped = true;
    this.follow();
  }

  /**
   * Resolves when `service` has become active in another generation than `since`, when the process stops, or after
   * `withinMs`. A number that is not the one of now is answered at once, also one from the future: its caller
   * has to learn what is so here.
   */
  async wait(
    service: string,
    since: number,
    withinMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.#waiters.size >= ACTIVE_WAITERS_MAX) {
      throw new OperatorError('busy', `${ACTIVE_WAITERS_MAX} calls wait for a switch already`);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const now = this.#table().services.find(({ name }) => name === service);
      if (this.#isStopped || now === undefined || generationOf(now) !== since) resolve();
    };
    const timer = setTimeout(resolve, withinMs);
    const leave = (): void => resolve();
    signal?.addEventListener('abort', leave, { once: true });
    this.#waiters.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
      this.#waiters.delete(look);
    }
  }
}

/** Returns the generation in which what is active came to be so. */
export function generationOf(service: Service): number {
  return service[service.active].servedSince;
}

/** Returns the deployment that `self` means; undefined: it is none of a table. */
export function deploymentOfSelf(service: Service, self: Self): Deployment | undefined {
  if (self.kind === 'color') return service[self.color];
  return deploymentsOf(service).find(({ number }) => number === self.number);
}

/** Returns what a deployment is for `service`. */
export function roleOf(service: Service, number: number): DeploymentRole {
  if (number !== 0) {
    if (service[service.active].number === number) return 'active';
    if (service.split?.deployment === number) return 'canary';
    if (service.draining.some(({ deployment }) => deployment.number === number)) return 'draining';
  }
  return COLORS.some((color) => service[color].number === number) ? 'idle' : 'gone';
}
