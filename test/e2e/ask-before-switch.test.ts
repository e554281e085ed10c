// Before traffic moves each target is asked once more: one that has died since its last check is told,
// and gets no request.

import t from 'tap';
import { ask, FORCED, isRefused, open, openApps, WHY } from './ask-before-scene.ts';
import { turnout } from './turnout-process.ts';

for (const [kind, workers] of [
  ['tcp', '1'],
  ['unix', '1'],
  ['tcp', '2'],
] as const) {
  await t.test(`a release that has just died gets no traffic: ${kind}, ${workers}`, async (t) => {
    const { running, admin, v1, v2 } = await open(t, await openApps(t, kind), '--workers', workers);
    await v2.close();
    isRefused(t, await admin.post('/v1/switch', { to: 'green' }), v2.url, WHY[kind]);
    const holding = { to: 'green', hold: '5s' };
    isRefused(t, await admin.post('/v1/switch', holding), v2.url, WHY[kind]);
    t.equal(await ask(running), '200 v1', 'nobody waits, and nobody is sent there');
    t.match(await admin.post('/v1/switch', { to: 'green', ...FORCED }), { status: 200 });
    await v1.close();
    isRefused(t, await admin.post('/v1/rollback', {}), v1.url, WHY[kind]);
    t.match(await admin.post('/v1/rollback', FORCED), { status: 200 });
  });
}

await t.test('the command line says the same', async (t) => {
  const { running, v1, v2 } = await open(t, await openApps(t, 'tcp'));
  const at = ['--admin', running.admin];
  await v2.close();
  const refused = await turnout(['switch', 'green', ...at]);
  t.equal(refused.code, 2);
  t.match(refused.err, `${v2.url} is down (${WHY.tcp})`);
  t.equal(await ask(running), '200 v1');
  t.equal((await turnout(['switch', 'green', '--force', '--reason', 'drill', ...at])).code, 0);
  await v1.close();
  const back = await turnout(['rollback', ...at]);
  t.equal(back.code, 2);
  t.match(back.err, `${v1.url} is down (${WHY.tcp})`);
});
