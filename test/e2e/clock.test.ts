// The clock of the system is set back by an hour while a real process runs: what has an end still
// ends, and nothing ends early.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(120_000);

const PRELOAD = new URL('../support/set-back-clock.ts', import.meta.url).href;

await t.test(
  'holds, drains, sessions and remembered answers outlive a clock set back',
  async (t) => {
    const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
    const flag = join(temporaryDirectory(t), 'set back');
    const colors = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
    const drain = ['--drain-sessions', '20s', '--drain-streams', '1s', '--drain-requests', '1s'];
    const running = await startTurnout(t, [...colors, ...drain], {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      SET_BACK_FILE: flag,
    });
    const admin = new AdminClient(running.admin);
    t.teardown(() => admin.close());
    const [, port] = running.proxy.split(':');
    const asked = async (path: string) => {
      const peer = await connectRaw(Number(port));
      t.teardown(() => peer.socket.destroy());
      peer.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      return peer.until('answer', () =>
        /\r\n\r\n(blue|green)$/.test(peer.text) ? peer.text : undefined,
      );
    };
    const cookie = /^set-cookie: ([^;]*)/im.exec(await asked('/'))?.[1] ?? '';
    t.not(cookie, '');
    const key = { 'idempotency-key': 'before-the-step' };
    const held = await admin.post('/v1/hold', { for: '4s' }, key);
    t.equal(held.status, 200, held.text);
    const waiting = asked('/waits');
    await new Promise(setImmediate);
    writeFileSync(flag, '');

    t.match(await waiting, /blue$/, 'who waited goes on when the hold is over');
    t.match(await asked('/later'), /blue$/, 'and so does everybody else');
    const again = await admin.post('/v1/hold', { for: '4s' }, key);
    t.equal(again.text, held.text, 'a repeated call gets its answer');
    t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
    const mine = async (): Promise<string> =>
      (await fetch(`http://${running.proxy}/`, { headers: { cookie } })).text();
    t.equal(await mine(), 'blue', 'the session has not ended');
    const left = await admin.get('/v1/drain?wait=60s');
    t.strictSame(left.json['draining'], [], 'the drain ends');
    t.equal(await mine(), 'green');
    const [entry] = (await admin.get('/v1/history')).json['switches'] as [{ readonly at: string }];
    t.ok(Date.parse(entry.at) > Date.now() - 600_000, 'and the history is in order');
  },
);
