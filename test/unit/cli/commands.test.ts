// Which words of a command line are understood, and what the client commands make of answers.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { adminAddress } from '../../../src/cli/admin-client.ts';
import { runCommand } from '../../../src/cli/commands.ts';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function turnout(args: readonly string[], environment = {}): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(
    {
      out: (text) => out.push(text),
      err: (text) => err.push(text),
      raw: () => {},
      isInteractive: false,
      hasColors: false,
      environment,
    },
    args,
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

interface Fake {
  readonly admin: string;
  /** `POST /v1/switch {"to":"green"}`, one for each request. */
  readonly asked: string[];
}

/** An admin API that gives the same answer to everything. */
async function fake(t: Test, status: number, body: string, socket?: string): Promise<Fake> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const sent = Buffer.concat(parts).toString();
      asked.push(`${request.method} ${request.url} ${sent}`.trim());
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  });
  server.listen(socket ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const admin = socket ?? String((server.address() as AddressInfo).port);
  return { admin: socket === undefined ? admin : `unix:${admin}`, asked };
}

const SWITCHED = JSON.stringify({
  generation: 4,
  service: 'shop',
  from: 'blue',
  to: 'green',
  release: 'v42',
  tookMs: 3.2,
  changed: true,
});

await t.test('wrong usage is 64 and starts nothing', async (t) => {
  const wrong = [
    ['fly'],
    ['switch', 'purple'],
    ['switch', 'green', 'now'],
    ['switch', '--force'],
    ['switch', '--plan', 'x'],
    ['status', '--nope'],
    ['status', '--admin', 'https://h:1'],
    ['status', '--admin', 'nowhere'],
    ['run', '--nope', '1'],
    ['run', '--workers'],
    ['run', '--workers', 'many', '--blue', 'http://h:1'],
    ['run'],
    ['config', 'check'],
    ['config', 'check', '/does/not/exist'],
    [],
  ];
  for (const args of wrong) {
    const { code, err } = await turnout(args);
    t.equal(code, 64, args.join(' '));
    t.not(err, '');
  }
});

await t.test('help and version are a success', async (t) => {
  for (const args of [['--help'], ['help', 'run'], ['run', '--help'], ['switch', '-h']]) {
    t.match(await turnout(args), { code: 0, out: /^Usage: turnout/, err: '' });
  }
  t.match(await turnout(['--version']), { code: 0, out: /^\d+\.\d+\.\d+/ });
});

await t.test('nobody at the address is 69 with a way on', async (t) => {
  const socket = join(tmpdir(), 'turnout-nobody-is-here.sock');
  for (const args of [['status'], ['switch', 'green'], ['rollback'], ['history']]) {
    const { code, err } = await turnout([...args, '--admin', `unix:${socket}`]);
    t.equal(code, 69);
    t.match(err, /no server at unix:.*ENOENT.*turnout run/);
  }
  const json = await turnout(['status', '--json'], { TURNOUT_ADMIN: `unix:${socket}` });
  t.match(JSON.parse(json.out), { code: 'no-server', message: /ENOENT/ });
});

await t.test('switch sends what it was told and says what came of it', async (t) => {
  const { admin, asked } = await fake(t, 200, SWITCHED);
  const plain = await turnout(['switch', 'green', '--admin', admin]);
  t.same(plain, {
    code: 0,
    out: 'shop: blue → green (release v42, generation 4, 3.2 ms)',
    err: '',
  });
  await turnout(['switch', '--service', 'shop', '--admin', admin]);
  await turnout(['switch', 'green', '--force', '--reason', 'why', '--admin', admin]);
  await turnout(['rollback', '--reason', 'bad'], { TURNOUT_ADMIN: admin, TURNOUT_SERVICE: 'a b' });
  t.same(asked, [
    'POST /v1/switch {"to":"green"}',
    'POST /v1/switch?service=shop {}',
    'POST /v1/switch {"to":"green","force":true,"reason":"why"}',
    'POST /v1/rollback?service=a%20b {"reason":"bad"}',
  ]);
});

await t.test('JSON goes through as it came', async (t) => {
  const { admin } = await fake(t, 200, SWITCHED);
  const { out } = await turnout(['switch', '--admin', admin, '--json']);
  t.equal(out, SWITCHED);
  const { out: byVariable } = await turnout(['switch', '--admin', admin], { TURNOUT_JSON: 'true' });
  t.equal(byVariable, SWITCHED);
});

await t.test('a refusal is 2, with the reason and what to do next', async (t) => {
  const problem = {
    title: 'The color is not healthy',
    detail: 'green: 0 of 1 targets are up',
    code: 'target-unhealthy',
  };
  const { admin } = await fake(t, 409, JSON.stringify(problem));
  t.match(await turnout(['switch', 'green', '--admin', admin]), {
    code: 2,
    out: '',
    err: /^The color is not healthy: green: 0 of 1 targets are up\n.*--force --reason TEXT$/,
  });
  const { code, out } = await turnout(['switch', 'green', '--admin', admin, '--json']);
  t.equal(code, 2);
  t.same(JSON.parse(out), problem);
});

await t.test('a failure of the server is 1', async (t) => {
  const { admin } = await fake(t, 503, JSON.stringify({ title: 'a', detail: 'b', code: 'frozen' }));
  t.match(await turnout(['switch', '--admin', admin]), { code: 1, err: /^a: b/ });
});

await t.test(
  'another server at the address is 1, and nothing of its page is printed',
  async (t) => {
    const { admin } = await fake(t, 200, '<html>secret');
    const { code, err } = await turnout(['status', '--admin', admin]);
    t.equal(code, 1);
    t.match(err, /expected the admin API of Turnout/);
    t.notMatch(err, /secret/);
  },
);

await t.test('a Unix socket works as well', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'turnout-cli-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true });
  });
  const { admin } = await fake(t, 200, SWITCHED, join(directory, 'admin.sock'));
  t.match(await turnout(['switch', '--admin', admin]), { code: 0, out: /blue → green/ });
});

await t.test(
  'status and history print what there is, and dashes for what there is not',
  async (t) => {
    const { admin } = await fake(t, 200, '{"services":[{"name":"shop"}],"switches":[{}]}');
    t.match(await turnout(['status', '--admin', admin]), {
      code: 0,
      out: /shop: - is active since -/,
    });
    t.match(await turnout(['history', '--admin', admin]), { code: 0, out: /^AT .*\n-/ });
  },
);

await t.test('ready tells by its exit code whether traffic is served', async (t) => {
  const good = await fake(t, 200, '{"status":"ok"}');
  t.match(await turnout(['ready', '--admin', good.admin]), { code: 0, out: 'ready' });
  t.same(good.asked, ['GET /readyz']);
  const bad = await fake(t, 503, '{"title":"a","detail":"b","code":"not-ready"}');
  t.match(await turnout(['ready', '--admin', bad.admin]), { code: 1 });
  t.match(await turnout(['ready', '--admin', 'unix:/none']), { code: 1 });
});

await t.test('an address of the admin API may be short', async (t) => {
  const tcp = { ok: true, value: { kind: 'tcp', host: '127.0.0.1', port: 8081 } };
  for (const text of [undefined, '', '8081', ':8081', '127.0.0.1:8081', 'http://127.0.0.1:8081/']) {
    t.match(adminAddress(text), tcp);
  }
  t.match(adminAddress('unix:/a'), { ok: true, value: { kind: 'unix', path: '/a' } });
  for (const text of ['https://h:1', 'h', 'http://h:1/v1', 'unix:a']) {
    t.match(adminAddress(text), { ok: false });
  }
});

await t.test('config check prints all faults, or JSON of them', async (t) => {
  const file = new URL('../../../config/sidecar.yaml', import.meta.url).pathname;
  t.match(await turnout(['config', 'check', file]), {
    code: 0,
    out: /no fault \(services: default\)/,
  });
  const environment = { TURNOUT_WORKERS: 'many' };
  t.match(await turnout(['config', 'check', file], environment), { code: 0 }, 'the file alone');
  const json = await turnout(['config', 'check', '/does/not/exist', '--json']);
  t.match(JSON.parse(json.out), { ok: false, faults: [{ message: /ENOENT/ }] });
});
