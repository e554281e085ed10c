// The schema that the data of a service have, as an operator states it where no release has brought it:
// after the restore of a backup. What it refuses is decided in deployments/schema-fit.ts.

import type { ChangeAnswer } from '../../../api/shared-fields.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import { schemaStated } from '../../deployments/state-edit.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';

export class DataSchema {
  readonly #runner: Pick<ChangeRunner, 'edit'>;

  constructor({ runner }: { readonly runner: Pick<ChangeRunner, 'edit'> }) {
    this.#runner = runner;
  }

  /** States it; undefined: it is not known, so that every release fits. */
  async state(request: ChangeRequest, schema: number | undefined): Promise<ChangeAnswer> {
    const what = schema === undefined ? 'schema of the data unknown' : `data have schema ${schema}`;
    return this.#runner.edit(request, what, (state) =>
      state.schema === schema ? undefined : { states: [schemaStated(schema)(state)] },
    );
  }
}
