// `turnout apply` against a real server, from a file and through a pipe.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { answering, openOrigin } from '../support/origin.ts';
import { launch, startTurnout, temporaryDirectory, turnout } from './turnout-process.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

t.setTimeout(120_000);

await t.test('a declaration comes true, once', async (t) => {
  const origins = await Promise.all([1, 2, 3].map(async () => openOrigin(answering(OK))));
  for (const origin of origins) t.teardown(() => origin.close());
  const [v1, v2, v3] = origins.map(({ port }) => `http://127.0.0.1:${port}`);
  const health = ['--health-interval', '200ms', '--health-rise', '1', '--affinity-mode', 'off'];
  const running = await startTurnout(t, ['--blue', v1!, '--blue-release', 'v1', ...health]);
  const file = join(temporaryDirectory(t), 'shop.yaml');
  writeFileSync(
    file,
    `active: green
green: { release: v2, targets: [${v2}] }
blue:  { release: v3, targets: [${v3}] }
`,
  );
  const apply = ['apply', '-f', file, '--admin', running.admin, '--json'];
  t.match(JSON.parse((await turnout([...apply, '--dry-run'])).out), {
    changed: false,
    steps: { length: 3 },
  });
  const first = await turnout(apply);
  t.equal(first.code, 0, first.out);
  t.match(JSON.parse(first.out), { changed: true, done: 3 });
  const status = await turnout(['status', '--json', '--admin', running.admin]);
  t.match(JSON.parse(status.out), {
    services: [
      {
        active: 'green',
        green: { release: 'v2', targets: [{ url: v2 }] },
        blue: { release: 'v3', targets: [{ url: v3 }] },
      },
    ],
  });
  t.match(JSON.parse((await turnout(apply)).out), { changed: false, steps: [] });

  const child = launch(['history', '--json', '--admin', running.admin]);
  let text = '';
  child.stdout!.on('data', (part: Buffer) => (text += part.toString()));
  await once(child, 'close');
  t.match(JSON.parse(text), { switches: [{ to: 'green', release: 'v2' }] }, 'one switch was made');
});

await t.test('one file declares two services, each in its own order', async (t) => {
  const origins = await Promise.all([1, 2, 3, 4].map(async () => openOrigin(answering(OK))));
  for (const origin of origins) t.teardown(() => origin.close());
  const [a1, a2, b1, b2] = origins.map(({ port }) => `http://127.0.0.1:${port}`);
  const directory = temporaryDirectory(t);
  const config = join(directory, 'turnout.yaml');
  const health = 'health: { interval: 200ms, rise: 1 }';
  writeFileSync(
    config,
    `services:
  - { name: shop, hosts: [shop.test], blue: { targets: ['${a1}'] }, ${health} }
  - { name: docs, hosts: [docs.test], blue: { targets: ['${b1}'] }, ${health} }
`,
  );
  const running = await startTurnout(t, ['--config', config]);
  const file = join(directory, 'wanted.yaml');
  writeFileSync(
    file,
    `services:
  - { name: docs, green: { release: d2, targets: ['${b2}'] } }
  - { name: shop, active: green, green: { release: s2, targets: ['${a2}'] } }
`,
  );
  const apply = ['apply', '-f', file, '--admin', running.admin];
  const made = await turnout(apply);
  t.equal(made.code, 0, made.err);
  t.equal(
    made.out,
    `docs: green is now d2 at ${b2}\nshop: green is now s2 at ${a2}\nshop: green is active now`,
  );
  t.match(await turnout(apply), { code: 0, out: 'nothing to do: all is as declared' });
  const { out } = await turnout(['status', '--json', '--admin', running.admin]);
  const services = (JSON.parse(out) as { readonly services: readonly { readonly name: string }[] })
    .services;
  t.match(
    services.toSorted((a, b) => a.name.localeCompare(b.name)),
    [
      { name: 'docs', active: 'blue', green: { release: 'd2' } },
      { name: 'shop', active: 'green', green: { release: 's2' } },
    ],
  );
  writeFileSync(file, 'services: [{ name: shop, active: blue }, { name: wiki, active: blue }]\n');
  const unknown = await turnout(apply);
  t.equal(unknown.code, 64);
  t.match(unknown.err, /nothing was changed\n {2}there is no service wiki; expected one of: /);
  t.match(await turnout(['history', '--service', 'shop', '--admin', running.admin]), {
    out: /^[^\n]+\n[^\n]+s2[^\n]+$/,
  });
});

await t.test('a pipe is read like a file; what the server refuses is told', async (t) => {
  const running = await startTurnout(t, ['--blue', 'http://127.0.0.1:9']);
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const apply = async (text: string): Promise<readonly [number | null, string]> => {
    const args = [main, 'apply', '-f', '-', '--admin', running.admin, '--timeout', '1s'];
    const child = spawn(process.execPath, args, { stdio: 'pipe' });
    let told = '';
    child.stderr.on('data', (part: Buffer) => (told += part.toString()));
    child.stdin.end(text);
    const [code] = (await once(child, 'close')) as [number | null];
    return [code, told];
  };
  const admin = `green: { release: v2, targets: [http://${running.admin}] }`;
  const [refused, why] = await apply(admin);
  t.equal(refused, 2);
  t.match(why, /is a listener of Turnout itself[^]*0 of 1 change made/);
  const [failed, sick] = await apply(
    'active: green\ngreen: { release: v2, targets: [http://127.0.0.1:9999] }',
  );
  t.equal(failed, 1);
  t.match(sick, /v2 did not get healthy on green within 1s[^]*1 of 2 changes made/);
  const [usage, fault] = await apply('active: grey');
  t.equal(usage, 64);
  t.match(fault, /^standard input:1:9: active: expected one of blue, green/);
});
