// Scaling under steady load, and over a kill and an upgrade: no request fails, nothing is forgotten.

import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { Load } from '../support/load.ts';
import { openUpgradeScene } from './upgrade-scene.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

/** A longer run: `TURNOUT_SCALINGS=500`. */
const SCALINGS = Number(process.env['TURNOUT_SCALINGS'] ?? '40');
const CONNECTIONS = 24;

t.setTimeout(240_000);

for (const workers of [1, 2]) {
  await t.test(`${SCALINGS} scalings under load, workers: ${workers}`, async (t) => {
    const apps = await Promise.all([1, 2, 3].map(async () => openColoredApp(t, 'blue')));
    const urls = apps.map(({ url }) => url);
    const health = ['--health-interval', '100ms', '--health-rise', '1'];
    const flags = ['--blue', urls[0]!, '--blue-release', 'v1', '--affinity-mode', 'off', ...health];
    const running = await startTurnout(t, [...flags, '--workers', String(workers)]);
    const admin = new AdminClient(running.admin);
    t.teardown(() => admin.close());
    const port = Number(running.proxy.split(':')[1]);
    const load = new Load({ port, connections: CONNECTIONS, probes: 4, reopens: true });
    t.teardown(() => load.close());
    await load.start();
    const served = apps.map(({ requestCount }) => requestCount);
    // From one to three of them, and one always stays.
    const sets = [[0, 1], [1], [1, 2, 0], [2], [2, 0], [0]];
    for (let count = 0; count < SCALINGS; count++) {
      const targets = sets[count % sets.length]!.map((index) => urls[index]!);
      const { status, text } = await admin.put('/v1/deployments/1/targets', { targets });
      if (status !== 200) t.fail(text);
      const gone = apps.filter(({ url }) => !targets.includes(url));
      // What was sent before the answer may go there still.
      await load.settle();
      const before = gone.map(({ requestCount }) => requestCount);
      await load.probe();
      t.strictSame(
        gone.map(({ requestCount }) => requestCount),
        before,
        'no request comes to what leaves',
      );
    }
    await load.rest();
    t.strictSame([...load.failures], [], `${load.notes.length} answers`);
    t.equal(load.closedIdleCount, 0, 'no client has to open another connection');
    t.ok(load.notes.length > SCALINGS * CONNECTIONS);
    t.ok(
      apps.every(({ requestCount }, index) => requestCount > served[index]!, 'each had its share'),
    );
    await admin.get('/v1/drain?wait=20s');
    t.match((await admin.get('/v1/drain')).json, { safeToStop: true, draining: { length: 0 } });
  });
}

await t.test('a killed process comes back with the targets that it was given', async (t) => {
  const apps = await Promise.all([1, 2].map(async () => openColoredApp(t, 'blue')));
  const [first, second] = apps.map(({ url }) => url);
  const flags = ['--blue', first!, '--blue-release', 'v1', '--state', temporaryDirectory(t)];
  const running = await startTurnout(t, flags);
  const admin = new AdminClient(running.admin);
  const put = async (...targets: string[]) => admin.put('/v1/deployments/1/targets', { targets });
  t.equal((await put(first!, second!)).status, 200);
  const held = fetch(`http://${running.proxy}/held`).then(async (answer) => answer.text());
  held.catch(() => {}); // It dies with the process.
  t.equal((await put(second!)).status, 200);
  admin.close();
  running.process.kill('SIGKILL');
  await running.ended;
  const again = await startTurnout(t, flags);
  const later = new AdminClient(again.admin);
  t.teardown(() => later.close());
  await later.get('/v1/drain?wait=20s');
  t.match((await later.get('/v1/drain')).json, {
    draining: { length: 0 },
    ended: [{ scope: 'targets', deployment: 1, targets: [first], how: 'drained' }],
  });
  t.match((await later.get('/v1/status')).json, {
    services: [{ blue: { deployment: 1, targets: [{ url: second }] } }],
  });
});

await t.test('an upgrade goes on with what leaves', async (t) => {
  const scene = await openUpgradeScene(t);
  const { blue, green, running } = scene;
  const path = '/v1/deployments/1/targets';
  t.match(await scene.put(path, { targets: [blue.url, green.url] }), { status: 200 });
  // One of the two takes it: the other one is let go.
  const asked = [1, 2, 3, 4, 5, 6].map(async () => {
    const answer = await fetch(`http://${running.proxy}/held`);
    return answer.text();
  });
  await blue.arrived('/held', 1);
  t.match(await scene.put(path, { targets: [green.url] }), { status: 200 });
  green.release();
  await scene.upgrade();
  t.match(await scene.get('/v1/drain'), {
    json: {
      draining: [{ scope: 'targets', targets: [blue.url], safeToStop: false }],
    },
  });
  blue.release();
  green.release();
  const texts = await Promise.all(asked);
  t.ok(texts.includes('blue'), 'it has ended whole');
  await scene.get('/v1/drain?wait=20s');
  t.match(await scene.get('/v1/drain'), { json: { draining: { length: 0 } } });
});
