// What a rule on one service has to know of all the rest: the other services as they are stored, where
// addresses lead, what the configuration allows, who asks, and when. Decides nothing.

import { epochMs } from '../../../base/clock.ts';
import { placesFor } from '../../deployments/address-places.ts';
import type { PlacesOf } from '../../deployments/address-use.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import type { World } from '../../deployments/registration.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import type { FindPlaces } from '../../targets/places.ts';

interface WorldsParts {
  readonly runner: Pick<ChangeRunner, 'basis' | 'states' | 'table'>;
  readonly findPlaces: FindPlaces;
  /** Where targets may lead, as configured now; empty: anywhere. */
  readonly targetsAllow: () => readonly string[];
}

export class Worlds {
  readonly #parts: WorldsParts;

  constructor(parts: WorldsParts) {
    this.#parts = parts;
  }

  /** Finds out where `urls` lead, and what each service uses. */
  async placesOf(urls: readonly string[]): Promise<PlacesOf> {
    const { runner, findPlaces } = this.#parts;
    const { states, table } = runner;
    return await placesFor(urls, { states: states.values(), table }, findPlaces);
  }

  /** Returns it as it is now; `placesOf` tells where addresses lead. */
  of({ actor }: Pick<ChangeRequest, 'actor'>, placesOf: PlacesOf): World {
    const { stored, configs } = this.#parts.runner.basis();
    const byName = new Map(configs.map((config) => [config.name, config]));
    return {
      services: new Map([...stored.services].filter(([name]) => byName.has(name))),
      nextDeployment: stored.nextDeployment,
      placesOf,
      allow: this.#parts.targetsAllow(),
      policyOf: (service) => byName.get(service)!.policy,
      actor,
      nowMs: epochMs(),
    };
  }

  /** Both: the world, and in it where `urls` lead. */
  async with(request: Pick<ChangeRequest, 'actor'>, urls: readonly string[]): Promise<World> {
    return this.of(request, await this.placesOf(urls));
  }
}
