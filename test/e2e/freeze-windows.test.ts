// Freeze windows of a real process, at dates that its clock is moved to: two services and two operators,
// a reload, a restart, an admin API on a Unix socket.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { startAsGiven, temporaryDirectory, turnout } from './turnout-process.ts';

t.setTimeout(120_000);

const PRELOAD = new URL('../support/moved-clock.ts', import.meta.url).href;

/** Processes that think it is `at`. */
function clockAt(at: string): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${PRELOAD}`,
    MOVE_CLOCK_BY_MS: String(Date.parse(at) - Date.now()),
  };
}

await t.test('a weekend of one service', async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const dir = temporaryDirectory(t);
  const file = join(dir, 'turnout.yaml');
  const socket = `unix:${join(dir, 'admin.sock')}`;
  const write = (freezes: string): void =>
    writeFileSync(
      file,
      `listen: 127.0.0.1:0
admin: { listen: "${socket}" }
workers: 1
watch: false
state: { dir: "${join(dir, 'state')}" }
services:
  - { name: shop, hosts: [shop.test], blue: { targets: ["${blue.url}"] }, green: { targets: ["${green.url}"] }, health: { kind: none }${freezes} }
  - { name: bank, hosts: [bank.test], blue: { targets: ["${blue.url}/"] }, green: { targets: ["${green.url}/"] }, health: { kind: none } }
`.replaceAll('/"]', '"]'),
    );
  const weekend = ', freezes: ["Fri 16:00 - Mon 08:00 Europe/Berlin (weekend)"]';
  write(weekend);
  const saturday = clockAt('2026-10-24T12:00Z');
  const first = await startAsGiven(t, ['--config', file], saturday);
  const ask = async (...args: readonly string[]) =>
    turnout(args, { TURNOUT_ADMIN: socket, TURNOUT_SERVICE: 'shop', ...saturday });

  await first.line((line) => line.includes('shop is not switched now: weekend'));
  const refused = await ask('switch', 'green');
  t.equal(refused.code, 2, refused.err);
  t.match(refused.err, 'until 2026-10-26T07:00:00.000Z', 'summer time ends in between');
  t.match(refused.err, 'weekend');
  const listed = await ask('freezes');
  t.match(listed.out, /shop: not switched until 2026-10-26T07:00:00Z/);
  t.match((await ask('status')).out, 'not switched until 2026-10-26T07:00:00Z');
  const other = await turnout(['switch', 'green', '--service', 'bank'], {
    TURNOUT_ADMIN: socket,
    ...saturday,
  });
  t.equal(other.code, 0, other.err);
  const forced = await ask('switch', 'green', '--force', '--reason', 'the shop is on fire');
  t.equal(forced.code, 0, forced.err);
  const back = await ask('rollback', '--no-lock-out');
  t.equal(back.code, 0, back.err);

  write('');
  t.equal((await ask('reload')).code, 0);
  const [one, two] = await Promise.all([ask('switch', 'green'), ask('switch', 'green')]);
  t.strictSame([one.code, two.code], [0, 0], 'a reload has lifted it');
  write(weekend);
  t.equal((await ask('reload')).code, 0);
  t.equal((await ask('switch', 'blue')).code, 2);

  first.process.kill('SIGKILL');
  await first.ended;
  const monday = clockAt('2026-10-26T07:00:01Z');
  await startAsGiven(t, ['--config', file], monday);
  const after = await turnout(['switch', 'blue', '--service', 'shop'], {
    TURNOUT_ADMIN: socket,
    ...monday,
  });
  t.equal(after.code, 0, after.err);
  const next = await turnout(['freezes', '--service', 'shop', '--json'], {
    TURNOUT_ADMIN: socket,
    ...monday,
  });
  t.match(JSON.parse(next.out), {
    services: [{ present: null, next: { from: '2026-10-30T15:00:00.000Z', reason: 'weekend' } }],
  });
});

await t.test('a file with a window that makes no sense is told with its line', async (t) => {
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  writeFileSync(file, 'freezes:\n  - Fri 16:00 - Mon 08:00 Europe/Belrin (weekend)\n');
  const checked = await turnout(['config', 'check', file]);
  t.not(checked.code, 0);
  t.match(checked.err + checked.out, /2:5.*the zone is not known/s);
});
