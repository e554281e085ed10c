// What is copied and compared, over real sockets; what a target can do to harm is in
// harmful-targets.test.ts.

import t from 'tap';
import { requestCounts, Totals } from '../../../../src/control-plane/memory/totals.ts';
import { SHADOW, ShadowScene, ok, sends, type Deed } from '../support/shadow-scene.ts';
import { endpointCount } from '../../../support/shared-counters.ts';

await t.test('a copy carries what the request did, and says that it is one', async (t) => {
  const scene = await ShadowScene.open(t);
  const fields = 'Cookie: a=1\r\nAuthorization: Bearer x\r\nx-turnout-shadow: 0\r\n';
  await scene.ask('/page?q=1', scene.client, fields);
  t.strictSame(await scene.becomes({ sent: 1, same: 1 }), { sent: 1, same: 1 });
  const [head = ''] = scene.copies;
  t.match(head, /^GET \/page\?q=1 HTTP\/1\.1\r\nHost: a\.test\r\n/);
  t.match(head, '\r\nCookie: a=1\r\nAuthorization: Bearer x\r\n');
  t.match(head, '\r\nX-Forwarded-Host: a.test\r\n');
  t.match(head, '\r\nx-turnout-shadow: 1\r\nx-turnout-color: green\r\n');
  t.notMatch(head, 'x-turnout-shadow: 0');
  t.ok(head.endsWith('\r\n\r\n'));
  await scene.leavesNothing(t);
});

await t.test('the request that serves the client says nothing of a copy', async (t) => {
  const heads: string[] = [];
  const scene = await ShadowScene.open(t, {
    live: (connection) => {
      heads.push(connection.text);
      connection.send(ok());
    },
  });
  await scene.ask('/');
  t.notMatch(heads[0], 'shadow');
  await scene.leavesNothing(t);
});

await t.test('what differs is counted and told, without queries and bodies', async (t) => {
  const scene = await ShadowScene.open(t, { idle: sends(ok('secret-of-green')) });
  await scene.ask('/users/17?token=hidden');
  t.strictSame(await scene.becomes({ sent: 1, differed: 1 }), { sent: 1, differed: 1 });
  scene.passTime(1_000);
  t.match(scene.differences, [
    { method: 'GET', path: '/users/*', count: 1, example: { kind: 'body', bytes: [2, 15] } },
  ]);
  t.notMatch(JSON.stringify(scene.differences), /hidden|secret/);
  await scene.leavesNothing(t);
});

await t.test('a copy that fails is told as well', async (t) => {
  const scene = await ShadowScene.open(t, { idle: (connection) => connection.reset() });
  await scene.ask('/a');
  t.strictSame(await scene.becomes({ sent: 1, failed: 1 }), { sent: 1, failed: 1 });
  scene.passTime(1_000);
  t.match(scene.differences, [{ path: '/a', example: { kind: 'none', statuses: [200, 0] } }]);
  await scene.leavesNothing(t);
});

await t.test('the share holds for any run of requests', async (t) => {
  const scene = await ShadowScene.open(t, { shadow: { share: 1_000 } });
  for (let i = 0; i < 200; i++) await scene.ask('/');
  const { sent = 0, dropped = 0 } = scene.results;
  t.ok(Math.abs(sent + dropped - 20) <= 1, `${sent + dropped} of 200`);
  await scene.leavesNothing(t);
});

await t.test('connections for copies are used again, and are none of the pool', async (t) => {
  const scene = await ShadowScene.open(t);
  for (let i = 1; i <= 20; i++) {
    await scene.ask('/');
    await scene.becomes({ sent: i, same: i });
  }
  t.equal(scene.idle.connections.size, 1);
  t.strictSame(scene.open, { pairs: 0, connections: 1 });
  t.equal(endpointCount(scene.plane, 'connects'), 1, 'that to blue');
  await scene.leavesNothing(t);
});

await t.test('a used connection that has closed says nothing about the release', async (t) => {
  let count = 0;
  const scene = await ShadowScene.open(t, {
    idle: (connection) => {
      count++;
      // The second request of a connection meets its end, as behind a short keep-alive time.
      if (count === 2) connection.end();
      else connection.send(ok());
    },
  });
  await scene.ask('/');
  await scene.becomes({ sent: 1, same: 1 });
  await scene.ask('/');
  t.strictSame(await scene.becomes({ sent: 2, same: 2 }), { sent: 2, same: 2 });
  t.equal(count, 3);
  await scene.leavesNothing(t);
});

await t.test('copies are no requests in any other count, and harm no health', async (t) => {
  const scene = await ShadowScene.open(t, { idle: (connection) => connection.reset() });
  for (let i = 0; i < 10; i++) await scene.ask('/');
  await scene.becomes({ sent: 10, failed: 10 });
  const totals = new Totals(scene.plane.memory, 1);
  t.strictSame(requestCounts(totals.block(2)), [], 'green has got none');
  t.match(requestCounts(totals.block(1)), [{ status: 200, count: 10 }]);
  t.equal(endpointCount(scene.plane, 'connectFailures'), 0);
  t.equal(endpointCount(scene.plane, 'failed'), 0);
  await scene.leavesNothing(t);
});

await t.test('nothing is copied but GET, HEAD and OPTIONS without a body', async (t) => {
  const scene = await ShadowScene.open(t);
  const { client } = scene;
  for (const head of [
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
    'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
    'GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: "a"\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ]) {
    const from = client.text.length;
    client.send(head);
    await client.until('response', () => client.text.slice(from).endsWith('ok') || undefined);
  }
  t.strictSame(scene.results, {});
  t.strictSame(scene.copies, []);
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.ok(await scene.copied(1));
  await scene.leavesNothing(t);
});

await t.test('paths that an operator names are not copied', async (t) => {
  const scene = await ShadowScene.open(t, { shadow: { ignorePaths: ['/logout*'] } });
  await scene.ask('/logout?now');
  t.strictSame(scene.results, {});
  await scene.ask('/login');
  t.strictSame(await scene.becomes({ sent: 1, same: 1 }), { sent: 1, same: 1 });
  await scene.leavesNothing(t);
});

await t.test('a copy goes to the path without its prefix, as the request does', async (t) => {
  const service = { paths: ['/shop', '/'], policy: { edge: { stripPrefix: true } } };
  const asked: string[] = [];
  const live: Deed = (connection, path) => {
    asked.push(path);
    connection.send(ok());
  };
  const scene = await ShadowScene.open(t, { live, patch: { service } });
  await scene.ask('/shop/cart?a');
  await scene.becomes({ sent: 1, same: 1 });
  await scene.ask('/other');
  await scene.becomes({ sent: 2, same: 2 });
  t.strictSame(asked, ['/cart?a', '/other']);
  const [first = '', second = ''] = scene.copies;
  t.match(first, /^GET \/cart\?a HTTP\/1\.1\r\n/);
  t.match(first, /x-forwarded-prefix: \/shop\r\n/i);
  t.match(second, /^GET \/other HTTP\/1\.1\r\n/);
  t.notMatch(second, /x-forwarded-prefix/i);
  await scene.leavesNothing(t);
});

await t.test('no response of a copy reaches the client, no cookie of it either', async (t) => {
  const scene = await ShadowScene.open(t, {
    idle: sends(ok('ok', 'Set-Cookie: green=1\r\nX-Green: 1\r\n')),
  });
  for (let i = 1; i <= 5; i++) {
    await scene.ask('/');
    await scene.becomes({ sent: i, same: i });
  }
  t.notMatch(scene.client.text, /green/i);
  await scene.leavesNothing(t);
});

await t.test('a deployment that is down gets no copy', async (t) => {
  const scene = await ShadowScene.open(t);
  Atomics.store(scene.plane.memory.health, 1, 2);
  await scene.ask('/');
  t.strictSame(scene.results, { dropped: 1 });
  t.strictSame(scene.copies, []);
  await scene.leavesNothing(t);
});

await t.test('a large body is compared up to its bound, and read little further', async (t) => {
  const big = 'x'.repeat(8_388_608);
  const scene = await ShadowScene.open(t, {
    live: sends(ok(`${big}a`)),
    idle: sends(ok(`${big}b`)),
  });
  await scene.ask('/');
  t.strictSame(await scene.becomes({ sent: 1, same: 1 }), { sent: 1, same: 1 });
  t.strictSame(await scene.settled(), { pairs: 0, connections: 0 });
  await scene.leavesNothing(t);
});

await t.test('a chunked body and one with a length are the same body', async (t) => {
  const chunked =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=1\r\nk\r\n0\r\nT: 1\r\n\r\n';
  const scene = await ShadowScene.open(t, { idle: sends(chunked) });
  await scene.ask('/');
  t.strictSame(await scene.becomes({ sent: 1, same: 1 }), { sent: 1, same: 1 });
  await scene.leavesNothing(t);
});

const GZIP = 'Content-Encoding: gzip\r\n';

await t.test('compressed bodies are compared as the bytes that they are', async (t) => {
  const scene = await ShadowScene.open(t, {
    live: sends(ok('\x1f\x8b\0\xff', GZIP)),
    idle: sends(ok('\x1f\x8b\0\xfe', GZIP)),
  });
  await scene.ask('/');
  t.strictSame(await scene.becomes({ sent: 1, differed: 1 }), { sent: 1, differed: 1 });
  await scene.leavesNothing(t);
});

await t.test('a table without it ends what is copied, and closes the connections', async (t) => {
  const scene = await ShadowScene.open(t, { idle: () => undefined });
  await scene.ask('/');
  t.ok(await scene.copied(1));
  t.strictSame(scene.open, { pairs: 1, connections: 1 });
  scene.publish(undefined);
  t.strictSame(await scene.settled(), { pairs: 0, connections: 0 });
  t.strictSame(scene.results, { sent: 1, unpaired: 1 });
  await scene.ask('/');
  t.strictSame(scene.results, { sent: 1, unpaired: 1 });
  await scene.leavesNothing(t);
});

await t.test(
  'another deployment on the idle color gets no copies meant for the first',
  async (t) => {
    const scene = await ShadowScene.open(t, { shadow: { deployment: 99 } });
    await scene.ask('/');
    t.strictSame(scene.results, {});
    await scene.leavesNothing(t);
  },
);

await t.test('it goes on over a table that says the same', async (t) => {
  const scene = await ShadowScene.open(t);
  await scene.ask('/');
  await scene.becomes({ sent: 1, same: 1 });
  scene.publish(SHADOW);
  await scene.ask('/');
  t.strictSame(await scene.becomes({ sent: 2, same: 2 }), { sent: 2, same: 2 });
  t.equal(scene.open.connections, 1, 'its connection, too');
  await scene.leavesNothing(t);
});

await t.test('a stop gives up what is copied', async (t) => {
  const scene = await ShadowScene.open(t, { idle: () => undefined });
  await scene.ask('/');
  t.ok(await scene.copied(1));
  scene.client.socket.destroy();
  await scene.plane.stop();
  t.strictSame(await scene.settled(), { pairs: 0, connections: 0 });
});
