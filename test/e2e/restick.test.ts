// A rollback takes people off the bad release, also at the second call; so does the end of a drain.

import t, { type Test } from 'tap';
import { openNamed, openReleases, side, type ReleaseScene } from './release-scene.ts';

t.setTimeout(180_000);

/** Opens a service on which v2 was live, and the cookies of a client that came then. */
async function afterSwitch(t: Test, settings = {}): Promise<readonly [ReleaseScene, string]> {
  const v1 = await openNamed(t, 'tcp', 'v1');
  const v2 = await openNamed(t, 'tcp', 'v2');
  const service = { blue: side('v1', v1.url), green: side('v2', v2.url), ...settings };
  const scene = await openReleases(t, [service], { workers: 2 });
  await scene.switchTo('green');
  return [scene, await scene.newcomer('v2')] as const;
}

await t.test('a rollback takes everybody along unless it is told not to', async (t) => {
  const [scene, cookie] = await afterSwitch(t);
  t.match(await scene.admin.post('/v1/rollback', {}), { status: 200 });
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
  const [other, stays] = await afterSwitch(t);
  t.match(await other.admin.post('/v1/rollback', { restick: 'new' }), { status: 200 });
  t.equal((await other.ask({ fields: { cookie: stays } })).text, 'v2');
});

await t.test('a second rollback takes along what the first one left', async (t) => {
  const [scene, cookie] = await afterSwitch(t);
  t.match(await scene.cli('rollback', '--restick', 'new'), { code: 0 });
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v2');
  t.match(await scene.cli('rollback', '--restick', 'new'), { code: 2 }, 'it is no toggle');
  const second = await scene.cli('rollback', '--restick', 'all', '--wait', '--timeout', '30s');
  t.match(second, { code: 0, out: /green .* blue/ });
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
  const { json } = await scene.admin.get('/v1/history');
  t.match(json['switches'], { length: 2 }, 'it is in no history: nothing was switched');
  const { json: audit } = await scene.admin.get('/v1/audit');
  const made = (audit['entries'] as readonly { readonly action: string }[]).filter(
    ({ action }) => action === 'POST /v1/rollback',
  );
  t.match(made, [{ outcome: 'done' }, { outcome: 'refused' }, { outcome: 'done' }]);
});

await t.test('it holds over a restart, and for a drain that began before that', async (t) => {
  const [scene, cookie] = await afterSwitch(t);
  t.match(await scene.admin.post('/v1/rollback', { restick: 'new' }), { status: 200 });
  await scene.restart();
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v2', 'the session stays');
  t.match(await scene.admin.post('/v1/rollback', { to: 'v1', restick: 'all' }), {
    status: 200,
    json: { changed: true, from: 'green', to: 'blue' },
  });
  await scene.restart();
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
});

await t.test('the drain of a switch is ended by the one call that is for that', async (t) => {
  const [scene] = await afterSwitch(t);
  await scene.switchTo('blue');
  const cookie = await scene.newcomer('v1');
  await scene.switchTo('green');
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
  t.match(await scene.admin.post('/v1/drain', {}), { status: 200 });
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v2');
});
