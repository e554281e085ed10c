// What the words of a command line ask of the server, and what becomes of the answers.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fakeApi, problem, switchedAnswer } from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const SWITCHED = switchedAnswer({ generation: 4, release: 'v42' });

/** An admin API that gives the same answer to everything. */
async function fake(t: Test, body: unknown, status = 200) {
  const api = await fakeApi(t, () => ({ status, body }));
  const sent = (): string[] =>
    api.asked.map(({ method, path, query, body }) => {
      const text = query.size === 0 ? '' : `?${query.toString()}`;
      return `${method} ${path}${text} ${JSON.stringify(body) ?? ''}`.trim();
    });
  return { admin: api.admin, asked: api.asked, sent };
}

await t.test('what a gate does is told, and how it ends', async (t) => {
  const answer = { generation: 3, service: 'shop', changed: true };
  const changed = await fake(t, answer);
  const same = await fake(t, { ...answer, changed: false });
  for (const [args, { admin }, words] of [
    [['hold'], changed, 'shop: requests wait for at most 10s; `turnout resume` lets them go on'],
    [
      ['hold', '--methods', 'writes', '--for', '30s'],
      changed,
      'shop: writes wait for at most 30s; `turnout resume` lets them go on',
    ],
    [
      ['maintenance', 'on'],
      changed,
      'shop: in maintenance: every request gets 503; `turnout maintenance off` ends it',
    ],
    [
      ['maintenance', 'on'],
      same,
      'shop: in maintenance already: every request gets 503; `turnout maintenance off` ends it',
    ],
    [['maintenance', 'off'], changed, 'shop: out of maintenance'],
    [['maintenance', 'off'], same, 'shop: out of maintenance already'],
  ] as const) {
    t.match(await turnout([...args, '--admin', admin]), { code: 0, out: words, err: '' });
  }
});

await t.test('--dry-run asks nobody, and tells what would be done', async (t) => {
  const { admin, asked } = await fake(t, { ...SWITCHED, dryRun: true });
  const words = /^shop: blue → green would be made \(.*deployment 12\); nothing has changed$/;
  for (const args of [['switch', 'green', '--wait'], ['rollback'], ['rollback', 'v1']]) {
    const terminal = fakeTerminal({ answers: ['n'], isLive: true });
    const { code, out, err } = await turnout([...args, '--dry-run', '--admin', admin], terminal);
    t.match({ code, out, err }, { code: 0, out: words, err: '' }, args.join(' '));
    t.same(terminal.questions, []);
  }
  const changes = asked.filter(({ method }) => method !== 'GET');
  t.ok(changes.every(({ body }) => (body as { dryRun?: unknown }).dryRun === true));
  t.equal(changes.length, 3);
});

await t.test('a person who rolls back is told of the lock-out, a script is not', async (t) => {
  const { admin } = await fake(t, SWITCHED);
  const rollback = async (isLive: boolean, ...more: string[]) =>
    (await turnout(['rollback', ...more, '--admin', admin], { isLive })).err;
  t.match(await rollback(true), /is locked out until `turnout unlock`$/);
  t.equal(await rollback(true, '--no-lock-out'), '');
  t.equal(await rollback(true, '--json'), '');
  t.equal(await rollback(false), '');
});

await t.test('an empty history of a service says which one, and where to look', async (t) => {
  const { admin } = await fake(t, { switches: [] });
  t.match(await turnout(['history', '--admin', admin]), { out: 'nothing was switched yet' });
  t.match(await turnout(['history', '--service', 'shpo', '--admin', admin]), {
    code: 0,
    out: 'nothing was switched yet in a service shpo; `turnout status` lists those there are',
  });
});

await t.test('a plan that there is not is refused with all that there are', async (t) => {
  for (const args of [
    ['switch', 'green'],
    ['deploy', 'v1', '--targets', 'http://a'],
  ]) {
    const { code, err } = await turnout([...args, '--plan', 'canray-10-5m']);
    t.equal(code, 64);
    t.match(err, /--plan: there is no plan "canray-10-5m".*canary-10-5m.*CodeDeployDefault/);
  }
  const { admin, sent } = await fake(t, SWITCHED);
  const terms = ['--plan', 'canary-10-5m', '--bake', '10m', '--guard', 'watch'];
  t.match(await turnout(['switch', 'green', ...terms, '--admin', admin]), { code: 0 });
  const body = { to: 'green', plan: 'canary-10-5m', bake: '10m', guard: 'watch' };
  t.equal(sent().at(-1), `POST /v1/switch ${JSON.stringify(body)}`);
});

await t.test('nobody at the address is 69 with a way on', async (t) => {
  const socket = join(tmpdir(), 'turnout-nobody-is-here.sock');
  const commands = [
    ['status'],
    ['status', '--watch'],
    ['switch', 'green'],
    ['rollback'],
    ['unlock'],
    ['freeze', '--reason', 'sale'],
    ['unfreeze'],
    ['deploy', 'v1', '--targets', 'http://a:1'],
    ['history'],
    ['events'],
    ['active'],
    ['drain'],
    ['drain', '--wait'],
    ['drain', '--evict'],
    ['hold'],
    ['resume'],
    ['release'],
    ['maintenance', 'on'],
    ['preview'],
    ['audit'],
    ['reload'],
    ['upgrade'],
    ['token', 'list'],
    ['token', 'create', 'bot'],
    ['token', 'revoke', 'bot'],
  ];
  for (const args of commands) {
    const { code, err } = await turnout([...args, '--admin', `unix:${socket}`]);
    t.equal(code, 69, args.join(' '));
    t.match(err, /no server at unix:.*ENOENT.*turnout run/);
  }
  const environment = { TURNOUT_ADMIN: `unix:${socket}` };
  const json = await turnout(['status', '--json'], { environment });
  t.match(JSON.parse(json.out), { code: 'no-server', message: /ENOENT/ });
});

await t.test('switch sends what it was told and says what came of it', async (t) => {
  const { admin, sent } = await fake(t, SWITCHED);
  const plain = await turnout(['switch', 'green', '--admin', admin]);
  t.same(plain, {
    code: 0,
    out: 'shop: blue → green (release v42, deployment 12, generation 4, 3.2 ms)',
    err: '',
  });
  await turnout(['switch', 'v42', '--service', 'shop', '--admin', admin]);
  await turnout(['switch', 'green', '--force', '--reason', 'why', '--admin', admin]);
  await turnout(['switch', 'blue', '--hold', '10s', '--admin', admin]);
  await turnout(['switch', '17', '--admin', admin]);
  await turnout(['rollback', 'v41', '--restick', 'new', '--admin', admin]);
  const environment = { TURNOUT_ADMIN: admin, TURNOUT_SERVICE: 'a b' };
  await turnout(['rollback', '--reason', 'bad', '--restick', 'all'], { environment });
  const changes = sent().filter((line) => !line.startsWith('GET '));
  t.same(changes, [
    'POST /v1/switch {"to":"green"}',
    'POST /v1/switch?service=shop {"to":"v42"}',
    'POST /v1/switch {"to":"green","force":true,"reason":"why"}',
    'POST /v1/switch {"to":"blue","hold":"10s"}',
    'POST /v1/switch {"to":"17"}',
    'POST /v1/rollback {"to":"v41","restick":"new"}',
    'POST /v1/rollback?service=a+b {"restick":"all","reason":"bad"}',
  ]);
});

await t.test('a switch to what is active already says so', async (t) => {
  const { admin } = await fake(t, { ...SWITCHED, changed: false });
  t.match(await turnout(['switch', 'green', '--admin', admin]), {
    code: 0,
    out: /green is active already, nothing has changed/,
  });
});

await t.test('JSON goes through as it came', async (t) => {
  const { admin } = await fake(t, SWITCHED);
  const { out } = await turnout(['switch', 'green', '--admin', admin, '--json']);
  t.equal(out, JSON.stringify(SWITCHED));
  for (const value of ['true', '1']) {
    const byVariable = await turnout(['switch', 'green', '--admin', admin], {
      environment: { TURNOUT_JSON: value },
    });
    t.equal(byVariable.out, JSON.stringify(SWITCHED));
  }
});

await t.test('every command that asks prints one JSON document and nothing else', async (t) => {
  const { admin } = await fake(t, { changed: true, draining: [], ended: [], safeToStop: true });
  const commands = [
    ['status'],
    ['history'],
    ['active'],
    ['drain'],
    ['drain', '--wait'],
    ['drain', '--evict'],
    ['drain', '--evict', '--wait'],
    ['preview'],
    ['ready'],
    ['switch', 'green'],
    ['switch', 'green', '--wait'],
    ['rollback'],
    ['unlock'],
    ['freeze', '--reason', 'sale'],
    ['unfreeze'],
    ['rollback', '--wait'],
    ['hold'],
    ['resume'],
    ['release'],
    ['maintenance', 'off'],
  ];
  for (const args of commands) {
    const { code, out, err } = await turnout([...args, '--json', '--admin', admin]);
    t.equal(code, 0, args.join(' '));
    t.equal(out.split('\n').length, 1, args.join(' '));
    t.ok(JSON.parse(out));
    t.equal(err, '');
  }
});

await t.test('a refusal is 2, with the reason and what to do next', async (t) => {
  const refusal = {
    title: 'The color is not healthy',
    detail: 'green: 0 of 1 targets are up',
    code: 'target-unhealthy',
  };
  const { admin } = await fake(t, refusal, 409);
  t.match(await turnout(['switch', 'green', '--admin', admin]), {
    code: 2,
    out: '',
    err: /^The color is not healthy: green: 0 of 1 targets are up\n.*--force --reason TEXT$/,
  });
  const { code, out } = await turnout(['switch', 'green', '--admin', admin, '--json']);
  t.equal(code, 2);
  t.same(JSON.parse(out), refusal);
});

await t.test('a refusal is 2 and a failure of the server 1, whatever was asked', async (t) => {
  const commands = [
    ['status'],
    ['status', '--watch'],
    ['history'],
    ['events'],
    ['active', '--color', 'blue', '--wait', '1m'],
    ['drain'],
    ['drain', '--wait'],
    ['drain', '--evict', '--wait'],
    ['preview'],
    ['switch', 'green'],
    ['rollback'],
    ['unlock'],
    ['freeze', '--reason', 'sale'],
    ['unfreeze'],
    ['deploy', 'v1', '--targets', 'http://a:1'],
    ['hold'],
    ['resume'],
    ['release'],
    ['maintenance', 'off'],
  ];
  const no = await fakeApi(t, () => problem(409, 'busy'));
  const broken = await fakeApi(t, () => problem(503, 'frozen'));
  for (const args of commands) {
    const refused = await turnout([...args, '--admin', no.admin]);
    t.match(refused, { code: 2, out: '', err: /^title of busy: detail of busy\n/ }, args.join(' '));
    const failed = await turnout([...args, '--admin', broken.admin]);
    t.match(failed, { code: 1, out: '', err: /^title of frozen/ }, args.join(' '));
  }
});

await t.test('another server there is 1, and nothing of its page is printed', async (t) => {
  for (const [body, status] of [
    ['<html>secret', 200],
    ['<html>secret', 404],
    [{ error: 'secret' }, 404],
  ] as const) {
    const { admin } = await fake(t, body, status);
    const { code, err } = await turnout(['status', '--admin', admin]);
    t.equal(code, 1);
    t.match(err, /expected the admin API of Turnout.* got another server \(status \d+\)/);
    t.notMatch(err, /secret/);
  }
});

await t.test('a Unix socket works as well', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'turnout-cli-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true });
  });
  const api = await fakeApi(t, () => ({ status: 200, body: SWITCHED }), {
    socket: join(directory, 'admin.sock'),
  });
  t.match(await turnout(['switch', 'green', '--admin', api.admin]), {
    code: 0,
    out: /blue → green/,
  });
});

await t.test('what an answer lacks is a dash', async (t) => {
  const { admin } = await fake(t, { services: [{ name: 'shop' }], switches: [{}] });
  t.match(await turnout(['status', '--admin', admin]), {
    code: 0,
    out: /shop: - is active since -/,
  });
  t.match(await turnout(['history', '--admin', admin]), { code: 0, out: /^AT .*\n-/ });
});

await t.test('ready tells by its exit code whether traffic is served', async (t) => {
  const good = await fake(t, { status: 'ok' });
  t.match(await turnout(['ready', '--admin', good.admin]), { code: 0, out: 'ready' });
  t.same(good.sent(), ['GET /readyz']);
  const warned = await fake(t, { status: 'ok', warning: 'changes are refused' });
  const out = 'ready; but changes are refused';
  t.match(await turnout(['ready', '--admin', warned.admin]), { code: 0, out });
  const bad = await fakeApi(t, () => problem(503, 'not-ready'));
  t.match(await turnout(['ready', '--admin', bad.admin]), { code: 1 });
  t.match(await turnout(['ready', '--admin', 'unix:/none']), { code: 1 });
  const forbidden = await fakeApi(t, () => problem(403, 'forbidden'));
  t.match(await turnout(['ready', '--admin', forbidden.admin]), { code: 1 });
});

await t.test('config check prints all faults, or JSON of them', async (t) => {
  const file = new URL('../../../../config/sidecar.yaml', import.meta.url).pathname;
  t.match(await turnout(['config', 'check', file]), {
    code: 0,
    out: /no fault \(services: default\)/,
  });
  const blue = '{ targets: [http://127.0.0.1:3001] }';
  const yaml = `tls: { cert: /none.pem, key: /none.key }\nservices: [{ name: default, blue: ${blue} }]\n`;
  const dir = t.testdir({ 'tls.yaml': yaml });
  t.match(await turnout(['config', 'check', `${dir}/tls.yaml`]), {
    code: 0,
    out: /no fault/,
    err: /warning: \/none\.pem does not exist: check the path$/,
  });
  const environment = { TURNOUT_WORKERS: 'many' };
  const alone = await turnout(['config', 'check', file], { environment });
  t.match(alone, { code: 0 }, 'the file alone');
  const json = await turnout(['config', 'check', '/does/not/exist', '--json']);
  t.match(JSON.parse(json.out), { ok: false, faults: [{ message: /ENOENT/ }] });
});
