// Routing tables of one service, as the control plane makes them.

import type { Draining, RoutingTable, Service } from '../../../../src/contract/table.ts';
import { testPolicy } from '../../../support/policy.ts';
import { begun } from './begun.ts';

/** The service of a first start: blue (v1, port 3001) is active, green (v2, port 3002) idle. */
export const FEW: Service = begun().table.services[0]!;

/** Returns the service with `changes`. */
export function service(changes: Partial<Service> = {}): Service {
  return { ...FEW, policy: testPolicy({ affinity: { mode: 'drain' } }), ...changes };
}

/** Returns a table of that service alone. */
export function oneService(changes: Partial<Service> = {}, version = 1): RoutingTable {
  return { version, epoch: version, services: [service(changes)] };
}

/** Returns a drain of green as the deployment `number`, from 1,000 ms on. */
export function drain(number: number, changes: Partial<Draining> = {}): Draining {
  return {
    deployment: { ...FEW.green, number, servedSince: number },
    startedAtMs: 1_000,
    sessionsUntilMs: 5_000,
    endsAtMs: 9_000,
    longLived: 'spread',
    ...changes,
  };
}
