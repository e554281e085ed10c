// The point of no return of a service: an operator says that there is no way back from what is active.
// What that refuses is decided in deployments/schema-fit.ts.

import type { ChangeAnswer } from '../../../api/shared-fields.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import { returnBarred } from '../../deployments/state-edit.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import type { NoReturn } from '../../store/service-state.ts';

export class ReturnBar {
  readonly #runner: Pick<ChangeRunner, 'edit'>;

  constructor({ runner }: { readonly runner: Pick<ChangeRunner, 'edit'> }) {
    this.#runner = runner;
  }

  /** Begins it, or ends it (undefined). The first keeps its reason. */
  async set(request: ChangeRequest, noReturn: NoReturn | undefined): Promise<ChangeAnswer> {
    const what = noReturn === undefined ? 'a way back again' : 'point of no return';
    return this.#runner.edit(request, what, (state) => {
      const isSame = (state.noReturn === undefined) === (noReturn === undefined);
      return isSame ? undefined : { states: [returnBarred(noReturn)(state)] };
    });
  }
}
