// What tokens of the role switch, and tokens of some services, can do with rollouts of a real Turnout: they
// bring no program in and no address, and learn and steer nothing that is not theirs alone.

import { existsSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { ROUTES } from '../../src/control-plane/admin/routes/routes.ts';
import { AdminClient } from '../support/admin-client.ts';
import { HEALTH, openApp, openHook, openRollouts, RolloutCaller } from './rollout-scene.ts';
import { startAsGiven, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(120_000);

async function tokenOf(
  t: Test,
  { admin, address }: { readonly admin: AdminClient; readonly address: string },
  about: object,
) {
  const { status, json } = await admin.post('/v1/tokens', { reason: 'test', ...about });
  t.equal(status, 200, JSON.stringify(json));
  const token = String(json['token']);
  const client = new AdminClient(address, token);
  t.teardown(() => client.close());
  return { client, token };
}

await t.test('a token of the role switch brings no program in, and no address', async (t) => {
  const trap = await openHook(t);
  const directory = temporaryDirectory(t);
  const [ran, forged] = [join(directory, 'ran'), join(directory, 'forged')];
  const append = `require('node:fs').appendFileSync(${JSON.stringify(ran)}, 'x')`;
  const gates = [{ name: 'run', kind: 'command', command: [process.execPath, '-e', append] }];
  const scene = await openRollouts(t, { rollout: { gates } });
  const { client } = await tokenOf(
    t,
    { admin: scene.admin, address: scene.running.admin },
    { name: 'ci', role: 'switch' },
  );
  const command = ['/bin/sh', '-c', `touch ${forged}`];
  const foreign = {
    command,
    url: trap.url,
    webhook: trap.url,
    secretFile: '/etc/passwd',
    environment: { PATH: directory },
    hooks: [{ on: ['afterSwitch'], command }],
    notify: [{ url: trap.url, events: ['*'] }],
    migration: { command },
    warmup: { requests: [{ path: trap.url }] },
    rollout: { gates: [{ name: 'x', kind: 'command', command }] },
  };
  for (const { method, path, role, body } of ROUTES) {
    if (body === undefined || method === 'GET') continue;
    const where = path.replace(':id', 'r-1').replace(':deployment', '2').replace(':order', 'o-1');
    const send = method === 'PUT' ? client.put.bind(client) : client.post.bind(client);
    if (role === 'admin') {
      t.match(await send(where, {}), { status: 403, json: { code: 'forbidden' } }, where);
      continue;
    }
    const { status, text } = await send(where, { reason: 'x', ...foreign });
    t.equal(status, 400, `${where}: ${text}`);
    for (const name of Object.keys(foreign)) t.match(text, name, `${where} names ${name}`);
  }
  const words = [
    ['/v1/rollouts', { plan: `$(${command.join(' ')})` }],
    ['/v1/rollouts', { gates: { skip: command, reason: 'x' } }],
    ['/v1/rollouts', { gates: [{ name: 'x', kind: 'command', command }] }],
    ['/v1/rollouts', { gates: [{ name: 'x', kind: 'webhook', url: trap.url }] }],
    ['/v1/switch', { to: 'green', hold: '1s', migrate: command }],
    ['/v1/switch', { to: 'green', hold: '1s', migrate: true }],
    ['/v1/switch', { to: trap.url }],
  ] as const;
  for (const [path, body] of words) {
    const { status, text } = await client.post(path, { reason: 'x', ...body });
    t.ok(status >= 400 && status < 500, `${JSON.stringify(body)}: ${status} ${text}`);
  }
  t.notOk(existsSync(ran), 'nothing has run so far, not even what is configured');
  const reason = `'; touch ${forged}; $(touch ${forged}) \`touch ${forged}\``;
  const { json } = await client.post('/v1/rollouts', { reason, plan: '10%:pause' });
  await scene.status(String(json['id']), 'waiting');
  t.ok(existsSync(ran), 'what is configured runs');
  t.notOk(existsSync(forged), 'and what a caller says is text to it');
  t.same(trap.attempts, []);
});

/** Services a, b and c, each with v1 on blue and v2 on green. */
async function openThree(t: Test) {
  const directory = temporaryDirectory(t);
  const service = async (name: string) => ({
    name,
    hosts: [`${name}.test`],
    blue: { release: `${name}-v1`, targets: [(await openApp(t, `${name} v1`)).url] },
    green: { release: `${name}-v2`, targets: [(await openApp(t, `${name} v2`)).url] },
    health: HEALTH,
    rollout: { bake: '0s', guard: { mode: 'off' } },
  });
  const services = [await service('alpha'), await service('beta'), await service('gamma')];
  const file = join(directory, 'turnout.yaml');
  writeFileSync(file, JSON.stringify({ services }));
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
  const args = [...listen, '--state', join(directory, 'state'), '--config', file];
  const running = await startAsGiven(t, args);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const scene = { admin, address: running.admin };
  return {
    ...scene,
    caller: new RolloutCaller(admin),
    token: async (name: string, services: readonly string[], role = 'switch') =>
      tokenOf(t, scene, { name, role, services }),
  };
}

const VERBS = {
  approve: {},
  reject: {},
  pause: {},
  resume: {},
  skip: {},
  promote: {},
  abort: { restick: 'all' },
  'point-of-no-return': { on: true },
};

await t.test(
  'a rollout of two services is neither shown to a token of one, nor moved',
  async (t) => {
    const { caller, token } = await openThree(t);
    const { client: alpha } = await token('alpha', ['alpha']);
    const { client: gamma } = await token('gamma', ['gamma']);
    const { client: both } = await token('both', ['alpha', 'beta']);
    const id = await caller.start(t, { services: ['alpha', 'beta'], plan: '50%:pause' });
    await caller.status(id, 'waiting');
    const path = `/v1/rollouts/${id}`;

    const forbidden = { status: 403, json: { code: 'forbidden' } };
    const unknown = { status: 404, json: { code: 'rollout-unknown' } };
    for (const query of ['', '?service=alpha']) {
      t.match(await alpha.get(`${path}${query}`), forbidden);
      t.match(await alpha.get(`${path}/series${query}`), forbidden);
    }
    t.match(await alpha.get(`${path}?service=beta`), { status: 403 });
    t.match(await gamma.get(path), unknown);
    t.match(await gamma.get(`${path}/series`), unknown);
    for (const one of [alpha, gamma]) {
      t.same((await one.get('/v1/rollouts')).json, { rollouts: [] });
      t.match(await one.get('/v1/rollouts/current'), unknown);
    }
    for (const [verb, body] of Object.entries(VERBS)) {
      const said = { reason: 'mine', force: true, ...body };
      const plain = { reason: 'mine', ...body };
      for (const query of ['', '?service=alpha']) {
        const forced = await alpha.post(`${path}/${verb}${query}`, said);
        t.ok(
          forced.status === 403 || forced.status === 400,
          `${verb} with force: ${forced.status}`,
        );
        t.match(await alpha.post(`${path}/${verb}${query}`, plain), forbidden, verb);
      }
      t.match(await gamma.post(`${path}/${verb}`, plain), unknown, verb);
    }
    for (const [where, body] of [
      ['/v1/rollouts', { services: ['alpha', 'beta'] }],
      ['/v1/switch', { services: ['alpha', 'beta'], to: 'green' }],
      ['/v1/switch', { services: ['alpha', 'beta'], to: 'green', force: true }],
      ['/v1/rollback', { service: 'alpha' }],
      ['/v1/rollback', { service: 'beta' }],
    ] as const) {
      t.match(await alpha.post(where, { reason: 'mine', ...body }), forbidden, where);
    }
    const steps = [{ kind: 'switch', service: 'beta', to: 'green' }];
    t.match(await alpha.post('/v1/dry-run', { steps }), forbidden);
    t.match(await caller.view(id), { stage: 'shifting', status: { kind: 'waiting' }, step: 0 });

    t.match(await both.get(path), { status: 200, json: { id } });
    t.match((await both.get('/v1/rollouts')).json, { rollouts: [{ id }] });
    t.match(await both.get('/v1/rollouts/current'), { json: { id } });
    t.match(await both.post(`${path}/abort`, { reason: 'ours' }), { status: 200 });
  },
);

/** What a reader of the event stream gets until `last` stands in it. */
async function eventsUntil(
  { address, token }: { readonly address: string; readonly token: string },
  { query = '', last, meanwhile }: { query?: string; last: string; meanwhile: () => Promise<void> },
): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const asked = request(`http://${address}/v1/events${query}`, { headers, agent: false });
  asked.end();
  const [stream] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of stream.setEncoding('utf8')) {
    // The first words are there: it hears all that follows.
    if (text === '') await meanwhile();
    text += String(part);
    if (text.includes(last)) break;
  }
  asked.destroy();
  return text;
}

await t.test('streams, series and what is active tell a token of its services alone', async (t) => {
  const { admin, address, caller, token } = await openThree(t);
  const { client: alpha, token: secret } = await token('alpha', ['alpha'], 'read');
  const text = await eventsUntil(
    { address, token: secret },
    {
      last: 'alpha-over',
      async meanwhile() {
        const two = await caller.start(t, { services: ['alpha', 'beta'], plan: '50%:pause' });
        await caller.status(two, 'waiting');
        await caller.act(two, 'abort', { lockOut: false, reason: 'two-over' });
        const other = await caller.start(t, { service: 'beta', plan: '50%:pause' });
        await caller.status(other, 'waiting');
        await caller.act(other, 'abort', { reason: 'beta-over' });
        const own = await caller.start(t, { service: 'alpha', plan: '50%:pause' });
        await caller.status(own, 'waiting');
        await caller.act(own, 'abort', { reason: 'alpha-over' });
      },
    },
  );
  t.match(text, 'rollout.rolled-back');
  const views = [...text.matchAll(/^event: rollout\ndata: (.*)$/gmu)].map(([, data]) =>
    z.object({ event: z.int(), stage: z.string() }).parse(JSON.parse(data!)),
  );
  t.match(views.at(-1), { stage: 'rolled-back' }, 'a view is as new as its event');
  for (const foreign of ['"beta"', 'beta-v', 'beta.test', 'beta-over']) {
    t.notMatch(text, foreign, `the stream does not tell of ${foreign}`);
  }

  const forbidden = { status: 403, json: { code: 'forbidden' } };
  for (const path of ['/v1/active', '/v1/series', '/v1/status', '/v1/history', '/v1/events']) {
    t.match(await alpha.get(`${path}?service=beta`), forbidden, path);
  }
  for (const path of ['/v1/active', '/v1/series', '/v1/status', '/v1/history', '/v1/rollouts']) {
    for (const query of ['', '?service=alpha']) {
      const { status, text: told } = await alpha.get(`${path}${query}`);
      t.equal(status, 200, `${path}${query}`);
      t.notMatch(told, 'beta', `${path}${query}`);
    }
  }
  t.equal((await alpha.get('/metrics')).status, 403, 'it is about the whole process');
  const { json } = await admin.get('/v1/rollouts');
  t.equal((json['rollouts'] as unknown[]).length, 3, 'a token of all sees all');
});
