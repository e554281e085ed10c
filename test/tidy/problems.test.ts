// Every way in which the control plane refuses an operator has a next step on the command line, or
// is listed as needing none; and no step is left of a problem that is gone.

import t from 'tap';
import { NEED_NO_STEP, NEXT_STEPS } from '../../src/cli/client/next-steps.ts';
import { PROBLEMS, type ProblemCode } from '../../src/api/problem-codes.ts';

const CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];
const TOLD = Object.keys(NEXT_STEPS) as readonly ProblemCode[];

await t.test('every problem has a next step or is listed as needing none', async (t) => {
  const untold = CODES.filter((code) => NEXT_STEPS[code] === undefined && !NEED_NO_STEP.has(code));
  t.strictSame(untold, [], 'add a line to NEXT_STEPS of src/cli/client/next-steps.ts');
});

await t.test('no step is told for a problem that there is not', async (t) => {
  const told = [...TOLD, ...NEED_NO_STEP];
  t.strictSame(
    told.filter((code) => !CODES.includes(code)),
    [],
  );
});

await t.test('a problem with a next step is not listed as needing none', async (t) => {
  t.strictSame(
    TOLD.filter((code) => NEED_NO_STEP.has(code)),
    [],
  );
});

await t.test('a next step is one line that says what to do', async (t) => {
  for (const [code, step] of Object.entries(NEXT_STEPS)) {
    t.ok(step.length >= 15 && step.length <= 100 && !step.includes('\n'), code);
    t.notMatch(step, /\.$/, code);
  }
});
