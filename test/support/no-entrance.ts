// An entrance at which nothing is answered: no authority is expected, no certificate is there.

import type { EntranceParts } from '../../src/data-plane/routing/entrance.ts';

export const NO_ENTRANCE: EntranceParts = {
  hasChallenges: false,
  answerFor: () => undefined,
  hasCertificateFor: () => false,
};
