// What an operator is told: races, refusals, force and the way back, on a real process.

import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp, type ColoredApp } from '../support/colored-app.ts';
import { startTurnout, type Running } from './turnout-process.ts';

interface Scene {
  readonly blue: ColoredApp;
  readonly green: ColoredApp;
  readonly running: Running;
  readonly admin: AdminClient;
}

async function open(t: Test, ...args: readonly string[]): Promise<Scene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const targets = ['--blue', blue.url, '--green', green.url, '--green-release', 'v2'];
  const running = await startTurnout(t, [...targets, ...args]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return { blue, green, running, admin };
}

async function body(running: Running): Promise<string> {
  return await (await fetch(`http://${running.proxy}/`)).text();
}

await t.test('of two switches that expect the same generation one wins', async (t) => {
  const { admin, running } = await open(t, '--health-kind', 'none');
  // A session on the first color, so that no end of a drain makes a generation between the switches.
  await body(running);
  for (let generation = 1; generation <= 20; generation++) {
    const expected = { 'if-match': `"${generation}"` };
    const answers = await Promise.all(
      [1, 2].map(async (reason) => admin.post('/v1/switch', { reason: `${reason}` }, expected)),
    );
    const [won, lost] = answers.toSorted((a, b) => a.status - b.status);
    t.match(won, { status: 200, json: { generation: generation + 1, changed: true } });
    t.match(lost, { status: 412, json: { code: 'generation-mismatch' } });
    t.equal(lost?.json['generation'], generation + 1, 'the loser is told what holds now');
    t.equal(await body(running), won?.json['to']);
  }
  const { json } = await admin.get('/v1/history');
  t.equal((json['switches'] as unknown[]).length, 20, 'the losers left no trace');
});

await t.test('a color that is down is refused, forced, and left again', async (t) => {
  const often = ['--health-interval', '100ms', '--health-fall', '2'];
  const { admin, running, blue, green } = await open(t, ...often);
  await running.line((line) => line.includes(`blue ${blue.url} is up`));
  await running.line((line) => line.includes(`green ${green.url} is up`));
  await green.close();
  await running.line((line) => line.includes(`green ${green.url} is down`));

  const refused = await admin.post('/v1/switch', { to: 'green' });
  t.match(refused, { status: 409, json: { code: 'target-unhealthy' } });
  t.match(refused.json['detail'], `${green.url} is down (connection refused)`);
  t.equal(await body(running), 'blue', 'nothing has changed');

  const silent = await admin.post('/v1/switch', { to: 'green', force: true });
  t.match(silent, { status: 400, json: { code: 'reason-required' } });
  t.equal(await body(running), 'blue');

  const metrics = await admin.get('/metrics');
  t.match(
    metrics.text,
    /^turnout_switches_total\{(?=[^}]*outcome="refused")(?=[^}]*to="green")[^}]*\} 2$/m,
  );

  const drill = { to: 'green', force: true, reason: 'fire drill' };
  t.match(await admin.post('/v1/switch', drill), {
    status: 200,
    json: { from: 'blue', to: 'green', generation: 2, release: 'v2', changed: true },
  });
  const broken = await fetch(`http://${running.proxy}/`);
  t.equal(broken.status, 502);
  t.match(await broken.text(), 'CONNECT_FAILED');

  t.match(await admin.post('/v1/rollback', { reason: 'drill is over' }), {
    status: 200,
    json: { from: 'green', to: 'blue', generation: 3 },
  });
  t.equal(await body(running), 'blue');
  const again = await admin.post('/v1/rollback', {});
  t.match(again, { status: 409, json: { code: 'nothing-to-roll-back-to' } });

  const { json } = await admin.get('/v1/history');
  t.match(json['switches'], [
    { generation: 3, to: 'blue', outcome: 'rolled-back', forced: false, reason: 'drill is over' },
    { generation: 2, to: 'green', outcome: 'switched', forced: true, reason: 'fire drill' },
  ]);
  t.equal((json['switches'] as unknown[]).length, 2, 'a refusal is no change');
});

await t.test('a target that nobody has asked yet is not trusted', async (t) => {
  const { admin, running } = await open(t, '--health-interval', '5m', '--health-path', '/hang');
  const refused = await admin.post('/v1/switch', { to: 'green' });
  t.match(refused, { status: 409, json: { code: 'target-unhealthy' } });
  t.match(refused.json['detail'], 'is not checked yet');
  t.equal(await body(running), 'blue', 'the active color serves all the same');
});
