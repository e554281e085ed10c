// A switch for versions that must never run side by side: nothing begins on the new color before
// the last thing on the old one has ended. Both targets note what they do by one clock.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { receiptOf } from '../support/hold-app.ts';
import { startHoldLoad } from '../support/hold-load.ts';
import {
  getOf,
  heldCount,
  openHoldScene,
  responseAt,
  type HoldScene,
} from '../support/hold-scene.ts';
import { valuesOf } from '../support/message.ts';
import type { RawPeer } from '../support/raw-peer.ts';

t.setTimeout(180_000);

const SWITCH = { to: 'green', hold: '30s' };

/** A WebSocket that talks all the time. */
async function openChat(t: Test, { port }: HoldScene, cookie = ''): Promise<WebSocket> {
  const headers = cookie === '' ? {} : { cookie };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers });
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  const timer = setInterval(() => socket.send('hello'), 10);
  socket.once('close', () => clearInterval(timer));
  await once(socket, 'message');
  return socket;
}

/** An event stream of which something has come. */
async function openEvents(scene: HoldScene): Promise<RawPeer> {
  const { peer } = await scene.send(getOf('/events'));
  await peer.until('first event', () => (peer.text.includes('data: 1\n\n') ? true : undefined));
  return peer;
}

async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, 'close')) as [number];
  return code;
}

/** Returns the cookie that a new client gets. */
async function newSession({ send }: HoldScene): Promise<string> {
  const response = await (await send(getOf('/login'))).response();
  const [cookie = ''] = valuesOf(response.fields, 'set-cookie');
  return cookie.slice(0, cookie.indexOf(';'));
}

await t.test(
  'long requests, tunnels and event streams end before the new version begins',
  async (t) => {
    const scene = await openHoldScene(t);
    const { change, journal, send, waiting } = scene;
    const cookie = await newSession(scene);
    const chats = await Promise.all([openChat(t, scene), openChat(t, scene, cookie)]);
    const codes = chats.map(closeCode);
    const streams = await Promise.all([openEvents(scene), openEvents(scene)]);
    const long = [];
    for (const ms of [500, 700, 1_000]) long.push(await send(getOf(`/take/${ms}`)));
    await journal.arrived('/take/1000', 1);

    const switched = change('/v1/switch', SWITCH);
    while ((await heldCount(scene.admin)) === -1);
    const held = [await send(getOf('/held-back')), await send(getOf('/mine', `Cookie: ${cookie}`))];
    await waiting(2);
    t.match((await switched).json, { from: 'blue', to: 'green', changed: true });

    for (const { response } of long)
      t.match((await response()).body, /^blue GET \/take/, 'is finished');
    for (const { response } of held)
      t.match((await response()).body, /^green/, 'sessions move over too');
    t.strictSame(await Promise.all(codes), [1_012, 1_012], 'WebSockets were told to come back');
    for (const stream of streams) {
      const whole = await responseAt(stream, { from: 0, method: 'GET' });
      t.match(whole.body, /^(?:data: \d+\n\n)+$/, 'event streams ended between two events');
    }
    const again = await send(getOf('/mine', `Cookie: ${cookie}`));
    t.match((await again.response()).body, /^green/);

    t.strictSame(journal.overlaps(), []);
    t.strictSame(journal.turns(), ['blue', 'green']);
    const { json } = await scene.admin.get('/v1/drain?wait=30s');
    t.match(json, { safeToStop: true, draining: [] }, 'blue may be stopped');
  },
);

await t.test('a stream whose head comes only while others wait is closed as well', async (t) => {
  const { admin, change, journal, port, send } = await openHoldScene(t);
  const stream = await send(getOf('/events/700'));
  await journal.arrived('/events/700', 1);
  const switched = change('/v1/switch', SWITCH);
  while ((await heldCount(admin)) === -1);
  const { response } = await send(getOf('/next'));
  t.match((await switched).json, { to: 'green' }, `on ${port}`);
  t.match((await response()).body, /^green/);
  await stream.response();
  t.strictSame(journal.overlaps(), []);
});

await t.test('when something does not end in time nothing is switched', async (t) => {
  const scene = await openHoldScene(t);
  const { admin, blue, change, journal, send, waiting } = scene;
  const stuck = await send(getOf('/held'));
  const chat = await openChat(t, scene);
  const code = closeCode(chat);
  await journal.arrived('/held', 1);
  const refused = admin.post('/v1/switch', { to: 'green', hold: '5s' });
  while ((await heldCount(admin)) === -1);
  const held = [await send(getOf('/a')), await send(getOf('/b'))];
  await waiting(2);
  const answer = await refused;
  t.match(answer, { status: 409, json: { code: 'hold-timeout', requests: 1, tunnels: 0 } });
  t.match(
    answer.json['detail'],
    /^1 request \(GET \/held of 127.0.0.1 for .*\) did not end in time/,
  );
  for (const { response } of held) t.match((await response()).body, /^blue/, 'who waited goes on');
  t.equal(await code, 1_012, 'what could be closed was closed');
  t.match((await (await send(getOf('/c'))).response()).body, /^blue/);
  t.equal(await heldCount(admin), -1);
  const { json } = await admin.get('/v1/status');
  t.match(json['services'], [{ active: 'blue', draining: [] }]);
  blue.release();
  t.equal((await stuck.response()).body, 'blue', 'the request itself was not touched');
  t.strictSame(journal.turns(), ['blue']);

  // Nothing of the first try is left in the way of the second.
  const events = await openEvents(scene);
  t.match((await change('/v1/switch', SWITCH)).json, { to: 'green', changed: true });
  await responseAt(events, { from: 0, method: 'GET' });
  t.match((await (await send(getOf('/d'))).response()).body, /^green/);
  t.strictSame(journal.overlaps(), []);
});

await t.test('who waits since a hold of before waits until the switch', async (t) => {
  const { admin, blue, change, journal, send, waiting } = await openHoldScene(t);
  const running = await send(getOf('/held'));
  await journal.arrived('/held', 1);
  await change('/v1/hold', { for: '5s' });
  const { response } = await send(getOf('/a'));
  await waiting(1);
  const switched = change('/v1/switch', SWITCH);
  // The time of the first hold goes by while something still runs.
  await sleep(6_000);
  t.equal(await heldCount(admin), 1);
  blue.release();
  t.match((await switched).json, { to: 'green' });
  t.equal((await response()).body, receiptOf('green', 'GET', '/a'));
  await running.response();
  t.strictSame(journal.overlaps(), []);
});

await t.test('fifty such switches under load fail nobody and never overlap', async (t) => {
  const scene = await openHoldScene(t, ['--workers', '2']);
  const load = await startHoldLoad(t, {
    port: scene.port,
    admin: scene.running.admin,
    ratePerSecond: 400,
    connectionsMax: 40,
  });
  const times = 50;
  const tookMs: number[] = [];
  for (let time = 0; time < times; time++) {
    // Something longer runs on the color that is left.
    const { peer } = await scene.send(getOf(`/take/30?${time}`));
    await scene.journal.arrived(`/take/30?${time}`, 1);
    const { status, text } = await load.call('/v1/switch', { hold: '30s' });
    if (status !== 200) t.fail(text);
    tookMs.push((JSON.parse(text) as { readonly tookMs: number }).tookMs);
    await responseAt(peer, { from: 0, method: 'GET' });
  }
  const verdict = await load.finish();
  const sorted = tookMs.toSorted((a, b) => a - b);
  t.comment(
    `${verdict.notes.length} requests, ${verdict.answeredPerSecond.toFixed(0)} a second; ` +
      `a switch took ${sorted[times / 2]?.toFixed(0)} ms, at most ${sorted.at(-1)?.toFixed(0)}`,
  );
  t.strictSame(verdict.failures, {}, 'no request failed');
  const answered = verdict.notes.map(({ path }) => path);
  const arrived = scene.journal.activities.map(({ path }) => path);
  t.strictSame(
    arrived.filter((path) => path.startsWith('/n/')).toSorted(),
    answered.toSorted(),
    'each reached a target once and was answered once',
  );
  t.strictSame(scene.journal.overlaps(), [], 'the colors never worked at the same time');
  t.equal(scene.journal.turns().length, times + 1, 'and took turns');
});
