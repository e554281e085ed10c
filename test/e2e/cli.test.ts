// The command line as an operator uses it: real processes, real sockets, exit codes.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { PATIENCE_MS } from '../support/patience.ts';
import { serve } from '../support/serving.ts';
import { launch, startTurnout, temporaryDirectory, turnout } from './turnout-process.ts';

/** An app that answers its name; `/hang` is never answered. */
async function app(t: Test, name: string): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url !== '/hang') response.end(name);
  });
  const { port } = await serve(t, server);
  return `http://127.0.0.1:${port}`;
}

async function body(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

const ALWAYS_UP = ['--health-kind', 'none'];

await t.test('a whole working day: run, status, switch, rollback, history, stop', async (t) => {
  const targets = ['--blue', await app(t, 'blue'), '--green', await app(t, 'green')];
  const running = await startTurnout(t, [...targets, ...ALWAYS_UP, '--green-release', 'v2']);
  const { proxy, admin } = running;
  const command = (...args: readonly string[]) => turnout([...args, '--admin', admin]);

  t.equal(await body(`http://${proxy}/`), 'blue');
  t.match(await command('status'), { code: 0, out: /default: blue is active/ });
  t.match(await command('switch', 'green', '--reason', 'release day'), {
    code: 0,
    out: /^default: blue → green \(release v2, deployment 2, generation 2, [\d.]+ ms\)$/,
  });
  t.equal(await body(`http://${proxy}/`), 'green');
  t.match(await command('switch', 'green'), { code: 0, out: /active already/ });
  t.match(await command('rollback'), { code: 0, out: /green → blue/ });
  t.equal(await body(`http://${proxy}/`), 'blue');
  t.match(await command('history'), { code: 0, out: /rolled-back.*\n.*switched .* release day$/ });
  const listed: unknown = JSON.parse((await command('history', '--json')).out);
  t.match(listed, { switches: [{ outcome: 'rolled-back' }, { reason: 'release day' }] });
  t.match(await command('ready'), { code: 0 });

  running.process.kill('SIGTERM');
  t.equal(await running.ended, 0);
  t.match(await command('status'), { code: 69 });
});

await t.test('traffic goes to a release, to a number, and back to one that is kept', async (t) => {
  const [blue, green, third] = [await app(t, 'one'), await app(t, 'two'), await app(t, 'three')];
  const targets = ['--blue', blue, '--green', green, ...ALWAYS_UP];
  const releases = ['--blue-release', 'v1', '--green-release', 'v2'];
  const { proxy, admin } = await startTurnout(t, [...targets, ...releases]);
  const command = (...args: readonly string[]) => turnout([...args, '--admin', admin]);
  const fresh = async (): Promise<string> => body(`http://${proxy}/`);

  t.match(await command('switch', 'v2'), { code: 0, out: /blue → green \(release v2,/ });
  t.match(await command('switch', '1'), { code: 0, out: /green → blue \(release v1,/ });
  t.match(await command('deploy', 'v3', '--targets', third), { code: 0, out: /release v3,/ });
  t.equal(await fresh(), 'three');
  const first = await fetch(`http://${proxy}/`);
  const cookie = first.headers.get('set-cookie')!.split(';')[0]!;
  const mine = async (): Promise<string> =>
    (await fetch(`http://${proxy}/`, { headers: { cookie } })).text();
  t.equal(await mine(), 'three', 'a session counts once its cookie has come back');
  t.match(await command('rollback', '2', '--restick', 'new', '--reason', 'v1 is broken, too'), {
    code: 0,
    out: /blue \(release v2, deployment 2,/,
  });
  t.equal(await mine(), 'three', 'sessions drain where that is asked for');
  t.equal(await fresh(), 'two', 'one that no color had any more is active again');
  const drained = await command('drain', '--evict', '--deployment', '3');
  t.match(drained, { code: 0, out: 'default: sessions move over, connections close' });
  t.equal(await mine(), 'two');
  t.match(await command('switch', 'v3'), { code: 2, err: /locked out[^]*turnout unlock/ });
  t.match(await command('switch', 'v9'), {
    code: 2,
    err: /keeps no deployment v9: expected a color, or one of .*v3 \(deployment 3\)[^]*turnout deployments/,
  });
});

await t.test(
  'a switch to what is not healthy is refused with 2, and forced with a reason',
  async (t) => {
    // Nothing has ever answered there, so it is not taken for healthy.
    const running = await startTurnout(t, [
      '--blue',
      await app(t, 'blue'),
      '--green',
      'unix:/none',
    ]);
    const refused = await turnout(['switch', 'green', '--admin', running.admin]);
    t.match(refused, { code: 2, out: '', err: /healthy.*\n.*--force --reason TEXT/ });
    const { code, out } = await turnout(['switch', 'green', '--json', '--admin', running.admin]);
    t.equal(code, 2);
    t.match(JSON.parse(out), { code: 'target-unhealthy' });
    const force = ['--force', '--reason', 'drill'];
    t.match(await turnout(['switch', 'green', ...force, '--admin', running.admin]), { code: 0 });
  },
);

await t.test('a sidecar runs from its environment alone', async (t) => {
  const environment = {
    TURNOUT_BLUE: await app(t, 'blue'),
    TURNOUT_GREEN: await app(t, 'green'),
    TURNOUT_ACTIVE: 'green',
    TURNOUT_HEALTH_KIND: 'none',
    TURNOUT_WORKER: '1',
  };
  const running = await startTurnout(t, [], environment);
  t.equal(await body(`http://${running.proxy}/`), 'green');
  const warning = await running.line((line) => line.includes('TURNOUT_WORKER:'));
  t.match(JSON.parse(warning), { msg: /did you mean TURNOUT_WORKERS/ });
});

await t.test('a port that is in use is one clear line and exit code 1', async (t) => {
  const taken = createTcpServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const rest = ['--blue', 'http://127.0.0.1:1', '--state', temporaryDirectory(t)];
  const free = '127.0.0.1:0';
  for (const flags of [
    ['--listen', address, '--admin', free],
    ['--listen', free, '--admin', address],
  ]) {
    const { code, err } = await turnout(['run', ...flags, ...rest]);
    t.equal(code, 1);
    t.match(err, new RegExp(`^turnout: .*${address}`));
    t.equal(err.split('\n').length, 1, err);
  }
});

await t.test('a wrong configuration is 64, all faults, and nothing started', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'turnout.yaml');
  const state = join(directory, 'state');
  writeFileSync(file, 'listen: 1x\nlisen: 2\n');
  const flags = ['--config', file, '--state', state, '--workers', '0'];
  const { code, out, err } = await turnout(['run', ...flags], { TURNOUT_LOG_LEVEL: 'loud' });
  t.equal(code, 64);
  t.equal(out, '');
  t.match(err.split('\n'), [
    `${file}:1:1: services[0]: expected targets`,
    `${file}:1:9: listen: expected`,
    `${file}:2:1: lisen: unknown setting`,
    '--workers: expected',
    'TURNOUT_LOG_LEVEL: expected',
    'turnout: 5 faults in the configuration, nothing was started',
  ]);
  t.notOk(existsSync(state), 'not even its directory is made');
  t.match(await turnout(['config', 'check', file]), { code: 64, err: /:2:1: lisen/ });
});

await t.test('a second signal cuts what still runs, and the exit code says so', async (t) => {
  const running = await startTurnout(t, ['--blue', await app(t, 'blue'), ...ALWAYS_UP]);
  const hanging = fetch(`http://${running.proxy}/hang`).catch(() => 'cut');
  // Answered after the hanging one was sent on another connection: by then that one is known.
  t.equal(await body(`http://${running.proxy}/`), 'blue');
  running.process.kill('SIGTERM');
  await running.line((line) => line.includes('"msg":"stopping"'));
  running.process.kill('SIGINT');
  t.equal(await running.ended, 1);
  t.equal(await hanging, 'cut');
});

await t.test('SIGHUP ends nothing, and has the configuration read again', async (t) => {
  const running = await startTurnout(t, ['--blue', await app(t, 'blue'), ...ALWAYS_UP]);
  running.process.kill('SIGHUP');
  await running.line((line) =>
    line.includes('the configuration was read again; nothing has changed'),
  );
  t.equal(await body(`http://${running.proxy}/`), 'blue');
});

const ROOT = new URL('../..', import.meta.url).pathname;
const LOCALE = { ...process.env, LC_ALL: 'C.UTF-8' };

await t.test('the demo prints commands that work, and leaves nothing behind', async (t) => {
  const temporary = temporaryDirectory(t);
  const args = ['demo', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const child = launch(args, { TMPDIR: temporary });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stdout! })) {
    printed.push(line.trim());
    if (line.includes('Ctrl-C')) break;
  }
  const [traffic, switching, back] = printed.filter((line) => line.startsWith('curl '));
  const url = traffic!.slice('curl '.length);
  t.equal(await body(url), 'blue\n');
  const page = await fetch(url, { headers: { accept: 'text/html' } });
  t.match(page.headers.get('content-type'), /^text\/html/);
  t.match(await page.text(), /<h1>blue<\/h1>/);
  const started = Date.now();
  let status = 0;
  // Green is switched to after its first passed probe, which the demo asks for at once.
  while (status !== 200 && Date.now() - started < PATIENCE_MS) status = await post(switching!);
  t.equal(status, 200);
  t.equal(await body(url), 'green\n');
  t.equal(await post(back!), 200);
  t.equal(await body(url), 'blue\n');
  const [again, watch] = printed.filter((line) => line.startsWith('npx node src/main.ts '));
  const shell = promisify(execFile);
  const made = await shell('/bin/sh', ['-c', again!], { cwd: ROOT, env: LOCALE });
  t.match(made.stdout, /blue → green/);
  t.equal(await body(url), 'green\n', 'nothing was locked out');
  t.match(watch, / status --watch --admin http:/);
  const seen = await shell('/bin/sh', ['-c', watch!.replace(' --watch', '')], {
    cwd: ROOT,
    env: LOCALE,
  });
  t.match(seen.stdout, /green is active/);
  child.kill('SIGINT');
  t.same(await ended, [0, null]);
  t.same(readdirSync(temporary), []);
});

/** Does what a printed `curl -X POST -H … -d BODY URL` does. */
async function post(command: string): Promise<number> {
  const match = /^curl -X POST -H 'content-type: application\/json' -d '(.*)' (\S+)$/.exec(command);
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(match![2]!, { method: 'POST', headers, body: match![1]! });
  await answer.text();
  return answer.status;
}

await t.test('an older Node is told so in two lines', async (t) => {
  const old = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})`;
  const { code, out, err } = await turnout(['--version'], { NODE_OPTIONS: `--import="${old}"` });
  t.same({ code, out }, { code: 1, out: '' });
  t.match(err, /^turnout: expected Node 24 or newer, got v\S+\nuse the one that npm brought: .+$/);
});
