// Finds out where all targets lead that a decision may have to compare, before it is made: the
// decision itself waits for nothing.

import { parseTarget } from '../../config/values/target.ts';
import { runningOf, type RoutingTable } from '../../contract/table.ts';
import type { ServiceState } from '../store/service-state.ts';
import type { FindPlaces, PlacedTarget } from '../targets/places.ts';
import { asWritten, type PlacesOf } from './address-use.ts';

/** Resolves with the places of `urls`, and of every target of a deployment that is kept. */
export async function placesFor(
  urls: readonly string[],
  { states, table }: { readonly states: Iterable<ServiceState>; readonly table: RoutingTable },
  findPlaces: FindPlaces,
): Promise<PlacesOf> {
  const kept = [...states].flatMap(({ deployments, leaving }) =>
    [...deployments, ...leaving].flatMap((one) => one.urls),
  );
  const endpoints = table.services.flatMap(runningOf).flatMap((one) => one.endpoints);
  const inTable = new Map(endpoints.map((endpoint) => [endpoint.url, endpoint]));
  const targets = [...new Set([...urls, ...kept])].flatMap((url): PlacedTarget[] => {
    const target = parseTarget(url);
    if (!target.ok) return [];
    const endpoint = inTable.get(url);
    return [endpoint === undefined ? target.value : { ...target.value, in: endpoint }];
  });
  const found = await findPlaces(targets);
  return (url) => found.get(url) ?? asWritten(url);
}
