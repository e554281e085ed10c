// Failover with the whole program and apps that are processes of their own: what their end does to
// traffic, history, audit log and status.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { freePort, ownAddress } from '../support/own-address.ts';
import { startTurnout, temporaryDirectory, turnout, type Running } from './turnout-process.ts';

/** An app that tells its name, as long as it lives. */
interface App {
  readonly url: string;
  readonly process: ChildProcess;
}

const APP = `
  const [name, url] = process.argv.slice(1);
  const { hostname, port } = new URL(url);
  const server = require('node:http').createServer((_, answer) => answer.end(name));
  server.listen(Number(port), hostname, () => console.log('listening'));
`;

/** Starts an app, perhaps where one that was killed has been. */
async function startApp(t: Test, name: string, former?: App): Promise<App> {
  const url = former?.url ?? (await freeUrl());
  const child = spawn(process.execPath, ['-e', APP, name, url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(createInterface({ input: child.stdout }), 'line');
  return { url, process: child };
}

async function freeUrl(): Promise<string> {
  const host = ownAddress();
  return `http://${host}:${await freePort(host)}`;
}

async function kill({ process: child }: App): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Checks often, and believes at once. */
const QUICK = (
  '--health-interval 100ms --health-timeout 2s --health-rise 1 --health-fall 2 ' +
  '--failover-after 1s'
).split(' ');

interface Scene {
  readonly blue: App;
  readonly green: App;
  readonly server: Running;
  /** Runs a command of the program with --json. */
  readonly run: (...args: string[]) => Promise<unknown>;
  readonly asked: () => Promise<string>;
}

async function scene(t: Test, mode: 'auto' | 'off', ...more: string[]): Promise<Scene> {
  const blue = await startApp(t, 'blue');
  const green = await startApp(t, 'green');
  const colors = ['--blue', blue.url, '--green', green.url, '--green-release', 'v2'];
  const flags = [...colors, ...QUICK, '--failover-mode', mode, ...more];
  const server = await startTurnout(t, flags);
  for (const color of ['blue', 'green']) {
    await server.line((line) => new RegExp(`${color} http.+ is up`).test(line));
  }
  return {
    blue,
    green,
    server,
    run: async (...args) => {
      const { out, err } = await turnout([...args, '--admin', server.admin, '--json']);
      return JSON.parse(out === '' ? err : out) as unknown;
    },
    asked: async () => {
      const answer = await fetch(`http://${server.proxy}/`).catch(() => undefined);
      return answer === undefined ? 'nothing' : `${answer.status} ${await answer.text()}`;
    },
  };
}

await t.test('an app that is killed loses the traffic to the other color', async (t) => {
  const { blue, server, run, asked } = await scene(t, 'auto');
  t.equal(await asked(), '200 blue');
  const killedAtMs = Date.now();
  await kill(blue);
  const line = await server.line((text) => text.includes('default switched to green'));
  t.ok(Date.now() - killedAtMs >= 1_000, 'not before failover.after');
  t.match(JSON.parse(line), { actor: 'failover' });
  t.equal(await asked(), '200 green');
  const why = /^all of blue down since \d{4}-.+Z: http:\/\/127[.\d]+:\d+ \(connection refused\)$/;
  const switched = { from: 'blue', to: 'green', actor: 'failover', reason: why, forced: false };
  t.match(await run('history'), { switches: [switched] });
  t.match(await run('audit', '--limit', '1'), {
    entries: [{ actor: 'failover', action: 'switched', service: 'default', reason: why }],
  });
  t.match(await run('status'), {
    services: [{ active: 'green', failover: { mode: 'auto', downSince: null, obstacle: null } }],
  });
  const metrics = await fetch(`http://${server.admin}/metrics`).then(async (one) => one.text());
  t.match(metrics, 'turnout_failovers_total{service="default",outcome="switched"} 1');
});

await t.test(
  'the app that comes back gets nothing by itself, and a rollback asks it',
  async (t) => {
    const { blue, green, server, run, asked } = await scene(t, 'auto');
    await kill(blue);
    await server.line((text) => text.includes('default switched to green'));
    await startApp(t, 'blue', blue);
    await server.line(
      (text) => /blue http.+ is up/.test(text) && isLater(text, server, 'switched'),
    );
    t.equal(await asked(), '200 green');
    t.match(await run('rollback', '--reason', 'blue is mended'), { to: 'blue', changed: true });
    t.equal(await asked(), '200 blue');
    t.match(await run('status'), { services: [{ green: { lockedOut: null } }] });
    t.equal(green.process.exitCode, null);
  },
);

/** Tells whether `text` was logged after the first line with `other`. */
function isLater(text: string, { lines }: Running, other: string): boolean {
  return lines.lastIndexOf(text) > lines.findIndex((line) => line.includes(other));
}

await t.test('off does nothing, where the same end of the same app is seen by both', async (t) => {
  const blue = await startApp(t, 'blue');
  const green = await startApp(t, 'green');
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const service = (name: string, failover: object): object => ({
    name,
    hosts: [`${name}.test`],
    blue: { targets: [blue.url] },
    green: { release: 'v2', targets: [green.url] },
    health: { interval: '100ms', rise: 1, fall: 2 },
    failover,
  });
  const services = [
    service('still', { mode: 'off', after: '1s' }),
    service('moved', { mode: 'auto', after: '3s' }),
  ];
  writeFileSync(file, JSON.stringify({ services })); // YAML, too.
  const server = await startTurnout(t, ['--config', file]);
  for (const name of ['still', 'moved']) {
    await server.line((line) => new RegExp(`${name} blue http.+ is up`).test(line));
    await server.line((line) => new RegExp(`${name} green http.+ is up`).test(line));
  }
  await kill(blue);
  await server.line((text) => text.includes('moved switched to green'));
  const { out } = await turnout(['status', '--json', '--admin', server.admin]);
  t.match(JSON.parse(out), {
    services: [
      { name: 'still', active: 'blue', previous: null, failover: { mode: 'off' } },
      { name: 'moved', active: 'green', previous: { actor: 'failover' } },
    ],
  });
});

await t.test('where the other color is down too, traffic stays and goes on trying', async (t) => {
  const { blue, green, server, run, asked } = await scene(t, 'auto');
  await kill(green);
  await server.line((text) => /green http.+ is down/.test(text));
  await kill(blue);
  await server.line((text) =>
    text.includes('failover does not act: default: green is not healthy'),
  );
  t.match(await run('status'), {
    services: [{ active: 'blue', failover: { obstacle: /green is not healthy: .+ is down/ } }],
  });
  t.match(await asked(), /^502 /);
  const told = server.lines.filter((text) => text.includes('failover does not act'));
  t.equal(told.length, 1, 'it is said once');
  // Fail-open: a request is the first to know that the app is back, the checks need not agree.
  await startApp(t, 'blue', blue);
  t.equal(await asked(), '200 blue');
});

await t.test('a freeze outlives a restart, and holds failover back', async (t) => {
  const state = temporaryDirectory(t);
  const { blue, green, server, run } = await scene(t, 'auto', '--state', state);
  t.match(await run('freeze', '--reason', 'black friday'), { changed: true });
  server.process.kill('SIGKILL');
  await server.ended;
  const colors = ['--blue', blue.url, '--green', green.url, '--green-release', 'v2'];
  const again = await startTurnout(t, [
    ...colors,
    ...QUICK,
    '--failover-mode',
    'auto',
    '--state',
    state,
  ]);
  await again.line((text) => /green http.+ is up/.test(text));
  await again.line((text) => /blue http.+ is up/.test(text));
  await kill(blue);
  await again.line((text) => text.includes('failover does not act: loopback has frozen'));
  const ask = async (...args: string[]) => turnout([...args, '--admin', again.admin]);
  t.match(await ask('switch', 'green'), { code: 2, err: /black friday/ });
  t.match(await ask('status'), { out: /frozen.*black friday/ });
  t.match(await ask('unfreeze', '--reason', 'over'), { code: 0 });
  await again.line((text) => text.includes('default switched to green'));
});

await t.test('the way back is asked on the spot when nothing is known of it', async (t) => {
  const quick = ['--drain-sessions', '0s', '--drain-requests', '0s'];
  const { blue, server, run, asked } = await scene(t, 'off', ...quick);
  const next = await startApp(t, 'next');
  t.match(await run('switch', 'green', '--wait'), { drain: { how: 'drained' } });
  const registered = await fetch(`http://${server.admin}/v1/releases/blue`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ release: 'v3', targets: [next.url] }),
  });
  t.equal(registered.status, 200);
  t.match(await run('rollback', '--reason', 'v2 leaks'), { to: 'blue', changed: true });
  t.equal(await asked(), '200 blue', 'not the release that was registered since');
  t.match(await run('switch', 'green'), { code: 'release-locked-out', detail: /v2 leaks/ });
  t.match(await run('unlock', 'green'), { changed: true });
  await run('switch', 'green', '--wait');
  await kill(blue);
  await fetch(`http://${server.admin}/v1/releases/blue`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ release: 'v4', targets: [next.url] }),
  });
  t.match(await run('rollback'), { code: 'target-unhealthy', detail: /connection refused/ });
  t.equal(await asked(), '200 green');
});
