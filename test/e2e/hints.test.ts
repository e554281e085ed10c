// Next steps never lead into a refusal: in each situation, every command that is printed as a hint is
// run as it stands, with its placeholders filled in, and is not refused.

import t, { type Test } from 'tap';
import { openNamed, openReleases, side, type ReleaseScene } from './release-scene.ts';

const QUICK = { health: { interval: '100ms', rise: 1, fall: 1 } };

/** Commands that run on, or that other tests run. */
const LEFT_OUT = /^turnout (?:run|upgrade|reload)\b/;

interface Scene extends ReleaseScene {
  /** Two more apps, for releases to come. */
  readonly spare: readonly string[];
  readonly v1: Awaited<ReturnType<typeof openNamed>>;
  readonly v2: Awaited<ReturnType<typeof openNamed>>;
}

async function stage(t: Test): Promise<Scene> {
  const [v1, v2, v3, v4] = await Promise.all(
    ['v1', 'v2', 'v3', 'v4'].map(async (name) => openNamed(t, 'tcp', name)),
  );
  const service = {
    name: 'default',
    blue: side('v1', v1!.url),
    green: side('v2', v2!.url),
    ...QUICK,
  };
  const scene = await openReleases(t, [service]);
  await scene.isUp('blue');
  await scene.isUp('green');
  return Object.assign(scene, { v1: v1!, v2: v2!, spare: [v3!.url, v4!.url] });
}

/** Runs the hints of an outcome; those that can be tried without a change come first. */
async function follow(t: Test, scene: Scene, outcome: { out: string; err: string }, least = 1) {
  const text = `${outcome.out}\n${outcome.err}`;
  t.notMatch(text, /"(?:evict|force|unlock|hold)"/, 'no words of JSON');
  const hints = [...text.matchAll(/`turnout ([^`]+)`/g)].map(([, line]) => line!);
  t.ok(hints.length >= least, `a way on is told: ${text}`);
  const rehearsed = hints.filter((line) => /^(?:switch|rollback|deploy) /.test(`${line} `));
  const rest = hints.filter((line) => !rehearsed.includes(line));
  for (const line of [...rehearsed.map((one) => `${one} --dry-run`), ...rest]) {
    if (LEFT_OUT.test(`turnout ${line}`)) continue;
    const args = line
      .replace('RELEASE', 'v9')
      .replace('URL', scene.spare[1]!)
      .replace('TEXT', 'drill')
      .split(' ');
    const { code, out, err } = await scene.cli(...args);
    t.ok(code !== 2 && code !== 64, `${line}: exit ${code}: ${out}${err}`);
  }
}

await t.test('a release that is locked out', async (t) => {
  const scene = await stage(t);
  await scene.switchTo('green');
  t.equal((await scene.cli('rollback', '--reason', 'v2 eats orders')).code, 0);
  for (const args of [
    ['switch', 'green'],
    ['switch', 'green', '--dry-run'],
    ['deploy', 'v2', '--targets', scene.v2.url],
  ]) {
    const refused = await scene.cli(...args);
    t.equal(refused.code, 2, args.join(' '));
    await follow(t, scene, refused);
    await scene.cli('rollback', 'v1', '--reason', 'again');
    if ((await scene.status()).active === 'blue') {
      await scene.cli('switch', 'green');
      await scene.cli('rollback', '--reason', 'v2 eats orders');
    }
  }
});

await t.test('a freeze', async (t) => {
  const scene = await stage(t);
  const calls = [
    ['switch', 'green'],
    ['deploy', 'v3', '--targets', scene.spare[0]!, '--no-switch'],
    ['deploy', 'v3', '--targets', scene.spare[0]!],
    ['rollback'],
  ];
  for (const args of calls) {
    t.equal((await scene.cli('freeze', '--reason', 'black friday')).code, 0);
    await follow(t, scene, await scene.cli(...args), args.includes('--no-switch') ? 0 : 1);
    await scene.cli('unfreeze');
  }
});

await t.test('an address that drains, and one that is active', async (t) => {
  const scene = await stage(t);
  await scene.switchTo('green');
  const busy = await scene.cli('deploy', 'v3', '--targets', scene.v2.url);
  t.equal(busy.code, 2);
  await follow(t, scene, busy, 0);
  t.notMatch(busy.err, '--evict', 'nothing takes over what is active');
});

await t.test('a hold and maintenance', async (t) => {
  const scene = await stage(t);
  await follow(t, scene, await scene.cli('hold', '--for', '30s'));
  await follow(t, scene, await scene.cli('maintenance', 'on'));
  await scene.cli('maintenance', 'on');
  await follow(t, scene, await scene.cli('status', '--check'));
});

await t.test('kept deployments', async (t) => {
  const scene = await stage(t);
  await follow(t, scene, await scene.cli('switch', 'v77'));
  await follow(t, scene, await scene.cli('rollback'));
  await follow(
    t,
    scene,
    await scene.cli('deploy', 'v3', '--targets', scene.spare[0]!, '--no-switch', '--wait'),
  );
});

await t.test('an outage with a way out, and one without', async (t) => {
  const scene = await stage(t);
  await scene.v1.close();
  while ((await scene.cli('status', '--check')).code !== 2);
  await follow(t, scene, await scene.cli('status', '--check'));
  await follow(t, scene, await scene.cli('status'));
  await scene.v2.close();
  while (/`turnout switch/.test((await scene.cli('status', '--check')).out));
  const shut = await scene.cli('status', '--check');
  t.match(shut, { code: 2, out: /no way out: / });
  await follow(t, scene, shut, 0);
  const refused = await scene.cli('switch', 'green');
  t.equal(refused.code, 2);
  await follow(t, scene, refused, 0);
});
