// Debian's Pebble: a real ACME authority for tests, with a name server of its own in which every name
// leads to the address of the test. It rejects one good nonce in twenty, as it comes.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { authority, pemsOf } from './certificates.ts';
import { freePort, ownAddress } from './own-address.ts';
import { temporaryDirectory } from '../e2e/turnout-process.ts';

export interface Pebble {
  /** All names lead here. */
  readonly host: string;
  /** URL of the directory. */
  readonly directory: string;
  /** PEM file of what the directory's server is checked against. */
  readonly caFile: string;
  /** Where it looks for HTTP-01. */
  readonly httpPort: number;
  /** Where it looks for TLS-ALPN-01. */
  readonly tlsPort: number;
  /** Resolves with the PEM of the root that it signs with. */
  root(): Promise<string>;
  /** What it wrote so far. */
  readonly output: () => string;
  /** It is started again, and knows nothing of before. */
  restart(): Promise<void>;
  /** It is gone. */
  stop(): Promise<void>;
}

export interface PebbleOptions {
  /** Beside `PEBBLE_VA_NOSLEEP`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** HMAC keys in base64url by their ids: without one no account is made. */
  readonly bindings?: Readonly<Record<string, string>>;
}

/** Starts Pebble and its name server; they end with the test. */
export async function startPebble(
  t: Test,
  { environment = {}, bindings }: PebbleOptions = {},
): Promise<Pebble> {
  const host = ownAddress();
  const own = authority(t);
  const server = own.sign('pebble', { names: [`IP:${host}`] });
  // The port of validation must be known; those of servers are opened in the same breath.
  const ports = await Promise.all(Array.from({ length: 6 }, async () => freePort(host)));
  const [port, management, httpPort, tlsPort, dns, dnsManagement] = ports as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const config = join(temporaryDirectory(t), 'pebble.json');
  writeFileSync(
    config,
    JSON.stringify({
      pebble: {
        listenAddress: `${host}:${port}`,
        managementListenAddress: `${host}:${management}`,
        certificate: server.cert,
        privateKey: server.key,
        httpPort,
        tlsPort,
        ocspResponderURL: '',
        externalAccountBindingRequired: bindings !== undefined,
        externalAccountMACKeys: bindings,
      },
    }),
  );
  const names = start(t, 'pebble-challtestsrv', [
    `-dns01=${host}:${dns}`,
    `-management=${host}:${dnsManagement}`,
    `-defaultIPv4=${host}`,
    '-defaultIPv6=',
    '-http01=',
    '-https01=',
    '-tlsalpn01=',
  ]);
  await names.said(/Starting management server/);
  const launch = async (): Promise<Started> => {
    const pebble = start(t, 'pebble', ['-config', config, '-dnsserver', `${host}:${dns}`], {
      PEBBLE_VA_NOSLEEP: '1',
      ...environment,
    });
    await pebble.said(/ACME directory available/);
    return pebble;
  };
  let pebble = await launch();
  const stop = async (): Promise<void> => {
    pebble.child.kill('SIGKILL');
    await once(pebble.child, 'close');
  };
  const { cert: trusted } = pemsOf(own);
  return {
    host,
    directory: `https://${host}:${port}/dir`,
    caFile: own.cert,
    httpPort,
    tlsPort,
    root: async () => get(`https://${host}:${management}/roots/0`, trusted),
    output: () => pebble.output(),
    restart: async () => {
      await stop();
      pebble = await launch();
    },
    stop,
  };
}

interface Started {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves when it has written what `wanted` accepts. */
  said(wanted: RegExp): Promise<void>;
}

function start(
  t: Test,
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  const waiting = new Set<() => void>();
  const take = (stream: Readable): void => {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part;
      for (const look of waiting) look();
    });
  };
  take(child.stdout);
  take(child.stderr);
  const said = async (wanted: RegExp): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (wanted.test(output)) resolve();
    };
    child.once('close', () => reject(new Error(`${program} ended: ${output}`)));
    waiting.add(look);
    look();
    await promise;
    waiting.delete(look);
  };
  return { child, output: () => output, said };
}

async function get(url: string, ca: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request(url, { ca }, (response) => {
    text(response).then(resolve, reject);
  })
    .on('error', reject)
    .end();
  return await promise;
}
