// Connections on which a client has logged in, or may: they serve that client alone, end with it,
// and count in the bound of their pool.

import t, { type Test } from 'tap';
import { LOGIN_STEP_MS } from '../../../../src/base/limits.ts';
import { GET, OK, doing, withBench, type Bench } from '../../../support/fault-bench.ts';
import { LoginClient, loginOrigin } from '../../../support/login-origin.ts';
import type { SettingsPatch } from '../../../support/plane.ts';
import { becomes, endpointCount, gaugesOf, retryCount } from '../../../support/shared-counters.ts';

interface Scene extends Bench {
  readonly client: (user: string) => Promise<LoginClient>;
}

async function withLogins(
  t: Test,
  body: (scene: Scene) => Promise<void>,
  upstream: SettingsPatch['upstream'] = {},
): Promise<void> {
  await withBench(t, { script: loginOrigin('app'), patch: { upstream } }, async (bench) => {
    const client = async (user: string): Promise<LoginClient> =>
      new LoginClient(await bench.connect(), user);
    await body({ ...bench, client });
  });
}

/** Alone in its pool, which has no room for a second connection. */
const ONE = { connectionsMax: 1 };

await t.test('what one client logs in to serves no other', async (t) => {
  await withLogins(t, async ({ client, plane }) => {
    const anna = await client('anna');
    t.equal(await anna.login(), '200 hello anna of app');
    const bob = await client('bob');
    t.equal(await bob.ask(), '401');
    t.equal(await anna.ask(), '200 hello anna of app');
    t.equal(await bob.login(), '200 hello bob of app');
    t.equal(await anna.ask(), '200 hello anna of app');
    t.equal(endpointCount(plane, 'connects'), 2);
  });
});

await t.test('a login that is only offered binds the connection, too', async (t) => {
  await withLogins(t, async ({ client, plane }) => {
    const [anna, bob] = [await client('anna'), await client('bob')];
    t.equal(await anna.ask(), '401');
    t.equal(await bob.ask(), '401');
    t.equal(await anna.ask(), '401');
    t.equal(endpointCount(plane, 'connects'), 2);
  });
});

await t.test('credentials bind the connection before any challenge', async (t) => {
  for (const scheme of ['Negotiate', 'negotiate', 'NTLM']) {
    const script = doing(async (connection) => {
      let user = 'no one';
      for (;;) {
        const request = await connection.nextRequest();
        if (request === undefined) break;
        user = /authorization: \w+ (\w+)/i.exec(request.fields.join('\n'))?.[1] ?? user;
        connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${user.length}\r\n\r\n${user}`);
      }
      connection.end();
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const anna = new LoginClient(await bench.connect(), 'anna');
      t.equal(await anna.ask(`Authorization: ${scheme} anna\r\n`), '200 anna');
      t.equal((await bench.ask(GET)).body, 'no one');
      t.equal(await anna.ask(), '200 anna');
    });
  }
});

await t.test('other ways to log in share connections', async (t) => {
  const offer = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="a"\r\nContent-Length: 0\r\n\r\n';
  const notAsked = 'HTTP/1.1 200 OK\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n';
  for (const response of [offer, notAsked, OK]) {
    const script = doing(async (connection) => {
      while ((await connection.nextRequest()) !== undefined) connection.send(response);
      connection.end();
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const basic = 'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic bnRsbQ==\r\n\r\n';
      for (const request of [basic, GET, basic]) await bench.ask(request);
      t.equal(endpointCount(bench.plane, 'connects'), 1);
    });
  }
});

await t.test('a bound connection ends with its client', async (t) => {
  await withLogins(t, async ({ client, plane, origin }) => {
    const anna = await client('anna');
    await anna.login();
    t.equal(gaugesOf(plane).endpointConnections, 1);
    anna.close();
    t.ok(await becomes(() => gaugesOf(plane).endpointConnections === 0));
    t.ok(await becomes(() => origin.connections.size === 0));
  });
});

await t.test('a client that leaves while it is answered takes the connection along', async (t) => {
  const asked = Promise.withResolvers<void>();
  const script = doing(async (connection) => {
    await connection.nextRequest();
    asked.resolve();
    await connection.ended();
    connection.end();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const peer = await bench.connect();
    new LoginClient(peer, 'anna').send('Authorization: NTLM begin\r\n');
    await asked.promise;
    peer.reset();
    t.ok(await becomes(() => gaugesOf(bench.plane).endpointConnections === 0));
  });
});

await t.test('the steps of a login may be pipelined', async (t) => {
  await withLogins(t, async ({ client }) => {
    const anna = await client('anna');
    const challenge = anna.begin();
    anna.send('');
    await challenge;
    t.equal(await anna.answer(), '401', 'the target has forgotten the challenge');
    t.equal(await anna.login(), '200 hello anna of app');
    for (let i = 0; i < 5; i++) anna.send('');
    for (let i = 0; i < 5; i++) t.equal(await anna.answer(), '200 hello anna of app');
  });
});

await t.test('a full pool takes the connection of a client that is idle', async (t) => {
  await withLogins(
    t,
    async ({ client, plane }) => {
      const [anna, bob] = [await client('anna'), await client('bob')];
      t.equal(await anna.login(), '200 hello anna of app');
      t.equal(await bob.login(), '200 hello bob of app');
      t.equal(gaugesOf(plane).endpointConnections, 1);
      t.equal(await anna.ask(), '401', 'a new login is needed, and possible');
      t.equal(await anna.login(), '200 hello anna of app');
    },
    ONE,
  );
});

await t.test('a full pool waits for a login that goes on', async (t) => {
  await withLogins(
    t,
    async ({ client }) => {
      const [anna, bob] = [await client('anna'), await client('bob')];
      const challenge = await anna.begin();
      const waiting = bob.ask();
      t.equal(await anna.prove(challenge), '200 hello anna of app');
      t.equal(await waiting, '401');
    },
    ONE,
  );
});

await t.test('a full pool does not wait for a step that is overdue', async (t) => {
  const upstream = { ...ONE, idleTimeoutMs: 60_000 };
  await withLogins(
    t,
    async ({ client, ...bench }) => {
      const [anna, bob] = [await client('anna'), await client('bob')];
      const challenge = await anna.begin();
      bench.passTime(LOGIN_STEP_MS);
      t.equal(await bob.ask(), '401');
      t.equal(await anna.prove(challenge), '401');
    },
    upstream,
  );
});

await t.test('a bound connection that dies is no reason to fail', async (t) => {
  await withLogins(t, async ({ client, origin, plane }) => {
    const anna = await client('anna');
    await anna.login();
    await origin.dropConnections();
    t.equal(await anna.ask(), '401');
    t.equal(await anna.login(), '200 hello anna of app');
    t.equal(retryCount(plane), 0, 'its end was seen before');
  });
});

await t.test(
  'a request is repeated elsewhere when its bound connection dies under it',
  async (t) => {
    let connections = 0;
    const script = doing(async (connection) => {
      connections++;
      if (connections > 1) return loginOrigin('app')(connection);
      await connection.nextRequest();
      connection.send('HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM abc\r\nContent-Length: 0\r\n\r\n');
      await connection.nextRequest();
      connection.end();
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const anna = new LoginClient(await bench.connect(), 'anna');
      const challenge = await anna.begin();
      t.equal(await anna.prove(challenge), '401');
      t.equal(retryCount(bench.plane), 1);
      t.equal(await anna.login(), '200 hello anna of app');
    });
  },
);

await t.test('a request that may not be repeated goes on with its login', async (t) => {
  await withLogins(t, async ({ client, ...bench }) => {
    const anna = await client('anna');
    await anna.login();
    bench.passTime(2_000);
    anna.send('Content-Length: 0\r\n', 'POST');
    t.equal(await anna.answer(), '200 hello anna of app');
    t.equal(endpointCount(bench.plane, 'connects'), 1);
  });
});

await t.test(
  'a client keeps its connection between two steps, however many requests it had',
  async (t) => {
    const patch = { client: { requestsMax: 1 } };
    await withBench(t, { script: loginOrigin('app'), patch }, async (bench) => {
      const anna = new LoginClient(await bench.connect(), 'anna');
      t.equal(await anna.login(), '200 hello anna of app');
      t.match(anna.peer.text, /200 OK\r\n(?:.+\r\n)*connection: close/i, 'then it reconnects');
    });
  },
);
