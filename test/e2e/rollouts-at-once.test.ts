// Rollouts that begin or are steered in the same moment, against a real Turnout: each is one of its
// own, and what can't begin has registered nothing.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { startAsGiven, temporaryDirectory } from './turnout-process.ts';

const SERVICES = ['shop', 'api', 'mail'];
const LISTEN = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];

async function openServices(t: Test) {
  const dir = temporaryDirectory(t);
  const lines = ['services:'];
  for (const name of SERVICES) {
    const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
    lines.push(`  - name: ${name}`, `    hosts: [${name}.example]`, '    health: { kind: none }');
    lines.push(
      `    blue: { targets: ['${blue.url}'] }`,
      `    green: { targets: ['${green.url}'] }`,
    );
  }
  const config = join(dir, 'turnout.yaml');
  writeFileSync(config, lines.join('\n'));
  const args = [...LISTEN, '--config', config, '--state', join(dir, 'state')];
  const running = await startAsGiven(t, args);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return admin;
}

await t.test('rollouts of one process', async (t) => {
  const admin = await openServices(t);
  /** Ends the rollout of a service, so that the next test may begin one. */
  const abort = async (t: Test, service: string): Promise<void> => {
    const path = `/v1/rollouts/current/abort?service=${service}`;
    t.match(await admin.post(path, { reason: 'over' }), { status: 200 });
  };

  await t.test(
    'rollouts that begin at once have an id each, and end each by their own',
    async (t) => {
      const about = { to: 'green', plan: '10%:pause', guard: 'off' };
      const begun = await Promise.all(
        SERVICES.map(async (service) => admin.post('/v1/rollouts', { ...about, service })),
      );
      const ids = begun.map(({ json }) => String(json['id']));
      t.same(ids.toSorted(), ['r-1', 'r-2', 'r-3']);
      for (const [at, id] of ids.entries()) {
        const view = await admin.get(`/v1/rollouts/${id}`);
        t.match(view.json, { id, services: [{ service: SERVICES[at] }] });
        const ended = await admin.post(`/v1/rollouts/${id}/abort`, { reason: 'enough' });
        t.equal(ended.status, 200);
        const again = await admin.post('/v1/rollouts', { ...about, service: SERVICES[at] });
        t.match(again, { status: 202 }, 'its service is free');
        await abort(t, SERVICES[at]!);
      }
    },
  );

  await t.test(
    'a gate that is left out and does not exist refuses before anything is registered',
    async (t) => {
      const release = { release: 'v9', targets: ['http://127.0.0.1:9'] };
      const about = { service: 'shop', ...release, gates: { skip: ['smoke'], reason: 'hurry' } };
      for (const dryRun of [true, false]) {
        const refused = await admin.post('/v1/rollouts', { ...about, dryRun });
        t.match(refused, { status: 404, json: { code: 'gate-unknown' } });
      }
      t.notMatch((await admin.get('/v1/deployments')).text, 'v9');
    },
  );

  await t.test('of acts that are bound to the same event, one is done', async (t) => {
    const plan = '10%:pause, 20%:pause, 30%:pause, 40%:pause';
    const about = { service: 'shop', to: 'green', plan, guard: 'off' };
    t.match(await admin.post('/v1/switch', about), { status: 200 });
    const path = '/v1/rollouts/current?service=shop';
    const { event } = (await admin.get(path)).json as { readonly event: number };
    const wish = [{ reason: 'go on' }, { 'if-match': `"${event}"` }] as const;
    const skip = '/v1/rollouts/current/skip?service=shop';
    const acts = await Promise.all(
      Array.from({ length: 6 }, async () => admin.post(skip, ...wish)),
    );
    t.equal(acts.filter(({ status }) => status === 200).length, 1);
    t.equal(acts.filter(({ status }) => status === 412).length, 5);
    const seen = await admin.get(path);
    t.match(seen.json, { event: event + 1, share: { wanted: 20 } });
    await abort(t, 'shop');
  });

  await t.test(
    'a rollback of one service takes back no rollout that moves those of others',
    async (t) => {
      const about = { services: ['shop', 'api'], to: 'green', plan: '10%:pause', guard: 'off' };
      const begun = await admin.post('/v1/switch', about);
      t.match(begun, { status: 200 });
      const { id } = begun.json['rollout'] as { readonly id: string };
      const token = async (services: readonly string[]) => {
        const made = await admin.post('/v1/tokens', {
          name: services.join('-'),
          role: 'switch',
          services,
        });
        return { authorization: `Bearer ${String(made.json['token'])}` };
      };
      const back = { service: 'shop', reason: 'errors' };
      const refused = await admin.post('/v1/rollback', back, await token(['shop']));
      t.match(refused, { status: 403, json: { code: 'forbidden' } });
      const both = await token(['shop', 'api']);
      const told = await admin.post('/v1/rollback', { ...back, dryRun: true }, both);
      t.match(told, {
        status: 200,
        json: { dryRun: true, to: 'blue', rollout: { stage: 'shifting' } },
      });
      t.match((await admin.get(`/v1/rollouts/${id}`)).json, { stage: 'shifting' }, 'it goes on');
      t.match(await admin.post('/v1/rollback', back, both), { status: 200 });
      t.match((await admin.get(`/v1/rollouts/${id}`)).json, { stage: 'rolled-back' });
    },
  );
});
