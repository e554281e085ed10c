// A reload, an upgrade and a restart follow a file by the same rules: what one of them refuses the
// others refuse, and a restart keeps what is stored and says why.

import t, { type Test } from 'tap';
import { connectRaw } from '../support/raw-peer.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { openNamed, openReleases, side, TUNNEL, type ReleaseScene } from './release-scene.ts';

t.setTimeout(240_000);

/** By a way that must not follow the file: each says `why`, and `name` answers as before. */
async function isRefused(
  t: Test,
  scene: ReleaseScene,
  { status, why, name }: { readonly status: number; readonly why: RegExp; readonly name: string },
): Promise<void> {
  const before = await scene.status();
  t.match(await scene.reload(), { status, json: { detail: why } }, 'reload');
  const upgrade = await scene.upgrade();
  t.not(upgrade.status, 200, 'upgrade');
  t.match(upgrade.text, why);
  await scene.restart();
  const told = await scene.running.line((line) => line.includes('not followed'));
  t.match(told, why, 'restart');
  const { active, blue, green } = await scene.status();
  t.strictSame(
    [active, blue.deployment, green.deployment],
    [before.active, before.blue.deployment, before.green.deployment],
  );
  t.equal((await scene.ask()).text, name);
  t.match((await scene.admin.get('/v1/history')).text, new RegExp(`"${active}"`));
}

for (const workers of [1, 2]) {
  await t.test(`a file without the active color, workers: ${workers}`, async (t) => {
    const [v1, v2] = [await openNamed(t, 'tcp', 'v1'), await openNamed(t, 'tcp', 'v2')];
    const blue = { affinity: { mode: 'off' }, active: 'blue', blue: side('v1', v1.url) };
    const scene = await openReleases(t, [{ ...blue, green: side('v2', v2.url) }], { workers });
    await scene.switchTo('green');
    scene.write([blue]);
    const why = /green gets the traffic and would have no target/;
    await isRefused(t, scene, { status: 409, why, name: 'v2' });
  });
}

/** v1 is active on blue; the file is about to give blue `next`. */
async function beforeReplacement(t: Test) {
  const [v1, v9] = [await openNamed(t, 'tcp', 'v1'), await openNamed(t, 'tcp', 'v9')];
  const service = { affinity: { mode: 'off' }, drain: { longLived: 'linger', streams: '60s' } };
  const scene = await openReleases(t, [{ ...service, blue: side('v1', v1.url) }]);
  const give = (release: string, url: string): void =>
    scene.write([{ ...service, blue: side(release, url) }]);
  return { scene, v1, v9, give };
}

await t.test('while frozen, no other release comes by a file', async (t) => {
  const { scene, v9, give } = await beforeReplacement(t);
  t.equal((await scene.admin.post('/v1/freeze', { reason: 'black friday' })).status, 200);
  give('v9', v9.url);
  const { admin } = scene;
  const why = /frozen all switching.*black friday/;
  t.match(await admin.post('/v1/reload', {}), { status: 423, json: { detail: why } });
  const upgrade = await scene.upgrade();
  t.not(upgrade.status, 200);
  t.match(upgrade.text, why);
  await scene.restart();
  t.match(await scene.running.line((line) => line.includes('not followed')), why);
  t.equal((await scene.ask()).text, 'v1');
  t.strictSame(v9.asked, []);
  t.equal((await scene.admin.post('/v1/unfreeze', {})).status, 200);
  t.match(await scene.reload(), { status: 200 }, 'and it is followed once it may be');
  t.equal((await scene.ask()).text, 'v9');
});

await t.test('where nothing answers, no traffic is led by a file', async (t) => {
  const { scene, give } = await beforeReplacement(t);
  const host = ownAddress();
  give('v10', `http://${host}:${await freePort(host)}`);
  t.match(await scene.reload(), { status: 409, json: { code: 'target-unhealthy' } });
  const upgrade = await scene.upgrade();
  t.not(upgrade.status, 200);
  t.match(upgrade.text, /connection refused/);
  await scene.restart();
  const told = await scene.running.line((line) => line.includes('not followed'));
  t.match(told, /connection refused/);
  t.equal((await scene.ask()).text, 'v1');
  t.match((await scene.admin.get('/v1/history')).json, { switches: { length: 0 } });
});

for (const way of ['reload', 'upgrade', 'restart'] as const) {
  await t.test(`another release by a file is a switch like any other: ${way}`, async (t) => {
    const { scene, v9, give } = await beforeReplacement(t);
    give('v9', v9.url);
    await scene[way]();
    // The process before an upgrade hears of it a moment later than the caller.
    while ((await scene.ask()).text !== 'v9');
    t.match((await scene.admin.get('/v1/history')).json['switches'], [
      { from: 'blue', to: 'blue', release: 'v9', outcome: 'switched' },
    ]);
    t.match(await scene.admin.post('/v1/rollback', {}), { status: 200, json: { release: 'v1' } });
    t.equal((await scene.ask()).text, 'v1');
  });
}

await t.test('what a reload has left drains visibly', async (t) => {
  const { scene, v1, v9, give } = await beforeReplacement(t);
  const [host, port] = scene.running.proxy.split(':');
  const tunnel = await connectRaw(Number(port), host);
  t.teardown(() => tunnel.socket.destroy());
  tunnel.send(`GET /chat HTTP/1.1\r\nHost: shop.test\r\n${TUNNEL}\r\n`);
  await tunnel.until('the tunnel', () => (tunnel.text.includes('v1') ? true : undefined));
  give('v9', v9.url);
  t.equal((await scene.reload()).status, 200);
  t.equal((await scene.ask()).text, 'v9');
  t.match((await scene.admin.get('/v1/drain')).json, {
    safeToStop: false,
    draining: [{ release: 'v1', targets: [v1.url], tunnels: 1, reasons: [/1 tunnel/] }],
  });
  t.equal((await scene.admin.post('/v1/drain', {})).status, 200);
  await tunnel.until('its end', () => (tunnel.ending === undefined ? undefined : true));
  t.match((await scene.admin.get('/v1/drain?wait=20s')).json, {
    safeToStop: true,
    ended: [{ release: 'v1' }],
  });
});
