// What of a service's requests counts for or against a release, by the rules of its guard: which
// statuses are bad, and which paths are left out.

import type { GuardPolicy } from '../../../contract/service-policy.ts';
import { PathPatterns } from '../paths/path-patterns.ts';

const STATUS_MAX = 599;

export class Judging {
  readonly ignoredPaths: PathPatterns;
  /** 1 where the status is bad. */
  readonly #isBad = new Uint8Array(STATUS_MAX + 1);

  constructor({ badStatuses, ignorePaths }: GuardPolicy) {
    this.ignoredPaths = new PathPatterns(ignorePaths);
    for (const { min, max } of badStatuses) this.#isBad.fill(1, min, max + 1);
  }

  isBad(status: number): boolean {
    return this.#isBad[status] === 1;
  }
}

/** For what belongs to no service: nothing of it is judged. */
export const NOT_JUDGED = new Judging({ badStatuses: [], ignorePaths: [] });
