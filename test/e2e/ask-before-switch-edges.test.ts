// How targets are asked before traffic moves: which of them have to answer, and what, and where none
// is asked.

import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import {
  ask,
  FORCED,
  isRefused,
  open,
  openApp,
  openApps,
  SELDOM,
  untilUp,
  WHY,
} from './ask-before-scene.ts';
import { startTurnout } from './turnout-process.ts';

await t.test('an app that answers with an error just now is as unfit as a dead one', async (t) => {
  const { running, admin, v2 } = await open(t, await openApps(t, 'tcp'));
  v2.status = 503;
  const why = 'asked just now: GET /healthz gave 503, expected 200-399';
  isRefused(t, await admin.post('/v1/switch', { to: 'green' }), v2.url, why);
  v2.status = 200;
  t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 200 });
  t.equal(await ask(running), '200 v2', 'and one that is well again is as fit');
});

await t.test('a switch needs every target, a rollback one', async (t) => {
  const { v1, v2 } = await openApps(t, 'tcp');
  const [more, next] = [await openApp(t, 'v1'), await openApp(t, 'v2')];
  const args = ['--blue', `${v1.url},${more.url}`, '--green', `${v2.url},${next.url}`];
  const running = await startTurnout(t, [...args, ...SELDOM]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await untilUp(admin);
  await next.close();
  const refused = await admin.post('/v1/switch', { to: 'green' });
  isRefused(t, refused, next.url, WHY.tcp);
  t.notMatch(refused.json['detail'], v2.url, 'the one that is well is not blamed');
  t.match(await admin.post('/v1/switch', { to: 'green', ...FORCED }), { status: 200 });
  await more.close();
  t.match(await admin.post('/v1/rollback', {}), { status: 200 });
});

await t.test('where nobody is asked, a switch asks nobody', async (t) => {
  const { v1, v2 } = await openApps(t, 'tcp');
  const args = ['--blue', v1.url, '--green', v2.url, '--health-kind', 'none'];
  const { admin: address } = await startTurnout(t, args);
  const admin = new AdminClient(address);
  t.teardown(() => admin.close());
  await v2.close();
  t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 200 });
});

await t.test('a kept deployment that no color has is asked, too', async (t) => {
  const { running, admin, v1, v2 } = await open(t, await openApps(t, 'tcp'));
  t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 200 });
  const v3 = await openApp(t, 'v3');
  const registered = { release: 'v3', targets: [v3.url], evict: true };
  t.match(await admin.put('/v1/releases/blue', registered), { status: 200 });
  v1.status = 503;
  const why = 'asked just now: GET /healthz gave 503, expected 200-399';
  isRefused(t, await admin.post('/v1/switch', { to: 'v1' }), v1.url, why);
  isRefused(t, await admin.post('/v1/rollback', { to: 'v1' }), v1.url, why);
  t.equal(await ask(running), '200 v2');
  v1.status = 200;
  t.match(await admin.post('/v1/switch', { to: 'v1' }), { status: 200 });
  t.equal(await ask(running), '200 v1');
  await v2.close();
});
