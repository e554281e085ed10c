// A socket that was registered within the rules, and whose path comes to lead elsewhere.

import { link, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startAsGiven } from './turnout-process.ts';

/** An app at `path` that responds with `text`. */
async function appAt(t: Test, path: string, text: string): Promise<Server> {
  const app = createServer((_request, response) => response.end(text)).listen(path);
  t.teardown(() => app.close());
  await once(app, 'listening');
  return app;
}

for (const rules of ['setting', 'token'] as const) {
  await t.test(`a path that leads out of its folders serves nothing: by ${rules}`, async (t) => {
    const dir = shortDir(t);
    for (const name of ['in', 'out']) mkdirSync(join(dir, name));
    const [path, aside] = [join(dir, 'in/app.sock'), join(dir, 'in/aside.sock')];
    await appAt(t, path, 'inside');
    await appAt(t, join(dir, 'out/other.sock'), 'outside');
    const within = [`unix:${join(dir, 'in')}`];
    const file = join(dir, 'turnout.yaml');
    await writeFile(
      file,
      JSON.stringify({
        listen: '127.0.0.1:0',
        admin: { listen: '127.0.0.1:0' },
        state: { dir },
        targets: { allow: rules === 'setting' ? [...within, '127.0.0.0/8'] : [] },
        services: [
          {
            health: { interval: '100ms', rise: 1, fall: 1 },
            affinity: { mode: 'off' },
            blue: { targets: ['http://127.0.0.1:9'] },
          },
        ],
      }),
    );
    const running = await startAsGiven(t, ['--config', file]);
    const ready = running.lines.find((line) => line.includes('"msg":"ready"'))!;
    const { listen, admin: at } = JSON.parse(ready) as Readonly<Record<string, string>>;
    const admin = new AdminClient(at!);
    t.teardown(() => admin.close());
    let token = '';
    if (rules === 'token') {
      const made = await admin.post('/v1/tokens', { name: 'team', role: 'admin', targets: within });
      token = String(made.json['token']);
    }
    const asTeam: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    const release = { release: 'v2', targets: [`unix:${path}`] };
    t.match(await admin.put('/v1/releases/green', release, asTeam), { status: 200 });
    await running.line((line) => line.includes(`${path} is up`));
    t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 200 });
    const page = async (): Promise<string> => await (await fetch(`http://${listen}/`)).text();
    t.equal(await page(), 'inside');

    // In one step: a check that finds nothing there says something else.
    await link(path, aside);
    await symlink(join(dir, 'out/other.sock'), join(dir, 'in/link'));
    await rename(join(dir, 'in/link'), path);
    const down = await running.line((line) => line.includes(`${path} is down`));
    t.match(down, 'the path leads elsewhere than targets.allow or the token says');
    // A connection from before still leads where it may.
    t.notMatch(await page(), 'outside');
    t.notMatch(await page(), 'outside');

    await rename(aside, path);
    await running.line((line) => line.includes(`${path} is up`) && line !== down);
    t.equal(await page(), 'inside', 'and what leads back serves again');
  });
}
