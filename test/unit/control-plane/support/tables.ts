// Routing tables of one service, as the control plane makes them.

import type { Draining, RoutingTable, Service } from '../../../../src/contract/table.ts';
import { firstTable } from '../../../../src/control-plane/switching/table-state.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { testPolicy } from '../../../support/policy.ts';
import { config, NOTHING_STORED, QUIET } from './fixtures.ts';

/** The service of a first start: blue (v1, port 3001) is active, green (v2, port 3002) idle. */
export const FEW: Service = firstTable(config('/nowhere'), NOTHING_STORED, new Slots(QUIET), 0)
  .services[0]!;

/** Returns the service with `changes`. */
export function service(changes: Partial<Service> = {}): Service {
  return { ...FEW, policy: testPolicy({ affinity: { mode: 'drain' } }), ...changes };
}

/** Returns a table of that service alone. */
export function oneService(changes: Partial<Service> = {}, generation = 1): RoutingTable {
  return { generation, services: [service(changes)] };
}

/** Returns a drain of green with the given `generation`, from 1,000 ms on. */
export function drain(generation: number, changes: Partial<Draining> = {}): Draining {
  return {
    generation,
    resumed: [],
    side: { ...FEW.green, hasServed: true },
    startedAtMs: 1_000,
    sessionsUntilMs: 5_000,
    endsAtMs: 9_000,
    longLived: 'spread',
    ...changes,
  };
}
