// The series of rollouts with the whole program: two services at once, a stop, an upgrade and a kill between
// them, and callers that may know of one service alone.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { RolloutSeries } from '../../src/api/rollout-series.ts';
import { AdminClient } from '../support/admin-client.ts';
import { HEALTH, openApp } from './rollout-scene.ts';
import { startAsGiven, temporaryDirectory, turnout, type Running } from './turnout-process.ts';
import { kill, until } from './upgrade-scene.ts';

const SERVICES = ['shop', 'blog'];
const LISTEN = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];

async function open(t: Test) {
  const directory = temporaryDirectory(t);
  const services = [];
  for (const name of SERVICES) {
    const [blue, green] = [await openApp(t, 'v1'), await openApp(t, 'v2')];
    services.push({
      name,
      hosts: [`${name}.test`],
      blue: { release: 'v1', targets: [blue.url] },
      green: { release: 'v2', targets: [green.url] },
      health: HEALTH,
      rollout: { bake: '0s', guard: { mode: 'watch' } },
    });
  }
  const file = join(directory, 'turnout.yaml');
  writeFileSync(file, JSON.stringify({ services }));
  const args = [...LISTEN, '--config', file, '--state', join(directory, 'state')];
  return { args, ...connected(t, await startAsGiven(t, args)) };
}

function connected(t: Test, running: Running) {
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const series = async (id: string): Promise<RolloutSeries> =>
    (await admin.get(`/v1/rollouts/${id}/series`)).json as unknown as RolloutSeries;
  const points = async (id: string) => (await series(id)).services[0]!.points;
  return { running, admin, series, points };
}

type Connected = ReturnType<typeof connected>;

/** Sends requests of clients without a session, one after the other. */
async function load({ running: { proxy } }: Connected, name: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    const asked = request(`http://${proxy}/`, { agent: false, headers: { host: `${name}.test` } });
    asked.end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
  }
}

async function start({ admin }: Connected, service: string): Promise<string> {
  let id = '';
  await until(async () => {
    const body = { service, to: 'green', plan: '50%:pause', guard: 'watch', reason: 'test' };
    const { status, json } = await admin.post('/v1/switch', body);
    id = (json['rollout'] as { id?: string } | undefined)?.id ?? '';
    return status === 200;
  }, 'a first step in force');
  return id;
}

/** Requests that the points of a rollout tell of. */
async function told({ points }: Connected, id: string): Promise<number> {
  return (await points(id)).reduce((sum, one) => sum + one.old.requests + one.new.requests, 0);
}

/** Resolves when it is measured: what comes from now on is in its points. */
async function measured(one: Connected, id: string, before: number): Promise<void> {
  await until(async () => (await one.points(id)).length > before, `points of ${id}`);
}

await t.test('each service has its own; a stop and a start lose no point', async (t) => {
  const first = await open(t);
  const [shop, blog] = [await start(first, 'shop'), await start(first, 'blog')];
  await measured(first, shop, 0);
  await measured(first, blog, 0);
  await load(first, 'shop', 30);
  await load(first, 'blog', 10);
  await until(async () => (await told(first, shop)) === 30, '30 requests');
  await until(async () => (await told(first, blog)) === 10, '10 requests');
  t.match(await first.series(shop), {
    id: shop,
    everySeconds: 10,
    services: [{ service: 'shop', from: { color: 'blue' }, to: { release: 'v2' }, limit: 1_000 }],
  });
  const [point] = await first.points(shop);
  t.match(point, { stage: 'shifting', share: { wanted: 50 }, evidence: Number });
  t.equal(point!.old.judged + point!.new.judged, 30, 'all of them were placed');

  first.running.process.kill('SIGTERM');
  t.equal(await first.running.ended, 0);
  const next = connected(t, await startAsGiven(t, first.args));
  const kept = await next.points(shop);
  t.equal(await told(next, shop), 30);
  t.equal(await told(next, blog), 10);
  await measured(next, shop, kept.length);
  await load(next, 'shop', 5);
  await until(async () => (await told(next, shop)) === 35, 'it goes on');
  t.strictSame((await next.points(shop)).slice(0, kept.length), kept);
});

await t.test('what led to its end is there after a kill', async (t) => {
  const first = await open(t);
  const id = await start(first, 'shop');
  await measured(first, id, 0);
  await load(first, 'shop', 7);
  const ended = await first.admin.post(`/v1/rollouts/${id}/abort`, { reason: 'test' });
  t.equal(ended.status, 200, ended.text);
  first.running.process.kill('SIGKILL');
  await first.running.ended;
  const next = connected(t, await startAsGiven(t, first.args));
  t.equal(await told(next, id), 7);
  const cli = await turnout(['rollout', id, '--series', '--admin', next.running.admin]);
  t.match(cli, { code: 0, out: /shop .* v1 on blue .* v2 on green/ });
  t.match(cli.out, /shifting +50\.0%/);
});

await t.test('an upgrade hands the series over', async (t) => {
  const first = await open(t);
  const id = await start(first, 'shop');
  await measured(first, id, 0);
  await load(first, 'shop', 12);
  const upgraded = await first.admin.post('/v1/upgrade', {});
  t.equal(upgraded.status, 200, upgraded.text);
  t.teardown(() => kill(Number(upgraded.json['pid'])));
  const next = connected(t, first.running);
  await until(async () => (await next.admin.get('/v1/status')).status === 200, 'the next process');
  t.equal(await told(next, id), 12);
  await measured(next, id, (await next.points(id)).length);
  await load(next, 'shop', 3);
  await until(async () => (await told(next, id)) === 15, 'it goes on');
});

await t.test('a token of one service sees the series of that one alone', async (t) => {
  const one = await open(t);
  const [shop, blog] = [await start(one, 'shop'), await start(one, 'blog')];
  const about = { name: 'shopper', role: 'read', services: ['shop'] };
  const { json } = await one.admin.post('/v1/tokens', about);
  const token = String(json['token']);
  const ask = async (id: string) =>
    turnout(['rollout', id, '--series', '--json', '--admin', one.running.admin], {
      TURNOUT_TOKEN: token,
    });
  t.match(JSON.parse((await ask(shop)).out), { id: shop });
  const refused = await ask(blog);
  t.equal(refused.code, 2);
  t.match(JSON.parse(refused.out === '' ? refused.err : refused.out), { code: 'rollout-unknown' });
});
