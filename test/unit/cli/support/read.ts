// What commands do with an answer, for answers that a test writes by hand: each is read as one of a
// server is.

import { drainAnswer } from '../../../../src/api/draining.ts';
import { statusAnswer } from '../../../../src/api/status-answer.ts';
import { switchAnswer } from '../../../../src/api/switching.ts';
import { documentOf, readLeniently } from '../../../../src/cli/client/answer.ts';
import type { Terminal } from '../../../../src/cli/terminal/print.ts';
import * as applyPlan from '../../../../src/cli/verbs/apply-plan.ts';
import * as drainWait from '../../../../src/cli/steps/drain-wait.ts';
import * as status from '../../../../src/cli/texts/status-text.ts';
import type { Declared } from '../../../../src/config/declaration.ts';

export function statusText(terminal: Terminal, answer: unknown): string {
  return status.statusText(terminal, readLeniently(statusAnswer, answer));
}

export function missingSteps(declared: readonly Declared[], answer: unknown): applyPlan.Missing {
  return applyPlan.missingSteps(declared, readLeniently(statusAnswer, answer));
}

/** Returns the drain as the answer has it; undefined for none. */
export function begunBy(switched: unknown, drains: unknown): unknown {
  const begun = drainWait.begunBy(
    readLeniently(switchAnswer, switched),
    readLeniently(drainAnswer, drains),
  );
  return documentOf(begun?.drain);
}
