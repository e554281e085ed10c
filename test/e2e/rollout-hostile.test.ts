// What would break a rollout: gates that lie, hang and die, calls that bring programs, hostile words,
// several services, Unix sockets, clocks that jump.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { HEALTH, openApp, openHook, openRollouts, RolloutCaller } from './rollout-scene.ts';
import { startAsGiven, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(120_000);
// They mostly wait for clocks of Turnout, so they do that at the same time.
t.jobs = 3;
const tests: Promise<unknown>[] = [];
function test(name: string, run: (t: Test) => Promise<void>): void {
  tests.push(t.test(name, { buffered: true }, run));
}

const NODE = process.execPath;

test('gates that lie, hang and die end it, and no call brings a program in', async (t) => {
  const hook = await openHook(t);
  const directory = temporaryDirectory(t);
  const mark = join(directory, 'ran');
  const program = `require('node:fs').appendFileSync(${JSON.stringify(mark)}, 'x'); process.exit(3)`;
  const gates = [
    { name: 'ask', kind: 'webhook', url: hook.url, timeout: '1s', try: '500ms' },
    { name: 'run', kind: 'command', command: [NODE, '-e', program], timeout: '20s' },
  ];
  const scene = await openRollouts(t, { rollout: { gates } });
  for (const [answer, cause] of [
    [{ verdict: 'certainly' }, /ask/],
    [undefined, /ask/],
    [302, /ask/],
    [200, /run.*3/],
  ] as const) {
    hook.answer = answer;
    const id = await scene.start(t);
    const { end } = await scene.stage(id, 'failed', 'draining', 'done');
    t.match(end, { outcome: 'failed', cause: 'gate', reason: cause }, JSON.stringify(answer));
    t.equal(await scene.ask(), 'v1');
  }
  for (const more of [
    { command: ['/bin/true'] },
    { hooks: [{ on: ['afterSwitch'], command: ['/bin/true'] }] },
    { gates: { skip: ['ask'], reason: 'x', command: ['/bin/true'] } },
    { gates: [{ name: 'x', kind: 'command', command: ['/bin/true'] }] },
  ]) {
    const refused = await scene.admin.post('/v1/rollouts', { reason: 'x', ...more });
    t.match(refused, { status: 400, json: { code: 'body-invalid' } }, JSON.stringify(more));
  }
});

test('hostile words are kept as they are, and unknown ones refused', async (t) => {
  const scene = await openRollouts(t);
  const reason = `"; DROP TABLE rollouts; -- <script>alert(1)</script> \u202e \${x} 🐢`;
  const id = await scene.start(t, { plan: '10%:pause', reason });
  const waiting = await scene.status(id, 'waiting');
  t.match(waiting, { reason });
  const ids = ['r-0', 'r-999', '..%2f..', 'r-1%00', '%22', 'constructor', '__proto__'];
  for (const other of ids) {
    const { status } = await scene.admin.get(`/v1/rollouts/${other}`);
    t.ok(status === 404 || status === 400, `${other}: ${status}`);
  }
  for (const plan of [
    '0%:1m',
    '10%',
    '101%:1m',
    '10%:9999d',
    '50%:1m, 10%:1m',
    'x'.repeat(5_000),
  ]) {
    const refused = await scene.admin.post('/v1/rollouts', { plan, reason: 'x' });
    t.equal(refused.status, 400, `${plan.slice(0, 20)}: ${refused.text.slice(0, 200)}`);
  }
  t.match(await scene.act(id, 'abort', { reason: 'a'.repeat(100_000) }), { status: /400|413/ });
  t.match(await scene.act(id, 'abort', { reason }), { json: { end: { reason } } });
  t.match(await scene.act(id, 'approve'), { status: 409, json: { code: 'rollout-over' } });
  t.match(await scene.admin.post('/v1/rollouts', { reason: 'x' }), {
    status: 409,
    json: { code: 'release-locked-out' },
  });
});

test('two services over Unix sockets and two workers move together', async (t) => {
  const directory = temporaryDirectory(t);
  const at = (name: string): string => join(directory, name);
  const service = async (name: string) => {
    const blue = await openApp(t, `${name} v1`, at(`${name}1`));
    const green = await openApp(t, `${name} v2`, at(`${name}2`));
    return {
      name,
      hosts: [`${name}.test`],
      blue: { release: 'v1', targets: [blue.url] },
      green: { release: 'v2', targets: [green.url] },
      health: HEALTH,
      rollout: { bake: '0s', guard: { mode: 'off' } },
    };
  };
  const file = at('turnout.yaml');
  writeFileSync(file, JSON.stringify({ services: [await service('a'), await service('b')] }));
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '2'];
  const args = [...listen, '--state', at('state'), '--config', file];
  const running = await startAsGiven(t, args);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const caller = new RolloutCaller(admin);
  const id = await caller.start(t, { services: ['a', 'b'], plan: '50%:pause' });
  await caller.status(id, 'waiting');
  t.match(await admin.post('/v1/switch', { service: 'b', to: 'green' }), {
    status: 409,
    json: { code: 'rollout-running' },
  });
  t.match(await caller.act(id, 'resume'), { status: 200, json: { stage: 'draining' } });
  const { json } = await admin.get('/v1/status');
  t.match(json['services'], [{ active: 'green' }, { active: 'green' }]);
  const back = await caller.start(t, { services: ['a', 'b'], plan: '50%:pause' });
  await caller.status(back, 'waiting');
  const rolled = await admin.post('/v1/rollback', { service: 'a', reason: 'together' });
  t.equal(rolled.status, 200, rolled.text);
  t.match(await caller.view(back), { stage: 'rolled-back' });
  const after = (await admin.get('/v1/status')).json;
  t.match(after['services'], [{ active: 'green' }, { active: 'green' }]);
});

test('a clock that was set moves no rollout on', async (t) => {
  const scene = await openRollouts(t);
  const id = await scene.start(t, { plan: '10%:1h' });
  await scene.stage(id, 'shifting');
  for (const byMs of [86_400_000, -86_400_000]) {
    scene.running.process.kill('SIGKILL');
    await scene.running.ended;
    const clock = new URL('../support/moved-clock.ts', import.meta.url).pathname;
    const moved = await startAsGiven(t, scene.args, {
      NODE_OPTIONS: `--import=${clock}`,
      MOVE_CLOCK_BY_MS: String(byMs),
    });
    const admin = new AdminClient(moved.admin);
    const view = await new RolloutCaller(admin).view(id);
    t.match(view, { stage: 'shifting', step: 0, end: null }, `${byMs}`);
    t.match(await admin.post(`/v1/rollouts/${id}/pause`, { reason: 'x' }), { status: 200 });
    t.match(await admin.post(`/v1/rollouts/${id}/resume`, { reason: 'x' }), { status: 200 });
    admin.close();
    moved.process.kill('SIGKILL');
    await moved.ended;
  }
});

await Promise.all(tests);
