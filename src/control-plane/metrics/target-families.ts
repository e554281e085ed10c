// What the metrics say of services and of their targets. Knows no format.

import { COLORS, type Endpoint, type RoutingTable } from '../../contract/table.ts';
import { ENDPOINT_ROW } from '../../contract/counters.ts';
import type { Totals } from '../memory/totals.ts';
import type { Ejections } from '../targets/ejections.ts';
import type { EndpointHealth } from '../targets/health.ts';
import type { NameBook } from '../targets/looked-up-name.ts';
import type { Outages } from '../targets/outages.ts';
import { family, type Family } from './prometheus.ts';

export interface TargetFamilyParts {
  readonly totals: Totals;
  readonly table: () => RoutingTable;
  /** What is known about a target; several things where a name has several addresses. */
  readonly health: (
    endpoint: Endpoint,
  ) => readonly Pick<EndpointHealth, 'state' | 'slot' | 'place' | 'certificate'>[];
  readonly ejections: Pick<Ejections, 'of' | 'countOf'>;
  readonly names: NameBook;
  readonly outages: Pick<Outages, 'of'>;
}

export function targetFamilies(parts: TargetFamilyParts): Family[] {
  const { table, health, names, totals, outages, ejections } = parts;
  const served = family(
    'gauge',
    'turnout_service_up',
    'Whether the active color of a service has a target that can be used, 1 or 0.',
  );
  const active = family('gauge', 'turnout_active', 'Whether a color gets new traffic, 1 or 0.');
  const closed = family(
    'gauge',
    'turnout_maintenance',
    'Whether a service is in maintenance, 1 or 0.',
  );
  const up = family('gauge', 'turnout_target_up', 'Whether a target passes its checks, 1 or 0.');
  const ends = family(
    'gauge',
    'turnout_target_certificate_expiry_timestamp_seconds',
    'When the certificate of a target over TLS ends, in seconds since the epoch.',
  );
  const open = family('gauge', 'turnout_upstream_connections', 'Open connections to a target.');
  const failed = family(
    'counter',
    'turnout_upstream_connect_failures_total',
    'Connections to a target that could not be opened.',
  );
  const ejected = family(
    'gauge',
    'turnout_target_ejected',
    'Whether a target is left out because it fails live requests, 1 or 0.',
  );
  const ejectedCount = family(
    'counter',
    'turnout_target_ejections_total',
    'How often a target was left out because it failed live requests.',
  );
  const addresses = family(
    'gauge',
    'turnout_target_addresses',
    'Addresses that a target which is a name leads to.',
  );
  const unanswered = family(
    'counter',
    'turnout_lookup_failures_total',
    'Lookups of a target which is a name that failed or found nothing.',
  );
  for (const service of table().services) {
    served.add({ service: service.name }, outages.of(service) === undefined ? 1 : 0);
    closed.add({ service: service.name }, service.maintenance === undefined ? 0 : 1);
    for (const color of COLORS) {
      active.add({ service: service.name, color }, service.active === color ? 1 : 0);
      for (const endpoint of service[color].endpoints) {
        const target = { service: service.name, color, target: endpoint.url };
        const all = health(endpoint);
        for (const { slot, place, state, certificate } of all) {
          const labels = all.length > 1 ? { ...target, address: place! } : target;
          up.add(labels, state === 'up' ? 1 : 0);
          if (certificate !== undefined) ends.add(labels, certificate.endsAtMs / 1_000);
          open.add(labels, totals.endpoint(slot, ENDPOINT_ROW.connections));
          failed.add(labels, totals.endpoint(slot, ENDPOINT_ROW.connectFailures));
          ejected.add(labels, ejections.of(slot) === undefined ? 0 : 1);
          ejectedCount.add(labels, ejections.countOf(slot));
        }
        const lookups = names.status(endpoint);
        if (lookups === undefined) continue;
        addresses.add(target, names.of(endpoint).length);
        unanswered.add(target, lookups.failureCount);
      }
    }
  }
  const out = [ejected, ejectedCount];
  return [served, active, closed, up, ends, open, failed, ...out, addresses, unanswered];
}
