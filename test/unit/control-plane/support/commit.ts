// How a test writes a change to a store: decided on what is stored there, and taken.

import type { Store, StoredChange } from '../../../../src/control-plane/store/store.ts';
import { SERVICE } from './stored.ts';

/** Commits a change that begins `epoch`; throws where the store does not take it. */
export async function commit(
  store: Store,
  { epoch, ...change }: Partial<StoredChange> & Pick<StoredChange, 'epoch'>,
): Promise<void> {
  const { nextDeployment, epoch: expected } = store.state;
  const rest = { nextDeployment, services: [SERVICE], records: [], ...change };
  const outcome = await store.commit({ epoch, ...rest }, { id: `change ${epoch}`, expected });
  if (outcome.kind !== 'committed') throw new Error(`the change is ${outcome.kind}`);
}
