// How the admin API is asked: credentials, retries that can do no harm, TLS, and what every way to
// fail is called.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { skipWithout } from '../../../support/installed.ts';
import { fakeApi, ok, problem, statusAnswer, switchedAnswer } from '../support/fake-api.ts';
import { turnout } from '../support/terminal.ts';

const SWITCH = ['switch', 'green', '--admin'];
const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;

await t.test('a token goes along with every question, and is never printed', async (t) => {
  const api = await fakeApi(t, () => ok({ services: [] }));
  const environment = { TURNOUT_TOKEN: 'by-variable' };
  await turnout(['status', '--admin', api.admin], { environment });
  await turnout(['status', '--admin', api.admin, '--token', 'by-flag'], { environment });
  await turnout(['status', '--admin', api.admin]);
  t.same(
    api.asked.map(({ headers }) => headers.authorization),
    ['Bearer by-variable', 'Bearer by-flag', undefined],
  );
  await api.close();
  const { err } = await turnout(['status', '--admin', api.admin, '--token', 'secret']);
  t.match(err, /no server/);
  t.notMatch(err, /secret/);
});

await t.test('every change has a key of its own, and a question has none', async (t) => {
  const api = await fakeApi(t, () => ok(switchedAnswer({ draining: [], ended: [] })));
  const changes = [
    ['switch', 'green'],
    ['rollback'],
    ['drain', '--evict'],
    ['hold'],
    ['resume'],
    ['release'],
    ['maintenance', 'on'],
  ];
  for (const args of changes) await turnout([...args, '--admin', api.admin]);
  const keys = api.changes().map(({ headers }) => headers['idempotency-key']);
  t.equal(keys.length, changes.length);
  for (const key of keys) t.match(key, UUID);
  t.equal(new Set(keys).size, changes.length);
  await turnout(['status', '--admin', api.admin]);
  t.equal(api.asked.at(-1)!.headers['idempotency-key'], undefined);
});

await t.test('a connection that breaks before an answer is tried once more', async (t) => {
  let calls = 0;
  const api = await fakeApi(t, ({ method }) => {
    if (method === 'GET') return ok(statusAnswer());
    return ++calls === 1 ? 'cut' : ok(switchedAnswer());
  });
  t.match(await turnout([...SWITCH, api.admin]), { code: 0, out: /blue → green/, err: '' });
  const [first, second] = api.changes();
  t.equal(api.changes().length, 2);
  t.match(first!.headers['idempotency-key'], UUID);
  t.equal(second!.headers['idempotency-key'], first!.headers['idempotency-key']);
  t.same(second!.body, first!.body);
});

await t.test('a change that still runs when it is asked for again is waited for', async (t) => {
  const replies = ['cut', problem(409, 'idempotency-running'), problem(409, 'idempotency-running')];
  const api = await fakeApi(t, ({ method }) => {
    if (method === 'GET') return ok(statusAnswer());
    return (replies.shift() as 'cut') ?? ok(switchedAnswer());
  });
  t.match(await turnout([...SWITCH, api.admin]), { code: 0, out: /blue → green/ });
  t.equal(api.changes().length, 4);
  t.equal(new Set(api.changes().map(({ headers }) => headers['idempotency-key'])).size, 1);
});

await t.test('a connection that breaks twice is a failure, and the way on is told', async (t) => {
  const api = await fakeApi(t, () => 'cut');
  t.match(await turnout([...SWITCH, api.admin]), {
    code: 1,
    out: '',
    err: /^turnout: no answer from 127\.0\.0\.1:\d+ .*: ask `turnout status` what is active now$/,
  });
  t.equal(api.changes().length, 2);
  const json = await turnout([...SWITCH, api.admin, '--json']);
  t.match(JSON.parse(json.out), { code: 'no-answer' });
});

await t.test(
  'a server that goes away after it was asked is no server that never was',
  async (t) => {
    let accepted = 0;
    const server = createServer((socket: Socket) => {
      accepted++;
      server.close();
      socket.once('data', () => socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    // 69 would say that nothing was asked; a hold may have begun.
    t.match(await turnout(['hold', '--admin', admin]), {
      code: 1,
      err: /no answer from .*; then no server/,
    });
    t.equal(accepted, 1);
  },
);

await t.test('half an answer is no answer', async (t) => {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"generation":');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.match(await turnout([...SWITCH, admin]), { code: 1, err: /no answer from/ });
});

const skip = skipWithout('openssl');

/** An API over TLS whose certificate an authority of the test has signed. */
async function tlsApi(t: Test, { wantsClient = false } = {}) {
  const ca = authority(t);
  const server = pemsOf(ca.sign('server'));
  const api = await fakeApi(t, () => ok(switchedAnswer()), {
    tls: {
      ...server,
      ...(wantsClient ? { ca: pemsOf(ca).cert, requestCert: true, rejectUnauthorized: true } : {}),
    },
  });
  return { ca, api };
}

await t.test('TLS with an authority of ours', { skip }, async (t) => {
  const { ca, api } = await tlsApi(t);
  t.match(await turnout([...SWITCH, api.admin, '--ca', ca.cert]), { code: 0, err: '' });
  const environment = { TURNOUT_ADMIN: api.admin, TURNOUT_CA: ca.cert };
  t.match(await turnout(['switch', 'green'], { environment }), { code: 0 });
});

await t.test('a server that nobody vouches for is not asked anything', { skip }, async (t) => {
  const { api } = await tlsApi(t);
  const other = authority(t);
  for (const more of [[], ['--ca', other.cert]]) {
    t.match(await turnout([...SWITCH, api.admin, '--token', 'secret', ...more]), {
      code: 69,
      err: /no server at https:.*: name the authority that signed its certificate with --ca FILE/,
    });
  }
  t.equal(api.asked.length, 0);
});

await t.test('a name that the certificate does not hold is told', { skip }, async (t) => {
  const { ca, api } = await tlsApi(t);
  const admin = api.admin.replace('127.0.0.1', '127.0.0.2');
  const listening = await fakeApi(t, () => ok({}), { tls: pemsOf(ca.sign('another')) });
  t.match(admin, /127\.0\.0\.2/);
  const byName = listening.admin.replace('127.0.0.1', 'localhost.localdomain');
  const { code, err } = await turnout(['status', '--admin', byName, '--ca', ca.cert]);
  t.equal(code, 69);
  t.match(err, /ERR_TLS_CERT_ALTNAME_INVALID|ENOTFOUND|EAI_AGAIN/);
});

await t.test('a server that wants certificates gets ours', { skip }, async (t) => {
  const { ca, api } = await tlsApi(t, { wantsClient: true });
  const client = ca.sign('deploy-bot');
  const trust = [...SWITCH, api.admin, '--ca', ca.cert];
  const both = ['--cert', client.cert, '--key', client.key];
  t.match(await turnout([...trust, ...both]), { code: 0, err: '' });
  // Node's server closes, and says no more than that.
  t.match(await turnout(trust), {
    code: 1,
    err: /no answer from .*\(it may want a certificate: name one with --cert FILE and --key FILE\)/,
  });
  const stranger = authority(t).sign('stranger');
  const wrong = ['--cert', stranger.cert, '--key', stranger.key];
  t.match(await turnout([...trust, ...wrong]), { code: 1, err: /it may not accept --cert/ });
  t.equal(api.changes().length, 1);
});

await t.test(
  'a server that says by an alert that it wants one has refused',
  { skip },
  async (t) => {
    const ca = authority(t);
    const server = ca.sign('server');
    const files = ['-cert', server.cert, '-key', server.key];
    const demands = ['-Verify', '1', '-verify_return_error', '-tls1_2'];
    const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', ...files, ...demands]);
    t.teardown(() => child.kill('SIGKILL'));
    let port = '';
    for await (const line of createInterface({ input: child.stdout })) {
      port = /^ACCEPT .*:(\d+)$/.exec(line)?.[1] ?? '';
      if (port !== '') break;
    }
    child.stdout.resume();
    const trust = ['--admin', `https://127.0.0.1:${port}`, '--ca', ca.cert];
    t.match(await turnout(['status', ...trust]), {
      code: 2,
      err: /does not accept this client \(ERR_SSL.*: it may want a certificate/,
    });
  },
);

await t.test(
  'a key that belongs to another certificate is told before a question',
  { skip },
  async (t) => {
    const { ca, api } = await tlsApi(t);
    const [one, other] = [ca.sign('one'), ca.sign('other')];
    const files = ['--ca', ca.cert, '--cert', one.cert, '--key', other.key];
    t.match(await turnout([...SWITCH, api.admin, ...files]), {
      code: 69,
      err: /no way to ask https:.*they must be PEM and fit together/,
    });
    t.equal(api.asked.length, 0);
  },
);

await t.test('plain HTTP and TLS that meet are told apart', { skip }, async (t) => {
  const plain = await fakeApi(t, () => ok({}));
  const https = plain.admin.replace('http:', 'https:');
  t.match(await turnout(['status', '--admin', https]), {
    code: 69,
    err: /it speaks plain HTTP there: name it with http:/,
  });
  const { api } = await tlsApi(t);
  const http = api.admin.replace('https:', 'http:');
  t.match(await turnout(['status', '--admin', http]), { code: 1, err: /no answer|another server/ });
});
