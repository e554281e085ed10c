// A lock-out is of the release: no other address, order, color or process lifts it, only an operator
// that says so.

import t, { type Test } from 'tap';
import { openNamed, openReleases, side, type ReleaseScene } from './release-scene.ts';

t.setTimeout(240_000);

const REFUSED = { status: 409, json: { code: 'release-locked-out' } };

interface Scene extends ReleaseScene {
  /** Where v2 ran when it was rolled back from. */
  readonly urls: readonly string[];
  /** Where v2 runs as well. */
  readonly other: string;
  readonly register: (color: string, targets: readonly string[], more?: object) => Promise<number>;
}

/** v2 was rolled back from: blue has v1 and is active, green has v2 at two targets. */
async function rolledBack(t: Test): Promise<Scene> {
  const v1 = await openNamed(t, 'tcp', 'v1');
  const [a, b, other] = [
    await openNamed(t, 'tcp', 'v2'),
    await openNamed(t, 'tcp', 'v2'),
    await openNamed(t, 'tcp', 'v2'),
  ];
  const urls = [a.url, b.url];
  const service = { affinity: { mode: 'off' }, blue: side('v1', v1.url) };
  const scene = await openReleases(t, [{ ...service, green: side('v2', ...urls) }]);
  await scene.switchTo('green');
  const back = await scene.admin.post('/v1/rollback', { reason: 'v2 eats orders' });
  t.equal(back.status, 200);
  const register: Scene['register'] = async (color, targets, more = {}) => {
    const body = { release: 'v2', targets, evict: true, ...more };
    return (await scene.admin.put(`/v1/releases/${color}`, body)).status;
  };
  return Object.assign(Object.create(scene) as ReleaseScene, { urls, other: other.url, register });
}

/** No way leads to v2. */
async function holds(t: Test, scene: ReleaseScene, color = 'green'): Promise<void> {
  const forced = { force: true, reason: 'really' };
  t.match(await scene.admin.post('/v1/switch', { to: color }), REFUSED, color);
  t.match(await scene.admin.post('/v1/switch', { to: 'v2', ...forced }), REFUSED, 'v2, forced');
  t.match(await scene.cli('switch', 'v2', '--yes'), {
    code: 2,
    err: /locked out|rolled back from v2/,
  });
  t.equal((await scene.ask()).text, 'v1');
}

await t.test('other targets, and another order of them, are the same release', async (t) => {
  const scene = await rolledBack(t);
  await holds(t, scene);
  t.equal(await scene.register('green', scene.urls.toReversed()), 200);
  await holds(t, scene);
  t.equal(await scene.register('green', [scene.other]), 200);
  await holds(t, scene);
  t.match(await scene.cli('deploy', 'v2', '--targets', scene.other, '--yes'), { code: 2 });
  const green = side('v2', scene.other);
  t.match(await scene.apply({ green, active: 'green' }), { code: 2 });
  t.equal((await scene.ask()).text, 'v1');
});

await t.test('another color is no other release', async (t) => {
  const scene = await rolledBack(t);
  const v3 = await openNamed(t, 'tcp', 'v3');
  const wanted = { release: 'v3', targets: [v3.url] };
  t.equal((await scene.admin.put('/v1/releases/green', wanted)).status, 200);
  await scene.isUp('green');
  await scene.switchTo('green');
  t.equal(await scene.register('blue', scene.urls), 200);
  await scene.isUp('blue');
  t.match(await scene.admin.post('/v1/switch', { to: 'blue' }), REFUSED);
  t.equal((await scene.ask()).text, 'v3');
});

await t.test('it outlives processes, and no file lifts it', async (t) => {
  const scene = await rolledBack(t);
  await scene.restart();
  await holds(t, scene);
  t.equal((await scene.upgrade()).status, 200);
  await holds(t, scene);
  const { blue } = await scene.status();
  const url = blue.targets[0]!.url;
  const service = { affinity: { mode: 'off' }, green: side('v2', scene.other) };
  scene.write([{ ...service, blue: side('v1', url) }]);
  t.match(await scene.reload(), { status: 200 });
  await holds(t, scene);
  scene.write([{ ...service, blue: side('v2', ...scene.urls) }]);
  t.match(await scene.reload(), REFUSED, 'a file can not replace the active release by it');
  t.equal((await scene.ask()).text, 'v1');
});

await t.test('a release id is not served past it', async (t) => {
  const v1 = await openNamed(t, 'tcp', 'v1');
  const v2 = await openNamed(t, 'tcp', 'v2');
  const service = { skew: { mode: 'on' }, blue: side('v1', v1.url), green: side('v2', v2.url) };
  const scene = await openReleases(t, [service]);
  await scene.switchTo('green');
  t.equal((await scene.ask({ path: '/?dpl=v2' })).text, 'v2');
  const cookie = await scene.newcomer('v2');
  t.equal((await scene.admin.post('/v1/rollback', { restick: 'new' })).status, 200);
  const count = v2.asked.length;
  t.equal((await scene.ask({ path: '/?dpl=v2' })).text, 'v1');
  t.equal((await scene.ask({ fields: { 'x-deployment-id': 'v2' } })).text, 'v1');
  t.equal(v2.asked.length, count);
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v2', 'a session stays if it is told to');
});

for (const way of ['unlock: true', 'turnout unlock'] as const) {
  await t.test(`an operator lifts it: ${way}`, async (t) => {
    const scene = await rolledBack(t);
    if (way === 'unlock: true') {
      t.equal(await scene.register('green', [scene.other], { unlock: true }), 200);
    } else {
      t.match(await scene.cli('unlock', '--reason', 'it was the network'), { code: 0 });
    }
    await scene.switchTo('green');
    t.equal((await scene.ask()).text, 'v2');
  });
}
