// What workers are told beside their tables, each time as a whole: keys to sign with, where names
// lead, certificates. A worker that is born is told the newest of each. Knows nothing of what it says.

import { NO_CERTIFICATES, type CertificateSet } from '../../contract/certificates.ts';
import type { Order, WorkerBirth } from '../../contract/messages.ts';
import type { SigningKeys } from '../../contract/signing.ts';
import type { NameAddresses } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import type { Conditions } from './conditions.ts';
import type { WorkerSlot } from './worker-slot.ts';

export class StandingOrders {
  readonly #slots: readonly WorkerSlot[];
  readonly #conditions: Conditions;
  #keys: SigningKeys;
  #certificates: CertificateSet = NO_CERTIFICATES;
  #names: readonly NameAddresses[] = [];
  #namesVersion = 0;

  constructor(slots: readonly WorkerSlot[], conditions: Conditions, keys: SigningKeys) {
    this.#slots = slots;
    this.#conditions = conditions;
    this.#keys = keys;
  }

  /** What a worker is born with. */
  get birth(): Pick<WorkerBirth, 'keys' | 'names' | 'certificates'> {
    return { keys: this.#keys, names: this.#names, certificates: this.#certificates };
  }

  /** The versions that a worker which is born now goes by. */
  get versions(): Pick<WorkerSlot, 'resolved' | 'certified'> {
    return { resolved: this.#namesVersion, certified: this.#certificates.version };
  }

  /** Gives every worker, now and later, other keys to sign and check with. */
  useKeys(keys: SigningKeys): void {
    this.#keys = keys;
    this.#send({ kind: 'keys', keys });
  }

  /** Tells every worker, now and later, what all names lead to. */
  resolve(version: number, names: readonly NameAddresses[]): void {
    this.#names = names;
    this.#namesVersion = version;
    this.#send({ kind: 'resolve', version, names });
  }

  /** The version of the names that every worker goes by, or a later one. */
  get resolvedVersion(): number {
    const threads = this.#slots.filter(({ thread }) => thread !== undefined);
    return Math.min(this.#namesVersion, ...threads.map(({ resolved }) => resolved));
  }

  /**
   * Gives every worker, now and later, what listeners with TLS present; resolves when each goes by it.
   * Throws `workers-not-ready` where one does not say so in time; it may do so later.
   */
  async certify(set: CertificateSet, withinMs: number): Promise<void> {
    this.#certificates = set;
    this.#send({ kind: 'certificates', set });
    const missing = (): WorkerSlot[] =>
      this.#slots.filter(({ thread, certified }) => thread && certified < set.version);
    await this.#conditions.until(
      () => missing().length === 0,
      withinMs,
      () => {
        const names = missing().map(({ index }) => index);
        return new OperatorError(
          'workers-not-ready',
          `certificates were not taken within ${withinMs} ms by worker ${names.join(', ')}`,
        );
      },
    );
  }

  #send(order: Order): void {
    for (const { thread } of this.#slots) thread?.postMessage(order);
  }
}
