// Private keys of a real process: those of certificate files, of ACME, of upstreamTls and of an account at
// an authority. Where they lie is the only place that has them: not a log at its lowest level, an answer,
// the database, or a word about a file that is wrong.

import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { AcmeFiles } from '../../src/control-plane/acme/acme-files.ts';
import { readIssued } from '../../src/control-plane/acme/issued-certificate.ts';
import { startAsGiven, temporaryDirectory, turnout } from '../e2e/turnout-process.ts';
import { AdminClient } from '../support/admin-client.ts';
import { skipWithout } from '../support/installed.ts';
import { TestLog } from '../unit/control-plane/support/fixtures.ts';
import { turnout as turnoutHere } from '../unit/cli/support/terminal.ts';
import { CertificateKeeper } from '../../src/control-plane/certificates/certificate-keeper.ts';
import { ManualTimers } from '../unit/control-plane/support/manual-timers.ts';
import { pki } from '../unit/control-plane/support/pki.ts';

t.setTimeout(60_000);

/** No authority is there. */
const CA = 'https://127.0.0.1:1/directory';
const EAB = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';

/** What the secret part of a key looks like, in PEM, JSON and binary files. */
function formsOf(pem: string): string[] {
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  const bytes = Buffer.from(d, 'base64url');
  const forms = [bytes.toString('base64').slice(0, 16), d, bytes.toString('hex')];
  return [...forms, bytes.toString('latin1')];
}

await t.test('no private key gets out of its file', { skip: skipWithout('openssl') }, async (t) => {
  const { issue, write, dir } = pki(t);
  const [edge, other, issued] = [issue('edge.test'), issue('other.test'), issue('acme.test')];
  const authority = issue('ca', { isAuthority: true });
  const [client, server] = [issue('client', { by: authority }), issue('t.test', { by: authority })];
  const hmacKeyFile = write('hmac', EAB);
  const app = https.createServer(
    { cert: server.certText, key: server.keyText, ca: authority.certText, requestCert: true },
    (_, response) => response.end('served'),
  );
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.teardown(() => app.close().closeAllConnections());

  const state = temporaryDirectory(t);
  const kept = { ca: CA, obtainedAtMs: Date.now() };
  new AcmeFiles(state, new TestLog()).writeDomain('acme.test', {
    certificate: { ...readIssued('acme.test', issued.certText, issued.keyText), ...kept },
    trouble: undefined,
  });
  const file = join(dir, 'turnout.yaml');
  const upstreamTls = { ca: authority.cert, cert: client.cert, key: client.key };
  const { port } = app.address() as AddressInfo;
  const say = ({ cert, key }: { readonly cert: string; readonly key: string }, eab: string) => {
    const config = {
      watch: false,
      workers: 1,
      log: { level: 'debug' },
      accessLog: { mode: 'all' },
      listen: [{ address: '127.0.0.1:0', tls: { certificates: [{ cert, key }], acme: true } }],
      acme: {
        domains: ['acme.test', 'new.test'],
        ca: CA,
        eab: { keyId: 'kid', hmacKeyFile: eab },
      },
      services: [
        {
          name: 'shop',
          health: { kind: 'none' },
          upstreamTls: { ...upstreamTls, serverName: 't.test' },
          blue: { targets: [`https://127.0.0.1:${port}`] },
        },
      ],
    };
    writeFileSync(file, JSON.stringify(config));
  };
  say(edge, hmacKeyFile);
  const flags = ['--config', file, '--state', state, '--admin', '127.0.0.1:0'];
  const running = await startAsGiven(t, flags);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const seen: string[] = [];
  const hear = async (...args: readonly string[]): Promise<void> => {
    const { out, err } = await turnout(args);
    seen.push(out, err);
  };

  const check = async (): Promise<void> => {
    const { out, err } = await turnoutHere(['config', 'check', file]);
    seen.push(out, err);
  };

  const asked = https.get(`https://${running.proxy}/`, {
    agent: false,
    rejectUnauthorized: false,
    servername: 'acme.test',
  });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  t.equal(response.statusCode, 200, 'with the key of the client towards the target');
  response.resume();
  await running.line((line) => line.includes('no certificate was obtained'));

  say({ cert: edge.cert, key: other.key }, hmacKeyFile);
  const refused = await admin.post('/v1/reload', {});
  t.match(refused.json, { code: 'certificate-invalid' });
  seen.push(refused.text);
  await check();
  await hear('run', ...flags);
  for (const wrong of [
    { cert: edge.key, key: edge.cert },
    { cert: edge.cert, key: write('half.key', edge.keyText.slice(0, 150)) },
    { cert: write('text.pem', edge.keyText.split('\n')[1]!), key: edge.key },
  ]) {
    say(wrong, edge.key);
    await check();
  }
  say(edge, hmacKeyFile);
  writeFileSync(edge.key, edge.keyText.slice(0, 150));
  seen.push((await admin.post('/v1/reload', {})).text);
  for (const path of ['/metrics', '/v1/status', '/v1/audit', '/v1/history', '/v1/deployments']) {
    seen.push((await admin.get(path)).text);
  }
  await hear('status', '--json', '--admin', running.admin);
  running.process.kill('SIGTERM');
  await running.ended;
  seen.push(...running.lines);

  const found = globSync(`${state}/**/*`, { withFileTypes: true }).filter((one) => one.isFile());
  const paths = found.map((one) => join(one.parentPath, one.name));
  const texts = new Map(paths.map((path) => [path, readFileSync(path, 'latin1')]));
  const ofAcme = [...texts].filter(([path]) => path.includes('/acme/'));
  const accounts = ofAcme.flatMap(([, text]) => {
    const { key, domain } = JSON.parse(text) as Readonly<Record<string, string>>;
    return domain === undefined ? [key!] : [];
  });
  t.equal(accounts.length, 1);
  const keys = [edge, other, issued, client].map(({ keyText }) => keyText);
  const secrets = [...keys, ...accounts].flatMap(formsOf).concat(EAB);
  const holds = (text: string): boolean => secrets.some((secret) => text.includes(secret));
  t.ok(
    ofAcme.some(([, text]) => holds(text)),
    'the files of ACME have theirs, so one would be found',
  );
  const others = [...texts].filter(([path]) => !path.includes('/acme/'));
  t.ok(
    others.some(([path]) => path.includes('.db') || path.includes('sqlite')),
    'the database',
  );
  t.strictSame(
    others.filter(([, text]) => holds(text)).map(([path]) => path),
    [],
  );
  t.ok(seen.some((text) => text.includes('is not the key of')));
  t.strictSame(seen.filter(holds), []);
});

await t.test('keys of session tickets are told in no word', async (t) => {
  const log = new TestLog();
  const timers = new ManualTimers();
  const keeper = new CertificateKeeper({ log, nowMs: () => timers.nowMs, timers });
  t.teardown(() => keeper.stop());
  const given: Uint8Array[] = [];
  await keeper.load([]);
  keeper.start(async ({ ticketKeys }) => {
    given.push(ticketKeys);
    throw new Error('no worker answers');
  });
  await timers.pass(13 * 3_600_000);
  await log.until(/./);
  t.equal(new Set(given.map(String)).size, 2, 'they were replaced');
  const words = JSON.stringify([log.lines, log.debugs, keeper.report()]);
  for (const keys of given.map((one) => Buffer.from(one))) {
    for (const form of ['base64', 'base64url', 'hex'] as const) {
      t.notOk(words.includes(keys.toString(form)), form);
    }
    t.notOk(words.includes(JSON.stringify(keys)) || words.includes(String(new Uint8Array(keys))));
  }
});
