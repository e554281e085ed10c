// Services as a configuration file has them, in one line each, and what is stored once they were followed.

import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { followed, storedAfter, type Stored } from './begun.ts';
import { NOTHING_STORED, serviceConfig, target } from './fixtures.ts';

function sideOf([release, ...ports]: readonly [string, ...number[]]): ServiceConfig['blue'] {
  return { release, targets: ports.map((port) => target(port)) };
}

/** Returns a service whose colors have these releases at these ports; 0: no target. */
export function made(
  blue: readonly [release: string, ...ports: number[]],
  green: readonly [release: string, ...ports: number[]] = ['v2', 3002],
  changes: Partial<ServiceConfig> = {},
): ServiceConfig {
  return serviceConfig({ blue: sideOf(blue), green: sideOf(green), ...changes });
}

export const FIRST = made(['v1', 3001]);

/** What is stored of `configs` after a first start, with `changes` by operators. */
export function after(
  configs: readonly ServiceConfig[] = [FIRST],
  changes: (state: ServiceState) => ServiceState = (state) => state,
): Stored {
  const stored = storedAfter(NOTHING_STORED, followed(configs));
  const services = [...stored.services].map(([name, one]) => [name, changes(one)] as const);
  return { ...stored, services: new Map(services) };
}
