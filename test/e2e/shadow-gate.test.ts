// A rollout asks by copies of live requests whether the new release answers as the old one: with the whole
// program and two workers.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

/** From one request to the next: a second of them is one piece of evidence, however many they are. */
const PACE_MS = 40;

interface App {
  readonly url: string;
  /** Requests that said that they are copies. */
  copies: number;
  /** Requests of clients. */
  asked: number;
}

async function openApp(t: Test, name: string, status: number): Promise<App> {
  const server = createServer((asked, answer) => {
    if (asked.url !== '/healthz') {
      if (asked.headers['x-turnout-shadow'] === '1') app.copies++;
      else app.asked++;
      answer.statusCode = status;
    }
    answer.setHeader('x-app', name);
    answer.end('the same');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const app: App = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    copies: 0,
    asked: 0,
  };
  return app;
}

interface GateSeen {
  readonly verdict: string;
  readonly detail: string;
}

/** Rolls out green while clients ask; resolves with what its gate has said, and where clients were meanwhile. */
async function rollsOut(t: Test, green: App) {
  const blue = await openApp(t, 'blue', 200);
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      services: [
        {
          blue: { release: 'v1', targets: [blue.url] },
          green: { release: 'v2', targets: [green.url] },
          rollout: {
            bake: '0s',
            gates: [{ name: 'twice', kind: 'shadow', share: '100%', mismatch: '10%', minimum: 20 }],
          },
        },
      ],
    }),
  );
  const server = await startTurnout(t, ['--config', file, '--workers', '2']);
  const admin = new AdminClient(server.admin);
  t.teardown(() => admin.close());
  const started = await admin.post('/v1/rollouts', { to: 'green', reason: 'test' });
  t.equal(started.status, 202, started.text);
  const seen: string[] = [];
  for (;;) {
    const { json } = await admin.get(`/v1/rollouts/${String(started.json['id'])}`);
    const [gate] = json['gates'] as readonly GateSeen[];
    const isOver = gate !== undefined && ['ok', 'fail', 'error', 'timeout'].includes(gate.verdict);
    if (isOver) return { gate, seen, metrics: (await admin.get('/metrics')).text };
    seen.push(await ask(server.proxy));
    await delay(PACE_MS);
  }
}

/** Asks on a connection of its own, so that both workers are asked; returns which app has answered. */
async function ask(proxy: string): Promise<string> {
  const asked = request(`http://${proxy}/page`, { agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return `${String(response.headers['x-app'])} ${response.statusCode}`;
}

await t.test('a release that answers the same goes on to its traffic', async (t) => {
  const green = await openApp(t, 'green', 200);
  const { gate, seen, metrics } = await rollsOut(t, green);
  t.equal(gate.verdict, 'ok', gate.detail);
  t.ok(green.copies >= 20, `${green.copies} copies`);
  t.match(metrics, /turnout_shadow_requests_total\{[^}]*result="same"\} \d+/);
  // The last one may have been asked when the gate had opened.
  t.strictSame([...new Set(seen.slice(0, -1))], ['blue 200'], 'no client was there before');
});

await t.test('a release that answers otherwise fails, and no client has seen it', async (t) => {
  const green = await openApp(t, 'green', 500);
  const { gate, seen } = await rollsOut(t, green);
  t.equal(gate.verdict, 'fail', gate.detail);
  t.match(gate.detail, /differ .*tolerated: 10 %.*most of GET \/page/);
  t.strictSame([...new Set(seen)], ['blue 200']);
  t.equal(green.asked, 0);
});
