// "Safe to stop" is a promise: after it, nothing is sent to the app that was left, in whatever way it
// is asked for. The app itself counts.

import t, { type Test } from 'tap';
import {
  openNamed,
  openReleases,
  side,
  type Asked,
  type NamedApp,
  type ReleaseScene,
} from './release-scene.ts';

t.setTimeout(240_000);

interface Scene {
  readonly scene: ReleaseScene;
  readonly v1: NamedApp;
  readonly v2: NamedApp;
}

/** v1 on blue is active, v2 is on green; pages may ask for either, and for old files. */
async function open(t: Test, settings: object = {}): Promise<Scene> {
  const [v1, v2] = [await openNamed(t, 'tcp', 'v1'), await openNamed(t, 'tcp', 'v2')];
  const skew = { mode: 'on', rescue: ['/missing/*'] };
  const service = { skew, blue: side('v1', v1.url), green: side('v2', v2.url), ...settings };
  const scene = await openReleases(t, [service], { workers: 2 });
  await scene.isUp('blue');
  await scene.isUp('green');
  return { scene, v1, v2 };
}

/** Returns every way to ask for `release`: a session of it, its id, a link, an old file. */
async function waysTo(scene: ReleaseScene, release: string): Promise<readonly Asked[]> {
  const cookie = (await scene.ask()).cookies.join('; ');
  const link = await scene.admin.post('/v1/preview', { of: release, lasting: true });
  const { token, field, cookie: name } = link.json as Readonly<Record<string, string>>;
  return [
    { fields: { cookie } },
    { path: `/?dpl=${release}` },
    { path: `/?dpl=${release}`, fields: { cookie } },
    { fields: { 'x-deployment-id': release, cookie } },
    { path: '/missing/app.js' },
    { path: '/missing/app.js', fields: { cookie } },
    { method: 'HEAD', path: `/missing/app.js?dpl=${release}` },
    { fields: { [field!]: token! } },
    { fields: { cookie: `${name}=${token}` } },
  ];
}

/** Resolves when the process says that all may be stopped. */
async function untilSafe(t: Test, { admin }: ReleaseScene): Promise<void> {
  const { json } = await admin.get('/v1/drain?wait=30s');
  t.match(json, { safeToStop: true, draining: [] });
}

/** Whatever asks for `app`, it is not asked. */
async function isLeftAlone(
  t: Test,
  { scene, app, ways }: { scene: ReleaseScene; app: NamedApp; ways: readonly Asked[] },
): Promise<void> {
  const count = app.asked.length;
  for (const asked of ways) {
    const { status } = await scene.ask(asked);
    t.ok(status < 500, JSON.stringify(asked));
  }
  t.strictSame(app.asked.slice(count), []);
}

await t.test('nothing is sent to what has drained, or was evicted', async (t) => {
  const { scene, v1 } = await open(t);
  const ways = await waysTo(scene, 'v1');
  await scene.switchTo('green');
  const before = v1.asked.length;
  for (const asked of ways) await scene.ask(asked);
  t.equal(v1.asked.length, before + ways.length, 'while it drains, each of them leads there');
  t.equal((await scene.admin.post('/v1/drain', {})).status, 200);
  await untilSafe(t, scene);
  await isLeftAlone(t, { scene, app: v1, ways });
  await scene.restart();
  await isLeftAlone(t, { scene, app: v1, ways });
});

await t.test('after a switch that held, nothing is sent back', async (t) => {
  const { scene, v1 } = await open(t);
  const ways = await waysTo(scene, 'v1');
  await scene.switchTo('green', { hold: '10s' });
  const byPages = ways.filter((way) => !isLink(way));
  await isLeftAlone(t, { scene, app: v1, ways: byPages });
  await untilSafe(t, scene);
  await isLeftAlone(t, { scene, app: v1, ways });
});

await t.test('after a rollback nothing is sent to what is locked out', async (t) => {
  const { scene, v2 } = await open(t);
  await scene.switchTo('green');
  const ways = await waysTo(scene, 'v2');
  t.equal((await scene.admin.post('/v1/rollback', { reason: 'it eats orders' })).status, 200);
  await isLeftAlone(t, { scene, app: v2, ways });
  await untilSafe(t, scene);
  await isLeftAlone(t, { scene, app: v2, ways });
});

function isLink({ fields = {} }: Asked): boolean {
  return (
    Object.keys(fields).some((name) => name.includes('preview')) ||
    /preview/.test(fields['cookie'] ?? '')
  );
}

await t.test('what was asked for by its id and is down is served by the active one', async (t) => {
  const { scene, v1 } = await open(t, { affinity: { mode: 'off' } });
  await scene.switchTo('green');
  t.equal((await scene.ask({ path: '/?dpl=v1' })).text, 'v1');
  await v1.close();
  await scene.running.line((line) => line.includes(`blue ${v1.url} is down`));
  t.match(await scene.ask({ path: '/?dpl=v1' }), { status: 200, text: 'v2' });
});

await t.test('clients without cookies are no sessions', async (t) => {
  const { scene } = await open(t, { skew: { mode: 'off' } });
  for (let times = 0; times < 300; times++) await scene.ask();
  const lastMs = Date.now();
  await scene.switchTo('green');
  const { json } = await scene.admin.get('/v1/drain');
  t.match(json, { draining: [{ release: 'v1', sessions: { seen: 0 } }] });
  const [drain] = json['draining'] as readonly { readonly reasons: readonly string[] }[];
  t.equal(drain!.reasons.length, 1);
  const until = /that have just begun may come back until (\S+)$/.exec(drain!.reasons[0]!);
  t.ok(Date.parse(until![1]!) <= lastMs + 61_000, 'a minute at most, to the second');
});

await t.test('one that brought its cookie back is a session', async (t) => {
  const { scene } = await open(t, { skew: { mode: 'off' } });
  const cookie = await scene.newcomer('v1');
  await scene.ask({ fields: { cookie } });
  await scene.switchTo('green');
  const { json } = await scene.admin.get('/v1/drain');
  t.match(json, { draining: [{ sessions: { seen: 1 } }] });
});
