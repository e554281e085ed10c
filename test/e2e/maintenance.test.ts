// Maintenance as everybody sees it: people, programs, load balancers, operators. It lasts until
// somebody ends it, whatever happens to the process.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { Journal, openJournalApp, receiptOf } from '../support/hold-app.ts';
import {
  getOf,
  openHoldScene,
  responsesOf,
  responseAt,
  type HoldScene,
} from '../support/hold-scene.ts';
import { statusOf, valuesOf, type Message } from '../support/message.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { settledMetrics } from '../support/settled-metrics.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(180_000);

const BROWSER = 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const CURL = 'Accept: */*';

function isMaintenance(response: Message | undefined): boolean {
  if (response === undefined) return false;
  const [failure] = valuesOf(response.fields, 'x-turnout-failure');
  return statusOf(response.start) === 503 && failure === 'MAINTENANCE';
}

async function isShut({ send }: HoldScene): Promise<boolean> {
  return isMaintenance(await (await send(getOf('/'))).response());
}

/** Returns field lines but for the id, which no two requests share. */
function saidOf(fields: readonly string[] = []): string[] {
  return fields.filter((line) => !line.startsWith('x-request-id: '));
}

await t.test('people get a page, programs a line, and both hear when to come back', async (t) => {
  const { change, connect, journal, send } = await openHoldScene(t);
  const message = 'Back at 6 <b>sharp</b> & "well"';
  t.match((await change('/v1/maintenance', { on: true, message, retryAfter: '90s' })).json, {
    changed: true,
  });
  const person = await connect();
  person.send(getOf('/shop', BROWSER) + getOf('/again', BROWSER));
  const [page, again] = await responsesOf(person, 2);
  t.ok(isMaintenance(page));
  t.strictSame(valuesOf(page!.fields, 'content-type'), ['text/html; charset=utf-8']);
  t.strictSame(valuesOf(page!.fields, 'retry-after'), ['90']);
  t.strictSame(valuesOf(page!.fields, 'cache-control'), ['no-store']);
  t.strictSame(valuesOf(page!.fields, 'connection'), [], 'the connection stays open');
  t.strictSame(valuesOf(page!.fields, 'set-cookie'), [], 'nobody gets a session');
  t.match(page?.body, /^<!doctype html>/);
  t.match(page?.body, 'Back at 6 &lt;b&gt;sharp&lt;/b&gt; &amp; &quot;well&quot;');
  t.equal(again?.body, page?.body);

  const head = await send(`HEAD /shop HTTP/1.1\r\nHost: shop.test\r\n${BROWSER}\r\n\r\n`);
  const bodiless = await head.response();
  t.ok(isMaintenance(bodiless));
  t.strictSame(saidOf(bodiless.fields), saidOf(page?.fields), 'HEAD says what GET would');
  t.equal(bodiless.end, head.peer.text.length, 'and no more');

  const program = await (await send(getOf('/api', CURL))).response();
  t.ok(isMaintenance(program));
  t.strictSame(valuesOf(program.fields, 'content-type'), ['text/plain; charset=utf-8']);
  t.strictSame(valuesOf(program.fields, 'retry-after'), ['90']);
  t.equal(program.body, `503 MAINTENANCE: ${message}\n`);
  t.equal(journal.activities.length, 0, 'no target heard of anybody');
});

await t.test('without a message both get the usual one', async (t) => {
  const { change, send } = await openHoldScene(t);
  await change('/v1/maintenance', { on: true });
  const page = await (await send(getOf('/', BROWSER))).response();
  t.match(page.body, 'the service is in maintenance');
  t.strictSame(valuesOf(page.fields, 'retry-after'), ['60']);
  const line = await (await send(getOf('/', CURL))).response();
  t.equal(line.body, '503 MAINTENANCE: the service is in maintenance\n');
});

await t.test('a body that nobody wants closes the connection, and only that', async (t) => {
  const { change, connect, journal } = await openHoldScene(t);
  await change('/v1/maintenance', { on: true });
  const large = 'b'.repeat(900_000);
  const bodies = [
    { name: 'a small body', text: 'Content-Length: 2\r\n\r\nhi' },
    { name: 'a large body', text: `Content-Length: ${large.length}\r\n\r\n${large}` },
    { name: 'chunks', text: 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n' },
    { name: 'a body that is still to come', text: 'Content-Length: 9\r\n\r\n' },
    {
      name: 'a client that asks first',
      text: 'Content-Length: 9\r\nExpect: 100-continue\r\n\r\n',
    },
  ];
  for (const { name, text } of bodies) {
    const peer = await connect();
    peer.send(`POST /w HTTP/1.1\r\nHost: shop.test\r\n${text}`);
    const response = await responseAt(peer, { from: 0, method: 'POST' });
    t.ok(isMaintenance(response), `${name} is answered`);
    t.strictSame(valuesOf(response.fields, 'connection'), ['close'], 'and told of the close');
    t.equal(await peer.watch(() => peer.ending), 'end', 'which is a clean one');
    t.equal(peer.text.length, response.end, 'and nothing comes behind');
  }
  const kept = await connect();
  kept.send('POST /w HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n');
  const empty = await responseAt(kept, { from: 0, method: 'POST' });
  t.strictSame(valuesOf(empty.fields, 'connection'), [], 'without a body it stays open');
  await change('/v1/maintenance', { on: false });
  kept.send(getOf('/open'));
  const open = await responseAt(kept, { from: empty.end, method: 'GET' });
  t.equal(open.body, receiptOf('blue', 'GET', '/open'), 'for what comes after it');
  t.equal(journal.activities.length, 1);
});

await t.test('health checks pass, and what had begun is finished', async (t) => {
  const scene = await openHoldScene(t);
  const { blue, change, connect, journal, send } = scene;
  const begun = await send(getOf('/held'));
  await journal.arrived('/held', 1);
  await change('/v1/maintenance', { on: true });
  const probe = await connect();
  probe.send(getOf('/healthz') + getOf('/healthz') + getOf('/healthzz'));
  const [first, second, other] = await responsesOf(probe, 3);
  t.equal(statusOf(first!.start), 200);
  t.equal(statusOf(second!.start), 200);
  t.ok(isMaintenance(other), 'another path is no health check');
  const posted = await send('POST /healthz HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  t.ok(isMaintenance(await posted.response()), 'nor is another method');
  blue.release();
  t.equal((await begun.response()).body, 'blue');
});

await t.test('operators see it, and it ends when they say so', async (t) => {
  const scene = await openHoldScene(t);
  const { admin, change } = scene;
  const look = async (): Promise<unknown> => {
    const [service] = (await admin.get('/v1/status')).json['services'] as {
      readonly maintenance: unknown;
    }[];
    return service?.maintenance;
  };
  const gauge = async (): Promise<number | undefined> =>
    seriesOf((await admin.get('/metrics')).text, 'turnout_maintenance{service="default"}');
  t.equal(await look(), null);
  t.equal(await gauge(), 0);
  await change('/v1/maintenance', { on: true, message: 'new disks', retryAfter: '10m' });
  t.match(await look(), { message: 'new disks', retryAfterSeconds: 600 });
  t.equal(await gauge(), 1);
  t.ok(await isShut(scene));
  t.ok(await isShut(scene));
  const rejected = 'turnout_rejected_total{code="503",failure="MAINTENANCE"}';
  t.equal(seriesOf(await settledMetrics(admin), rejected), 2);
  const same = { on: true, message: 'new disks', retryAfter: '10m' };
  t.match((await change('/v1/maintenance', same)).json, { changed: false });
  await change('/v1/switch', { to: 'green' });
  t.ok(await isShut(scene), 'a switch does not end it');
  t.match((await change('/v1/maintenance', { on: false })).json, { changed: true });
  t.equal(await look(), null);
  t.equal(await gauge(), 0);
  t.match((await (await scene.send(getOf('/'))).response()).body, /^green/);
});

await t.test('who waits when maintenance begins hears of it after the hold', async (t) => {
  const scene = await openHoldScene(t);
  const { change, journal, send, waiting } = scene;
  await change('/v1/hold', { for: '60s' });
  const { response } = await send(getOf('/a'));
  await waiting(1);
  await change('/v1/maintenance', { on: true });
  t.ok(await isShut(scene), 'nobody else begins to wait');
  await waiting(1);
  await change('/v1/release', {});
  t.ok(isMaintenance(await response()));
  t.equal(journal.activities.length, 0);
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  await t.test(`it outlives ${signal}`, async (t) => {
    const state = ['--state', temporaryDirectory(t)];
    const first = await openHoldScene(t, state);
    await first.change('/v1/maintenance', { on: true, message: 'moving', retryAfter: '5m' });
    first.running.process.kill(signal);
    await first.running.ended;
    const targets = ['--blue', first.blue.url, '--green', first.green.url];
    const second = await startTurnout(t, [...targets, ...state]);
    const peer = await connectRaw(Number(second.proxy.split(':')[1]));
    t.teardown(() => peer.socket.destroy());
    peer.send(getOf('/'));
    const response = await responseAt(peer, { from: 0, method: 'GET' });
    t.ok(isMaintenance(response), 'the first request already is told');
    t.match(response.body, 'moving');
    t.strictSame(valuesOf(response.fields, 'retry-after'), ['300']);
    const admin = new AdminClient(second.admin);
    t.teardown(() => admin.close());
    t.match((await admin.post('/v1/maintenance', { on: false })).json, { changed: true });
    peer.send(getOf('/'));
    const open = await responseAt(peer, { from: response.end, method: 'GET' });
    t.equal(open.body, receiptOf('blue', 'GET', '/'));
  });
}

await t.test('each service has its own page, and is shut by itself', async (t) => {
  const app = await openJournalApp(t, 'blue', new Journal());
  const page = '<!doctype html><title>Zurück um 6</title><p>日本 – gleich wieder da</p>';
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  writeFileSync(
    file,
    [
      'services:',
      '  - name: shop',
      '    paths: [/shop]',
      `    blue: { targets: ['${app.url}'] }`,
      `    maintenance: { page: '${page}' }`,
      '  - name: blog',
      `    blue: { targets: ['${app.url}'] }`,
    ].join('\n'),
  );
  const running = await startTurnout(t, ['--config', file]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const ask = async (path: string, accept: string): Promise<Message> => {
    const peer = await connectRaw(Number(running.proxy.split(':')[1]));
    t.teardown(() => peer.socket.destroy());
    peer.send(getOf(path, accept));
    return await responseAt(peer, { from: 0, method: 'GET' });
  };
  t.match(await admin.post('/v1/maintenance', { on: true }), { status: 400 });
  const change = { on: true, service: 'shop', message: 'for programs' };
  t.match(await admin.post('/v1/maintenance', change), { status: 200 });
  const shown = await ask('/shop/cart', BROWSER);
  t.ok(isMaintenance(shown));
  t.equal(Buffer.from(shown.body, 'latin1').toString('utf8'), page, 'byte for byte');
  t.match((await ask('/shop/cart', CURL)).body, 'for programs');
  t.equal((await ask('/news', BROWSER)).body, receiptOf('blue', 'GET', '/news'));
  await admin.post('/v1/maintenance', { on: true, service: 'blog' });
  t.match((await ask('/news', BROWSER)).body, 'the service is in maintenance');
});
