// The state file is deleted, replaced or emptied, or its disk becomes read-only, at ten moments of a
// switch. What was acknowledged is there after a restart, and what can't be kept was not acknowledged.
//
// TURNOUT_STATE_MOMENTS=all meets every moment with every damage, else each moment meets one of them.

import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp, type ColoredApp } from '../support/colored-app.ts';
import { skipWithoutFailingDisk } from '../support/failing-disk.ts';
import { DAMAGES, openGatedApp, SlowCall, type GatedApp, type Place } from './state-scene.ts';
import { startTurnout, type Running } from './turnout-process.ts';

/** A switch that is made step by step. */
interface Scene {
  readonly running: Running;
  readonly admin: AdminClient;
  readonly blue: ColoredApp;
  readonly green: GatedApp;
  readonly call: SlowCall;
}

type Moment = (scene: Scene, damage: () => void) => Promise<number>;

/** Each returns the status of the answer to the switch. */
const MOMENTS: Readonly<Record<string, Moment>> = {
  'before the call': async ({ call }, damage) => {
    damage();
    call.sendAll();
    return call.answered;
  },
  'with half of the head sent': async ({ call }, damage) => {
    call.send(0, 30);
    damage();
    call.send(30);
    return call.answered;
  },
  'with half of the body sent': async ({ call }, damage) => {
    call.send(0, -5);
    damage();
    call.send(-5);
    return call.answered;
  },
  'with all of it sent': async ({ call }, damage) => {
    call.sendAll();
    damage();
    return call.answered;
  },
  'while a target is asked': async ({ call, green }, damage) => {
    green.shut();
    call.sendAll();
    await green.asked();
    damage();
    green.open();
    return call.answered;
  },
  'when the target has answered': async ({ call, green }, damage) => {
    green.shut();
    call.sendAll();
    await green.asked();
    green.open();
    damage();
    return call.answered;
  },
  'while requests are held': async ({ call, running, blue }, damage) => {
    const request = await fetch(`http://${running.proxy}/held`);
    const ended = request.text();
    call.sendAll('30s');
    const held = fetch(`http://${running.proxy}/held-${Math.random()}`);
    damage();
    blue.release();
    await ended;
    const status = await call.answered;
    await (await held).text();
    return status;
  },
  'when it is answered': async ({ call }, damage) => {
    call.sendAll();
    const status = await call.answered;
    damage();
    return status;
  },
  'when the new color has served': async ({ call, running }, damage) => {
    call.sendAll();
    const status = await call.answered;
    await served(running);
    damage();
    return status;
  },
  'while the next change is made': async ({ call, admin }, damage) => {
    call.sendAll();
    const status = await call.answered;
    const next = admin.post('/v1/maintenance', { on: false });
    damage();
    await next;
    return status;
  },
};

await t.test('what was acknowledged is there, whatever becomes of the state file', async (t) => {
  const skipRemount = skipWithoutFailingDisk();
  const damages = Object.entries(DAMAGES).filter(
    ([name]) => skipRemount === false || name !== 'read-only remount',
  );
  if (skipRemount !== false) t.comment(`the read-only remount is left out: ${skipRemount}`);
  let turn = 0;
  for (const [when, moment] of Object.entries(MOMENTS)) {
    const isAll = process.env['TURNOUT_STATE_MOMENTS'] === 'all';
    const met = isAll ? damages : [damages[turn++ % damages.length]!];
    for (const [what, place] of met) {
      await t.test(`${what}, ${when}`, async (t) => judge(t, place(t), moment));
    }
  }
});

async function judge(t: Test, { state, damage, repair }: Place, moment: Moment): Promise<void> {
  const blue = await openColoredApp(t, 'blue');
  const green = await openGatedApp(t);
  // Few checks, so that the next one is that of the switch.
  const checks = ['--health-interval', '5s', '--health-rise', '1'];
  const args = ['--blue', blue.url, '--green', green.url, '--state', state, ...checks];
  const running = await startTurnout(t, args);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await untilUp(admin);
  const call = await SlowCall.open(t, running.admin);
  const status = await moment({ running, admin, blue, green, call }, damage);
  t.ok([200, 503].includes(status), `answered with ${status}`);
  let active = status === 200 ? 'green' : 'blue';
  t.equal(await served(running), active, 'traffic goes by the answer');
  // What is wrong is noticed by the next change at the latest, unless nothing is lost by it.
  const back = await admin.post('/v1/switch', { to: active === 'blue' ? 'green' : 'blue' });
  if (back.status === 200) active = active === 'blue' ? 'green' : 'blue';
  else t.match(back, { status: 503, json: { code: 'store-failed' } });
  t.equal(await served(running), active);
  if (back.status === 503) {
    const warning = (await admin.get('/v1/status')).json['state'] as { warning: unknown };
    t.ok(warning.warning, 'status says so');
    t.match(await admin.get('/metrics'), { text: /^turnout_store_fault 1$/m });
  }
  running.process.kill('SIGTERM');
  await running.ended;
  repair();
  const again = await startTurnout(t, args);
  const now = await served(again);
  if (now !== active) {
    // Another file was put there; that is used, and the newer state is kept and told.
    const fresh = new AdminClient(again.admin);
    t.teardown(() => fresh.close());
    t.match((await fresh.get('/v1/status')).json, {
      state: { warning: /an older file was put in its place; .* the copy was kept as/ },
    });
    again.process.kill('SIGTERM');
    await again.ended;
    const kept = readdirSync(state).find((name) => name.includes('.newer-'))!;
    renameSync(join(state, kept), join(state, 'turnout.db'));
    const last = await startTurnout(t, args);
    t.equal(await served(last), active, 'it is there for the operator to choose');
  }
}

async function untilUp(admin: AdminClient): Promise<void> {
  const up = /^turnout_target_up\{[^}]*\} 1$/gm;
  while ([...(await admin.get('/metrics')).text.matchAll(up)].length < 2);
}

async function served({ proxy }: Running): Promise<string> {
  return (await fetch(`http://${proxy}/`, { headers: { connection: 'close' } })).text();
}
