// Pages that were loaded before a switch: what they ask for afterwards goes to the release that
// they name, else to that of their session, while a new page is one of the new release.

import t from 'tap';
import { openSkewApp, toldOf } from '../support/skew-app.ts';
import { colorOf, openSkewScene, sessionOf, type SkewScene } from '../support/skew-scene.ts';
import { valuesOf } from '../support/message.ts';
import { settledMetrics } from '../support/settled-metrics.ts';

t.setTimeout(180_000);

const PAGE_LOAD = 'Sec-Fetch-Dest: document';

/** Switches to green; returns the session of a client that came before. */
async function switchWithSession({ change, get }: SkewScene): Promise<string> {
  const session = sessionOf(await get('/login'));
  await change('/v1/switch', { to: 'green' });
  return session;
}

await t.test('a request goes to the release that it names', async (t) => {
  const scene = await openSkewScene(t);
  const { blue, get } = scene;
  await switchWithSession(scene);
  const byField = await get('/api?x=1', 'X-Deployment-Id: r1');
  t.equal(byField.body, 'blue /api?x=1');
  t.strictSame(valuesOf(byField.fields, 'set-cookie'), [], 'and gets no session for that');
  const asked = blue.asked.at(-1)!;
  t.strictSame(toldOf(asked), { color: 'blue', release: 'r1' }, 'the target knows who it is');
  t.strictSame(valuesOf(asked.fields, 'x-deployment-id'), ['r1'], 'and what was asked for');

  for (const target of [
    '/api?dpl=r1',
    '/api?a=b&dpl=r1&c',
    '/api?dpl=%721',
    '/api?dpl=r1&dpl=r2',
  ]) {
    t.equal((await get(target)).body, `blue ${target}`, 'the target sees it unchanged');
  }
  t.equal(colorOf(await get('/api', 'X-Deployment-Id: r2')), 'green');
  t.equal(colorOf(await get('/api?dpl=r2')), 'green');
  t.equal(colorOf(await get('/api')), 'green', 'who names none goes where everybody goes');
});

await t.test('the field counts before the query, and that before the session', async (t) => {
  const scene = await openSkewScene(t);
  const { get } = scene;
  const old = await switchWithSession(scene);
  const fresh = sessionOf(await get('/login'));
  t.equal(colorOf(await get('/', old)), 'blue', 'a session alone decides');
  const cases = [
    ['/?dpl=r2', ['X-Deployment-Id: r1', fresh], 'blue'],
    ['/?dpl=r1', ['X-Deployment-Id: r2', old], 'green'],
    ['/?dpl=r1', [fresh], 'blue'],
    ['/?dpl=r2', [old], 'green'],
    ['/', ['X-Deployment-Id: r1', fresh], 'blue'],
    ['/', ['X-Deployment-Id: r2', old], 'green'],
    // What is not known decides nothing.
    ['/?dpl=r1', ['X-Deployment-Id: r0', fresh], 'blue'],
    ['/?dpl=r0', ['X-Deployment-Id: r9', old], 'blue'],
    ['/?dpl=r0', ['X-Deployment-Id: r9', fresh], 'green'],
    ['/?dpl=', ['X-Deployment-Id: ', old], 'blue'],
    ['/?dpl=%zz', [`X-Deployment-Id: ${'r'.repeat(500)}`], 'green'],
  ] as const;
  for (const [target, fields, color] of cases) {
    t.equal(colorOf(await get(target, ...fields)), color, `${target} ${fields.join(' ')}`);
  }
});

await t.test('a page load goes to the active color whatever it brings', async (t) => {
  const scene = await openSkewScene(t);
  const { get } = scene;
  const old = await switchWithSession(scene);
  for (const fields of [[old], ['X-Deployment-Id: r1'], ['X-Deployment-Id: r1', old]]) {
    for (const target of ['/shop', '/shop?dpl=r1']) {
      const page = await get(target, PAGE_LOAD, ...fields);
      t.equal(colorOf(page), 'green', `${target} ${fields.join(' ')}`);
      const session = sessionOf(page);
      t.not(session, '', 'it gets a session of that color');
      t.equal(colorOf(await get('/api', session)), 'green');
      t.equal(colorOf(await get('/api', session, 'X-Deployment-Id: r1')), 'blue');
    }
  }
  t.equal(colorOf(await get('/api', 'Sec-Fetch-Dest: empty', old)), 'blue', 'no page, no move');
  t.equal(colorOf(await get('/frame', 'Sec-Fetch-Dest: iframe', old)), 'blue');
});

await t.test('a release that was never active cannot be asked for', async (t) => {
  const { change, get, green, register } = await openSkewScene(t);
  t.equal(colorOf(await get('/', 'X-Deployment-Id: r2')), 'blue');
  t.equal(colorOf(await get('/?dpl=r2')), 'blue');
  t.equal(colorOf(await get('/', 'X-Deployment-Id: r99')), 'blue');
  t.equal(green.asked.length, 0, 'nobody saw it before its time');
  await change('/v1/switch', { to: 'green' });
  t.equal(colorOf(await get('/', 'X-Deployment-Id: r1')), 'blue', 'what was active may be');
  const next = await openSkewApp(t, 'blue');
  await register('blue', 'r3', next.url);
  t.equal(colorOf(await get('/', 'X-Deployment-Id: r3')), 'green');
  t.equal(next.asked.length, 0);
});

await t.test(
  'each of several past releases can be asked for until its drain is over',
  async (t) => {
    const scene = await openSkewScene(t);
    const { admin, blue, change, get, green, register } = scene;
    const first = await switchWithSession(scene);
    // Sessions keep both drains open.
    const second = sessionOf(await get('/login'));
    const third = await openSkewApp(t, 'blue');
    await register('blue', 'r3', third.url);
    await change('/v1/switch', { to: 'blue' });
    for (const [release, app] of [
      ['r1', blue],
      ['r2', green],
      ['r3', third],
    ] as const) {
      const path = `/of/${release}`;
      await get(path, `X-Deployment-Id: ${release}`);
      t.equal(app.count(path), 1, `${release} is still asked`);
    }
    await get('/of/session', first);
    t.equal(blue.count('/of/session'), 1);
    await get('/of/session', second);
    t.equal(green.count('/of/session'), 1);
    await change('/v1/drain', {});
    const { json } = await admin.get('/v1/drain?wait=60s');
    t.match(json, { safeToStop: true, draining: [] });
    const before = blue.asked.length;
    await get('/late', 'X-Deployment-Id: r1');
    t.equal(blue.asked.length, before, 'then it may be stopped');
    t.equal(third.count('/late'), 1);
  },
);

await t.test('without skew protection a named release means nothing', async (t) => {
  const scene = await openSkewScene(t, { args: ['--skew-mode', 'off'] });
  const old = await switchWithSession(scene);
  t.equal(colorOf(await scene.get('/?dpl=r1', 'X-Deployment-Id: r1')), 'green');
  t.equal(colorOf(await scene.get('/', PAGE_LOAD, old)), 'blue', 'and a page follows its session');
});

await t.test('the reason of each decision is counted', async (t) => {
  const scene = await openSkewScene(t);
  const { admin, get } = scene;
  const old = await switchWithSession(scene);
  for (let time = 0; time < 2; time++) await get('/', 'X-Deployment-Id: r1');
  for (let time = 0; time < 3; time++) await get('/', old);
  for (let time = 0; time < 4; time++) await get('/', PAGE_LOAD, 'X-Deployment-Id: r1');
  await get('/', 'X-Deployment-Id: r2');
  const text = await settledMetrics(admin);
  const counted = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('turnout_requests_total{')) continue;
    const [, color = ''] = /color="(\w+)"/.exec(line) ?? [];
    const [, reason = ''] = /reason="(\w+)"/.exec(line) ?? [];
    counted.set(`${color} ${reason}`, Number(line.slice(line.lastIndexOf(' '))));
  }
  t.strictSame(Object.fromEntries(counted), {
    'blue active': 1,
    'blue release': 2,
    'blue session': 3,
    'green active': 4,
    'green release': 1,
  });
});
