// A table that another process has made, with the places that its sides and endpoints have here:
// blocks and slots are numbers in the memory of one process.

import { COLORS, type Endpoint, type RoutingTable, type Side } from '../../contract/table.ts';
import type { Slots } from '../memory/slots.ts';

/** Returns `table` with blocks and slots of this process. Throws `no-slot`. */
export function ownSlots(table: RoutingTable, slots: Slots): RoutingTable {
  const services = table.services.map((service) => {
    const own = (side: Side): Side => ownSide(service.name, side, slots);
    const colors = Object.fromEntries(COLORS.map((color) => [color, own(service[color])]));
    const draining = service.draining.map((drain) => ({ ...drain, side: own(drain.side) }));
    return { ...service, ...colors, draining };
  });
  // Its settings are for its own listeners; ours are closed.
  return { generation: table.generation, services };
}

function ownSide(service: string, side: Side, slots: Slots): Side {
  const { color, release } = side;
  const endpoints = side.endpoints.map((endpoint): Endpoint => ({
    ...endpoint,
    slot: slots.endpoint({ service, color, url: endpoint.url }),
  }));
  const urls = endpoints.map(({ url }) => url);
  return { ...side, endpoints, block: slots.block({ service, color, release, urls }) };
}
