// What operators have is there after an upgrade: audit log, tokens, answers, the listener for
// metrics, and what is known of the targets.

import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { startTurnout } from './turnout-process.ts';
import { openUpgradeScene, until } from './upgrade-scene.ts';

async function read(url: string): Promise<string> {
  const asked = request(url, { agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response) text += String(part);
  return text;
}

await t.test('an upgrade keeps what operators have', async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const colors = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const running = await startTurnout(t, [...colors, '--metrics', '127.0.0.1:0']);
  const ready = JSON.parse(running.lines.find((line) => line.includes('"msg":"ready"'))!) as {
    readonly metrics: string;
  };
  const admin = new AdminClient(running.admin);
  const key = { 'idempotency-key': 'before' };
  const before = await admin.post('/v1/switch', { to: 'green', reason: 'before' }, key);
  const made = await admin.post('/v1/tokens', { name: 'ci', role: 'switch' });
  const upgraded = await admin.post('/v1/upgrade', {}, { 'idempotency-key': 'upgrade' });
  const pid = Number(upgraded.json['pid']);
  t.teardown(() => process.kill(pid, 'SIGKILL'));
  t.equal(upgraded.status, 200, upgraded.text);
  admin.close();
  // Its output goes on, in the hands of the new process.
  if (running.process.exitCode === null) await once(running.process, 'exit');

  const after = new AdminClient(running.admin);
  t.teardown(() => after.close());
  const headers = { authorization: `Bearer ${String(made.json['token'])}` };
  const back = await after.post('/v1/switch', { to: 'blue', reason: 'after' }, headers);
  t.match(back, { status: 200, json: { to: 'blue' } }, 'the token is known');
  const again = await after.post('/v1/switch', { to: 'green', reason: 'before' }, key);
  t.strictSame(again.json, before.json, 'the answer is known');
  const { json } = await after.get('/v1/audit?verify=true');
  t.match(json['chain'], { state: /^ok$/ });
  const alarms = running.lines.filter((line) => /"level":"(warn|error)"/.test(line));
  t.strictSame(alarms, [], 'an upgrade that succeeds is no trouble');
  const entries = json['entries'] as readonly { action: string; actor: string; reason: string }[];
  t.same(
    entries.map(({ actor, action }) => `${actor} ${action}`),
    [
      'loopback POST /v1/switch',
      'ci POST /v1/switch',
      'turnout start',
      'loopback POST /v1/upgrade',
      'loopback POST /v1/tokens',
      'loopback POST /v1/switch',
      'turnout start',
    ],
  );
  const text = await read(`http://${ready.metrics}/metrics`);
  t.equal(
    seriesOf(text, 'turnout_generation'),
    3,
    'metrics are where they were, of the new process',
  );
});

/** A target that answers everything with 500. */
async function openSickApp(t: Test): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(500).end('sick'));
  t.teardown(() => server.close().closeAllConnections());
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

await t.test('the new process knows the targets before it has asked them', async (t) => {
  const sick = await openSickApp(t);
  // So rarely that the new process can have it from the old one alone.
  const checks = ['--health-interval', '60s', '--health-fall', '1'];
  const scene = await openUpgradeScene(t, checks);
  const { green } = scene;
  const told = { release: 'v2', targets: [sick, green.url] };
  t.equal((await scene.put('/v1/releases/green', told)).status, 200);
  await until(async () => {
    const text = JSON.stringify((await scene.get('/v1/status')).json);
    return text.includes('"health":"partly"') && !text.includes('"health":"unknown"');
  }, 'a verdict on each target');
  await scene.upgrade();
  const { status } = await scene.post('/v1/switch', { to: 'green', force: true, reason: 'now' });
  t.equal(status, 200);
  const answers = await Promise.all(Array.from({ length: 20 }, async () => scene.ask()));
  t.same(new Set(answers), new Set(['green']), 'nobody meets the target that is down');
  t.equal((await scene.post('/v1/rollback', { lockOut: false })).status, 200);
});
