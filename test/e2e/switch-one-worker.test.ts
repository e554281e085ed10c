import t from 'tap';
import { checkSwitches } from '../support/switch-run.ts';

await t.test('nobody notices a thousand switches under load of one worker', async (t) => {
  await checkSwitches(t, 1);
});
