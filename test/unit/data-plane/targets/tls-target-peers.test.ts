// Targets over TLS that are other programs: nginx and openssl, each by one version of TLS alone, with and
// without a certificate of ours; and handshakes that come slowly, late, or end anywhere.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { UpstreamTerms } from '../../../../src/contract/certificates.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { skipWithout } from '../../../support/installed.ts';
import { freePort, ownAddress } from '../../../support/own-address.ts';
import { openTestPlane, upstreamTerms, type SettingsPatch } from '../../../support/plane.ts';
import { Random } from '../../../support/random.ts';
import { comesToRest } from '../../../support/shared-counters.ts';
import { ask, certify, listen, planeTo, target } from '../../../support/tls-target.ts';

const ca = authority(t);
const files = ca.sign('app');
const good = pemsOf(files);
const own = pemsOf(ca.sign('turnout'));
const { cert: caPem } = pemsOf(ca);
const without = upstreamTerms(caPem);
const withOwn: UpstreamTerms = { ...without, chain: own.cert, key: own.key };
const foreign = pemsOf(authority(t).sign('turnout'));
const withForeign: UpstreamTerms = { ...without, chain: foreign.cert, key: foreign.key };

/** How many handshakes are cut; `TURNOUT_TLS_CUTS=5000`. */
const CUTS = Number(process.env['TURNOUT_TLS_CUTS'] ?? '60');

/** Passes bytes on between the data plane and a target; `run` may do so in its own way. */
async function relay(
  t: Test,
  port: number,
  run: (client: Socket, target: Socket) => void,
): Promise<number> {
  const server = createServer((client) => {
    const onward = connect(port, '127.0.0.1');
    for (const socket of [client, onward]) socket.on('error', () => {});
    client.once('close', () => onward.destroy());
    onward.once('close', () => client.destroy());
    run(client, onward);
  });
  return listen(t, server);
}

/** Resolves with a port of 127.0.0.1 behind which `host:port` is; what a plane of a test leads to. */
async function near(t: Test, host: string, port: number): Promise<number> {
  const server = createServer((client) => {
    const onward = connect(port, host);
    for (const socket of [client, onward]) socket.on('error', () => {});
    client.pipe(onward).pipe(client);
  });
  return listen(t, server);
}

/** Starts a program that ends with the test; resolves once it takes connections at each of `ports`. */
async function start(
  t: Test,
  command: readonly [string, ...string[]],
  host: string,
  ports: readonly number[],
): Promise<void> {
  const [name, ...args] = command;
  const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (part: Buffer) => (said += String(part)));
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill();
    await exited;
  });
  for (const port of ports) {
    while (child.exitCode === null) {
      const socket = connect(port, host);
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isOpen) break;
    }
  }
  if (child.exitCode !== null) throw new Error(`${name} has ended: ${said}`);
}

await t.test('nginx', { skip: skipWithout('nginx') }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'turnout-nginx-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const host = ownAddress();
  const [old, fresh, picky] = [await freePort(host), await freePort(host), await freePort(host)];
  const server = (port: number, more: string): string => `server {
    listen ${host}:${port} ssl;
    ${more}
    location / { return 200 "$ssl_protocol $ssl_client_s_dn $ssl_session_reused"; }
  }`;
  const config = `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fast; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  ssl_certificate ${files.cert}; ssl_certificate_key ${files.key};
  ${server(old, 'ssl_protocols TLSv1.2;')}
  ${server(fresh, 'ssl_protocols TLSv1.3;')}
  ${server(picky, `ssl_protocols TLSv1.3; ssl_verify_client on; ssl_client_certificate ${ca.cert};`)}
}`;
  writeFileSync(join(directory, 'nginx.conf'), config);
  await start(t, ['nginx', '-p', directory, '-c', 'nginx.conf'], host, [old, fresh, picky]);

  for (const [port, version] of [
    [old, 'TLSv1.2'],
    [fresh, 'TLSv1.3'],
  ] as const) {
    const plane = await planeTo(t, await near(t, host, port), without);
    t.match(await ask(plane.port), { status: 200, body: `${version}  .`, isWhole: true });
  }
  const plane = await planeTo(t, await near(t, host, picky), without);
  const refused = await ask(plane.port);
  t.match(refused, { status: 400, body: /No required SSL certificate was sent/ }, 'its own words');
  certify(plane, withOwn);
  t.match(await ask(plane.port), { status: 200, body: 'TLSv1.3 CN=turnout .' });
});

await t.test('openssl', { skip: skipWithout('openssl') }, async (t) => {
  const serve = async (...more: readonly string[]): Promise<number> => {
    const host = ownAddress();
    const port = await freePort(host);
    const own = ['-cert', files.cert, '-key', files.key, '-www'];
    const args = ['s_server', '-accept', `${host}:${port}`, ...own, ...more] as const;
    await start(t, ['openssl', ...args], host, [port]);
    return near(t, host, port);
  };
  const asks = ['-Verify', '2', '-verify_return_error', '-CAfile', ca.cert];
  for (const version of ['tls1_2', 'tls1_3']) {
    const plane = await planeTo(t, await serve(`-${version}`), without);
    // It says no length: the closing alert alone says that this was all.
    t.match(await ask(plane.port), { status: 200, body: /s_server/, isWhole: true }, version);

    const picky = await planeTo(t, await serve(`-${version}`, ...asks), withOwn);
    t.match(await ask(picky.port), { status: 200, isWhole: true }, version);
    for (const terms of [without, withForeign]) {
      certify(picky, terms);
      const told = /^502 CONNECT_FAILED: no connection to the target/;
      t.match(await ask(picky.port), { status: 502, body: told }, version);
    }
  }
});

await t.test('a handshake that comes byte by byte is one', async (t) => {
  const { port } = await target(t, good);
  const slowly = await relay(t, port, (client, onward) => {
    client.pipe(onward);
    client.setNoDelay(true);
    onward.on('data', (bytes: Buffer) => {
      for (const byte of bytes) client.write(Buffer.of(byte));
    });
  });
  const plane = await planeTo(t, slowly, without);
  t.equal((await ask(plane.port)).status, 200);
});

await t.test('a handshake that goes on when its time is over changes nothing', async (t) => {
  const { port } = await target(t, good);
  const held: (() => void)[] = [];
  const late = await relay(t, port, (client, onward) => {
    client.pipe(onward);
    onward.once('data', (bytes: Buffer) => {
      onward.pause();
      held.push(() => {
        client.write(bytes);
        onward.pipe(client);
      });
    });
  });
  const plane = await planeTo(t, late, without, { connectTimeoutMs: 200 });
  const answer = await ask(plane.port);
  t.match(answer, { status: 504, body: /^504 CONNECT_TIMEOUT/ });
  for (const go of held) go();
  await comesToRest(t, plane);
});

await t.test('a handshake that is cut anywhere costs one request at most', async (t) => {
  const seed = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
  t.comment(`TURNOUT_TEST_SEED=${seed}`);
  const random = new Random(seed);
  // A whole handshake and a small answer are some 2,500 bytes, one that goes on with a session fewer.
  const plan = { afterBytes: 0, isReset: false, isTowards: false };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const wants = { ca: caPem, requestCert: true };
    const { port } = await target(t, { ...good, ...wants, maxVersion });
    const cutting = await relay(t, port, (client, onward) => {
      const { isReset, isTowards } = plan;
      let left = plan.afterBytes;
      const pass = (from: Socket, to: Socket, isCounted: boolean): void => {
        from.on('data', (bytes: Buffer) => {
          if (!isCounted || bytes.length < left) {
            if (isCounted) left -= bytes.length;
            to.write(bytes);
            return;
          }
          from.removeAllListeners('data');
          to.write(bytes.subarray(0, left), () => {
            if (isReset) client.resetAndDestroy();
            else client.end();
          });
        });
      };
      pass(client, onward, !isTowards);
      pass(onward, client, isTowards);
    });
    const patch: SettingsPatch = {
      targetAuthorities: caPem,
      upstream: { connectTimeoutMs: 2_000, headTimeoutMs: 2_000 },
    };
    const plane = await openTestPlane({ blue: [cutting], green: [] }, patch);
    t.teardown(() => plane.stop());
    certify(plane, withOwn);
    for (let i = 0; i < CUTS / 2; i++) {
      plan.afterBytes = 1 + random.below(2_600);
      plan.isReset = random.below(2) === 0;
      plan.isTowards = random.below(4) > 0;
      const { status, body, isWhole } = await ask(plane.port, '/last');
      const isTold =
        status === 502 ||
        status === 504 ||
        (status === 200 && (!isWhole || body.startsWith('got 0')));
      if (!isTold) t.fail(`${status} ${body} after ${JSON.stringify(plan)}`);
    }
    plan.afterBytes = 1_000_000;
    const last = await ask(plane.port);
    t.match(last, { status: 200, body: /^got 0/, isWhole: true }, 'and none later');
    t.strictSame(
      plane.reports.filter(({ kind }) => kind === 'fault'),
      [],
    );
    await comesToRest(t, plane);
  }
});
