// What an operator should know of certificates that ACME obtains: what is missing, and what is not
// renewed. Pure.

import { spanText } from '../../base/span-text.ts';
import type { AcmeStatus } from './acme-types.ts';

export interface AcmeNotice {
  /** Clients warn of the site. */
  readonly isMissing: boolean;
  readonly text: string;
}

/** Failures in a row that are more than a moment of bad luck: they take a quarter of an hour. */
const FAILURES_TOLD = 3;

/** Returns them, a sentence each. */
export function acmeNotices(statuses: readonly AcmeStatus[], nowMs: number): AcmeNotice[] {
  return statuses.flatMap((status) => {
    const { domain, notAfterMs, failures, problem, advice } = status;
    const next = nextText(status, nowMs) + (advice === '' ? '' : `; ${advice}`);
    if (notAfterMs === undefined) {
      const why = problem === '' ? '' : `: ${problem}`;
      const isMissing = failures > 0;
      return [{ isMissing, text: `there is no certificate for ${domain} yet${why}; ${next}` }];
    }
    if (failures < FAILURES_TOLD) return [];
    const text = `the certificate of ${domain} is not renewed: ${problem}; ${next}`;
    return [{ isMissing: false, text }];
  });
}

function nextText({ isOrdering, nextTryMs }: AcmeStatus, nowMs: number): string {
  return isOrdering ? 'it is being ordered' : `it is ordered in ${spanText(nextTryMs - nowMs)}`;
}
