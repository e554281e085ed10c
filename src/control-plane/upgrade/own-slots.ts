// A table that another process has made, with the places that its deployments and endpoints have
// here: blocks and slots are numbers in the memory of one process. So are versions of tables.

import { COLORS, type Deployment, type Endpoint, type RoutingTable } from '../../contract/table.ts';
import type { Slots } from '../memory/slots.ts';

/** Returns `table` as `version`, with blocks and slots of this process. Throws `no-slot`. */
export function ownSlots(table: RoutingTable, version: number, slots: Slots): RoutingTable {
  const services = table.services.map((service) => {
    const own = (one: Deployment): Deployment => ownDeployment(service.name, one, slots);
    const colors = Object.fromEntries(COLORS.map((color) => [color, own(service[color])]));
    const draining = service.draining.map((drain) => ({
      ...drain,
      deployment: own(drain.deployment),
    }));
    const leaving = service.leaving.map((one) => ({ ...one, deployment: own(one.deployment) }));
    return { ...service, ...colors, draining, leaving, previewed: service.previewed.map(own) };
  });
  // Its settings are for its own listeners; ours are closed.
  return { version, epoch: table.epoch, services };
}

function ownDeployment(service: string, deployment: Deployment, slots: Slots): Deployment {
  const { number, color, release } = deployment;
  const owner = { service, color, deployment: number };
  const endpoints = deployment.endpoints.map((endpoint): Endpoint => ({
    ...endpoint,
    slot: slots.endpoint({ ...owner, url: endpoint.url }),
  }));
  return { ...deployment, endpoints, block: slots.block({ ...owner, release }) };
}
