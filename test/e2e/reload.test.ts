// A real process reads its configuration again: by signal, by the API, by itself. What is right comes
// into force and nothing is dropped; what is wrong changes nothing.

import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { seriesOf } from '../support/admin-client.ts';
import {
  startAsGiven,
  startTurnout,
  temporaryDirectory,
  turnout,
  type Running,
} from './turnout-process.ts';

t.setTimeout(180_000);

interface Scene {
  readonly file: string;
  readonly running: Running;
  readonly admin: AdminClient;
  readonly port: number;
  readonly blue: string;
  readonly green: string;
  /** Writes the file: services with blue and green, and `more` of the other settings. */
  readonly write: (more?: object, services?: readonly object[]) => void;
  /** Writes, reloads by the API, and expects success. */
  readonly reload: (more?: object, services?: readonly object[]) => Promise<void>;
}

async function open(t: Test, more: object = {}): Promise<Scene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const service = serviceOf(blue.url, green.url);
  const write: Scene['write'] = (settings = {}, services = [service]) => {
    writeFileSync(file, JSON.stringify({ watch: false, ...settings, services }));
  };
  write(more);
  const running = await startTurnout(t, ['--config', file, '--workers', '2']);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return {
    file,
    running,
    admin,
    port: Number(running.proxy.split(':')[1]),
    blue: blue.url,
    green: green.url,
    write,
    async reload(settings, services) {
      write(settings, services);
      const answer = await admin.post('/v1/reload', {});
      if (answer.status !== 200) throw new Error(answer.text);
    },
  };
}

function serviceOf(blue: string, green: string, more: object = {}): object {
  return {
    blue: { targets: [blue] },
    green: { targets: [green] },
    health: { interval: '100ms', rise: 1 },
    affinity: { mode: 'off' },
    ...more,
  };
}

function inForce(line: string): boolean {
  return line.includes('a new configuration is in force');
}

async function bodyAt(port: number, host = '127.0.0.1'): Promise<string> {
  return (await fetch(`http://${host}:${port}/`)).text();
}

/** Resolves with `open` or the code of what went wrong. */
async function knock(port: number, host: string): Promise<string> {
  const socket = connect(port, host);
  const outcome = await new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  socket.destroy();
  return outcome;
}

/** Resolves once no client can come in there: the answer to a reload does not wait for that. */
async function closed(port: number, host: string): Promise<void> {
  let outcome = '';
  while (outcome !== 'ECONNREFUSED') outcome = await knock(port, host);
}

await t.test('a signal, the API and the command line show what differs', async (t) => {
  const { admin, running, write, file } = await open(t);
  write({ exposeColor: true, client: { headSize: '64KiB' } });
  const shown = await admin.post('/v1/reload', { dryRun: true });
  t.match(shown.json, {
    changed: false,
    differences: [
      { setting: 'exposeColor', from: 'false', to: 'true' },
      { setting: 'client.headSize', from: '32KiB', to: '64KiB' },
    ],
  });
  const before = await fetch(`http://${running.proxy}/`);
  t.equal(before.headers.get('x-turnout-color'), null, 'a dry run changes nothing');
  running.process.kill('SIGHUP');
  await running.line((line) => line.includes('a new configuration is in force'));
  const after = await fetch(`http://${running.proxy}/`);
  t.equal(after.headers.get('x-turnout-color'), 'blue');
  t.match((await admin.get('/v1/status')).json, { reload: { actor: 'SIGHUP', problem: null } });
  const again = await turnout(['reload', '--admin', running.admin]);
  t.match(again, { code: 0, out: 'nothing to do: the configuration is as before' });
  write({});
  const back = await turnout(['reload', '--admin', running.admin, '--reason', 'enough']);
  t.match(back, {
    code: 0,
    out: /^exposeColor: true → false\nclient\.headSize: 64KiB → 32KiB\nin force/,
  });
  const { json } = await admin.get('/v1/audit?limit=1');
  t.match(json['entries'], [{ action: 'POST /v1/reload', outcome: 'done', reason: 'enough' }]);
  t.ok(file.endsWith('.yaml'));
});

await t.test('a file with faults changes nothing and says so everywhere', async (t) => {
  const { admin, running, file, port } = await open(t);
  const { generation } = (await admin.get('/v1/status')).json;
  writeFileSync(file, 'lisen: 1\nservices: 7\n');
  const answer = await admin.post('/v1/reload', {});
  t.match(answer, { status: 422, json: { code: 'config-invalid', faults: { length: 2 } } });
  t.match(
    answer.json['detail'],
    /2 faults, nothing has changed: .*turnout\.yaml:1:1: lisen: unknown/,
  );
  running.process.kill('SIGHUP');
  await running.line((line) => line.includes('the reload was not done'));
  const status = await admin.get('/v1/status');
  t.match(status.json, { generation, reload: { actor: 'SIGHUP', problem: /2 faults/ } });
  t.match(await bodyAt(port), 'blue');
  const { text } = await admin.get('/metrics');
  t.equal(seriesOf(text, 'turnout_config_last_reload_successful'), 0);
  const { json } = await admin.get('/v1/audit?limit=2');
  t.match(json['entries'], [
    { actor: 'SIGHUP', action: 'reload', outcome: 'refused', code: 'config-invalid' },
    { action: 'POST /v1/reload', outcome: 'refused' },
  ]);
  const told = await turnout(['reload', '--admin', running.admin]);
  t.match(told, { code: 2, err: /The configuration has faults[^]*turnout config check/ });
  rmSync(file);
  t.match(await admin.post('/v1/reload', {}), { status: 422 }, 'a file that is gone is a fault');
});

await t.test('what a process has for its life needs an upgrade', async (t) => {
  const { admin, write } = await open(t);
  write({ admin: { hosts: ['a.example'] }, workers: 1, exposeColor: true });
  const answer = await admin.post('/v1/reload', {});
  t.match(answer, { status: 409, json: { code: 'restart-required' } });
  t.match(answer.json['detail'], /^admin\.hosts cannot change .*nothing has changed/);
});

await t.test('a listener that goes with another number of workers says so', async (t) => {
  const app = await openColoredApp(t, 'blue');
  const directory = temporaryDirectory(t);
  const file = join(directory, 'turnout.yaml');
  const settings = { watch: false, workers: 2, state: { dir: join(directory, 'state') } };
  const more = { admin: { listen: '127.0.0.1:0' }, services: [serviceOf(app.url, app.url)] };
  const write = (listen: string): void =>
    writeFileSync(file, JSON.stringify({ ...settings, ...more, listen }));
  write('127.0.0.1:0');
  const running = await startAsGiven(t, ['--config', file]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  write(`unix:${join(directory, 'socket')}`);
  const answer = await admin.post('/v1/reload', {});
  t.match(answer, { status: 409, json: { code: 'restart-required', settings: ['workers'] } });
  t.match(answer.json['detail'], /^workers \(2 now, 1 with the new settings\) cannot change/);
});

await t.test('listeners are added, moved and removed', async (t) => {
  const { admin, port, reload, running, write } = await open(t);
  const host = ownAddress();
  const place = async (): Promise<number> => freePort(host);
  const [moved, preview, metrics] = [await place(), await place(), await place()];
  const kept = await connectRaw(port);
  t.teardown(() => kept.socket.destroy());
  // The flag of the test process names the listener, so the file alone cannot move it.
  await reload({
    preview: { listen: `${host}:${preview}` },
    metrics: { listen: `${host}:${metrics}` },
  });
  t.equal(await bodyAt(preview, host), 'green', 'previews come in');
  t.equal(await bodyAt(port), 'blue');
  t.match(await (await fetch(`http://${host}:${metrics}/readyz`)).text(), /ok/);
  await reload({ preview: { listen: `${host}:${moved}` } });
  t.equal(await bodyAt(moved, host), 'green');
  await closed(preview, host);
  await closed(metrics, host);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port: busy } = taken.address() as AddressInfo;
  write({ preview: { listen: `127.0.0.1:${busy}` }, exposeColor: true });
  const refused = await admin.post('/v1/reload', {});
  t.match(refused, { status: 409, json: { code: 'listener-unavailable' } });
  t.match(refused.json['detail'], new RegExp(`${busy}`));
  t.equal(await bodyAt(moved, host), 'green', 'everything is as it was');
  t.equal((await fetch(`http://${running.proxy}/`)).headers.get('x-turnout-color'), null);
  await reload({});
  await closed(moved, host);
  kept.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await kept.until('answer', () => (kept.text.endsWith('blue') ? true : undefined));
});

await t.test('services come and go, and remember', async (t) => {
  const { admin, blue, green, port, reload } = await open(t);
  const shop = serviceOf(green, blue, { name: 'shop', hosts: ['shop.example'] });
  const only = serviceOf(blue, green);
  await reload({}, [only, shop]);
  t.equal(await bodyAt(port), 'blue');
  const asked = async (): Promise<string> => {
    const peer = await connectRaw(port);
    peer.send('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    await peer.until('end', () => (peer.ending === undefined ? undefined : true));
    return peer.text.split('\r\n\r\n')[1] ?? '';
  };
  t.equal(await asked(), 'green', 'its blue is the other app');
  let switched = await admin.post('/v1/switch?service=shop', { to: 'green' });
  while (switched.status === 409) {
    switched = await admin.post('/v1/switch?service=shop', { to: 'green' });
  }
  t.equal(switched.status, 200, switched.text);
  await reload({}, [only]);
  t.match((await admin.get('/v1/status')).json, { services: { length: 1 } });
  t.equal(await asked(), 'blue', 'the other service takes every host');
  await reload({}, [only, shop]);
  t.match((await admin.get('/v1/status')).json, { services: [{}, { active: 'green' }] });
  t.equal(await asked(), 'blue', 'it is as it was left');
});

await t.test('what drains of a service that is taken out ends in its own time', async (t) => {
  const [v1, v2] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const { admin, blue, green, port, reload } = await open(t);
  const shop = serviceOf(v1.url, v2.url, {
    name: 'shop',
    hosts: ['shop.example'],
    health: { kind: 'none' },
    drain: { longLived: 'linger', requests: '60s', streams: '60s' },
  });
  const only = serviceOf(blue, green);
  await reload({}, [only, shop]);
  const held = await connectRaw(port);
  held.send('GET /held HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
  await held.until('the begin of an answer', () => (held.text.includes('blue') ? true : undefined));
  const tunnel = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: 'shop.example' } });
  t.teardown(() => tunnel.terminate());
  const codes: number[] = [];
  tunnel.on('close', (code) => codes.push(code));
  t.equal(await wordOf(tunnel), 'blue');
  const switched = await admin.post('/v1/switch?service=shop', { to: 'green' });
  t.equal(switched.status, 200, switched.text);
  await reload({}, [only]);
  t.equal(await bodyAt(port), 'blue', 'nobody knows the service any more');
  const heard = wordOf(tunnel);
  tunnel.send('still there');
  t.equal(await heard, 'still there');
  v1.release();
  await held.until('its end', () => (held.ending === undefined ? undefined : true));
  t.match(held.text, /\r\n0\r\n\r\n$/, 'the request that ran ends whole');
  t.strictSame(codes, []);
  tunnel.close(1000);
  await once(tunnel, 'close');
  t.strictSame(codes, [1000]);
});

async function wordOf(tunnel: WebSocket): Promise<string> {
  const [data] = (await once(tunnel, 'message')) as [Buffer];
  return data.toString();
}

await t.test('a color that gets the traffic may move, but not lose its targets', async (t) => {
  const { admin, green, port, reload, write } = await open(t);
  const other = await openColoredApp(t, 'blue');
  await reload({}, [serviceOf(other.url, green)]);
  t.match((await admin.get('/v1/status')).json, {
    services: [{ active: 'blue', blue: { targets: [{ url: other.url }] } }],
  });
  t.equal(await bodyAt(port), 'blue');
  write({}, [serviceOf(other.url, green, { blue: { targets: [] } })]);
  t.match(await admin.post('/v1/reload', {}), { status: 409, json: { code: 'no-targets' } });
});

await t.test('a file that changes comes into force by itself', async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const directory = temporaryDirectory(t);
  // As Kubernetes mounts a ConfigMap: the file is a link through a link that is exchanged.
  const version = (name: string, settings: object): void => {
    mkdirSync(join(directory, name));
    const content = { ...settings, services: [serviceOf(blue.url, green.url)] };
    writeFileSync(join(directory, name, 'turnout.yaml'), JSON.stringify(content));
    symlinkSync(name, join(directory, '..tmp'));
    renameSync(join(directory, '..tmp'), join(directory, '..data'));
  };
  version('..v1', {});
  const file = join(directory, 'turnout.yaml');
  symlinkSync(join('..data', 'turnout.yaml'), file);
  const running = await startTurnout(t, ['--config', file]);
  version('..v2', { exposeColor: true });
  await running.line(inForce);
  const answer = await fetch(`http://${running.proxy}/`);
  t.equal(answer.headers.get('x-turnout-color'), 'blue');
  version('..v3', { exposeColor: 'perhaps' });
  await running.line((line) => line.includes('the reload was not done'));
  t.equal((await fetch(`http://${running.proxy}/`)).status, 200);
  const count = running.lines.filter(inForce).length;
  version('..v4', {});
  while (running.lines.filter(inForce).length === count) {
    await running.line((line) => inForce(line) && running.lines.filter(inForce).length > count);
  }
  t.equal((await fetch(`http://${running.proxy}/`)).headers.get('x-turnout-color'), null);
});
