// The freeze of one service, which an operator asks for: kept with its state, so it takes its turn with the
// other changes of the service, and survives a restart. What it refuses is decided in switching-freeze.ts.

import type { ChangeAnswer } from '../../../api/shared-fields.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import { frozen } from '../../deployments/state-edit.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import type { ServiceFreeze } from '../../store/service-state.ts';

export class ServiceFreezes {
  readonly #runner: Pick<ChangeRunner, 'edit'>;

  constructor({ runner }: { readonly runner: Pick<ChangeRunner, 'edit'> }) {
    this.#runner = runner;
  }

  /** Begins it, or ends it (undefined). The first keeps its reason. */
  async set(request: ChangeRequest, freeze: ServiceFreeze | undefined): Promise<ChangeAnswer> {
    const what = freeze === undefined ? 'unfrozen' : 'frozen';
    // It is not to wait for a switch that holds requests, which could not be made any more.
    const way = { what, isWayBack: freeze !== undefined };
    return this.#runner.edit(request, way, (state) => {
      const isSame = (state.freeze === undefined) === (freeze === undefined);
      // No request goes elsewhere: no operator has to know the generation of it.
      return isSame ? undefined : { states: [frozen(freeze)(state)], isSilent: true };
    });
  }
}
