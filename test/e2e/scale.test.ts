// A deployment gets other targets while it serves: by the API, the command, the file and a
// declaration. What leaves gets no new request and drains visibly; what comes gets traffic.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import {
  answering,
  begin,
  beginAt,
  openScaledApp,
  served,
  socketAt,
  type AppKind,
  type ScaledApp,
} from '../support/scale-scene.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { startTurnout, temporaryDirectory, turnout, type Running } from './turnout-process.ts';

t.setTimeout(240_000);

interface Scene {
  readonly running: Running;
  readonly admin: AdminClient;
  readonly file: string;
  readonly apps: readonly [ScaledApp, ScaledApp, ScaledApp];
}

function yaml(apps: readonly ScaledApp[], drain = 'requests: 20s, streams: 600ms'): string {
  const targets = apps.map(({ url }) => `"${url}"`).join(', ');
  return `services:
  - name: default
    health: { interval: 100ms, rise: 1 }
    affinity: { mode: drain }
    drain: { ${drain} }
    blue: { release: v1, targets: [${targets}] }
`;
}

/** Starts three apps, and Turnout with the first two of them on blue. */
async function begun(
  t: Test,
  kind: AppKind,
  { workers = 1, drain }: { readonly workers?: number; readonly drain?: string } = {},
): Promise<Scene> {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => openScaledApp(t, kind, name)));
  const apps = [a!, b!, c!] as const;
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  writeFileSync(file, yaml([a!, b!], drain));
  const flags = ['--workers', String(workers), '--watch-config', 'false'];
  const running = await startTurnout(t, ['--config', file, ...flags]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await served(running.proxy, a!);
  await served(running.proxy, b!);
  return { running, admin, file, apps };
}

function urlsOf(apps: readonly ScaledApp[]): string[] {
  return apps.map(({ url }) => url);
}

type Way = (scene: Scene, apps: readonly ScaledApp[]) => Promise<void>;

const WAYS: Readonly<Record<string, Way>> = {
  // First: what a file has not changed stays as operators have left it.
  'the file': async ({ running, file }, apps) => {
    writeFileSync(file, yaml(apps));
    const { code, out, err } = await turnout(['reload', '--admin', running.admin]);
    if (code !== 0) throw new Error(`${out} ${err}`);
  },
  'the API': async ({ admin }, apps) => {
    const { status, text } = await admin.put('/v1/deployments/1/targets', {
      targets: urlsOf(apps),
      reason: 'more room',
    });
    if (status !== 200) throw new Error(text);
  },
  'the command': async ({ running }, apps) => {
    const flags = ['--targets', urlsOf(apps).join(','), '--admin', running.admin];
    const { code, out, err } = await turnout(['scale', ...flags]);
    if (code !== 0) throw new Error(`${out} ${err}`);
  },
  'a declaration': async ({ running, file }, apps) => {
    const declared = `${file}.declared`;
    writeFileSync(declared, `blue: { release: v1, targets: ${JSON.stringify(urlsOf(apps))} }\n`);
    const args = ['apply', '-f', declared, '--yes', '--admin', running.admin];
    const { code, out, err } = await turnout(args);
    if (code !== 0) throw new Error(`${out} ${err}`);
  },
};

interface DrainSeen {
  readonly deployment: number;
  readonly scope: string;
  readonly targets: readonly string[];
  readonly requests: number;
  readonly tunnels: number;
  readonly streams: number;
  readonly safeToStop: boolean;
}

async function drains(admin: AdminClient): Promise<readonly DrainSeen[]> {
  const { json } = await admin.get('/v1/drain');
  return json['draining'] as readonly DrainSeen[];
}

/** Returns the drains once no event stream runs there: the counters follow the bytes that clients see. */
async function drainsWithoutStreams(admin: AdminClient): Promise<readonly DrainSeen[]> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await drains(admin);
    if (seen.every((drain) => drain.streams === 0) || performance.now() > endMs) return seen;
  }
}

/** One target leaves with all that clients have there, another comes. */
async function replaceOne(
  t: Test,
  scene: Scene,
  { way, leaves, stays, comes }: { way: Way } & Record<'leaves' | 'stays' | 'comes', ScaledApp>,
): Promise<void> {
  const { running, admin } = scene;
  const { proxy } = running;
  const socket = await socketAt(proxy, leaves);
  const events = await beginAt(proxy, '/events', leaves);
  const slow = await beginAt(proxy, '/slow', leaves);
  const first = await beginAt(proxy, '/', leaves);
  const [cookie] = first.cookies.map((line) => line.split(';')[0]!);
  await way(scene, [stays, comes]);
  const before = leaves.requestCount;
  await served(proxy, comes);
  t.strictSame([...(await answering(proxy, 40))].toSorted(), [stays.name, comes.name].toSorted());
  const again = await begin(proxy, '/', cookie);
  t.equal(again.status, 200, 'the session goes on');
  for (const line of again.cookies) t.equal(deploymentIn(line), deploymentIn(cookie!));
  t.equal(leaves.requestCount, before, 'no request comes to what leaves');
  t.equal(await socket.closed, 1012, 'the tunnel was closed in order');
  t.equal(await events.body, `data: ${leaves.name}\n\n`, 'the event stream was ended in order');
  const seen = await drainsWithoutStreams(admin);
  t.match(seen, [
    { deployment: 1, scope: 'targets', targets: [leaves.url], requests: 1, safeToStop: false },
  ]);
  t.equal(seen.length, 1);
  const { text } = await admin.get('/metrics');
  const labels = `service="default",color="blue",release="v1",deployment="1",generation="1",targets="${leaves.url}"`;
  t.equal(seriesOf(text, `turnout_draining_requests{${labels}}`), 1);
  const waiting = turnout(['drain', '--wait', '--deployment', '1', '--admin', running.admin]);
  leaves.release();
  t.equal(await slow.body, 'begun, and done', 'the slow request has ended by itself');
  t.equal((await waiting).code, 0, 'then it may be stopped');
  t.same(await drains(admin), []);
  t.equal(leaves.requestCount, before, 'and nothing was sent there in the end');
}

function deploymentIn(cookie: string): string {
  return cookie.split('=')[1]!.split('.').slice(0, 2).join('.');
}

for (const kind of ['tcp', 'unix'] as const) {
  for (const workers of [1, 2]) {
    await t.test(`${kind}, workers: ${workers}: one target leaves, another comes`, async (t) => {
      const scene = await begun(t, kind, { workers });
      let [leaves, stays, comes] = scene.apps as readonly ScaledApp[];
      for (const [name, way] of Object.entries(WAYS)) {
        await t.test(`by ${name}`, async (t) => {
          const roles = { leaves: leaves!, stays: stays!, comes: comes! };
          await replaceOne(t, scene, { way, ...roles });
        });
        [leaves, stays, comes] = [stays, comes, leaves];
      }
      const { json } = await scene.admin.get('/v1/deployments');
      t.match(json, { deployments: [{ deployment: 1, use: 'active' }] });
      t.equal((json['deployments'] as readonly unknown[]).length, 1, 'it is still the same one');
      t.same((await scene.admin.get('/v1/history')).json, { switches: [] }, 'no traffic has moved');
      const audit = await turnout(['audit', '--admin', scene.running.admin]);
      t.match(audit.out, /PUT \/v1\/deployments\/1\/targets/);
    });
  }
}

await t.test('what leaves is shown with all that runs there, and can be hurried', async (t) => {
  const scene = await begun(t, 'tcp', { drain: 'requests: 20s, streams: 20s, longLived: linger' });
  const { running, admin, apps } = scene;
  const [a, b, c] = apps;
  const { proxy } = running;
  const socket = await socketAt(proxy, a);
  const events = await beginAt(proxy, '/events', a);
  const slow = await beginAt(proxy, '/slow', a);
  await WAYS['the API']!(scene, [b, c]);
  t.match(await drains(admin), [
    { targets: [a.url], requests: 1, tunnels: 1, streams: 1, safeToStop: false },
  ]);
  const status = await turnout(['status', '--admin', running.admin]);
  t.match(status.out, `${a.url} of deployment 1`);
  const told = await turnout(['drain', '--admin', running.admin]);
  t.match(told.out, `deployment 1 goes on without ${a.url}`);
  t.match(told.out, '1 tunnel (WebSocket and others) is open');
  t.equal((await turnout(['drain', '--evict', '--admin', running.admin])).code, 0);
  t.equal(await socket.closed, 1012);
  t.equal(await events.body, 'data: a\n\n');
  const left = await drainsWithoutStreams(admin);
  t.match(left, [{ requests: 1, tunnels: 0, streams: 0 }], 'requests finish');
  a.release();
  t.equal(await slow.body, 'begun, and done');
  await admin.get('/v1/drain?wait=20s');
  t.same(await drains(admin), []);
});

await t.test('a target that comes back while it leaves keeps what runs there', async (t) => {
  const drain = 'requests: 20s, streams: 20s, longLived: linger';
  const scene = await begun(t, 'tcp', { workers: 2, drain });
  const { running, admin, apps } = scene;
  const [a, b] = apps;
  const { proxy } = running;
  const slow = await beginAt(proxy, '/slow', a);
  const socket = await socketAt(proxy, a);
  const events = await beginAt(proxy, '/events', a);
  await WAYS['the API']!(scene, [b]);
  await WAYS['the API']!(scene, [a, b]);
  t.same(await drains(admin), [], 'nothing leaves any more');
  t.match((await admin.get('/v1/drain')).json, { ended: [{ scope: 'targets', how: 'resumed' }] });
  await served(proxy, a);
  a.release();
  t.equal(await slow.body, 'begun, and done');
  const { json } = await admin.get('/v1/status');
  const traffic = { inflight: 1, tunnels: 1, streams: 1 };
  t.match(json, { services: [{ blue: { traffic } }] }, 'nothing was closed');
  await WAYS['the API']!(scene, [b]);
  await admin.post('/v1/drain', {});
  t.equal(await socket.closed, 1012, 'a later leave finds it');
  t.equal(await events.body, 'data: a\n\n');
});

await t.test('no traffic comes before the first pass, unless nothing else is well', async (t) => {
  const scene = await begun(t, 'tcp');
  const { running, apps } = scene;
  const [a, b, c] = apps;
  c.isSick = true;
  await WAYS['the API']!(scene, [a, b, c]);
  t.strictSame([...(await answering(running.proxy, 60))].toSorted(), ['a', 'b']);
  c.isSick = false;
  await served(running.proxy, c);
});

await t.test('refusals say what to do; a freeze does not stop scaling', async (t) => {
  const scene = await begun(t, 'tcp');
  const { running, admin, apps, file } = scene;
  const [a, b, c] = apps;
  const path = '/v1/deployments/1/targets';
  const put = async (targets: readonly string[], headers = {}) =>
    admin.put(path, { targets }, headers);
  t.match(await put([c.url]), { status: 409, json: { code: 'replaces-all-targets' } });
  t.match(await put([a.url, `http://${running.proxy}`]), { json: { code: 'target-invalid' } });
  t.match(await put([a.url, 'http://127.0.0.1']), { status: 200 }, 'a port of its own');
  t.match(await put([a.url, b.url]), { status: 200 });
  t.match(await put([b.url, a.url]), { json: { changed: false } }, 'another order');
  t.match(await put([a.url], { 'if-match': '"1"' }), { status: 412 });
  t.match(await admin.put('/v1/deployments/9/targets', { targets: [a.url] }), { status: 404 });
  await admin.post('/v1/freeze', { reason: 'sale' });
  t.match(await put([a.url, c.url]), { json: { added: [c.url], removed: [b.url], changed: true } });
  writeFileSync(file, yaml([a, b]));
  t.equal((await turnout(['reload', '--admin', running.admin])).code, 0, 'by the file, too');
  const key = { 'idempotency-key': 'one' };
  const once = await put([a.url, b.url, c.url], key);
  const twice = await put([a.url, b.url, c.url], key);
  t.same(twice.json, once.json, 'a repeated call gets the same answer');
  const scale = ['scale', '--admin', running.admin];
  t.equal((await turnout([...scale, '--add', 'http://127.0.0.1:1', '--targets', a.url])).code, 64);
  t.match(await turnout([...scale, '--remove', 'http://127.0.0.1:9']), { code: 64 });
  const removed = await turnout([...scale, 'v1', '--remove', c.url]);
  t.match(removed, { code: 0, out: /turnout drain --wait --deployment 1/ });
  t.match((await turnout([...scale, '--remove', `${a.url},${b.url}`])).err, 'register a release');
  const other = await admin.put('/v1/releases/green', { release: 'v2', targets: [c.url] });
  const isLeft = other.status === 200 || other.json['code'] === 'address-in-use';
  t.ok(isLeft, 'the address is free once it has drained');
});
