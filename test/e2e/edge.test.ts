// A real process at the edge, asked by curl: https of its own with two workers, redirects to it, one host
// and one prefix as users see them.

import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { skipWithout } from '../support/installed.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { serve } from '../support/serving.ts';
import { pki } from '../unit/control-plane/support/pki.ts';
import { startAsGiven, temporaryDirectory } from './turnout-process.ts';
import { until } from './upgrade-scene.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl', 'curl');
const run = promisify(execFile);

const HOST = 'www.shop.test';
/** More connections than one of two workers gets by chance. */
const VISITS = 16;

/** Tells whether `line` of the log is of the request that is followed. */
function isLine(line: string, status: number): boolean {
  return line.includes('"path":"/cart/a"') && line.includes(`"status":${status}`);
}

/** Opens an app that tells its name and what it was asked. */
async function openApp(t: Test, name: string): Promise<string> {
  const server = createServer((ask, answer) => {
    const { cookie = '', 'x-forwarded-proto': proto, 'x-forwarded-prefix': prefix } = ask.headers;
    answer.end(JSON.stringify({ name, url: ask.url, cookie, proto, prefix }));
  });
  const { port } = await serve(t, server);
  return `http://127.0.0.1:${port}`;
}

async function open(t: Test) {
  const [blue, green] = [await openApp(t, 'blue'), await openApp(t, 'green')];
  const { cert, key } = pki(t).issue(HOST, { names: `DNS:${HOST},DNS:shop.test` });
  const address = ownAddress();
  const [secure, plain] = [await freePort(address), await freePort(address)];
  const service = {
    hosts: [HOST, 'shop.test'],
    paths: ['/cart', '/'],
    canonicalHost: HOST,
    stripPrefix: true,
    hsts: '1h',
    health: { interval: '100ms', rise: 1 },
    blue: { targets: [blue], release: 'v1' },
    green: { targets: [green], release: 'v2' },
  };
  const listen = [
    { address: `${address}:${secure}`, tls: { certificates: [{ cert, key }] } },
    { address: `${address}:${plain}`, redirect: secure },
  ];
  const dir = temporaryDirectory(t);
  const file = join(dir, 'turnout.yaml');
  const shared = { watch: false, workers: 2, accessLog: { mode: 'all' } };
  writeFileSync(file, JSON.stringify({ ...shared, listen, services: [service] }));
  const state = ['--state', temporaryDirectory(t), '--admin', '127.0.0.1:0'];
  const running = await startAsGiven(t, ['--config', file, ...state]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  /** Returns head and body that curl prints. */
  const curl = async (...args: readonly string[]): Promise<string> => {
    const ports = [[80, plain] as const, [443, secure] as const, [secure, secure] as const];
    const to = ports.flatMap(([asked, ours]) => ['--connect-to', `:${asked}:${address}:${ours}`]);
    const all = ['-sS', '-i', '--max-time', '30', '--noproxy', '*', '--cacert', cert];
    const { stdout } = await run('curl', [...all, ...to, ...args]);
    return stdout;
  };
  return { running, admin, curl, secure, jar: join(dir, 'jar') };
}

await t.test('http to another host ends at the canonical host by https', { skip }, async (t) => {
  const { curl, secure, running } = await open(t);
  const first = await curl('http://shop.test/cart/a?b=c');
  t.match(first, /^HTTP\/1\.1 308 /);
  t.match(first, `Location: https://${HOST}:${secure}/cart/a?b=c\r\n`);
  t.notMatch(first, /strict-transport/i);
  const followed = await curl('-L', '-d', 'x=1', 'http://shop.test/cart/a?b=c');
  t.equal(followed.split('HTTP/1.1 308').length, 2, 'one hop');
  t.match(followed, /"url":"\/a\?b=c".*"proto":"https","prefix":"\/cart"/);
  t.match(followed, /strict-transport-security: max-age=3600\r\n/i);
  t.match(await curl('-H', 'Host: evil.test', 'http://shop.test/'), /^HTTP\/1\.1 404 /);
  t.ok(await running.line((line) => isLine(line, 308)), 'the redirect has its line in the log');
  t.ok(await running.line((line) => isLine(line, 200)), 'with the path as the client asked');
});

await t.test('a session holds over TLS and two workers', { skip }, async (t) => {
  const { curl, admin, jar } = await open(t);
  const url = `https://${HOST}/`;
  const first = await curl('-c', jar, url);
  t.match(first, /"name":"blue","url":"\/","cookie":"","proto":"https"/);
  t.match(first, /Set-Cookie: __Host-\S+=\S+; Path=\/; HttpOnly; SameSite=Lax; Secure\r\n/i);
  await until(async () => {
    const { status } = await admin.post('/v1/switch', { to: 'green' });
    return status === 200;
  }, 'a switch to green');
  for (let i = 0; i < VISITS; i++) {
    t.match(await curl('-b', jar, url), /"name":"blue","url":"\/","cookie":""/);
  }
  t.match(await curl(url), /"name":"green"/);
  const other = await curl('-b', jar, 'https://shop.test/x');
  t.match(other, `Location: https://${HOST}/x\r\n`);
});
