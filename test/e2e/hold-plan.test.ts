// A hold has a plan for its end: slow clients do not keep it, operators are heard at once, and what
// still runs is told. Several cases are what users of other systems ran into: a pause that never
// answers after a resume, idle connections that keep it waiting, a resume that a stop refuses.

import { setInterval as every } from 'node:timers';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { receiptOf } from '../support/hold-app.ts';
import {
  getOf,
  heldCount,
  openHoldScene,
  responseAt,
  type HoldScene,
} from '../support/hold-scene.ts';
import { statusOf, valuesOf } from '../support/message.ts';
import { connectRaw, type RawPeer } from '../support/raw-peer.ts';
import { settledMetrics } from '../support/settled-metrics.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(180_000);

/** An upload that sends one byte each `everyMs`, and would take for ever. */
async function slowUpload(t: Test, scene: HoldScene, everyMs = 200): Promise<RawPeer> {
  const { peer } = await scene.send(
    'POST /slow?secret=1 HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\nx',
  );
  const timer = every(() => peer.socket.write('x'), everyMs);
  t.teardown(() => clearInterval(timer));
  peer.socket.on('close', () => clearInterval(timer));
  await scene.journal.arrived('/slow?secret=1', 1);
  return peer;
}

async function isHeld({ admin }: HoldScene): Promise<void> {
  while ((await heldCount(admin)) === -1);
}

async function tooSlowCount({ admin }: HoldScene): Promise<number> {
  const text = await settledMetrics(admin);
  const labels = '{code="408",failure="CLIENT_TOO_SLOW"}';
  return seriesOf(text, `turnout_rejected_total${labels}`) ?? 0;
}

await t.test('a client that sends a byte now and then does not keep a switch', async (t) => {
  const scene = await openHoldScene(t);
  const upload = await slowUpload(t, scene);
  const switched = scene.change('/v1/switch', { to: 'green', hold: '4s' });
  await isHeld(scene);
  const { response } = await scene.send(getOf('/held-back'));
  const { json } = await switched;
  t.match(json, { to: 'green', changed: true });
  t.ok(Number(json['tookMs']) < 4_000, 'at half of the time');
  t.match((await response()).body, /^green/);
  const cut = await responseAt(upload, { from: 0, method: 'POST' });
  t.equal(statusOf(cut.start), 408);
  t.strictSame(valuesOf(cut.fields, 'x-turnout-failure'), ['CLIENT_TOO_SLOW']);
  t.equal(await tooSlowCount(scene), 1);
  await scene.running.line((line) => line.includes('1 request was cut for a hold'));
  t.strictSame(scene.journal.overlaps(), []);
});

await t.test('an upload that gets on is waited for', async (t) => {
  const scene = await openHoldScene(t);
  const { peer } = await scene.send(
    'POST /w HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 300000\r\n\r\n',
  );
  // A tenth of it each time: it would end in time.
  let sent = 0;
  const timer = every(() => {
    peer.socket.write('x'.repeat(30_000));
    if (++sent === 10) clearInterval(timer);
  }, 400);
  t.teardown(() => clearInterval(timer));
  await scene.journal.arrived('/w', 1);
  const { json } = await scene.change('/v1/switch', { to: 'green', hold: '8s' });
  t.match(json, { to: 'green', changed: true });
  t.equal(statusOf((await responseAt(peer, { from: 0, method: 'POST' })).start), 200);
  t.equal(await tooSlowCount(scene), 0);
});

await t.test('a request whose target has the word is not cut, but named', async (t) => {
  const scene = await openHoldScene(t);
  const { admin, blue, journal, send } = scene;
  const poll = await send(getOf('/held'));
  await journal.arrived('/held', 1);
  const refused = admin.post('/v1/switch', { to: 'green', hold: '3s' });
  await isHeld(scene);
  const left = { client: '127.0.0.1', method: 'GET', path: '/held', waitsFor: 'target' };
  for (;;) {
    const { json } = await admin.get('/v1/status');
    const [service] = json['services'] as { held: { waitsFor: { left: object[] } } }[];
    if (service!.held.waitsFor.left.length === 0) continue;
    t.match(service!.held.waitsFor, { what: /^switch by /, until: /Z$/, left: [left] });
    break;
  }
  t.match(await refused, { status: 409, json: { code: 'hold-timeout', left: [left] } });
  blue.release();
  t.equal((await poll.response()).body, 'blue');
  t.equal(await tooSlowCount(scene), 0);
});

await t.test('a stop does not wait for a switch that holds', async (t) => {
  const scene = await openHoldScene(t, ['--stop-deadline', '2s']);
  const { admin, blue, journal, running, send, waiting } = scene;
  const poll = await send(getOf('/held'));
  await journal.arrived('/held', 1);
  const switching = admin.post('/v1/switch', { to: 'green', hold: '60s' });
  await isHeld(scene);
  const held = await send(getOf('/a'));
  await waiting(1);
  running.process.kill('SIGTERM');
  t.match(await switching, { status: 409, json: { code: 'called-off' } });
  t.equal((await held.response()).body, receiptOf('blue', 'GET', '/a'), 'what waited goes on');
  blue.release();
  t.equal((await poll.response()).body, 'blue');
  t.equal(await running.ended, 0);
});

await t.test('a wait for quiet is answered when another call ends the hold', async (t) => {
  const scene = await openHoldScene(t);
  const { admin, blue, change, journal, send } = scene;
  const running = await send(getOf('/held'));
  await journal.arrived('/held', 1);
  const waits = admin.post('/v1/hold', { for: '60s', wait: '600s' });
  await isHeld(scene);
  await change('/v1/resume', {});
  t.match(await waits, { status: 200, json: { isOn: false, running: { requests: 1 } } });
  blue.release();
  await running.response();
});

await t.test('it is answered when the last has ended, and idle connections are none', async (t) => {
  const scene = await openHoldScene(t);
  const { admin, blue, journal, send } = scene;
  const idle = await send(getOf('/idle'));
  await idle.response();
  const running = await send(getOf('/held'));
  await journal.arrived('/held', 1);
  const waits = admin.post('/v1/hold', { for: '60s', wait: '600s' });
  await isHeld(scene);
  const late = await send(getOf('/late'));
  idle.peer.send(getOf('/next'));
  await scene.waiting(2);
  blue.release();
  t.match(await waits, { status: 200, json: { isOn: true, running: { requests: 0 } } });
  t.equal(journal.at('/late').length + journal.at('/next').length, 0, 'nothing came through');
  await running.response();
  await scene.change('/v1/resume', {});
  t.match((await late.response()).body, /^blue/);
});

await t.test('with "close" tunnels and uploads are gone by the time of the answer', async (t) => {
  for (const path of ['/v1/hold', '/v1/maintenance'] as const) {
    const scene = await openHoldScene(t);
    const upload = await slowUpload(t, scene);
    const { peer: events } = await scene.send(getOf('/events'));
    await events.until('an event', () => (events.text.includes('data: 1') ? true : undefined));
    const gate = path === '/v1/hold' ? { for: '30s' } : { on: true };
    const { json } = await scene.change(path, { ...gate, wait: '20s', close: true });
    t.match(json, { isOn: true, running: { requests: 0, tunnels: 0, streams: 0 } }, path);
    const before = scene.journal.activities.length;
    const closed = await responseAt(upload, { from: 0, method: 'POST' });
    t.strictSame(valuesOf(closed.fields, 'x-turnout-failure'), ['CLOSED_BY_HOLD']);
    await events.until('its end', () => (events.text.endsWith('0\r\n\r\n') ? true : undefined));
    t.equal(scene.journal.activities.length, before, 'nothing writes any more');
  }
});

await t.test('a resume is heard while the process stops, and lets what waits go', async (t) => {
  const scene = await openHoldScene(t, ['--stop-deadline', '20s']);
  const { admin, change, running, send, waiting } = scene;
  await change('/v1/hold', { for: '60s' });
  const { response } = await send(getOf('/a'));
  await waiting(1);
  running.process.kill('SIGTERM');
  while ((await admin.get('/readyz')).status !== 503);
  t.match(await admin.post('/v1/switch', { to: 'green' }), { json: { code: 'stopping' } });
  t.match(await change('/v1/resume', {}), { json: { changed: true } });
  t.equal((await response()).body, receiptOf('blue', 'GET', '/a'));
  t.equal(await running.ended, 0);
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  await t.test(
    `the hold of an operator outlives ${signal}, that of a switch does not`,
    async (t) => {
      const state = ['--state', temporaryDirectory(t), '--stop-deadline', '1s'];
      const first = await openHoldScene(t, state);
      const { json } = await first.change('/v1/hold', { for: '60s', reason: 'migration' });
      const { until } = json as { readonly until: string };
      t.ok(Date.parse(until) > Date.now(), 'the answer says when it ends at the latest');
      const poll = await first.send('GET /held HTTP/1.1\r\nHost: shop.test\r\n\r\n');
      await first.waiting(1);
      first.running.process.kill(signal);
      await first.running.ended;
      poll.peer.socket.destroy();
      const targets = ['--blue', first.blue.url, '--green', first.green.url];
      const second = await startTurnout(t, [...targets, ...state]);
      const admin = new AdminClient(second.admin);
      t.teardown(() => admin.close());
      const peer = await connectRaw(Number(second.proxy.split(':')[1]));
      t.teardown(() => peer.socket.destroy());
      peer.send(getOf('/a'));
      while ((await heldCount(admin)) !== 1);
      t.equal(first.journal.activities.length, 0, 'no request reached a target');
      await admin.post('/v1/resume', {});
      t.match((await responseAt(peer, { from: 0, method: 'GET' })).body, /^blue/);

      peer.send(getOf('/held'));
      await first.journal.arrived('/held', 1);
      const switching = admin.post('/v1/switch', {
        to: 'green',
        hold: '60s',
        force: true,
        reason: 'x',
      });
      switching.catch(() => {});
      while ((await heldCount(admin)) === -1);
      second.process.kill('SIGKILL');
      await second.ended;
      const third = await startTurnout(t, [...targets, ...state]);
      const next = await connectRaw(Number(third.proxy.split(':')[1]));
      t.teardown(() => next.socket.destroy());
      next.send(getOf('/b'));
      t.match(
        (await responseAt(next, { from: 0, method: 'GET' })).body,
        /^blue/,
        'nothing holds it',
      );
    },
  );
}
