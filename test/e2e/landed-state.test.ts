// A real process takes over the state directory of a version before deployments, some seconds after that
// was stopped: cookies of that time lead where they led, and what operators had decided still holds.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { ownAddress } from '../support/own-address.ts';
import { LANDED, landIn } from '../unit/control-plane/support/landed.ts';
import { startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

const PRELOAD = new URL('../support/moved-clock.ts', import.meta.url).href;
const PORT = 3_000;
/** The addresses in the file end with 1 to 9. */
const WRITTEN = '127.91.13.';

/** Opens what answers with its release, where the file says it is. */
async function openRelease(t: Test, host: string, release: string): Promise<void> {
  const server = createServer((_request, response) => response.end(release));
  server.listen(PORT, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
}

/** Puts the state into `dir`, at addresses that no other test has; returns the file that fits. */
async function prepare(t: Test, dir: string): Promise<string> {
  const own = ownAddress().replace(/\d+$/, '');
  const state = join(dir, 'state');
  landIn(state);
  const raw = new DatabaseSync(join(state, 'turnout.db'));
  raw.prepare('UPDATE services SET state = replace(state, ?, ?)').run(WRITTEN, own);
  raw.prepare('UPDATE switches SET left_side = replace(left_side, ?, ?)').run(WRITTEN, own);
  raw.close();
  for (const [index, release] of ['v1', 'v2', 'b1', 'b2', 'n1', 'n2'].entries()) {
    await openRelease(t, `${own}${index + 1}`, release);
  }
  const service = (name: string, first: number, [blue, green]: readonly [string, string]) => ({
    name,
    hosts: [`${name}.example`],
    health: { kind: 'none' },
    blue: { release: blue, targets: [`http://${own}${first}:${PORT}`] },
    green: { release: green, targets: [`http://${own}${first + 1}:${PORT}`] },
  });
  const services = [
    service('shop', 1, ['v1', 'v2']),
    service('bank', 3, ['b1', 'b2']),
    service('news', 5, ['n1', 'n2']),
  ];
  const file = join(dir, 'turnout.yaml');
  writeFileSync(file, JSON.stringify({ services }));
  return file;
}

/** Returns what a client with `cookie` gets. */
async function served(t: Test, running: Running, host: string, cookie: string): Promise<string> {
  const peer = await connectRaw(Number(running.proxy.split(':')[1]));
  t.teardown(() => peer.socket.destroy());
  peer.send(`GET / HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`);
  return peer.until('an answer', () => /\r\n\r\n([a-z]\d)$/.exec(peer.text)?.[1]);
}

await t.test('sessions and decisions of a version before go on', async (t) => {
  const dir = temporaryDirectory(t);
  const file = await prepare(t, dir);
  const movedMs = LANDED.madeAtMs + 5_000 - Date.now();
  const running = await startTurnout(t, ['--config', file, '--state', join(dir, 'state')], {
    NODE_OPTIONS: `--import=${PRELOAD}`,
    MOVE_CLOCK_BY_MS: `${movedMs}`,
  });
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());

  t.equal(await served(t, running, 'shop.example', LANDED.shopBlueCookie), 'v1', 'it drains');
  t.equal(await served(t, running, 'shop.example', LANDED.shopGreenCookie), 'v2');
  t.equal(await served(t, running, 'news.example', LANDED.newsBlueCookie), 'n1');
  t.equal(await served(t, running, 'news.example', LANDED.newsGreenCookie), 'n2', 'it drains');
  t.equal(await served(t, running, 'shop.example', 'a=b'), 'v2', 'a new session');
  const forged = LANDED.shopBlueCookie.replace('=1.', '=2.');
  t.equal(
    await served(t, running, 'shop.example', forged),
    'v2',
    'a forged one counts for nothing',
  );

  const refused = await admin.post('/v1/switch?service=news', { to: 'green' });
  t.match(refused, { status: 423, json: { freeze: { reason: 'black friday' } } });
  await admin.post('/v1/unfreeze', {});
  const locked = await admin.post('/v1/switch?service=bank', { to: 'green' });
  t.match(locked, { status: 409, json: { code: 'release-locked-out' } });
  const back = await admin.post('/v1/rollback?service=shop', { reason: 'v2 fails' });
  t.match(back, { status: 200, json: { release: 'v1' } });
  t.equal(await served(t, running, 'shop.example', LANDED.shopGreenCookie), 'v1', 'for everybody');
  t.match((await admin.get('/v1/audit?verify=true')).json, { chain: { state: 'ok' } });
});
