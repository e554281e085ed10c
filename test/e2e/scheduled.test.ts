// Switches that are ordered for later, of a real process: made when they are due, by the process that
// runs then, or told why not.

import { join } from 'node:path';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { openStream } from '../support/event-stream-reader.ts';
import { startAsGiven, startTurnout, temporaryDirectory, turnout } from './turnout-process.ts';
import { openUpgradeScene } from './upgrade-scene.ts';

t.setTimeout(120_000);

const PRELOAD = new URL('../support/moved-clock.ts', import.meta.url).href;
const MINUTE_MS = 60_000;

function later(ms: number): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${PRELOAD}`, MOVE_CLOCK_BY_MS: String(ms) };
}

await t.test('orders outlive kill -9, and are made within their grace only', async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const dir = temporaryDirectory(t);
  const socket = `unix:${join(dir, 'admin.sock')}`;
  const listen = ['--listen', '127.0.0.1:0', '--admin', socket, '--workers', '1'];
  const colors = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const args = [...listen, ...colors, '--state', join(dir, 'state')];
  const ask = async (...words: readonly string[]) => turnout(words, { TURNOUT_ADMIN: socket });
  const start = async (ms: number) => startAsGiven(t, args, later(ms));

  const first = await start(0);
  t.match(await ask('switch', 'green', '--in', '100ms', '--reason', 'soon'), { code: 0 });
  await first.line((line) => line.includes('s-1 was carried out as ordered'));
  t.match((await ask('history')).out, 's-1: soon');

  const ordered = await ask('switch', 'blue', '--in', '2h');
  t.match(ordered, { code: 0, out: /^s-2: default .*deployment 1\) becomes active at/ });
  t.match(await ask('switch', 'blue', '--in', '5h'), { code: 0 });
  const usage = await ask('switch', 'blue', '--at', '25:00');
  t.match(usage, { code: 64, err: /--at: expected a time/ });
  t.match(await ask('switch', 'blue', '--at', '2020-01-01T00:00Z'), { code: 2 });
  t.match(await ask('switch', 'v9', '--in', '1h'), { code: 2, err: /deployment-unknown|keeps no/ });
  t.match((await ask('scheduled')).out, /s-2 .*in [12] h/);

  first.process.kill('SIGKILL');
  await first.ended;
  const second = await start(122 * MINUTE_MS);
  await second.line((line) => line.includes('s-2 was carried out as ordered'));
  t.match(JSON.parse((await ask('status', '--json')).out), { services: [{ active: 'blue' }] });

  second.process.kill('SIGKILL');
  await second.ended;
  const third = await start(306 * MINUTE_MS);
  const told = await third.line((line) => line.includes('s-3 WAS NOT CARRIED OUT'));
  t.match(told, 'its grace was 5m');
  t.match(JSON.parse((await ask('scheduled', '--json')).out), {
    pending: [],
    over: [{ id: 's-3', end: { outcome: 'expired', code: 'scheduled-late' } }, { id: 's-2' }],
  });
});

await t.test(
  'a key orders once, a revoked token may do nothing, and what makes no sense is refused',
  async (t) => {
    const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
    const colors = ['--blue', blue.url, '--green', green.url];
    const running = await startTurnout(t, [...colors, '--health-kind', 'none']);
    const admin = new AdminClient(running.admin);
    t.teardown(() => admin.close());
    const made = await admin.post('/v1/tokens', { name: 'ci', role: 'switch' });
    const bearer = { authorization: `Bearer ${String(made.json['token'])}` };
    const order = { to: 'green', in: '1h', grace: '1m', reason: 'build 7' };
    const key = { ...bearer, 'idempotency-key': 'one-order' };
    const ordered = await admin.post('/v1/switch', order, key);
    t.match(ordered, { status: 202, json: { scheduled: { id: 's-1', actor: 'ci' } } });
    const again = await admin.post('/v1/switch', order, key);
    t.equal(again.text, ordered.text, 'a repeated call orders nothing more');
    for (const body of [
      { to: 'green', at: '2026-02-30T00:00Z' },
      { to: 'green', at: '2026-12-01T03:00' },
      { to: 'green', at: 3 },
      { to: 'green', in: '1h', at: '2099-12-01T03:00Z' },
      { to: 'green', in: '-1h' },
      { to: 'green', grace: '1m' },
      { to: 'green', in: '1h', grace: '2d' },
    ]) {
      t.match(await admin.post('/v1/switch', body), { status: 400 }, JSON.stringify(body));
    }
    const hostile = `/v1/scheduled/${encodeURIComponent('s-1/../../x')}/cancel`;
    t.equal((await admin.post(hostile, {})).status, 404);
    t.equal((await admin.post('/v1/tokens/revoke', { id: 'ci' })).status, 200);
    t.equal((await admin.post('/v1/scheduled/s-1/cancel', {}, bearer)).status, 401);
    t.match(await admin.post('/v1/switch', { to: 'green', in: '50ms', force: true, reason: 'x' }), {
      status: 202,
    });
    await running.line((line) => line.includes('s-2 was carried out'));
    t.match(await admin.post('/v1/scheduled/s-1/cancel', { reason: 'no' }), { status: 200 });
    t.match(await admin.post('/v1/scheduled/s-1/cancel', { reason: 'no' }), {
      status: 409,
      json: { code: 'scheduled-over' },
    });
  },
);

await t.test('an order with a plan is carried out as a rollout, across an upgrade', async (t) => {
  const scene = await openUpgradeScene(t, ['--health-kind', 'none']);
  const order = { to: 'green', in: '1h', plan: '10%:pause', guard: 'off', reason: 'build 8' };
  t.match(await scene.post('/v1/switch', { ...order, in: '2h' }), { status: 202 });
  t.match(await scene.post('/v1/switch', { ...order, in: '4s' }), { status: 202 });
  await scene.upgrade();
  const [host = '', port] = scene.running.admin.split(':');
  const reader = await openStream({ kind: 'tcp', host, port: Number(port) });
  t.teardown(() => reader.close());
  const orders = async () => (await scene.get('/v1/scheduled')).json;
  const { over } = (await orders()) as { over: readonly object[] };
  if (over.length === 0) await reader.until('event', ({ event }) => event === 'scheduled.done');
  t.match(await orders(), {
    over: [{ id: 's-2', plan: '10%:pause', end: { outcome: 'done' } }],
    pending: [{ id: 's-1' }],
  });
  const { json } = await scene.get('/v1/rollouts/current');
  t.match(json, { stage: 'shifting', share: { wanted: 10 }, services: [{ service: 'default' }] });
});
