// Switches and rollbacks as operators ask for them: to which deployment traffic goes, and what has to be
// right before. How such a move is carried out is the business of switch-run.ts; whether a deployment is
// fit, that of move-checks.ts.

import { epochMs } from '../../../base/clock.ts';
import { otherColor, type Service } from '../../../contract/table.ts';
import type { RollbackRequest, SwitchRequest } from '../../deployments/change-request.ts';
import {
  switchAnswerJson,
  switchesAnswerJson,
  type SwitchAnswer,
} from '../../deployments/change.ts';
import { asWritten } from '../../deployments/address-use.ts';
import { checkNotClaimed } from '../../deployments/claim.ts';
import {
  beforeLastSwitch,
  checkAddresses,
  checkLockedOut,
  destination,
} from '../../deployments/destination.ts';
import { checkData } from '../../deployments/schema-fit.ts';
import { resticking } from '../../deployments/restick.ts';
import { lockOutFor } from '../../deployments/rollback-lock-out.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import { activeNumber } from '../../store/service-state.ts';
import type { MoveChecks } from './move-checks.ts';
import { checkAlone, checkSwitch, type HealthOf } from '../checks/switch-check.ts';
import type { AskedSwitch, SwitchRun } from './switch-run.ts';
import type { SwitchingFreeze } from '../checks/switching-freeze.ts';
import type { Worlds } from './worlds.ts';

interface MoverParts {
  readonly runner: Pick<ChangeRunner, 'state'>;
  readonly switches: Pick<SwitchRun, 'run'>;
  readonly checks: Pick<MoveChecks, 'switch' | 'rollback'>;
  readonly freeze: Pick<SwitchingFreeze, 'check'>;
  readonly worlds: Pick<Worlds, 'of'>;
  readonly health: HealthOf;
  /** Connections of the process before an upgrade: see drain-watch.ts. */
  readonly leftBehind: () => number | undefined;
}

export class Mover {
  readonly #parts: MoverParts;

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  /** Makes the wanted deployment of a service the active one. */
  async switch(request: SwitchRequest): Promise<SwitchAnswer> {
    const [answer] = await this.#switch([request.service], request, onlyAnswer);
    return answer!;
  }

  /** The same for several services: all of them in one table, or none. */
  async switchAll(
    services: readonly string[],
    request: SwitchRequest,
  ): Promise<readonly SwitchAnswer[]> {
    return this.#switch(services, request, switchesAnswerJson);
  }

  async #switch(
    services: readonly (string | undefined)[],
    request: SwitchRequest,
    answerOf: AskedSwitch['answerOf'],
  ): Promise<readonly SwitchAnswer[]> {
    const { holdMs } = request;
    const asked = { services, request, outcome: 'switched', holdMs, answerOf } as const;
    return this.#parts.switches.run(asked, async (state) => {
      checkAlone(holdMs, this.#parts.leftBehind());
      const to = destination(state, request.to ?? otherColor(state.active));
      if (!request.force && request.overridesRollout !== true) checkNotClaimed(state);
      const isThere = to.number === activeNumber(state);
      const check = isThere ? () => {} : await this.#parts.checks.switch(state, to, request);
      // Sessions that stayed would keep the other deployment running beside the new one.
      return { to: to.number, movesSessions: holdMs > 0, lockOut: undefined, check };
    });
  }

  /** Goes back to the deployment that was active before the last switch, or to a named one. */
  async rollback(request: RollbackRequest): Promise<SwitchAnswer> {
    const asked: AskedSwitch = {
      services: [request.service],
      request,
      outcome: 'rolled-back',
      isWayBack: true,
      holdMs: 0,
      answerOf: onlyAnswer,
    };
    const [answer] = await this.#parts.switches.run(asked, async (state) => {
      if (!request.force) checkNotClaimed(state);
      const resticks = resticking(state, request, epochMs());
      if (resticks !== undefined) {
        const check = request.force ? () => {} : () => this.#parts.freeze.check(state.name);
        check();
        return {
          to: activeNumber(state),
          movesSessions: true,
          lockOut: undefined,
          resticks,
          check,
        };
      }
      const to =
        request.to === undefined ? beforeLastSwitch(state) : destination(state, request.to);
      const movesSessions = request.restick === 'all';
      const check = await this.#parts.checks.rollback(state, to, request);
      return { to: to.number, movesSessions, lockOut: lockOutFor(state, to, request), check };
    });
    return answer!;
  }

  /** Refuses a switch of `service` to its idle color; asks no target. */
  checkMove(service: Service): void {
    const { runner, freeze, worlds, health } = this.#parts;
    const state = runner.state(service.name);
    const to = destination(state, otherColor(service.active));
    freeze.check(service.name);
    checkLockedOut(state, to);
    checkData(state, to);
    checkAddresses(state, to, worlds.of(OWN, asWritten));
    checkSwitch(service.name, service[otherColor(service.active)], health);
  }
}

/** Returns what a switch of one service is told. */
function onlyAnswer([answer]: readonly SwitchAnswer[]): unknown {
  return switchAnswerJson(answer!);
}

/** The process itself looks. */
const OWN = { actor: 'turnout' } as const;
