// May traffic move to a deployment? What refuses it is looked for when a move is decided on, and all
// that needs no waiting once more at the moment when it is made: others may have changed meanwhile.

import type { ServiceConfig } from '../../../config/config.ts';
import type { Deployment, Service } from '../../../contract/table.ts';
import { FAILOVER_ACTOR } from '../../base/actors.ts';
import type { Slots } from '../../memory/slots.ts';
import { colorWith, type ServiceState, type StoredDeployment } from '../../store/service-state.ts';
import type { PlacesOf } from '../../deployments/address-use.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import { checkAddresses, checkLockedOut, destination } from '../../deployments/destination.ts';
import { checkData } from '../../deployments/schema-fit.ts';
import type { World } from '../../deployments/registration.ts';
import { makeDeployment } from '../../deployments/routing-table.ts';
import { refusalsIn, throwAll } from '../checks/refusals.ts';
import type { SpotCheck } from '../checks/spot-check.ts';
import { checkRollback, checkSwitch, type HealthOf } from '../checks/switch-check.ts';
import type { Decision } from './switch-run.ts';
import type { SwitchingFreeze } from '../checks/switching-freeze.ts';

/** A rollback needs one target only, and goes through in a freeze window. */
type Move = 'switch' | 'rollback';

export interface MoveCheckParts {
  readonly runner: Pick<ChangeRunner, 'table'>;
  readonly freeze: Pick<SwitchingFreeze, 'checkSwitch'>;
  readonly health: HealthOf;
  readonly spotCheck: SpotCheck;
  readonly slots: Slots;
  readonly configs: () => readonly ServiceConfig[];
  readonly placesOf: (urls: readonly string[]) => Promise<PlacesOf>;
  readonly worldOf: (request: Pick<ChangeRequest, 'actor'>, placesOf: PlacesOf) => World;
}

export class MoveChecks {
  readonly #parts: MoveCheckParts;

  constructor(parts: MoveCheckParts) {
    this.#parts = parts;
  }

  /** Refuses a switch to `to`, of which every target must be up; `force` overrides addresses and health. */
  async switch(
    state: ServiceState,
    to: StoredDeployment,
    request: ChangeRequest,
  ): Promise<Decision['check']> {
    if (request.dryRun === true) return await this.#rehearse(state, to, request, 'switch');
    const check = await this.bars(state, to, request, 'switch');
    if (request.force) return check;
    const { spotCheck, health } = this.#parts;
    const { service, deployment } = this.#inTable(state, to);
    const known = await spotCheck({ service, deployment, needs: 'all' }, health);
    checkSwitch(state.name, deployment, known);
    return check;
  }

  /** Refuses a rollback to `to`, of which one target must be up; `force` overrides all of it. */
  async rollback(
    state: ServiceState,
    to: StoredDeployment,
    request: ChangeRequest,
  ): Promise<Decision['check']> {
    // Getting back to safety must be possible, too, while nothing else is.
    if (request.force) return () => {};
    if (request.dryRun === true) return await this.#rehearse(state, to, request, 'rollback');
    const check = await this.bars(state, to, request, 'rollback');
    const { spotCheck, health } = this.#parts;
    const { service, deployment } = this.#inTable(state, to);
    const known = await spotCheck({ service, deployment, needs: 'one' }, health);
    checkRollback(state.name, deployment, known);
    return check;
  }

  /** Throws everything that refuses a move at once. */
  async #rehearse(
    state: ServiceState,
    to: StoredDeployment,
    request: ChangeRequest,
    move: Move,
  ): Promise<Decision['check']> {
    const { placesOf, spotCheck, health } = this.#parts;
    const places = request.force ? undefined : await placesOf(to.urls);
    const checks = this.#barsOf(state, to, { request, places, move });
    if (!request.force) {
      const { service, deployment } = this.#inTable(state, to);
      const needs = move === 'switch' ? 'all' : 'one';
      const known = await spotCheck({ service, deployment, needs }, health);
      const check = move === 'switch' ? checkSwitch : checkRollback;
      checks.push(() => check(state.name, deployment, known));
    }
    throwAll(refusalsIn(checks));
    return () => {};
  }

  /** Refuses what bars the way whatever the targets say; returns the same check for a later moment. */
  async bars(
    state: ServiceState,
    { number, urls }: StoredDeployment,
    request: ChangeRequest,
    move: Move = 'switch',
  ): Promise<Decision['check']> {
    const check = (now: ServiceState, places: PlacesOf | undefined): void => {
      const to = destination(now, number);
      for (const bar of this.#barsOf(now, to, { request, places, move })) bar();
    };
    check(state, undefined);
    const places = request.force ? undefined : await this.#parts.placesOf(urls);
    check(state, places);
    return (now) => check(now, places);
  }

  /** Returns what may bar the way, each by itself; without `places` addresses are not looked at. */
  #barsOf(
    state: ServiceState,
    to: StoredDeployment,
    {
      request,
      places,
      move,
    }: {
      readonly request: ChangeRequest;
      readonly places: PlacesOf | undefined;
      readonly move: Move;
    },
  ): (() => void)[] {
    const { freeze, worldOf } = this.#parts;
    // The way back is open in a window; so is the way out of a color that is down.
    const overridesWindows =
      move === 'rollback' || request.force || request.actor === FAILOVER_ACTOR;
    const bars = [
      () => freeze.checkSwitch(state.name, { overridesWindows }),
      () => checkLockedOut(state, to),
    ];
    if (!request.force) {
      const { holdMs = 0 } = request;
      bars.push(() => checkData(state, to, { replaces: holdMs > 0 }));
    }
    if (places === undefined) return bars;
    const world = worldOf(request, places);
    return [...bars, () => checkAddresses(state, to, world)];
  }

  /** Returns a service as the table has it, and a deployment of it, also where no color has that. */
  #inTable(
    state: ServiceState,
    to: StoredDeployment,
  ): { readonly service: Service; readonly deployment: Deployment } {
    const { runner, slots, configs } = this.#parts;
    const service = runner.table.services.find(({ name }) => name === state.name)!;
    const color = colorWith(state, to.number);
    if (color !== undefined) return { service, deployment: service[color] };
    const sides = configs().find(({ name }) => name === state.name)!;
    return { service, deployment: makeDeployment(state, to, { slots, sides }) };
  }
}
