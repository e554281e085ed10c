// Pure: which services have their requests copied to the idle deployment. No state has that: it lasts
// for as long as a gate asks for it, and a process that starts copies nothing.

import { otherColor, type Shadow } from '../../contract/table.ts';
import type { ServiceState } from '../store/service-state.ts';

/** By name of the service. */
export type ShadowedServices = ReadonlyMap<string, Shadow>;

export type ShadowEdit = (now: ShadowedServices) => ShadowedServices;

/** Requests of `service` are copied as `shadow` says. */
export function shadowed(service: string, shadow: Shadow): ShadowEdit {
  return (now) => new Map([...now, [service, shadow]]);
}

/** No request of these services is copied. */
export function unshadowed(services: readonly string[]): ShadowEdit {
  return (now) => new Map([...now].filter(([name]) => !services.includes(name)));
}

/** Returns `shadow` if the idle color still has the deployment that it is for. */
export function shadowIn(state: ServiceState, shadow: Shadow | undefined): Shadow | undefined {
  const { deployment } = state[otherColor(state.active)];
  return shadow?.deployment === deployment ? shadow : undefined;
}
