// Several addresses where clients come in: ports, a socket file, previews, with TLS and without. They
// come, go and change under load, and are handed on by an upgrade.

import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { pki } from '../unit/control-plane/support/pki.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startAsGiven, temporaryDirectory, turnout, type Running } from './turnout-process.ts';
import { kill, placeOf, until } from './upgrade-scene.ts';
import { isAlive } from '../support/is-alive.ts';

interface Scene {
  readonly running: Running;
  readonly admin: AdminClient;
  /** Writes `listen` into the file, and reloads. */
  reload(listen: string): Promise<void>;
  /** Resolves with the pid of the process that took over. */
  upgrade(): Promise<number>;
}

async function open(t: Test, listen: string): Promise<Scene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const colors = `blue: { targets: ["${blue.url}"] }, green: { targets: ["${green.url}"] }`;
  const service = `{ ${colors}, health: { kind: none }, affinity: { mode: off } }`;
  const write = (text: string): void => {
    writeFileSync(file, `${text}\nwatch: false\nservices: [${service}]\n`);
  };
  write(listen);
  const state = ['--state', temporaryDirectory(t)];
  const args = ['--config', file, '--admin', '127.0.0.1:0', '--workers', '2', ...state];
  const pids: number[] = [];
  t.teardown(() => {
    for (const pid of pids) kill(pid);
  });
  const running = await startAsGiven(t, args);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return {
    running,
    admin,
    async reload(text) {
      write(text);
      const { code, out, err } = await turnout(['reload', '--admin', running.admin]);
      if (code !== 0) throw new Error(`expected a reload, got ${out} ${err}`);
    },
    async upgrade() {
      const { status, json } = await admin.post('/v1/upgrade', {});
      if (status !== 200) throw new Error(`expected an upgrade, got ${JSON.stringify(json)}`);
      pids.push(Number(json['pid']));
      return Number(json['pid']);
    },
  };
}

interface Trust {
  readonly ca: string;
  readonly servername: string;
}

/** Asks on a connection of its own; with `trust`, over TLS. */
async function ask(address: string, trust?: Trust): Promise<string> {
  const options = { ...placeOf(address), agent: false, headers: { host: 'shop.test' } } as const;
  const asked = trust ? tlsRequest({ ...options, ...trust }) : plainRequest(options);
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return `${answer.statusCode} ${text}`;
}

await t.test('each address leads to the service, before and after an upgrade', async (t) => {
  const socket = `unix:${join(shortDir(t), 's')}`;
  const [one, two] = [`${ownAddress()}:0`, `${ownAddress()}:0`];
  const listen = `
listen: [{ address: "${one}" }, { address: "${two}" }, { address: "${socket}" }]
preview: { listen: "127.0.0.1:0" }`;
  const scene = await open(t, listen);
  const { admin, running } = scene;
  const found = async (): Promise<readonly { address: string; for: string; tls: boolean }[]> =>
    (await admin.get('/v1/status')).json['listeners'] as never;
  const before = await found();
  t.match(before, [
    { address: /:[1-9]\d*$/, for: 'traffic', tls: false },
    { address: /:[1-9]\d*$/, for: 'traffic', tls: false },
    { address: socket, for: 'traffic', tls: false },
    { address: /^127\.0\.0\.1:[1-9]\d*$/, for: 'preview', tls: false },
  ]);
  t.equal(before.length, 4);
  t.equal(running.proxy, before[0]!.address);
  t.match((await admin.get('/v1/status')).json, {
    listen: before[0]!.address,
    workers: { count: 2 },
  });
  const lead = async (): Promise<void> => {
    for (const { address, for: use } of before) {
      t.equal(await ask(address), use === 'preview' ? '200 green' : '200 blue', address);
    }
  };
  await lead();
  const pid = await scene.upgrade();
  await until(() => running.process.exitCode !== null, 'the end of the old process');
  t.strictSame(await found(), before, 'no address is another one');
  await lead();
  t.ok(existsSync(socket.slice('unix:'.length)));
  process.kill(pid, 'SIGTERM');
  await until(() => !isAlive(pid), 'the end of the last one');
  t.notOk(existsSync(socket.slice('unix:'.length)), 'its file is gone with it');
});

await t.test('an address comes and goes; what stays keeps its socket', async (t) => {
  const host = ownAddress();
  const [first, second] = [`${host}:${await freePort(host)}`, `${host}:${await freePort(host)}`];
  const path = join(shortDir(t), 's');
  const scene = await open(t, `listen: "${first}"`);
  const failures: string[] = [];
  const over = new AbortController();
  const load = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      const got = await ask(first).catch(String);
      if (got !== '200 blue') failures.push(got);
    }
  });
  await t.rejects(ask(second), { code: 'ECONNREFUSED' });
  await scene.reload(
    `listen: [{ address: "${second}" }, { address: "${first}" }, { address: "unix:${path}" }]`,
  );
  t.equal(await ask(second), '200 blue');
  t.equal(await ask(`unix:${path}`), '200 blue');
  await scene.reload(`listen: "${first}"\npreview: { listen: "${second}" }`);
  t.equal(await ask(second), '200 green', 'another use of the same address');
  t.notOk(existsSync(path));
  await scene.reload(`listen: [{ address: "${first}" }]`);
  await t.rejects(ask(second), { code: 'ECONNREFUSED' });
  over.abort();
  await Promise.all(load);
  t.strictSame([...new Set(failures)], []);
});

await t.test(
  'TLS comes to an address under load, changes its terms, and outlives an upgrade',
  async (t) => {
    const certificates = pki(t);
    const { cert, key, certText: ca } = certificates.issue('shop.test');
    const trust = { ca, servername: 'shop.test' };
    const host = ownAddress();
    const [plain, safe] = [`${host}:${await freePort(host)}`, `${host}:${await freePort(host)}`];
    const scene = await open(t, `listen: "${plain}"`);
    const { admin, running } = scene;
    const withTls = (terms: string): string =>
      `listen: [{ address: "${plain}" }, { address: "${safe}", tls: { certificates: [{ cert: "${cert}", key: "${key}" }]${terms} } }]`;
    await scene.reload(withTls(''));
    t.match((await admin.get('/v1/status')).json['listeners'], [
      { address: plain, tls: false },
      { address: safe, for: 'traffic', tls: true },
    ]);
    const failures: string[] = [];
    const over = new AbortController();
    const load = Array.from({ length: 3 }, async () => {
      while (!over.signal.aborted) {
        const got = await ask(safe, trust).catch(String);
        if (got !== '200 blue') failures.push(got);
      }
    });
    t.equal(await ask(safe, trust), '200 blue', 'there is a certificate with the first connection');
    await scene.reload(withTls(', minVersion: "1.3"'));
    await scene.reload(withTls(', unknownNames: refuse'));
    t.equal(await ask(plain), '200 blue');
    await t.rejects(ask(safe, { ca, servername: 'other.test' }), 'a name of no certificate');
    const { code, out, err } = await turnout(['reload', '--admin', running.admin]);
    t.equal(code, 0, `${out}${err}`);
    await scene.upgrade();
    await until(() => running.process.exitCode !== null, 'the end of the old process');
    t.equal(await ask(safe, trust), '200 blue');
    over.abort();
    await Promise.all(load);
    t.strictSame([...new Set(failures)], []);
    await scene.reload(`listen: [{ address: "${safe}" }]`);
    t.equal(await ask(safe), '200 blue', 'the same address without TLS');
  },
);

await t.test('a certificate that cannot be used changes nothing', async (t) => {
  const certificates = pki(t);
  const { cert } = certificates.issue('shop.test');
  const { key } = certificates.issue('other.test');
  const host = ownAddress();
  const plain = `${host}:${await freePort(host)}`;
  const scene = await open(t, `listen: "${plain}"`);
  const pair = `certificates: [{ cert: "${cert}", key: "${key}" }]`;
  await t.rejects(scene.reload(`listen: [{ address: "${plain}", tls: { ${pair} } }]`), {
    message: /certificate-invalid|nothing has changed/,
  });
  t.equal(await ask(plain), '200 blue');
  rmSync(key);
  await t.rejects(scene.reload(`listen: [{ address: "${plain}", tls: { ${pair} } }]`), {
    message: /other\.test\.key/,
  });
  t.equal(await ask(plain), '200 blue');
});
