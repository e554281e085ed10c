// What the commands say to do next has to be there for the command that was made.

import t from 'tap';
import { PROBLEMS } from '../../../../src/api/problem-codes.ts';
import { nextStep } from '../../../../src/cli/client/next-steps.ts';

await t.test('a reload is not told of flags that it has not', (t) => {
  for (const code of Object.keys(PROBLEMS)) {
    const step = nextStep(code, { isReload: true }) ?? '';
    // Whole commands stand in backticks: those have the flags that they are shown with.
    const ofReload = step.replaceAll(/`[^`]*`/g, '');
    t.notMatch(ofReload, /--(?:force|evict|unlock)/, `${code}: ${step}`);
    t.notMatch(step, /turnout deploy --evict/, `${code}: ${step}`);
  }
  t.match(nextStep('address-in-use', { isReload: true }), /turnout drain --evict/);
  t.end();
});
