// The whole program and a real authority, Pebble: listeners present what is obtained, answer both
// challenges in every worker, and keep what they have over restarts and reloads.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { skipWithout } from '../support/installed.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { startAsGiven, temporaryDirectory, type Running } from './turnout-process.ts';

t.setTimeout(180_000);

const skip = skipWithout('pebble', 'pebble-challtestsrv', 'openssl');
const OBTAINED = '"msg":"a certificate was obtained"';

interface Seen {
  readonly subject: string;
  readonly isTrusted: boolean;
  readonly serial: string;
}

async function see({ host, tlsPort }: Pebble, servername: string, ca: string): Promise<Seen> {
  const socket = tls.connect({ host, port: tlsPort, servername, ca, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerX509Certificate();
  const isTrusted = socket.authorized;
  socket.destroy();
  return {
    subject: certificate?.subject ?? '',
    isTrusted,
    serial: certificate?.serialNumber ?? '',
  };
}

async function scene(t: Test, challenge: string) {
  const pebble = await startPebble(t);
  const dir = temporaryDirectory(t);
  const file = join(dir, 'turnout.yaml');
  const write = (domains: readonly string[]): void => {
    const { host, httpPort, tlsPort, directory, caFile } = pebble;
    const config = {
      listen: [
        { address: `${host}:${tlsPort}`, tls: { acme: true } },
        { address: `${host}:${httpPort}`, redirect: true },
      ],
      acme: { domains, ca: directory, caFile, challenge, email: 'ops@shop.test' },
      admin: { listen: '127.0.0.1:0' },
      state: { dir: join(dir, 'state') },
      workers: 2,
      services: [{ name: 'shop', blue: { targets: ['http://127.0.0.1:1'] } }],
    };
    writeFileSync(file, JSON.stringify(config));
  };
  const begin = async (): Promise<Running> => startAsGiven(t, ['--config', file]);
  return { pebble, write, begin };
}

async function obtained(running: Running, count: number): Promise<void> {
  const { lines } = running;
  await running.line(() => lines.filter((text) => text.includes(OBTAINED)).length >= count);
}

for (const challenge of ['tls-alpn-01', 'http-01']) {
  await t.test(`a site gets certificates by ${challenge}, and keeps them`, { skip }, async (t) => {
    const { pebble, write, begin } = await scene(t, challenge);
    write(['a.shop.test', 'b.shop.test']);
    const first = await begin();
    await obtained(first, 2);
    const root = await pebble.root();
    const a = await see(pebble, 'a.shop.test', root);
    t.match(a, { isTrusted: true });
    t.match(await see(pebble, 'b.shop.test', root), { isTrusted: true });
    t.equal(first.lines.filter((text) => text.includes('no certificate was obtained')).length, 0);

    // One more domain by a reload; traffic has something at once.
    write(['a.shop.test', 'b.shop.test', 'c.shop.test']);
    first.process.kill('SIGHUP');
    await obtained(first, 3);
    t.match(await see(pebble, 'c.shop.test', root), { isTrusted: true });
    t.same(await see(pebble, 'a.shop.test', root), a);

    first.process.kill('SIGTERM');
    await first.ended;
    const second = await begin();
    t.same(await see(pebble, 'a.shop.test', root), a, 'a restart orders nothing');
    t.equal(second.lines.filter((text) => text.includes('is ordered')).length, 0);
  });
}

await t.test(
  'a site whose authority is gone presents a self-signed certificate',
  { skip },
  async (t) => {
    const { pebble, write, begin } = await scene(t, 'tls-alpn-01');
    await pebble.stop();
    write(['a.shop.test']);
    const running = await begin();
    await running.line((text) => text.includes('no certificate was obtained'));
    const seen = await see(pebble, 'a.shop.test', '');
    t.match(seen, { isTrusted: false, subject: 'CN=Turnout has no certificate yet' });
    const status = await fetch(`http://${running.admin}/v1/status`);
    t.match(await status.json(), {
      acme: [{ domain: 'a.shop.test', endsAt: null, failures: 1, problem: /connection refused/ }],
      alarms: [
        { severity: 'critical', text: /no certificate for a\.shop\.test yet: the authority/ },
      ],
    });
  },
);
