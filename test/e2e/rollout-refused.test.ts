// A release that may not have the traffic: its rollout is refused before anything is registered, so that
// the release that is there stays the way back.

import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { startTurnout } from './turnout-process.ts';

const TARGETS = ['http://127.0.0.1:9'];

interface Refusal {
  readonly code: string;
}

/** Turnout with data of schema 3, v2 active and v1 as the way back; no target answers. */
async function openAdmin(t: Test): Promise<AdminClient> {
  const colors = ['--blue', 'http://127.0.0.1:7', '--blue-release', 'v1'];
  const server = await startTurnout(t, colors);
  const admin = new AdminClient(server.admin);
  t.teardown(() => admin.close());
  const schema = { provides: 3, requires: [3, 4] };
  const v2 = { release: 'v2', targets: ['http://127.0.0.1:8'], schema };
  t.equal((await admin.put('/v1/releases/green', v2)).status, 200);
  const moved = await admin.post('/v1/switch', { to: 'green', force: true, reason: 'test' });
  t.equal(moved.status, 200, moved.text);
  return admin;
}

async function idleRelease(admin: AdminClient): Promise<unknown> {
  const { json } = await admin.get('/v1/status');
  const [service] = json['services'] as readonly { readonly blue: { readonly release: string } }[];
  return service!.blue.release;
}

const OLD = {
  release: 'v0',
  targets: TARGETS,
  schema: { provides: 1, requires: [1, 2] },
  plan: 'all-at-once',
};

await t.test('a release that may not have the traffic', async (t) => {
  const admin = await openAdmin(t);

  await t.test('a release that does not fit the data is refused, and not registered', async (t) => {
    const refused = await admin.post('/v1/rollouts', OLD);
    t.equal(refused.status, 409, refused.text);
    t.equal(refused.json['code'], 'schema-incompatible');
    t.equal(await idleRelease(admin), 'v1');
  });

  await t.test('a dry run names what would refuse the traffic', async (t) => {
    const told = await admin.post('/v1/rollouts', { ...OLD, dryRun: true });
    t.equal(told.status, 200, told.text);
    const codes = (told.json['refusals'] as readonly Refusal[]).map(({ code }) => code);
    t.strictSame(codes, ['schema-incompatible']);
    const fits = { ...OLD, schema: { provides: 3, requires: [1, 4] }, dryRun: true };
    t.strictSame((await admin.post('/v1/rollouts', fits)).json['refusals'], []);
  });

  await t.test('a release that was rolled back from is not registered for a rollout', async (t) => {
    const back = await admin.post('/v1/rollback', { force: true, reason: 'test' });
    t.equal(back.status, 200, back.text);
    const v3 = { release: 'v3', targets: TARGETS, schema: { provides: 3, requires: [3, 4] } };
    t.equal((await admin.put('/v1/releases/green', v3)).status, 200);
    const again = { release: 'v2', targets: ['http://127.0.0.1:8'], plan: 'all-at-once' };
    const refused = await admin.post('/v1/rollouts', again);
    t.equal(refused.json['code'], 'release-locked-out', refused.text);
    const { json } = await admin.get('/v1/status');
    const [service] = json['services'] as readonly {
      readonly green: { readonly release: string };
    }[];
    t.equal(service!.green.release, 'v3');
  });
});
