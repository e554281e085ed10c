// Preview links: which deployment one leads to, also where no color has it, and what ends it.

import type { ChangeAnswer } from '../../../api/shared-fields.ts';
import { OperatorError } from '../../base/problems.ts';
import { PREVIEWED_MAX } from '../../base/control-limits.ts';
import {
  activeNumber,
  colorWith,
  deploymentOf,
  type ServiceState,
  type StoredDeployment,
} from '../../store/service-state.ts';
import { nameOf } from '../../deployments/address-use.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import {
  checkAddresses,
  checkLockedOut,
  destination,
  type Destination,
} from '../../deployments/destination.ts';
import type { World } from '../../deployments/registration.ts';
import { previewed, previewsRevoked } from '../../deployments/state-edit.ts';

export interface PreviewParts {
  readonly runner: Pick<ChangeRunner, 'edit' | 'state'>;
  readonly worldOf: (request: ChangeRequest, urls: readonly string[]) => Promise<World>;
}

/** What a link leads to. */
export interface Previewed extends Pick<ChangeAnswer, 'generation'> {
  readonly deployment: StoredDeployment;
}

/** Opens and ends previews of deployments. */
export class Previews {
  readonly #parts: PreviewParts;

  constructor(parts: PreviewParts) {
    this.#parts = parts;
  }

  /**
   * Makes sure that a link can lead to the deployment that is meant, and returns that. Throws where
   * it is locked out, or its addresses belong to another release.
   */
  async open(request: ChangeRequest, to: Destination): Promise<Previewed> {
    const { runner, worldOf } = this.#parts;
    const world = async (urls: readonly string[]) => worldOf(request, urls);
    const answer = await runner.edit(request, 'preview opened', async (state) => {
      const meant = destination(state, to);
      checkLockedOut(state, meant);
      checkAddresses(state, meant, await world(meant.urls));
      if (isReachable(state, meant)) return undefined;
      if (state.previewed.length >= PREVIEWED_MAX) throw tooMany(state);
      return { states: [previewed(meant.number)(state)] };
    });
    const { generation, service } = answer;
    return { generation, deployment: destination(runner.state(service), to) };
  }

  /** Ends all links that lead to a deployment. */
  async revoke(request: ChangeRequest, to: Destination): Promise<ChangeAnswer> {
    return await this.#parts.runner.edit(request, 'preview links revoked', (state) => ({
      states: [previewsRevoked(destination(state, to).number)(state)],
    }));
  }
}

/** The routing table has it already. */
function isReachable(state: ServiceState, { number }: StoredDeployment): boolean {
  return (
    number === activeNumber(state) ||
    colorWith(state, number) !== undefined ||
    state.previewed.includes(number) ||
    state.draining.some(({ deployment }) => deployment === number)
  );
}

function tooMany(state: ServiceState): OperatorError {
  const open = state.previewed.map((number) => nameOf(deploymentOf(state, number)!));
  return new OperatorError(
    'too-many-previews',
    `${state.name}: preview links lead to ${open.join(', ')} already; revoke those of one of them`,
    { members: { deployments: state.previewed } },
  );
}
