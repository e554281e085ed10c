// Programs of hooks: how they end, and within which time.

import t from 'tap';
import { hookCommand } from '../../../../src/control-plane/gates/hook-command.ts';
import { NEVER } from '../support/gate-scene.ts';

await t.test('a program of a hook is run once, within its time', async (t) => {
  const run = hookCommand({ PATH: process.env['PATH'], TURNOUT_TOKEN: 'secret' });
  const once = async (script: string, withinMs = 30_000, signal = NEVER) =>
    run({ argv: ['sh', '-c', script], env: { TURNOUT_HOOK: 'afterDrain' }, withinMs, signal });
  t.same(await once('echo "$TURNOUT_HOOK ${TURNOUT_TOKEN:-none}"'), {
    isOk: true,
    detail: 'exit code 0: afterDrain none',
  });
  t.same(await once('exit 75'), { isOk: false, detail: 'exit code 75' });
  t.same(await once('kill -9 $$'), { isOk: false, detail: 'ended by SIGKILL' });
  t.same(await once('sleep 600', 50), { isOk: false, detail: 'not done after 50ms' });
  t.same(await once('sleep 600', 30_000, AbortSignal.abort()), {
    isOk: false,
    detail: 'called off',
  });
  t.match(await run({ argv: ['/no/such'], env: {}, withinMs: 9_000, signal: NEVER }), {
    isOk: false,
    detail: 'the program is not there',
  });
});
