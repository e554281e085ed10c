// The TLS of one data plane: has the doors made that its tables need, before a connection comes to them,
// and says when a set of certificates is in force. Knows no connection.

import type { CertificateSet } from '../contract/certificates.ts';
import type { Report } from '../contract/messages.ts';
import type { TargetTls } from '../contract/target-tls.ts';
import type { Doors } from './doorstep/doors.ts';
import type { Shadows } from './shadow/shadows.ts';
import type { Tables } from './tables.ts';

/** What a plane has for it. */
interface DoorsHost {
  readonly entrance: Doors;
  readonly targetTls: TargetTls;
  contained(error: unknown): void;
}

interface DoorsParts {
  readonly tables: Pick<Tables, 'listeners' | 'closeOutdated'>;
  readonly shadows: Pick<Shadows, 'closeOutdated'>;
}

export class PlaneDoors {
  readonly #host: DoorsHost;
  readonly #parts: DoorsParts;
  readonly #report: (report: Report) => void;

  constructor(host: DoorsHost, parts: DoorsParts, report: (report: Report) => void) {
    this.#host = host;
    this.#parts = parts;
    this.#report = report;
  }

  /** Makes all of them at once: nothing is open yet that would have to wait. */
  makeAll(): void {
    try {
      for (const listener of this.#parts.tables.listeners) this.#host.entrance.of(listener);
    } catch (error) {
      this.#host.contained(error);
    }
  }

  /** Makes what is missing, a piece at a time, then calls `done`, even if one cannot be made. */
  async prepare(done: () => void): Promise<void> {
    await this.#renew();
    done();
  }

  /** Goes by `set` from now on, and reports it. */
  async certify(set: CertificateSet): Promise<void> {
    if (await this.#renew(set)) this.#report({ kind: 'certified', version: set.version });
  }

  async #renew(set?: CertificateSet): Promise<boolean> {
    try {
      if (set !== undefined) this.#useTerms(set);
      await this.#host.entrance.renew(this.#parts.tables.listeners, set);
      return true;
    } catch (error) {
      this.#host.contained(error);
      return false;
    }
  }

  /** New connections to targets go by `set`, and those that do not are closed. */
  #useTerms(set: CertificateSet): void {
    this.#host.targetTls.renew(set);
    this.#parts.tables.closeOutdated();
    this.#parts.shadows.closeOutdated();
  }
}
