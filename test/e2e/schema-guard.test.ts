// A real process keeps code away from data that it can't read: by switch, rollout, rollback and order,
// also after it was killed.

import { join } from 'node:path';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import {
  startAsGiven,
  startTurnout,
  temporaryDirectory,
  turnout,
  type Running,
} from './turnout-process.ts';

t.setTimeout(120_000);

await t.test('expand and migrate, and no way back to what does not know the data', async (t) => {
  const apps = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'blue')] as const;
  const first = await openColoredApp(t, 'blue');
  const state = join(temporaryDirectory(t), 'state');
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
  const start = async (): Promise<readonly [Running, AdminClient]> => {
    const args = [...listen, '--state', state, '--blue', first.url, '--health-kind', 'none'];
    const running = await startAsGiven(t, args);
    const admin = new AdminClient(running.admin);
    t.teardown(() => admin.close());
    return [running, admin];
  };
  const [running, admin] = await start();
  const release = async (color: string, at: 0 | 1, provides: number, requires: unknown) =>
    admin.put(`/v1/releases/${color}`, {
      release: `v4${at + 1}`,
      targets: [apps[at].url],
      schema: { provides, requires },
    });
  for (const requires of [[12, 10], [11, 12], [10], 'x', [10, 12, 13], [-1, 12]]) {
    const { status } = await release('green', 0, 10, requires);
    t.equal(status, 400, JSON.stringify(requires));
  }
  t.equal((await release('green', 0, 10, [10, 11])).status, 200);
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  t.match(await release('blue', 1, 12, [10, 12]), {
    json: { obstacles: [{ code: 'schema-incompatible' }] },
  });
  const unfit = { status: 409, json: { code: 'schema-incompatible' } };
  t.match(await admin.post('/v1/switch', { to: 'blue' }), unfit);
  const inSteps = { to: 'blue', plan: 'all-at-once', bake: '0s', guard: 'off' };
  t.match(await admin.post('/v1/switch', inSteps), unfit, 'a rollout does not begin');
  const forced = { to: 'blue', force: true, reason: 'v41 only reads' };
  t.equal((await admin.post('/v1/switch', forced)).status, 200);
  t.match(await admin.post('/v1/rollback', {}), unfit);
  t.match(await admin.post('/v1/switch', { to: 'green', in: '10ms' }), { status: 202 });
  t.match(await running.line((line) => line.includes('s-1 WAS NOT')), 'schema-incompatible');

  running.process.kill('SIGKILL');
  await running.ended;
  const [next, again] = await start();
  t.match(await again.post('/v1/rollback', {}), unfit, 'a restart knows it');
  t.match(await again.get('/v1/status'), { json: { services: [{ schema: 12 }] } });
  const listed = (await again.get('/v1/deployments')).json['deployments'];
  t.match(listed, [{ schema: { provides: 12 } }, { obstacle: /the data have schema 12/ }]);

  t.match(await again.post('/v1/schema', { schema: 11 }), { status: 400 }, 'it needs a reason');
  const restored = { schema: 11, reason: 'backup of Monday' };
  t.match(await again.post('/v1/schema', restored), { status: 200, json: { changed: true } });
  t.match(await again.get('/v1/status'), {
    json: { services: [{ schema: 11, blue: { schema: { provides: 12 } } }] },
  });
  t.match(await again.post('/v1/rollback', { dryRun: true }), { status: 200 }, 'v41 fits again');
  t.match((await again.get('/v1/audit?limit=5')).text, /backup of Monday/);

  const end = { on: true, reason: 'mails are out' };
  t.match(await again.post('/v1/point-of-no-return', { on: true }), { status: 400 });
  t.match(await again.post('/v1/point-of-no-return', end), { status: 200 });
  t.match(await again.post('/v1/rollback', {}), { json: { code: 'point-of-no-return' } });
  const shown = await turnout(['status'], { TURNOUT_ADMIN: next.admin });
  t.match(shown.out, /no way back since .* mails are out/);
  const fire = { force: true, reason: 'fire' };
  t.match(await again.post('/v1/rollback', fire), { status: 200, json: { to: 'green' } });
});

await t.test('what a rollout was told to be the point of no return outlives it', async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const colors = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const running = await startTurnout(t, colors);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const inSteps = { to: 'green', plan: 'all-at-once', bake: '1h', guard: 'off' };
  t.match(await admin.post('/v1/switch', inSteps), { status: 200 });
  const end = { on: true, reason: 'mails are out' };
  t.equal((await admin.post('/v1/rollouts/current/point-of-no-return', end)).status, 200);
  const barred = { status: 409, json: { code: 'point-of-no-return' } };
  t.match(await admin.post('/v1/rollback', {}), barred, 'while it bakes');
  const promoted = { reason: 'all is well' };
  t.equal((await admin.post('/v1/rollouts/current/promote', promoted)).status, 200);
  const told = { reason: 'mails are out', actor: 'loopback' };
  for (;;) {
    const { json } = await admin.get('/v1/status');
    const [service] = json['services'] as { pointOfNoReturn: unknown }[];
    if (service!.pointOfNoReturn === null) continue;
    t.match(service!.pointOfNoReturn, told);
    break;
  }
  t.match(await admin.post('/v1/rollback', {}), barred, 'and afterwards');
  t.match(await admin.post('/v1/point-of-no-return', { ...end, on: false }), { status: 200 });
  t.match(await admin.post('/v1/rollback', {}), { status: 200, json: { to: 'blue' } });
});
