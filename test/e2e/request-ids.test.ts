// One id from the client over the target to the log, in a real process with two workers: also on what
// Turnout answers itself, and after a reload and an upgrade.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { Journal, openJournalApp } from '../support/hold-app.ts';
import { getOf, responseAt } from '../support/hold-scene.ts';
import { statusOf, valuesOf, type Message } from '../support/message.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { settledMetrics } from '../support/settled-metrics.ts';
import { startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

t.setTimeout(180_000);

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const MADE = /^[0-9a-f]{32}$/;

type Line = Readonly<Record<string, unknown>>;

interface Scene {
  readonly running: Running;
  readonly admin: AdminClient;
  readonly write: (settings?: object) => void;
  /** Sends bytes on a connection of its own. */
  readonly send: (bytes: string) => Promise<Message>;
  /** Resolves with the line of the access log that has `part` in it. */
  readonly logged: (part: string) => Promise<Line>;
}

async function open(t: Test, first: object): Promise<Scene> {
  const journal = new Journal();
  const blue = await openJournalApp(t, 'blue', journal);
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const write: Scene['write'] = (settings = {}) => {
    const services = [
      { name: 'shop', hosts: ['shop.test'], blue: { targets: [blue.url], release: 'v1' } },
    ];
    const accessLog = { mode: 'all' };
    writeFileSync(file, JSON.stringify({ watch: false, accessLog, ...settings, services }));
  };
  write(first);
  const running = await startTurnout(t, ['--config', file, '--workers', '2']);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return {
    running,
    admin,
    write,
    async send(bytes) {
      const peer = await connectRaw(Number(running.proxy.split(':')[1]));
      t.teardown(() => peer.socket.destroy());
      peer.send(bytes);
      return responseAt(peer, { from: 0, method: bytes.slice(0, bytes.indexOf(' ')) });
    },
    async logged(part) {
      const line = await running.line((text) => text.includes(part) && text.includes('"access"'));
      return JSON.parse(line) as Line;
    },
  };
}

function askOf(host: string, id: string): string {
  return `GET /a HTTP/1.1\r\nHost: ${host}\r\nX-Request-Id: ${id}\r\n\r\n`;
}

function idOf({ fields }: Message, name = 'x-request-id'): string {
  const ids = valuesOf(fields, name);
  if (ids.length !== 1) throw new Error(`expected one id, got ${ids.join(', ')}`);
  return ids[0]!;
}

await t.test('a client is told the id that the target and the log have', async (t) => {
  const { send, logged } = await open(t, {});
  const hostile = 'x'.repeat(5_000);
  for (const given of ['mine', hostile, '{"a":1}']) {
    const answer = await send(getOf('/fields', `X-Request-Id: ${given}`, 'X_Request_ID: mine'));
    const id = idOf(answer);
    t.match(id, MADE);
    t.match(answer.body, `\nx-request-id: ${id}\n`);
    t.notMatch(answer.body.toLowerCase(), 'mine');
    const [, traceId, spanId] = /\ntraceparent: 00-(\w{32})-(\w{16})-01/.exec(answer.body)!;
    t.equal(traceId, id);
    t.match(await logged(id), {
      kind: 'access',
      host: 'shop.test',
      protocol: 'HTTP/1.1',
      path: '/fields',
      status: 200,
      requestId: id,
      traceId,
      spanId,
      color: 'blue',
      release: 'v1',
    });
  }
  const traced = await send(getOf('/fields', `traceparent: 00-${TRACE}-00f067aa0ba902b7-00`));
  t.match(traced.body, new RegExp(`\\ntraceparent: 00-${TRACE}-(?!00f067aa0ba902b7)\\w{16}-00`));
});

await t.test('what Turnout answers itself has an id, and is of no release', async (t) => {
  const scene = await open(t, { forwarding: { trustedProxies: ['127.0.0.1'] } });
  const { admin, logged, send } = scene;
  await admin.post('/v1/maintenance', { on: true, service: 'shop' });
  const own = [
    [askOf('shop.test', 'closed'), 503, 'closed', { service: 'shop', failure: 'MAINTENANCE' }],
    [askOf('other.test', 'lost'), 404, 'lost', { failure: 'NO_ROUTE' }],
    ['GET / HTTP/1.1\r\nX-Request-Id: hostless\r\n\r\n', 400, 'hostless', {}],
    ['GET / HTTP/1.1\r\nX-Request-Id: cut\r\nno field\r\n\r\n', 400, MADE, {}],
    ['nonsense\r\n\r\n', 400, MADE, {}],
  ] as const;
  for (const [bytes, status, id, line] of own) {
    const answer = await send(bytes);
    t.equal(statusOf(answer.start), status);
    t.match(idOf(answer), id);
    const told = await logged(idOf(answer));
    t.match(told, { ...line, status });
    t.strictSame(
      [told['color'], told['release'], told['generation']],
      [undefined, undefined, undefined],
    );
  }
  const text = await settledMetrics(admin);
  const none = 'turnout_requests_total{service="",color="",release=""';
  t.equal(seriesOf(text, `${none},code="503",reason="own"}`), 1);
  t.equal(seriesOf(text, `${none},code="404",reason="own"}`), 1);
  t.equal(seriesOf(text, `${none},code="400",reason="own"}`), 3);
  t.notMatch(text, /^turnout_requests_total\{.*color="blue"/m, 'no release has a share in it');
  const { json } = await admin.get('/v1/status');
  t.notMatch(JSON.stringify(json), '"errors":1');
});

await t.test('a reload changes fields and format, and an upgrade keeps them', async (t) => {
  const { admin, running, send, write } = await open(t, {});
  t.match(idOf(await send(getOf('/fields'))), MADE);
  write({
    requestId: { field: 'correlation-id' },
    tracing: { start: 'none' },
    accessLog: { mode: 'all', format: 'combined', query: true },
  });
  t.match(await admin.post('/v1/reload', {}), { status: 200 });
  const check = async (agent: string): Promise<void> => {
    for (let time = 0; time < 8; time++) {
      const answer = await send(getOf('/fields', 'X-Request-Id: plain'));
      t.match(idOf(answer, 'correlation-id'), MADE);
      t.strictSame(valuesOf(answer.fields, 'x-request-id'), []);
      t.match(answer.body, '\nX-Request-Id: plain\n');
      t.notMatch(answer.body, 'traceparent');
    }
    await send(getOf('/a?b=1&token=s3cr3t', `User-Agent: ${agent}`));
    const line = await running.line(
      (one) => one.startsWith('127.0.0.1 - - [') && one.includes(agent),
    );
    t.match(line, '"GET /a?b=1&token=*** HTTP/1.1" 200 ');
  };
  await check('before');
  const upgraded = await admin.post('/v1/upgrade', {});
  t.equal(upgraded.status, 200, upgraded.text);
  const pid = Number(upgraded.json['pid']);
  t.teardown(() => process.kill(pid, 'SIGKILL'));
  admin.close();
  if (running.process.exitCode === null) await once(running.process, 'exit');
  await check('after');
});
