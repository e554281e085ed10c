// Pure: configuration + stored state → routing table. The one way to make a table: a start, a
// restart, an upgrade, a reload and every decision go through it.

import { assert } from '../../base/assert.ts';
import type { ServiceConfig } from '../../config/config.ts';
import { parseTarget } from '../../config/values/target.ts';
import type { Color, Deployment, Hold, RoutingTable, Service } from '../../contract/table.ts';
import type { Slots } from '../memory/slots.ts';
import { shadowIn, type ShadowedServices } from './shadow-edit.ts';
import {
  deploymentOf,
  lockOutOf,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';

export interface TableParts extends Pick<RoutingTable, 'version' | 'epoch'> {
  /** Undefined: those of the workers stay. */
  readonly settings?: RoutingTable['settings'] | undefined;
  /** As configured, in their order; each has a state. */
  readonly configs: readonly ServiceConfig[];
  readonly states: ReadonlyMap<string, ServiceState>;
  /** Holds of switches that run, by service: each takes the place of the one of an operator. */
  readonly holds?: ReadonlyMap<string, Hold> | undefined;
  /** Services whose requests are copied; no state has them. */
  readonly shadows?: ShadowedServices | undefined;
}

/** Returns the table. Throws `no-slot` where there is no room for what it names. */
export function routingTable(parts: TableParts, slots: Slots): RoutingTable {
  const { version, epoch, configs, states, holds, shadows, settings } = parts;
  const services = configs.map((config) => {
    const state = states.get(config.name);
    assert(state !== undefined, 'every configured service has a state');
    const hold = holds?.get(config.name) ?? state.hold;
    const shadow = shadowIn(state, shadows?.get(config.name));
    return { ...serviceOf(config, { ...state, hold }, slots), shadow };
  });
  return settings === undefined
    ? { version, epoch, services }
    : { version, epoch, services, settings };
}

/** Returns the deployment `stored` with places of its own in the shared memory; `sides`: as configured. */
export function makeDeployment(
  state: Pick<ServiceState, 'name' | 'lockOuts'>,
  stored: StoredDeployment,
  { slots, sides }: { readonly slots: Slots; readonly sides: Pick<ServiceConfig, Color> },
): Deployment {
  const { number, color, release, urls, servedSince, previewSeries, allow } = stored;
  const rules = allow === undefined ? {} : { allow };
  const { sendProxy } = sides[color];
  const told = sendProxy === undefined ? {} : { sendProxy };
  const owner = { service: state.name, color, deployment: number };
  return {
    number,
    color,
    release,
    block: slots.block({ ...owner, release }),
    endpoints: urls.map((url) => {
      const target = parseTarget(url);
      assert(target.ok, 'a target was checked before it was stored');
      const slot = slots.endpoint({ ...owner, url: target.value.url });
      const { tls, ...rest } = target.value;
      const secured = tls === undefined ? {} : { tls: { ...tls, service: state.name } };
      return { slot, ...rest, ...secured, deployment: number, ...rules, ...told };
    }),
    servedSince,
    previewSeries,
    lockedOut: lockOutOf(state, stored),
  };
}

function serviceOf(
  config: ServiceConfig,
  state: ServiceState,
  slots: Slots,
): Omit<Service, 'shadow'> {
  const { name, hosts, paths, policy } = config;
  const { active, split, hold, maintenance, legacy } = state;
  const numbered = (number: number): Deployment => {
    const stored = deploymentOf(state, number);
    assert(stored !== undefined, 'what a state names is kept in it');
    return makeDeployment(state, stored, { slots, sides: config });
  };
  const onColor = (color: Color): Deployment => {
    const { deployment } = state[color];
    if (deployment === 0) return nothingOn(name, color, slots);
    const made = numbered(deployment);
    const isTaken = deploymentOf(state, deployment)?.takenOver !== undefined;
    // What runs at its addresses is another release: it is not to be asked, nor to be looked at.
    return isTaken && color !== active ? { ...made, endpoints: [] } : made;
  };
  return {
    name,
    hosts,
    paths,
    active,
    blue: onColor('blue'),
    green: onColor('green'),
    draining: state.draining.map(({ deployment, ...drain }) => {
      return { deployment: numbered(deployment), ...drain };
    }),
    leaving: state.leaving.map(({ deployment, urls, ...leaving }) => {
      const stored = deploymentOf(state, deployment);
      assert(stored !== undefined, 'what a state names is kept in it');
      return {
        deployment: makeDeployment(state, { ...stored, urls }, { slots, sides: config }),
        ...leaving,
      };
    }),
    previewed: state.previewed.map(numbered),
    legacy,
    split,
    hold,
    maintenance,
    policy,
  };
}

function nothingOn(service: string, color: Color, slots: Slots): Deployment {
  return {
    number: 0,
    color,
    release: '',
    block: slots.block({ service, color, deployment: 0, release: '' }),
    endpoints: [],
    servedSince: 0,
    previewSeries: 0,
    lockedOut: undefined,
  };
}
