// The command line in pipes and scripts: one JSON document, exit codes, readers that have read
// enough, answers that get lost; against a real Turnout.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { serve } from '../support/serving.ts';
import { quote } from './terminal-process.ts';
import { startTurnout, turnout, type Ended } from './turnout-process.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

/** An app that answers its name, or 500 at `/broken`. */
async function app(t: Test, name: string): Promise<string> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/broken' ? 500 : 200;
    response.end(name);
  });
  const { port } = await serve(t, server);
  return `http://127.0.0.1:${port}`;
}

async function stage(t: Test) {
  const targets = ['--blue', await app(t, 'blue'), '--green', await app(t, 'green')];
  const running = await startTurnout(t, [...targets, '--health-kind', 'none']);
  const command = async (...args: string[]): Promise<Ended> =>
    turnout([...args, '--admin', running.admin]);
  const answer = async (path = '/'): Promise<string> =>
    (await fetch(`http://${running.proxy}${path}`)).text();
  return { ...running, command, answer };
}

/** Runs a line of bash in which `turnout` is the command line of this checkout. */
async function bash(t: Test, line: string, admin: string): Promise<Ended> {
  const define = `turnout() { ${quote(process.execPath)} ${quote(MAIN)} "$@"; }`;
  const child = spawn('bash', ['-c', `set -o pipefail\n${define}\n${line}`], {
    env: { ...process.env, TURNOUT_ADMIN: admin },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  // A line that does not end must not go on without its test.
  t.teardown(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: out.trimEnd(), err: err.trimEnd() };
}

await t.test('a reader that has read enough is no trouble', async (t) => {
  const { admin, command } = await stage(t);
  for (const color of ['green', 'blue', 'green']) await command('switch', color);
  t.match(await bash(t, 'turnout history | head -1', admin), { code: 0, out: /^AT /, err: '' });
  // It is gone before anything is written.
  t.match(await bash(t, 'turnout history | true', admin), { code: 0, err: '' });
  t.match(await bash(t, 'turnout run --help | head -2', admin), { code: 0, err: '' });
  // 2 lines of the many; the watching ends by itself.
  t.match(await bash(t, 'turnout status --watch --interval 100ms | head -2', admin), {
    code: 0,
    out: /^turnout \S+ · ready/,
    err: '',
  });
  // What a change has become is told by its exit code all the same.
  t.match(await bash(t, 'turnout switch blue --force | true', admin), { code: 64 });
});

await t.test('a result that cannot be written is a failure', async (t) => {
  const { admin } = await stage(t);
  t.match(await bash(t, 'turnout status > /dev/full', admin), {
    code: 1,
    err: /^turnout: the output cannot be written \(ENOSPC\)$/,
  });
});

await t.test('a script is never asked, and gets one JSON document', async (t) => {
  const { command, answer } = await stage(t);
  const switched = await command('switch', 'green', '--wait', '--json');
  t.match(switched, { code: 0, err: '' });
  t.match(JSON.parse(switched.out), { to: 'green', changed: true, drain: { color: 'blue' } });
  t.equal(await answer(), 'green');
  t.match(await command('switch', 'blue'), { code: 0, out: /green → blue/ });
  t.equal(await answer(), 'blue');
});

await t.test('a deploy in a pipeline registers, waits, switches and drains', async (t) => {
  const { command, answer } = await stage(t);
  const next = await app(t, 'next');
  const deployed = await command('deploy', 'v3', '--targets', next, '--wait', '--json');
  t.match(deployed, { code: 0, err: '' });
  t.match(JSON.parse(deployed.out), {
    release: 'v3',
    to: 'green',
    drain: { how: 'drained' },
  });
  t.equal(await answer(), 'next');
});

await t.test('exit codes against a real server', async (t) => {
  const { command, process: child, ended } = await stage(t);
  const codes: readonly (readonly [number, ...string[]])[] = [
    [0, 'status'],
    [0, 'ready'],
    [2, 'status', '--service', 'none'],
    [2, 'rollback'],
    [2, 'drain', '--evict', '--generation', '99'],
    [2, 'deploy', 'v3', '--targets', 'nonsense'],
    [2, 'deploy', 'a release', '--targets', 'http://127.0.0.1:1'],
    [64, 'history', '--limit', '0'],
    [2, 'history', '--limit', '1001'],
    [2, 'hold', '--for', '1000h'],
    [64, 'switch', 'green', '--plan', 'canary-200-5m'],
    [64, 'switch'],
    [2, 'switch', 'red'],
  ];
  for (const [code, ...args] of codes) {
    const outcome = await command(...args);
    t.equal(outcome.code, code, args.join(' '));
    t.equal(outcome.err === '', code === 0, args.join(' '));
  }
  child.kill('SIGTERM');
  await ended;
  t.match(await command('status'), { code: 69, err: /no server at .* \(ECONNREFUSED\)/ });
  t.match(await command('ready'), { code: 1 });
});

await t.test('the last minute comes from the server', async (t) => {
  const { command, answer } = await stage(t);
  for (let count = 0; count < 30; count++) await answer();
  for (let count = 0; count < 10; count++) await answer('/broken');
  // The server looks once a second.
  for (;;) {
    const { out } = await command('status', '--json');
    const [service] = (JSON.parse(out) as { services: Status[] }).services;
    const { blue, green } = service!;
    if (blue.lastMinute.share === null) continue;
    const sum = blue.lastMinute.requestsPerSecond.reduce((all, rate) => all + rate, 0);
    if (sum < 39) continue;
    t.match(blue.lastMinute, { share: 1, errorRate: 0.25 });
    t.ok(blue.lastMinute.p50Ms! > 0 && blue.lastMinute.p50Ms! <= blue.lastMinute.p99Ms!);
    t.match(green.lastMinute, { share: 0, errorRate: null, p99Ms: null });
    break;
  }
  t.match(await command('status'), { out: /\* {2}blue .*100% .*25\.0%.* ms .*[▂-█]/ });
});

interface Status {
  readonly blue: { readonly lastMinute: LastMinute };
  readonly green: { readonly lastMinute: LastMinute };
}

interface LastMinute {
  readonly requestsPerSecond: readonly number[];
  readonly share: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** A way to `admin` on which the first answer to a POST gets lost. */
async function lossyWay(t: Test, admin: string): Promise<{ admin: string; lost: () => number }> {
  let lost = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer((client) => {
    const upstream = connect(Number(admin.split(':')[1]), '127.0.0.1');
    let isChange = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (part: Buffer) => {
      isChange ||= part.toString('latin1').startsWith('POST ');
      upstream.write(part);
    });
    upstream.on('data', (part: Buffer) => {
      if (isChange && lost === 0) {
        // The server has answered; the answer will never be read.
        lost++;
        client.destroy();
        upstream.destroy();
        return;
      }
      client.write(part);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    admin: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost: () => lost,
  };
}

await t.test(
  'an answer that gets lost is asked for again, and nothing is done twice',
  async (t) => {
    const { admin, command, answer } = await stage(t);
    const way = await lossyWay(t, admin);
    // The second call has the key of the first: without it, the answer would be "active already".
    const { code, out } = await turnout(['switch', 'green', '--admin', way.admin]);
    t.equal(way.lost(), 1);
    t.match({ code, out }, { code: 0, out: /blue → green/ });
    t.equal(await answer(), 'green');
    const { out: history } = await command('history', '--json');
    t.equal((JSON.parse(history) as { switches: unknown[] }).switches.length, 1);
  },
);
