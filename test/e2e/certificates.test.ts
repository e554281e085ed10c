// A real process with TLS: certificates that are exchanged while clients connect, files that are wrong,
// sessions that go on in another worker and after an upgrade.

import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { skipWithout } from '../support/installed.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { pki, type Issued } from '../unit/control-plane/support/pki.ts';
import { startAsGiven, startTurnout, temporaryDirectory, turnout } from './turnout-process.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');

interface Seen {
  /** DNS name of the certificate. */
  readonly name: string;
  readonly status: string;
  readonly isReused: boolean;
  readonly session: Buffer | undefined;
}

/** `at`: a port of 127.0.0.1, or host and port. */
function place(at: number | string): { readonly host: string; readonly port: number } {
  if (typeof at === 'number') return { host: '127.0.0.1', port: at };
  const [host = '', port] = at.split(':');
  return { host, port: Number(port) };
}

/** Asks once over a connection of its own; rejects where the handshake fails. */
async function ask(at: number | string, servername: string, session?: Buffer): Promise<Seen> {
  const socket: TLSSocket = connect({
    ...place(at),
    servername,
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  let ticket: Buffer | undefined;
  socket.on('session', (given) => (ticket = given));
  await once(socket, 'secureConnect');
  const name = String(socket.getPeerCertificate().subjectaltname).replace('DNS:', '');
  const isReused = socket.isSessionReused();
  socket.write(`GET / HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (bytes) => (text += String(bytes)));
  await once(socket, 'close');
  return { name, status: text.split(' ', 2)[1] ?? '', isReused, session: ticket };
}

async function open(t: Test, first: Issued, more: readonly string[] = []) {
  const app = await openColoredApp(t, 'blue');
  const dir = temporaryDirectory(t);
  const files = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') };
  const put = ({ cert, key }: Pick<Issued, 'cert' | 'key'>): void => {
    copyFileSync(cert, files.cert);
    copyFileSync(key, files.key);
  };
  put(first);
  const tls = ['--tls-cert', files.cert, '--tls-key', files.key, '--workers', '2'];
  const running = await startTurnout(t, ['--blue', app.url, ...tls, ...more]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const port = Number(running.proxy.split(':')[1]);
  return { files, put, running, admin, port };
}

/** An entry of `listen`. */
function at(address: string, { cert, key }: Issued) {
  return { address, tls: { certificates: [{ cert, key }] } };
}

await t.test('60 exchanges of the files while clients connect: none fails', { skip }, async (t) => {
  const { issue } = pki(t);
  const both = [issue('one.test'), issue('two.test')] as const;
  const { put, admin, port } = await open(t, both[0]);
  const seen: Seen[] = [];
  const state = { isOver: false };
  const client = async (): Promise<void> => {
    while (!state.isOver) seen.push(await ask(port, 'shop.test'));
  };
  const clients = Promise.all([client(), client(), client(), client()]);
  for (let i = 1; i <= 60; i++) {
    put(both[i % 2]!);
    const { status, json } = await admin.post('/v1/reload', {});
    t.match([status, json], [200, { warnings: [] }]);
    const { name } = await ask(port, 'shop.test');
    if (name !== `${i % 2 === 0 ? 'one' : 'two'}.test`) t.fail(`${name} after exchange ${i}`);
  }
  state.isOver = true;
  await clients;
  t.ok(seen.length > 60, `${seen.length} connections`);
  t.ok(seen.every(({ status }) => status === '200'));
  t.same(new Set(seen.map(({ name }) => name)), new Set(['one.test', 'two.test']));
});

await t.test('files that are wrong change nothing, and are told', { skip }, async (t) => {
  const { issue } = pki(t);
  const [good, other] = [issue('good.test'), issue('other.test')];
  const { files, put, admin, port } = await open(t, good);
  const wrong: readonly (readonly [() => void, RegExp])[] = [
    [() => copyFileSync(other.key, files.key), /tls\.key is not the key of .*tls\.crt/],
    [() => writeFileSync(files.cert, good.certText.slice(0, 300)), /tls\.crt ends in the middle/],
    [() => writeFileSync(files.cert, ''), /tls\.crt is empty/],
    [() => writeFileSync(files.cert, good.keyText), /tls\.crt holds a key and no certificate/],
  ];
  for (const [spoil, message] of wrong) {
    put(good);
    spoil();
    const { status, json } = await admin.post('/v1/reload', {});
    t.match([status, json], [200, { warnings: [message] }]);
    t.equal((await ask(port, 'shop.test')).name, 'good.test');
    t.match((await admin.get('/v1/status')).json, {
      certificates: [{ name: 'good.test', source: files.cert, problem: message }],
      alarms: [{ severity: 'warning', text: message }],
    });
  }
  const { text } = await admin.get('/metrics');
  const labels = `{name="good.test",source="${files.cert}"}`;
  t.equal(seriesOf(text, `turnout_certificate_refused${labels}`), 1);
  put(other);
  await admin.post('/v1/reload', {});
  t.equal((await ask(port, 'shop.test')).name, 'other.test');
  t.match((await admin.get('/v1/status')).json, { alarms: [], certificates: [{ problem: null }] });
});

await t.test('changed files are found without being told of', { skip }, async (t) => {
  const { issue } = pki(t);
  const [one, two] = [issue('one.test'), issue('two.test')];
  const { put, running, port } = await open(t, one);
  put(two);
  await running.line((text) =>
    text.includes('tls.crt has changed, and what it holds now is in use'),
  );
  t.equal((await ask(port, 'shop.test')).name, 'two.test');
});

await t.test('a session goes on in all workers, and after an upgrade', { skip }, async (t) => {
  const { issue } = pki(t);
  const { running, admin, port } = await open(t, issue('one.test'));
  const { session } = await ask(port, 'shop.test');
  // Connections are spread over the workers.
  for (let i = 0; i < 20; i++) {
    const { isReused, status } = await ask(port, 'shop.test', session);
    t.same([isReused, status], [true, '200']);
  }
  // Its output stays open: the new process has it.
  const exited = once(running.process, 'exit');
  const upgraded = await admin.post('/v1/upgrade', {});
  t.equal(upgraded.status, 200);
  t.teardown(() => {
    process.kill(Number(upgraded.json['pid']), 'SIGKILL');
  });
  t.same(await exited, [0, null]);
  t.equal((await ask(port, 'shop.test', session)).isReused, true);
});

await t.test('a start with a wrong file says so, and ends', { skip }, async (t) => {
  const { issue } = pki(t);
  const [one, two] = [issue('one.test'), issue('two.test')];
  const listen = [
    '--listen',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--state',
    temporaryDirectory(t),
  ];
  const tls = ['--tls-cert', one.cert, '--tls-key', two.key];
  const ended = await turnout(['run', ...listen, '--blue', 'http://127.0.0.1:9', ...tls]);
  t.equal(ended.code, 64, 'as with a wrong configuration');
  t.match(ended.err, /^\S+two\.test\.key is not the key of \S+one\.test\.pem: name/m);
  t.match(ended.err, /^turnout: 1 fault in the configuration, nothing was started$/m);
});

await t.test('a reload opens a second listener with its own certificate', { skip }, async (t) => {
  const { issue } = pki(t);
  const [one, two] = [issue('one.test'), issue('two.test')];
  const app = await openColoredApp(t, 'blue');
  const service = { name: 'default', blue: { targets: [app.url] } };
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const hosts = [ownAddress(), ownAddress()] as const;
  const first = `${hosts[0]}:${await freePort(hosts[0])}`;
  const second = `${hosts[1]}:${await freePort(hosts[1])}`;
  const write = (...listen: readonly object[]): void => {
    writeFileSync(file, JSON.stringify({ watch: false, listen, services: [service] }));
  };
  write(at(first, one));
  const state = ['--state', temporaryDirectory(t), '--admin', '127.0.0.1:0'];
  const running = await startAsGiven(t, ['--config', file, ...state]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  write(at(first, one), {
    address: second,
    tls: { certificates: [{ cert: two.cert, key: one.key }] },
  });
  const refused = await admin.post('/v1/reload', {});
  t.match(refused.json, {
    code: 'certificate-invalid',
    faults: [/one\.test\.key is not the key of/],
  });
  write(at(first, one), at(second, two));
  t.equal((await admin.post('/v1/reload', {})).status, 200);
  t.equal((await ask(first, 'x.test')).name, 'one.test');
  t.equal((await ask(second, 'x.test')).name, 'two.test');
  write(at(second, two));
  t.equal((await admin.post('/v1/reload', {})).status, 200);
  t.equal((await ask(second, 'x.test')).name, 'two.test');
  Object.assign(service, { hosts: ['one.test', 'two.test'] });
  write(at(second, two));
  const told = [/^no certificate is for one\.test of service default/];
  for (const dryRun of [true, false]) {
    const { json } = await admin.post('/v1/reload', { dryRun });
    t.match(json, { warnings: told }, 'that of the closed listener is no help');
    t.equal((json as { readonly warnings: readonly string[] }).warnings.length, 1);
  }
});
