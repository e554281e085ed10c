// Targets that answer their checks and fail every request, or refuse connections, between others that
// serve: with the whole program, over TCP and Unix sockets, by several workers.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

/** An app that always passes its checks. */
interface App {
  readonly url: string;
  readonly server: Server;
  /** It answers requests with 500. */
  isSick: boolean;
  /** Requests that were no checks. */
  asked: number;
}

async function openApp(t: Test, path?: string): Promise<App> {
  const server = createServer((asked, answer) => {
    if (asked.url !== '/healthz') {
      app.asked++;
      if (app.isSick) answer.statusCode = 500;
    }
    answer.end();
  });
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const url =
    path === undefined
      ? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      : `unix:${path}`;
  const app: App = { url, server, isSick: false, asked: 0 };
  return app;
}

const QUICK = ['--health-interval', '100ms', '--health-rise', '1', '--ejection-time', '1s'];

interface Scene {
  readonly apps: readonly App[];
  readonly server: Running;
  readonly admin: AdminClient;
  /** Sends a request on a connection of its own and returns its status. */
  readonly ask: (method?: string) => Promise<number>;
  /** Asks until a line of the log that is still to come, or came, has `words`. */
  readonly asksUntil: (words: string) => Promise<string>;
}

async function scene(t: Test, apps: readonly App[], ...more: string[]): Promise<Scene> {
  const blue = ['--blue', apps.map(({ url }) => url).join(',')];
  return await sceneOf(apps, await startTurnout(t, [...blue, ...QUICK, ...more]));
}

async function sceneOf(apps: readonly App[], server: Running): Promise<Scene> {
  for (const { url } of apps) await server.line((line) => line.includes(`${url} is up`));
  const ask = async (method = 'GET'): Promise<number> => {
    const asked = request(`http://${server.proxy}/`, { agent: false, method });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode!;
  };
  return {
    apps,
    server,
    admin: new AdminClient(server.admin),
    ask,
    asksUntil: async (words) => {
      const said: string[] = [];
      void server.line((line) => line.includes(words)).then((line) => said.push(line));
      while (said.length === 0) await ask();
      return said[0]!;
    },
  };
}

/** What the status says of each target of blue. */
async function ejectedOf({ admin }: Scene): Promise<unknown[]> {
  const { json } = await admin.get('/v1/status');
  const { services } = json as unknown as {
    readonly services: readonly {
      readonly blue: { readonly targets: readonly { readonly ejected: unknown }[] };
    }[];
  };
  return services[0]!.blue.targets.map(({ ejected }) => ejected);
}

for (const kind of ['tcp', 'unix'] as const) {
  await t.test(
    `a target that fails every request is left out and comes back (${kind})`,
    async (t) => {
      const dir = shortDir(t);
      const path = (name: string): string | undefined =>
        kind === 'unix' ? join(dir, name) : undefined;
      const apps = [await openApp(t, path('a')), await openApp(t, path('b'))];
      const [sick, sound] = apps as [App, App];
      const one = await scene(t, apps, '--workers', '2');
      t.strictSame(await ejectedOf(one), [null, null]);
      sick.isSick = true;
      const said = await one.asksUntil(`${sick.url} is ejected for 1 s`);
      t.match(JSON.parse(said), { level: 'warn', service: 'default', color: 'blue' });
      t.match(await ejectedOf(one), [{ reason: /requests in a row failed there/ }, null]);
      const before = sick.asked;
      for (let i = 0; i < 20; i++) t.equal(await one.ask(), 200);
      t.ok(sick.asked - before <= 2, 'beside what its trial lets through');
      t.ok(sound.asked > 0);
      const text = await (await fetch(`http://${one.server.admin}/metrics`)).text();
      t.match(text, new RegExp(`turnout_target_ejections_total\\{[^}]+${sick.url}"\\} 1`));
      // Its checks pass all the time; it is the trial that finds it well.
      sick.isSick = false;
      await one.asksUntil(`${sick.url} gets requests again: it has answered a request`);
      t.strictSame(await ejectedOf(one), [null, null]);
    },
  );
}

await t.test(
  'a target that refuses connections is left out before its checks say so',
  async (t) => {
    const apps = [await openApp(t), await openApp(t)];
    const one = await scene(t, apps, '--health-interval', '5m', '--health-fall', '100');
    apps[0]!.server.close();
    apps[0]!.server.closeAllConnections();
    const said = await one.asksUntil(`${apps[0]!.url} is ejected`);
    t.match(said, /\(\d+ of them got no connection\)/);
    t.strictSame(await one.ask('POST'), 200);
  },
);

await t.test('an app that fails everywhere loses no target', async (t) => {
  const apps = [await openApp(t), await openApp(t)];
  const one = await scene(t, apps);
  for (const app of apps) app.isSick = true;
  for (let i = 0; i < 200; i++) await one.ask();
  for (const app of apps) app.isSick = false;
  // A target that is sick alone is told of after them: looks were taken in between.
  apps[0]!.isSick = true;
  await one.asksUntil(`${apps[0]!.url} is ejected`);
  const ejections = one.server.lines.filter((line) => line.includes('is ejected'));
  t.equal(ejections.length, 1, ejections.join('\n'));
});

await t.test('a reload turns it off, and what was left out serves again', async (t) => {
  const apps = [await openApp(t), await openApp(t)];
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const write = (mode: string): void => {
    const blue = { targets: apps.map(({ url }) => url) };
    const health = { interval: '100ms', rise: 1 };
    writeFileSync(file, JSON.stringify({ services: [{ blue, health, ejection: { mode } }] }));
  };
  write('on');
  const one = await sceneOf(apps, await startTurnout(t, ['--config', file, '--workers', '2']));
  const [sick] = apps as [App, App];
  sick.isSick = true;
  await one.asksUntil(`${sick.url} is ejected for 30 s`);
  write('off');
  t.equal((await one.admin.post('/v1/reload', {})).status, 200);
  await one.asksUntil(`${sick.url} gets requests again: ejection is off now`);
  t.strictSame(await ejectedOf(one), [null, null]);
  const before = sick.asked;
  while (sick.asked === before) await one.ask();
});

await t.test('a process that takes over finds it again, with both of its workers', async (t) => {
  const apps = [await openApp(t), await openApp(t)];
  const one = await scene(t, apps, '--workers', '2', '--ejection-time', '1h');
  const [sick] = apps as [App, App];
  sick.isSick = true;
  await one.asksUntil(`${sick.url} is ejected`);
  const upgrade = await one.admin.post('/v1/upgrade', {});
  t.equal(upgrade.status, 200);
  t.teardown(() => process.kill(Number(upgrade.json['pid']), 'SIGKILL'));
  one.admin.close();
  const admin = new AdminClient(one.server.admin);
  t.teardown(() => admin.close());
  while ((await ejectedOf({ ...one, admin }))[0] === null) await one.ask();
  const before = sick.asked;
  for (let i = 0; i < 20; i++) t.equal(await one.ask(), 200);
  t.equal(sick.asked, before);
});

await t.test('a switch goes by the checks alone, and a deployment begins anew', async (t) => {
  const apps = [await openApp(t), await openApp(t)];
  const green = await openApp(t);
  const one = await scene(t, apps, '--green', green.url, '--ejection-time', '1h');
  const [sick] = apps as [App, App];
  await one.server.line((line) => line.includes(`${green.url} is up`));
  sick.isSick = true;
  await one.asksUntil(`${sick.url} is ejected`);
  sick.isSick = false;
  t.equal((await one.admin.post('/v1/switch', { to: 'green' })).status, 200);
  t.equal(
    (await one.admin.post('/v1/switch', { to: 'blue' })).status,
    200,
    'blue is up by its checks',
  );
  const before = sick.asked;
  while (sick.asked < before + 3) t.equal(await one.ask(), 200);
  t.strictSame(await ejectedOf(one), [null, null]);
});

await t.test('a setting turns it off', async (t) => {
  const apps = [await openApp(t), await openApp(t)];
  apps[0]!.isSick = true;
  const off = await scene(t, apps, '--ejection-mode', 'off');
  for (let i = 0; i < 100; i++) await off.ask();
  t.ok(apps[0]!.asked > 10);
  t.strictSame(await ejectedOf(off), [null, null]);
});
