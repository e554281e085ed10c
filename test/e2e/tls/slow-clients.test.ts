// Clients that read slowly, over TLS from targets over TLS, while a switch, a reload and an upgrade go by:
// each gets the bytes of the response that it began with.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { skipWithout } from '../../support/installed.ts';
import { pki } from '../../unit/control-plane/support/pki.ts';
import { openTlsScene, type Door } from './tls-scene.ts';

const skip = skipWithout('openssl');
const BODY = randomBytes(16_777_216);
const HASH = createHash('sha256').update(BODY).digest('hex');
const CLIENTS = 6;
/** Bytes between two pauses. */
const AT_ONCE = 200_000;

/** A target over TLS; with a length, or in chunks. */
async function openTarget(t: Test, cert: string, key: string): Promise<string> {
  const pems = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  const server = createServer(pems, (asked, answer) => {
    if (asked.url === '/sized') answer.setHeader('content-length', BODY.length);
    answer.end(BODY);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Reader {
  /** Lets it read to the end; resolves with a hash of all. */
  readonly finish: () => Promise<string>;
}

/** Begins a response, reads some of it, and waits. */
async function begin(door: Door, path: string): Promise<Reader> {
  const asked = request({ ...door, path, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const hash = createHash('sha256');
  const read = async (most: number): Promise<void> => {
    for (let bytes = 0; bytes < most && !response.readableEnded;) {
      const part = response.read() as Buffer | null;
      if (part === null) {
        await turn();
        continue;
      }
      bytes += part.length;
      hash.update(part);
    }
  };
  await read(AT_ONCE);
  return {
    async finish() {
      while (!response.readableEnded) {
        await read(AT_ONCE);
        for (let i = 0; i < 10; i++) await turn();
      }
      return hash.digest('hex');
    },
  };
}

await t.test('through a switch, a reload and an upgrade', { skip }, async (t) => {
  const { issue } = pki(t);
  const ca = issue('targets', { isAuthority: true, names: '' });
  const { cert, key } = issue('app', { by: ca, names: 'IP:127.0.0.1' });
  const target = await openTarget(t, cert, key);
  const scene = await openTlsScene(t, {
    targets: [target, await openTarget(t, cert, key)],
    service: { upstreamTls: { ca: ca.cert } },
  });
  const start = async (): Promise<Reader[]> =>
    Promise.all(
      Array.from({ length: CLIENTS }, (_, i) => begin(scene.door, i % 2 === 0 ? '/sized' : '/')),
    );
  const readers = await start();
  await scene.switchTo('green');
  readers.push(...(await start()));
  await scene.reload([], { workers: 2 });
  await scene.upgrade();
  readers.push(...(await start()));
  await scene.switchTo('blue');
  for (const hash of await Promise.all(readers.map(async ({ finish }) => finish()))) {
    t.equal(hash, HASH);
  }
});
