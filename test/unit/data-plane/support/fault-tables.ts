// Tables in which a service drains, is held, or has files on its other color.

import type {
  Deployment,
  Draining,
  RoutingTable,
  Service,
} from '../../../../src/contract/table.ts';
import { FIRST_EPOCH } from '../../../support/plane.ts';
import { SHADOW } from './shadow-scene.ts';

/** Some limit that is let pass by the wheel. */
export const LIMIT_MS = 1_000;

/** Blue drains; each stage comes after another LIMIT_MS. */
export function blueDrains(): (table: RoutingTable) => RoutingTable {
  const nowMs = Date.now();
  return ofService((service) => ({
    ...service,
    active: 'green',
    draining: [
      {
        ...drainOf(service.blue, nowMs + LIMIT_MS),
        sessionsUntilMs: nowMs + 2 * LIMIT_MS,
        endsAtMs: nowMs + 1_000 * LIMIT_MS,
        longLived: 'cut',
      },
    ],
    policy: { ...service.policy, drain: { ...service.policy.drain, requestsMs: 3 * LIMIT_MS } },
  }));
}

export function held(table: RoutingTable): RoutingTable {
  const hold = { methods: 'all', untilMs: Date.now() + 60_000, closesLongLived: false } as const;
  return ofService((service) => ({ ...service, hold }))(table);
}

export function rescuing(table: RoutingTable): RoutingTable {
  return ofService((service) => ({
    ...drainingOnGreen(service),
    policy: { ...service.policy, skew: { isOn: true, rescue: ['/missing'] } },
  }))(table);
}

/** Every request is copied to green. */
export function shadowed(table: RoutingTable): RoutingTable {
  return ofService((service) => ({ ...service, shadow: SHADOW }))(table);
}

/** Returns `service` with what green has still draining, for longer than a test takes. */
export function drainingOnGreen(service: Service): Service {
  return { ...service, draining: [drainOf(service.green, Date.now())] };
}

/** Returns a drain that leaves an hour to sessions; then nothing is cut for another one. */
function drainOf(deployment: Deployment, startedAtMs: number): Draining {
  return {
    deployment: { ...deployment, servedSince: FIRST_EPOCH },
    startedAtMs,
    sessionsUntilMs: startedAtMs + 3_600_000,
    endsAtMs: startedAtMs + 7_200_000,
    longLived: 'linger',
  };
}

function ofService(change: (service: Service) => Service): (table: RoutingTable) => RoutingTable {
  return (table) => ({ ...table, services: table.services.map(change) });
}

export const unchanged = (table: RoutingTable): RoutingTable => table;
