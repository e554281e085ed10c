// The stream of events over real connections: who hears of what, what a reader that was away gets, and the bounds.

import { setImmediate as turn } from 'node:timers/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openStream } from '../../../support/event-stream-reader.ts';
import { ask, openAdmin, post, put } from '../support/admin.ts';
import { serviceConfig } from '../support/fixtures.ts';

const TWO = [serviceConfig({ name: 'shop' }), serviceConfig({ name: 'blog', paths: ['/blog'] })];

async function open(
  t: Parameters<typeof openAdmin>[0],
  options: Parameters<typeof openAdmin>[1] = {},
) {
  const admin = await openAdmin(t, options);
  admin.hooks.onPublished = (table) => admin.liveParts.follow(table);
  const token = async (services: readonly string[], role = 'read'): Promise<string> => {
    const made = await post(admin.address, '/v1/tokens', {
      name: `t${Math.random()}`,
      role,
      services,
    });
    return `Bearer ${(made.json as { token: string }).token}`;
  };
  return { ...admin, token };
}

await t.test('a stream says hello, and tells of a switch, its drain and its table', async (t) => {
  const { address } = await open(t);
  const reader = await openStream(address);
  t.equal(reader.status, 200);
  t.match(reader.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  t.match(await reader.until('hello'), {
    id: undefined,
    data: { version: '1.2.3', epoch: Number, seq: 0, generation: 1, actor: 'loopback' },
  });
  await post(address, '/v1/switch', { to: 'green', reason: 'build 7' });
  const told = await reader.until('event', ({ event }) => event === 'switch');
  t.match(told.data, {
    service: 'default',
    rollout: null,
    aliases: ['DeploymentSuccess'],
    facts: { from: 'blue', to: 'green', generation: 2, actor: 'loopback', reason: 'build 7' },
  });
  t.match(told.id, /^\d+-\d+-\d+$/);
  t.match(await reader.until('drain'), {
    data: { event: 'drain.started', facts: { color: 'blue' } },
  });
  t.match(await reader.until('table'), {
    data: { generation: 2, service: 'default', what: 'changed' },
  });
  reader.close();
});

await t.test('a tick comes while a reader listens, and moves no place', async (t) => {
  const { address, liveParts } = await open(t, { services: TWO });
  const reader = await openStream(address);
  const tick = await reader.until('tick');
  t.equal(tick.id, undefined);
  t.match(tick.data, {
    services: {
      shop: {
        active: 'blue',
        blue: { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, inflight: 0, sessions: 0 },
        rollout: null,
      },
      blog: { active: 'blue' },
    },
  });
  reader.close();
  while (liveParts.streams.count > 0) await turn();
});

await t.test('a reader that was away gets what it has missed, once and in order', async (t) => {
  const { address } = await open(t);
  const first = await openStream(address);
  await post(address, '/v1/freeze', { reason: 'one' });
  const seen = await first.until('freeze');
  first.close();
  await post(address, '/v1/unfreeze', {});
  await post(address, '/v1/freeze', { reason: 'two' });
  const again = await openStream(address, { headers: { 'last-event-id': seen.id! } });
  await again.until('freeze', ({ facts }) => (facts as { reason: string }).reason === 'two');
  t.strictSame(
    again.frames
      .filter(({ event }) => event === 'freeze')
      .map(({ data }) => (data['facts'] as { on: boolean }).on),
    [false, true],
  );
  t.notOk(again.frames.some(({ event }) => event === 'gone'));
  again.close();
});

await t.test(
  'a place of another process, of the future or of no form is answered with "gone"',
  async (t) => {
    const { address } = await open(t);
    const probe = await openStream(address);
    const { epoch } = (await probe.until('hello')).data as { epoch: number };
    probe.close();
    for (const id of ['1-1', `${epoch}-99`, 'nonsense', '', `${epoch}-`, `${epoch}--1`]) {
      const reader = await openStream(address, { headers: { 'last-event-id': id } });
      await reader.until('gone');
      reader.close();
    }
  },
);

await t.test('of more than a thousand frames the oldest are gone', async (t) => {
  const { address, liveParts } = await open(t);
  const probe = await openStream(address);
  const { epoch } = (await probe.until('hello')).data as { epoch: number };
  probe.close();
  for (let i = 0; i < 1_005; i++) liveParts.streams.say('event', 'default', { i });
  const late = await openStream(address, { headers: { 'last-event-id': `${epoch}-4` } });
  await late.until('gone');
  t.notOk(late.frames.some(({ event }) => event === 'event'));
  late.close();
  const inTime = await openStream(address, { headers: { 'last-event-id': `${epoch}-5` } });
  await inTime.until('event', ({ i }) => i === 1_004);
  t.equal(inTime.frames.filter(({ event }) => event === 'event').length, 1_000);
  inTime.close();
});

await t.test(
  'a token for one service hears of that service and of the process alone',
  async (t) => {
    const { address, token } = await open(t, { services: TWO });
    const bound = await openStream(address, { headers: { authorization: await token(['blog']) } });
    const one = await openStream(address, { path: '/v1/events?service=blog' });
    for (const service of ['shop', 'blog']) {
      await post(address, '/v1/switch', { service, to: 'green', force: true, reason: 'x' });
    }
    await post(address, '/v1/freeze', { reason: 'done' });
    for (const reader of [bound, one]) {
      await reader.until('freeze');
      await reader.until('tick');
      await reader.until('table');
      t.notMatch(reader.text(), /shop/);
      t.match(reader.text(), /"service":"blog"/);
      reader.close();
    }
    const other = { headers: { authorization: await token(['blog']) } };
    t.equal((await openStream(address, { path: '/v1/events?service=shop', ...other })).status, 403);
    t.equal((await openStream(address, { path: '/v1/events?service=nobody' })).status, 404);
  },
);

await t.test('a reader that does not read is dropped, and stops no other', async (t) => {
  const { address, liveParts } = await open(t);
  const slow = await openStream(address);
  const well = await openStream(address);
  await well.until('hello');
  slow.stopReading();
  const text = 'x'.repeat(32_768);
  let said = 0;
  while (liveParts.streams.count > 1 && said < 2_000) {
    liveParts.streams.say('event', 'default', { said: ++said, text });
    // It reads meanwhile.
    await turn();
  }
  t.equal(liveParts.streams.count, 1, `dropped after ${said} frames`);
  t.ok(said < 2_000);
  well.close();
});

await t.test(
  'the 33rd stream from this machine is refused, and its place is given again',
  async (t) => {
    const { address, liveParts } = await open(t);
    const readers = [];
    for (let i = 0; i < 32; i++) readers.push(await openStream(address));
    t.equal((await openStream(address)).status, 503);
    t.match((await ask(address, '/v1/status')).status, 200, 'other calls are answered');
    readers[0]!.close();
    while (liveParts.streams.count > 31) await turn();
    const again = await openStream(address);
    t.equal(again.status, 200);
    for (const reader of [...readers, again]) reader.close();
  },
);

await t.test('HEAD of a stream is a head, and holds no place', async (t) => {
  const { address, liveParts } = await open(t);
  const answer = await ask(address, '/v1/events', { method: 'HEAD' });
  t.match(answer, { status: 200, headers: { 'content-type': /event-stream/ } });
  t.equal(liveParts.streams.count, 0);
});

await t.test(
  'an upgrade ends streams, and says that the next process is there at once',
  async (t) => {
    const { address, liveParts } = await open(t);
    const reader = await openStream(address);
    await reader.until('hello');
    liveParts.leave();
    await reader.ended;
    t.strictSame(reader.retries, [2_000, 200]);
    t.equal(
      (await openStream(address)).status,
      503,
      'no stream is begun while another process takes over',
    );
    liveParts.stay();
    const again = await openStream(address);
    t.equal(again.status, 200);
    again.close();
  },
);

await t.test('a stream goes over a Unix socket as well', async (t) => {
  // The path of a socket is short.
  const directory = mkdtempSync(join(tmpdir(), 'turnout-events-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 's');
  const { address } = await open(t, { listen: { kind: 'unix', path } });
  const reader = await openStream(address);
  t.match(await reader.until('hello'), { data: { actor: 'unix' } });
  reader.close();
});

await t.test('a registration is told with its targets', async (t) => {
  const { address } = await open(t);
  const reader = await openStream(address);
  const targets = ['http://127.0.0.1:3009'];
  await put(address, '/v1/releases/green', { release: 'v9', targets });
  t.match((await reader.until('event', ({ event }) => event === 'release.registered')).data, {
    facts: { release: 'v9', color: 'green', targets },
  });
  reader.close();
});

await t.test('the status lists receivers, and the deliveries that were given up', async (t) => {
  const { address, mood, token } = await open(t, { services: TWO });
  const counts = { waiting: 3, delivered: 7, givenUp: 2, dropped: 0, fault: 'connection refused' };
  mood.notifier.status.push({ name: 'notify http://hooks.test', ...counts });
  for (const [id, service] of ['shop', 'blog'].entries()) {
    const event = { id, event: 'switch', service, atMs: 5_000, tries: 8, reason: 'status 500' };
    mood.notifier.failed.push({ receiver: 'notify http://hooks.test', ...event });
  }
  t.match((await ask(address, '/v1/status')).json, {
    notifications: {
      receivers: [{ name: 'notify http://hooks.test', ...counts }],
      failed: [{ service: 'shop', at: '1970-01-01T00:00:05.000Z', tries: 8 }, { service: 'blog' }],
    },
  });
  const headers = { authorization: await token(['blog']) };
  const { notifications } = (await ask(address, '/v1/status', { headers })).json as {
    notifications: { receivers: unknown[]; failed: { service: string }[] };
  };
  t.strictSame(notifications.receivers, []);
  t.strictSame(
    notifications.failed.map(({ service }) => service),
    ['blog'],
  );
});

await t.test('windows and orders are told of by service', async (t) => {
  const { address, liveParts, token } = await open(t, { services: TWO });
  const authorization = await token(['blog']);
  const reader = await openStream(address, { headers: { authorization } });
  const period = {
    window: { when: 'daily 18:00 - 22:00 UTC', reason: 'rush' },
    untilMs: Date.parse('2026-12-01T22:00:00Z'),
  };
  liveParts.news.windowChanged('shop', period, true);
  liveParts.news.windowChanged('blog', period, true);
  t.match(await reader.until('freeze'), {
    data: {
      service: 'blog',
      facts: { on: true, window: period.window.when, until: '2026-12-01T22:00:00.000Z' },
    },
  });
  liveParts.news.windowChanged('blog', period, false);
  t.match(await reader.until('freeze', ({ facts }) => (facts as { on?: boolean }).on === false), {
    data: { facts: { on: false, reason: 'rush' } },
  });
  const ordered = await post(address, '/v1/switch', {
    to: 'green',
    in: '1h',
    services: ['shop', 'blog'],
  });
  t.equal(ordered.status, 202);
  t.match(await reader.until('event', ({ event }) => event === 'scheduled.ordered'), {
    data: { service: 'blog', facts: { order: 's-1', actor: 'loopback' } },
  });
  reader.close();
});
