// kill -9 around the start of rollouts: a release that comes with its rollout, and one rollout of two
// services. After the restart, all of it is there or nothing, and what was answered is there.
//
// TURNOUT_TEST_KILLS sets how many times; TURNOUT_TEST_SEED repeats a run.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { Random } from '../support/random.ts';
import { HEALTH, openApp, type View } from './rollout-scene.ts';
import { callAndKill } from './call-and-kill.ts';
import { startAsGiven, temporaryDirectory } from './turnout-process.ts';

const KILLS = Number(process.env['TURNOUT_TEST_KILLS'] ?? 4);
const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);

t.setTimeout(60_000 + KILLS * 30_000);

/** One service in the status, as far as this test looks at it. */
interface Seen {
  readonly name: string;
  readonly rollout: { readonly id: string } | null;
  readonly green: { readonly release: string };
}

for (const names of [['shop'], ['api', 'shop']]) {
  const isOfTwo = names.length > 1;
  const what = isOfTwo ? 'a rollout of two services' : 'a release and its rollout';
  await t.test(`${KILLS} times kill -9 while ${what} begin`, async (t) => {
    t.comment(`TURNOUT_TEST_SEED=${SEED}`);
    const random = new Random(SEED);
    const apps: string[] = [];
    for (let at = 0; at < 3 * names.length; at++) apps.push((await openApp(t, `app ${at}`)).url);
    const directory = temporaryDirectory(t);
    const file = join(directory, 'turnout.yaml');
    const services = names.map((name, at) => ({
      name,
      hosts: [`${name}.example`],
      blue: { release: 'v1', targets: [apps[3 * at]] },
      green: { release: 'v2', targets: [apps[3 * at + 1]] },
      health: HEALTH,
      rollout: {
        plan: '10%:pause',
        guard: { mode: 'off' },
        gates: [{ name: 'mia', kind: 'approve' }],
      },
    }));
    writeFileSync(file, JSON.stringify({ services }));
    const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
    const args = [...listen, '--state', join(directory, 'state'), '--config', file];
    let release = 'v2';
    let callMs = 60;
    let begun = 0;
    for (let kill = 0; kill <= KILLS; kill++) {
      const running = await startAsGiven(t, args);
      const admin = new AdminClient(running.admin);
      const wanted = `r${kill}`;
      const body = isOfTwo ? { services: names } : { release: wanted, targets: [apps[2]] };
      const waitMs = random.fraction() * 2 * callMs;
      const answer = await callAndKill(running, '/v1/rollouts', { waitMs, body });
      admin.close();
      t.notMatch(answer, /^HTTP\/1.1 [45]/);
      const isAnswered = answer.startsWith('HTTP/1.1 202');
      callMs *= isAnswered ? 0.8 : 1.25;

      const again = await startAsGiven(t, args);
      const caller = new AdminClient(again.admin);
      const rollouts = (await caller.get('/v1/rollouts?active=true')).json['rollouts'] as View[];
      const seen = (await caller.get('/v1/status')).json['services'] as Seen[];
      const isThere = rollouts.length === 1;
      t.ok(isThere || !isAnswered, `kill ${kill}: what was answered is there`);
      const id = isThere ? rollouts[0]!.id : undefined;
      t.same(
        seen.map(({ rollout }) => rollout?.id),
        names.map(() => id),
        `kill ${kill}: all services are in it, or none`,
      );
      if (isThere && !isOfTwo) release = wanted;
      t.equal(seen[0]!.green.release, release, `kill ${kill}: the release came with it`);
      const audit = (await caller.get('/v1/audit?limit=100&verify=true')).json;
      t.match(audit, { chain: { state: 'ok' } });
      const started = (audit['entries'] as { action: string; outcome: string }[]).filter(
        ({ action, outcome }) => action === 'POST /v1/rollouts' && outcome === 'done',
      );
      begun += isThere ? 1 : 0;
      t.equal(started.length, begun, `kill ${kill}: each that began has its entry`);
      if (isThere) {
        const end = { reason: 'next', lockOut: false };
        t.match(await caller.post(`/v1/rollouts/${id}/abort`, end), { status: 200 });
      }
      caller.close();
      again.process.kill('SIGKILL');
      await again.ended;
    }
    t.comment(`${begun} of ${KILLS + 1} calls had begun a rollout`);
  });
}
