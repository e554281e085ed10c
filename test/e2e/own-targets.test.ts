// A release whose targets are Turnout itself: requests would go in circles, or reach the admin API.

import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startAsGiven, startTurnout, turnout } from './turnout-process.ts';

/** Names of this machine under which loopback listeners are found. */
const HERE = ['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '[::]'];

await t.test('no listener of Turnout can become a target', async (t) => {
  const more = ['--preview-listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0'];
  const running = await startTurnout(t, ['--blue', 'http://127.0.0.1:9', ...more]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const ready = running.lines.find((line) => line.includes('"msg":"ready"'))!;
  const listeners = JSON.parse(ready) as Readonly<Record<string, string>>;
  for (const name of ['listen', 'admin', 'preview', 'metrics']) {
    const port = listeners[name]!.split(':')[1]!;
    for (const host of HERE) {
      const target = `http://${host}:${port}`;
      const body = { release: 'v2', targets: ['http://127.0.0.1:9999', target] };
      const answer = await admin.put('/v1/releases/green', body);
      t.match(answer, { status: 400, json: { code: 'target-invalid' } }, `${name}: ${target}`);
      t.match(answer.json['detail'], `${target} is a listener of Turnout itself`);
    }
  }
  const { json } = await admin.get('/v1/status');
  t.match(json['services'], [{ green: { release: '', targets: [] } }], 'nothing is registered');
  const other = { release: 'v2', targets: ['http://127.0.0.1:9999'] };
  t.match(await admin.put('/v1/releases/green', other), { status: 200 }, 'other ports are free');
});

await t.test('nor can its socket, by whatever path', async (t) => {
  const dir = shortDir(t);
  const socket = join(dir, 'm.sock');
  const more = ['--blue', 'http://127.0.0.1:9', '--metrics', `unix:${socket}`];
  const running = await startTurnout(t, more);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await mkdir(join(dir, 'in'));
  await symlink(dir, join(dir, 'in/out'));
  await symlink(socket, join(dir, 'link'));
  await link(socket, join(dir, 'hard'));
  const spellings = [
    'm.sock',
    './m.sock',
    '/m.sock',
    'in/../m.sock',
    'in/out/m.sock',
    'link',
    'hard',
  ];
  for (const spelling of spellings) {
    const body = { release: 'v2', targets: [`unix:${dir}/${spelling}`] };
    const answer = await admin.put('/v1/releases/green', body);
    t.match(answer, { status: 400, json: { code: 'target-invalid' } }, spelling);
    t.match(answer.json['detail'], 'is a listener of Turnout itself');
  }
  const other = { release: 'v2', targets: [`unix:${dir}/app.sock`] };
  t.match(await admin.put('/v1/releases/green', other), { status: 200 }, 'other sockets are free');
});

await t.test('nor does one start, or read its file again, with such a target', async (t) => {
  const dir = shortDir(t);
  await symlink(dir, join(dir, 'link'));
  const file = join(dir, 'turnout.yaml');
  const socket = join(dir, 'a.sock');
  const write = async (target: string): Promise<void> => {
    const service = { blue: { targets: ['http://127.0.0.1:9'] }, green: { targets: [target] } };
    const own = { listen: '127.0.0.1:0', admin: { listen: `unix:${socket}` }, state: { dir } };
    await writeFile(file, JSON.stringify({ ...own, watch: false, services: [service] }));
  };
  const spellings = [`unix:${dir}/./a.sock`, `unix:${dir}/link/a.sock`];
  for (const spelling of spellings) {
    await write(spelling);
    const { code, err } = await turnout(['run', '--config', file]);
    t.equal(code, 1, spelling);
    t.match(err, `${spelling} is a listener of Turnout itself`);
  }
  await write(`unix:${dir}/app.sock`);
  await startAsGiven(t, ['--config', file]);
  for (const spelling of spellings) {
    await write(spelling);
    const reloaded = await turnout(['reload', '--admin', `unix:${socket}`]);
    t.equal(reloaded.code, 2, spelling);
    t.match(reloaded.err, `${spelling} is a listener of Turnout itself`);
  }
});

await t.test('nor does one that listens on localhost start with itself as a target', async (t) => {
  for (const host of ['127.0.0.1', '[::1]']) {
    const more = ['--listen', 'localhost:9', '--blue', `http://${host}:9`];
    const { code, err } = await turnout(['run', '--state', shortDir(t), ...more]);
    t.equal(code, 64, host);
    t.match(err, 'is where Turnout listens: requests would go in circles');
  }
});

await t.test('a target whose path comes to lead to the admin socket serves nothing', async (t) => {
  const dir = shortDir(t);
  const [socket, path] = [join(dir, 'admin.sock'), join(dir, 'app.sock')];
  const file = join(dir, 'turnout.yaml');
  const service = { health: { kind: 'none' }, blue: { targets: [`unix:${path}`] } };
  const own = { listen: '127.0.0.1:0', admin: { listen: `unix:${socket}` }, state: { dir } };
  await writeFile(file, JSON.stringify({ ...own, services: [service] }));
  const running = await startAsGiven(t, ['--config', file]);
  await symlink(socket, path);
  const ready = running.lines.find((line) => line.includes('"msg":"ready"'))!;
  const { listen } = JSON.parse(ready) as { readonly listen: string };
  for (const wanted of ['/v1/status', '/livez', '/metrics']) {
    const answer = await fetch(`http://${listen}${wanted}`);
    t.equal(answer.status, 502, wanted);
    t.match(await answer.text(), 'CONNECT_FAILED');
  }
});
