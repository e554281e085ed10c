// Whether a change may come into force: the store has taken it, and no other decision was first. One
// process alone agrees with itself as soon as its file has the change; with a store that is far away, it
// may not be known for a while what became of it. Nothing is published then, and nothing forgotten.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { COMMIT_ASK_EVERY_MS } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';
import { StoreError, type CommitOutcome, type Store, type StoredChange } from '../store/store.ts';

/** What is agreed on: a change, and the epoch that was known when it was decided on. */
type Agreed = StoredChange & { readonly decidedOn: number };

export class ChangeAgreement {
  readonly #store: Pick<Store, 'commit' | 'outcomeOf'>;
  readonly #closed = new AbortController();
  #doubt: OperatorError | undefined;

  constructor(store: Pick<Store, 'commit' | 'outcomeOf'>) {
    this.#store = store;
  }

  /** Why no other change can be decided on; undefined: it can. */
  get doubt(): OperatorError | undefined {
    return this.#doubt;
  }

  /**
   * Resolves when `change` is stored. Rejects with
   * `generation-mismatch` or a StoreError when it is not, and never will be. As long as that is not
   * known, it waits.
   */
  async reach({ decidedOn: expected, ...change }: Agreed): Promise<void> {
    const { epoch: began, nextDeployment, services, records, notes } = change;
    const { rollouts = [], events = [] } = change;
    const stored = { epoch: began, nextDeployment, services, records, notes, rollouts, events };
    const id = randomUUID();
    const outcome = await this.#known(await this.#store.commit(stored, { id, expected }), id);
    if (outcome.kind !== 'lost') return;
    const { epoch } = outcome;
    throw new OperatorError(
      'generation-mismatch',
      `another decision was first: the generation is ${epoch} now, this change was made for ${expected}`,
      { members: { generation: epoch } },
    );
  }

  /** Gives up waiting: the next start finds out. */
  close(): void {
    this.#closed.abort();
  }

  /** Asks for what became of the change `id` until that is known. */
  async #known(
    first: CommitOutcome,
    id: string,
  ): Promise<Exclude<CommitOutcome, { kind: 'unknown' }>> {
    let outcome = first;
    while (outcome.kind === 'unknown') {
      this.#doubt = new OperatorError('outcome-unknown', DOUBT);
      await this.#pause();
      outcome = await this.#ask(id);
    }
    this.#doubt = undefined;
    return outcome;
  }

  async #pause(): Promise<void> {
    try {
      await sleep(COMMIT_ASK_EVERY_MS, undefined, { signal: this.#closed.signal });
    } catch {
      throw this.#doubt;
    }
  }

  async #ask(id: string): Promise<CommitOutcome> {
    try {
      return await this.#store.outcomeOf(id);
    } catch (error) {
      if (error instanceof StoreError) return { kind: 'unknown' };
      throw error;
    }
  }
}

const DOUBT =
  'the store has not said whether it took the last change; it is asked until it does, traffic stays ' +
  'as it was meanwhile';
