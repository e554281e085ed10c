// The files of upstreamTls while clients ask all the time: replaced, swapped as Kubernetes does, half
// written, of another key, gone. No request fails, what is wrong changes nothing and is told, and no
// connection made by what was before is kept.

import { once } from 'node:events';
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { authority, pemsOf, type CertificateFiles } from '../support/certificates.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(120_000);

const CLIENTS = 4;

/** A target that wants a certificate, and knows which of its connections were shown which. */
async function target(t: Test, options: https.ServerOptions) {
  const open = new Map<TLSSocket, string>();
  const state = { endsConnections: false };
  const server = https.createServer(options, (asked, answer) => {
    if (state.endsConnections) answer.setHeader('connection', 'close');
    answer.end(open.get(asked.socket as TLSSocket));
  });
  server.on('secureConnection', (socket) => {
    open.set(socket, String(socket.getPeerCertificate().subject?.CN));
    socket.once('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, state, open, port: (server.address() as AddressInfo).port };
}

async function ask(proxy: string, agent: Agent): Promise<string> {
  const asked = get(`http://${proxy}/`, { agent });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return `${response.statusCode} ${text}`;
}

/** Clients that ask without a pause; what they get is counted. */
function crowd(t: Test, proxy: string) {
  const agent = new Agent({ keepAlive: true });
  const seen = new Map<string, number>();
  const state = { isOver: false };
  const client = async (): Promise<void> => {
    while (!state.isOver) {
      const answer = await ask(proxy, agent).catch(String);
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  t.teardown(() => agent.destroy());
  return {
    seen,
    async end() {
      state.isOver = true;
      await clients;
    },
  };
}

/** A folder that is exchanged as a whole: `tls.crt`, `tls.key` and `ca.crt` are links through `..data`. */
function mounted(directory: string) {
  const files = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' };
  let count = 0;
  const put = ({ cert, key }: CertificateFiles, authorities: string): void => {
    const name = `..v${++count}`;
    mkdirSync(join(directory, name));
    copyFileSync(cert, join(directory, name, files.cert));
    copyFileSync(key, join(directory, name, files.key));
    writeFileSync(join(directory, name, files.ca), authorities);
    symlinkSync(name, join(directory, '..next'));
    renameSync(join(directory, '..next'), join(directory, '..data'));
  };
  const at = (name: string): string => join(directory, name);
  const link = (): void => {
    for (const name of Object.values(files)) symlinkSync(join('..data', name), at(name));
  };
  return { put, link, cert: at(files.cert), key: at(files.key), ca: at(files.ca) };
}

await t.test('files of upstreamTls are exchanged under load', async (t) => {
  const [old, next] = [authority(t), authority(t)];
  const both = pemsOf(old).cert + pemsOf(next).cert;
  const [one, two, three] = ['one', 'two', 'three'].map((name) => old.sign(name)) as [
    CertificateFiles,
    CertificateFiles,
    CertificateFiles,
  ];
  const wants = { ca: both, requestCert: true };
  const app = await target(t, { ...pemsOf(old.sign('app')), ...wants });
  const files = mounted(temporaryDirectory(t));
  files.put(one, pemsOf(old).cert);
  files.link();
  const running = await startTurnout(
    t,
    ['--blue', `https://127.0.0.1:${app.port}`, '--workers', '2', '--health-interval', '100ms'],
    {
      TURNOUT_UPSTREAM_TLS_CA: files.ca,
      TURNOUT_UPSTREAM_TLS_CERT: files.cert,
      TURNOUT_UPSTREAM_TLS_KEY: files.key,
    },
  );
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const reload = async (): Promise<unknown> => {
    const { status, json } = await admin.post('/v1/reload', {});
    return [status, json['warnings']];
  };
  /** Resolves once no connection is open that was shown `name`. */
  const forgotten = async (name: string): Promise<void> => {
    for (;;) {
      const sockets = [...app.open].filter(([, shown]) => shown === name);
      if (sockets.length === 0) return;
      await Promise.all(sockets.map(async ([socket]) => once(socket, 'close')));
    }
  };
  const load = crowd(t, running.proxy);
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  t.equal(await ask(running.proxy, agent), '200 one');

  await t.test('a swapped folder is found without being told of', async (t) => {
    files.put(two, both);
    await running.line((text) => text.includes('tls.crt has changed, and what it holds now'));
    await forgotten('one');
    t.equal(await ask(running.proxy, agent), '200 two');
  });

  await t.test('the target changes over to the other authority', async (t) => {
    app.server.setSecureContext({ ...pemsOf(next.sign('app')), ...wants });
    files.put(two, pemsOf(next).cert);
    t.same(await reload(), [200, []]);
    t.equal(await ask(running.proxy, agent), '200 two');
    files.put(two, both);
    t.same(await reload(), [200, []]);
  });

  await t.test('what is wrong changes nothing, and is told', async (t) => {
    const whole = pemsOf(two);
    const wrong: readonly (readonly [() => void, string, RegExp])[] = [
      [() => writeFileSync(files.cert, whole.cert.slice(0, 300)), files.cert, /ends in the middle/],
      [
        () => copyFileSync(three.key, files.key),
        files.cert,
        /tls\.key is not the key of .*tls\.crt/,
      ],
      [() => rmSync(files.key), files.cert, /tls\.key does not exist: check the path/],
      [() => writeFileSync(files.ca, both.slice(0, -40)), files.ca, /ends in the middle/],
      [() => rmSync(files.ca), files.ca, /ca\.crt does not exist/],
      [() => mkdirSync(files.ca), files.ca, /ca\.crt is a directory/],
      [() => rmSync(files.ca, { recursive: true }), files.ca, /ca\.crt does not exist/],
    ];
    // From here on these are files and no links.
    for (const path of [files.cert, files.key, files.ca]) rmSync(path);
    const restore = (): void => {
      writeFileSync(files.cert, whole.cert);
      writeFileSync(files.key, whole.key, { mode: 0o600 });
      if (wrongFile !== files.ca) writeFileSync(files.ca, both);
    };
    let wrongFile = '';
    restore();
    t.same(await reload(), [200, []]);
    for (const [spoil, source, message] of wrong) {
      restore();
      spoil();
      wrongFile = source;
      t.match(await reload(), [200, [message]], String(message));
      const { json } = await admin.get('/v1/status');
      const certificates = json['certificates'] as readonly { readonly source: string }[];
      t.match(
        certificates.find((seen) => seen.source === source),
        { problem: message },
      );
      t.match(json['alarms'], [{ severity: 'warning', text: message }]);
      t.equal(await ask(running.proxy, agent), '200 two');
    }
    const { text } = await admin.get('/metrics');
    const refused = text
      .split('\n')
      .filter((line) => line.startsWith('turnout_certificate_refused'));
    t.ok(refused.some((line) => line.includes(files.ca) && line.endsWith(' 1')));
    // New connections go by what was before, in both workers.
    app.state.endsConnections = true;
    for (let i = 0; i < 10; i++) {
      t.equal(await ask(running.proxy, agent), '200 two');
    }
    app.state.endsConnections = false;
    wrongFile = '';
    restore();
    t.same(await reload(), [200, []]);
    t.match((await admin.get('/v1/status')).json, { alarms: [] });
  });

  await t.test('a file that is written over', async (t) => {
    copyFileSync(three.cert, files.cert);
    copyFileSync(three.key, files.key);
    t.same(await reload(), [200, []]);
    await forgotten('two');
    t.equal(await ask(running.proxy, agent), '200 three');
    const { text } = await admin.get('/metrics');
    t.equal(
      seriesOf(text, `turnout_certificate_refused{name="localhost",source="${files.cert}"}`),
      0,
    );
  });

  await load.end();
  const answers = [...load.seen.keys()].toSorted();
  t.same(answers, ['200 one', '200 three', '200 two'], 'no request failed');
});
