// An address is not a release: one app leaves a place and another one takes it. Nothing that is
// remembered of the first ever leads to the second.

import t from 'tap';
import {
  newPlace,
  openAt,
  openNamed,
  openReleases,
  side,
  type PlaceKind,
} from './release-scene.ts';

t.setTimeout(240_000);

const KINDS: readonly (readonly [PlaceKind, number])[] = [
  ['tcp', 1],
  ['unix', 2],
];

for (const [kind, workers] of KINDS) {
  const where = `${kind}, workers: ${workers}`;

  await t.test(`a rollback does not bring what was never released: ${where}`, async (t) => {
    const place = await newPlace(t, kind);
    const v1 = await openAt(t, place, 'v1');
    const v2 = await openNamed(t, kind, 'v2');
    const service = { affinity: { mode: 'off' }, blue: side('v1', place.url) };
    const scene = await openReleases(t, [{ ...service, green: side('v2', v2.url) }], { workers });
    await scene.switchTo('green');
    await v1.close();
    const v3 = await openAt(t, place, 'v3');
    const wanted = { release: 'v3', targets: [place.alias], evict: true };
    t.equal((await scene.admin.put('/v1/releases/blue', wanted)).status, 200);
    await scene.isUp('blue');
    const refused = { status: 409, json: { code: 'address-in-use', detail: /v3/ } };
    t.match(await scene.admin.post('/v1/rollback', {}), refused);
    t.match(await scene.admin.post('/v1/switch', { to: 'v1' }), refused);
    t.match(await scene.cli('rollback'), { code: 2, err: /v1 .* address of v3/ });
    await scene.restart();
    t.match(await scene.admin.post('/v1/rollback', {}), refused, 'after a restart');
    t.equal((await scene.upgrade()).status, 200);
    t.match(await scene.admin.post('/v1/rollback', {}), refused, 'after an upgrade');
    t.equal((await scene.ask()).text, 'v2');
    t.strictSame(v3.asked, [], 'v3 was asked for nothing');
    const forced = { force: true, reason: 'v1 is back at its place' };
    await v3.close();
    await openAt(t, place, 'v1 again');
    t.match(await scene.admin.post('/v1/rollback', forced), {
      status: 200,
      json: { release: 'v1' },
    });
    t.equal((await scene.ask()).text, 'v1 again');
  });

  await t.test(`no other service takes the place of a drain unasked: ${where}`, async (t) => {
    const place = await newPlace(t, kind);
    await openAt(t, place, 'shop v1');
    const v2 = await openNamed(t, kind, 'shop v2');
    const bank = await openNamed(t, kind, 'bank v1');
    const services = [
      {
        name: 'shop',
        hosts: ['shop.test'],
        blue: side('s1', place.url),
        green: side('s2', v2.url),
      },
      { name: 'bank', hosts: ['bank.test'], blue: side('b1', bank.url) },
    ];
    const scene = await openReleases(t, services, { workers });
    const cookie = await scene.newcomer('shop v1');
    await scene.switchTo('green', {}, 'shop');
    t.equal((await scene.ask({ fields: { cookie } })).text, 'shop v1');
    const wanted = { release: 'b2', targets: [place.alias] };
    const register = async (more: object = {}) =>
      scene.admin.put('/v1/releases/green?service=bank', { ...wanted, ...more });
    t.match(await register(), { status: 409, json: { code: 'address-in-use', detail: /shop/ } });
    t.equal((await scene.ask({ fields: { cookie } })).text, 'shop v1', 'the drain goes on');
    t.equal((await register({ evict: true })).status, 200);
    t.equal((await scene.ask({ fields: { cookie } })).text, 'shop v2', 'its sessions moved');
    t.match(await scene.admin.post('/v1/rollback?service=shop', {}), {
      status: 409,
      json: { code: 'address-in-use', detail: /b2 .* of bank/ },
    });
  });

  await t.test(`kept connections of the process before get no request: ${where}`, async (t) => {
    const place = await newPlace(t, kind);
    const old = await openAt(t, place, 'v1');
    const v2 = await openNamed(t, kind, 'v2');
    const service = { blue: side('v1', place.url), green: side('v2', v2.url) };
    const scene = await openReleases(t, [service], { workers });
    const cookie = await scene.newcomer('v1');
    await scene.switchTo('green');
    // Connections to the old process are kept for the session that stays there.
    for (let times = 0; times < 20; times++) await scene.ask({ fields: { cookie } });
    await old.stopListening();
    const v3 = await openAt(t, place, 'v3');
    const wanted = { release: 'v3', targets: [place.url], evict: true };
    t.equal((await scene.admin.put('/v1/releases/blue', wanted)).status, 200);
    await scene.isUp('blue');
    await scene.switchTo('blue');
    const count = old.asked.length;
    const answers = await Promise.all(Array.from({ length: 40 }, async () => scene.ask()));
    t.strictSame([...new Set(answers.map(({ text }) => text))], ['v3']);
    t.equal((await scene.ask({ fields: { cookie } })).text, 'v3', 'nor does a session of before');
    t.equal(old.asked.length, count, 'the process before heard of none of them');
    t.ok(v3.asked.length >= 41);
  });
}

await t.test('an address of another release is refused by every way in', async (t) => {
  const place = await newPlace(t, 'tcp');
  await openAt(t, place, 'v1');
  const v2 = await openNamed(t, 'tcp', 'v2');
  const before = { blue: side('v1', place.url), green: side('v2', v2.url) };
  const scene = await openReleases(t, [before]);
  const wanted = { ...before, green: side('v3', place.alias) };
  const refused = { status: 409, json: { code: 'address-in-use' } };
  const body = { release: 'v3', targets: [place.alias] };
  t.match(await scene.admin.put('/v1/releases/green', body), refused);
  t.match(await scene.admin.put('/v1/releases/green', { ...body, evict: true }), refused);
  const why = /gets the traffic of v1/;
  t.match(await scene.cli('deploy', 'v3', '--targets', place.alias, '--yes'), {
    code: 2,
    err: why,
  });
  t.match(await scene.apply({ green: wanted.green, active: 'green' }), { code: 2, err: why });
  scene.write([wanted]);
  t.match(await scene.reload(), refused);
  const upgrade = await scene.upgrade();
  t.not(upgrade.status, 200);
  t.match(upgrade.text, why, 'in the same words');
  t.match(await scene.status(), { active: 'blue', green: { release: 'v2' } });
  await scene.restart();
  const warned = await scene.running.line((line) => line.includes('not followed'));
  t.match(warned, why, 'a restart keeps what is stored, and says why');
  t.match(await scene.status(), { active: 'blue', green: { release: 'v2' } });
  t.equal((await scene.ask()).text, 'v1');
});

for (const way of ['cli', 'apply'] as const) {
  await t.test(`eviction by ${way} ends the drain there, and the way back`, async (t) => {
    const place = await newPlace(t, 'tcp');
    const v1 = await openAt(t, place, 'v1');
    const v2 = await openNamed(t, 'tcp', 'v2');
    const service = { blue: side('v1', place.url), green: side('v2', v2.url) };
    const scene = await openReleases(t, [service]);
    const cookie = await scene.newcomer('v1');
    await scene.switchTo('green');
    t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
    const put = async (...more: readonly string[]) =>
      way === 'cli'
        ? scene.cli('deploy', 'v3', '--targets', place.url, '--yes', ...more)
        : scene.apply({ blue: side('v3', place.url), active: 'blue' }, ...more);
    t.match(await put(), { code: 2, err: /still used by v1|drain/ });
    await v1.close();
    await openAt(t, place, 'v3');
    t.match(await put('--evict'), { code: 0 });
    t.equal((await scene.ask({ fields: { cookie } })).text, 'v3', 'the session is one of v3 now');
    t.match(await scene.admin.post('/v1/switch', { to: 'v1' }), {
      status: 409,
      json: { code: 'address-in-use' },
    });
  });
}
