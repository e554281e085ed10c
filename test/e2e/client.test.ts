// `turnout/client` against a running Turnout: over TCP and a Unix socket, with and without a token,
// refused, raced, repeated, and cut off in the middle.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { TurnoutClient, TurnoutNoAnswer, TurnoutProblem } from '../../src/client/client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { startAsGiven, startTurnout, temporaryDirectory, turnout } from './turnout-process.ts';

const ALWAYS_UP = ['--health-kind', 'none'];

async function twoColors(t: Test): Promise<string[]> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  return ['--blue', blue.url, '--green', green.url, '--green-release', 'v2', ...ALWAYS_UP];
}

await t.test('a release is registered, switched to, seen and taken back', async (t) => {
  const { proxy, admin } = await startTurnout(t, await twoColors(t));
  const client = new TurnoutClient({ address: admin });
  t.match(await client.ready(), { status: 'ok', warning: null });
  t.match(await client.check(), { severity: 'ok', services: 1 });
  const { generation, services } = await client.status();
  t.match(services, [{ name: 'default', active: 'blue', green: { release: 'v2' } }]);

  const third = await openColoredApp(t, 'green');
  const release = { release: 'v3', targets: [third.url], evict: true } as const;
  const registered = await client.register('green', release, { ifMatch: generation });
  t.match(registered, { service: 'default', changed: true, obstacles: [] });
  const foreseen = await client.switch({ to: 'v3', dryRun: true });
  t.match(foreseen, { dryRun: true, to: 'green' });
  const switched = await client.switch({ to: 'v3', reason: 'release day' });
  t.match(switched, { from: 'blue', to: 'green', release: 'v3', changed: true });
  t.equal(await (await fetch(`http://${proxy}/`)).text(), 'green');

  const back = await client.rollback({ lockOut: false, reason: 'drill' });
  t.match(back, { from: 'green', to: 'blue', changed: true });
  const { switches } = await client.history({ limit: 1 });
  t.match(switches, [{ outcome: 'rolled-back', reason: 'drill' }]);
  const { deployments } = await client.deployments();
  t.strictSame(new Set(deployments.map(({ release }) => release)), new Set(['v2', 'v3', '']));
  t.match(await client.audit({ limit: 1, verify: true }), { chain: { state: 'ok' } });
  t.match(await client.drains({ wait: '30s' }), { safeToStop: true });

  t.match(await client.freeze({ reason: 'black friday' }), { changed: true });
  await t.rejects(client.switch(), { status: 423, code: 'switching-frozen' });
  t.match(await client.unfreeze(), { freeze: null });
  t.match(await client.hold({ for: '30s' }), { isOn: true });
  t.match(await client.resume(), { changed: true });
  t.match(await client.maintenance({ on: true }), { isOn: true });
  t.match(await client.maintenance({ on: false }), { changed: true });
  t.match(await client.preview(), { release: 'v3', color: 'green' });
});

await t.test('what is refused is an error with a code', async (t) => {
  const { admin } = await startTurnout(t, await twoColors(t));
  const client = new TurnoutClient({ address: `http://${admin}` });
  const { generation } = await client.status();
  await client.switch({ to: 'green' }, { ifMatch: generation });
  const raced = client.switch({ to: 'blue' }, { ifMatch: generation });
  const problem = await raced.then(
    () => undefined,
    (error: unknown) => error,
  );
  t.ok(problem instanceof TurnoutProblem);
  t.match(problem, { status: 412, code: 'generation-mismatch', problem: { status: 412 } });
  t.match(problem, { message: /\(generation-mismatch\)$/ });
  await t.rejects(client.switch({ to: 'v9' }), { status: 404, code: 'deployment-unknown' });
  await t.rejects(client.status({ service: 'none' }), { code: 'service-unknown' });
});

await t.test('a change with the same key is made once', async (t) => {
  const { admin } = await startTurnout(t, await twoColors(t));
  const client = new TurnoutClient({ address: admin });
  const first = await client.switch({}, { idempotencyKey: 'build-17' });
  t.strictSame(await client.switch({}, { idempotencyKey: 'build-17' }), first);
  t.match(await client.status(), { services: [{ active: 'green' }] });
});

await t.test('over a Unix socket', async (t) => {
  const directory = temporaryDirectory(t);
  const address = `unix:${join(directory, 'admin.sock')}`;
  const flags = ['--listen', '127.0.0.1:0', '--workers', '1', '--state', directory];
  await startAsGiven(t, [...flags, '--admin', address, ...(await twoColors(t))]);
  t.match(await new TurnoutClient({ address }).switch({ to: 'v2' }), { to: 'green' });
});

await t.test('with a token, which may do what its role allows', async (t) => {
  const { admin } = await startTurnout(t, await twoColors(t));
  const made = await turnout([
    'token',
    'create',
    'ci',
    '--role',
    'read',
    '--json',
    '--admin',
    admin,
  ]);
  const { token } = JSON.parse(made.out) as { readonly token: string };
  const client = new TurnoutClient({ address: admin, token });
  t.match(await client.status(), { services: [{ active: 'blue' }] });
  await t.rejects(client.switch(), { status: 403, code: 'forbidden' });
  const forged = new TurnoutClient({ address: admin, token: `${token}x` });
  await t.rejects(forged.status(), { status: 401, code: 'unauthenticated' });
});

await t.test('a connection that breaks before the answer: asked again, made once', async (t) => {
  const { admin } = await startTurnout(t, await twoColors(t));
  const [host, port] = admin.split(':');
  let connections = 0;
  // The first connection is cut as the answer comes, so the change has been made.
  const cutter = createServer((client) => {
    const server = connect(Number(port), host);
    const isFirst = ++connections === 1;
    client.on('error', () => {}).pipe(server);
    server
      .on('error', () => {})
      .on('data', (bytes) => {
        if (isFirst) client.resetAndDestroy();
        else client.write(bytes);
      });
  }).listen(0, '127.0.0.1');
  await once(cutter, 'listening');
  t.teardown(() => cutter.close());
  const client = new TurnoutClient({
    address: `127.0.0.1:${(cutter.address() as AddressInfo).port}`,
  });
  t.match(await client.switch(), { to: 'green', changed: true });
  t.equal(connections, 2);
  const { switches } = await new TurnoutClient({ address: admin }).history();
  t.equal(switches.length, 1);
});

await t.test('no answer says whether anything may have been done', async (t) => {
  const nowhere = new TurnoutClient({ address: 'unix:/none/admin.sock' });
  await t.rejects(nowhere.switch(), { name: 'TurnoutNoAnswer', mayHaveActed: false });
  t.throws(() => new TurnoutClient({ address: 'http://host/path' }), /expected http:\/\/host:port/);

  const other = createHttpServer((_request, response) => response.end('<html>')).listen(0);
  await once(other, 'listening');
  t.teardown(() => other.close());
  const address = `localhost:${(other.address() as AddressInfo).port}`;
  const error = await new TurnoutClient({ address }).status().then(
    () => undefined,
    (error: unknown) => error,
  );
  t.ok(error instanceof TurnoutNoAnswer);
  t.match(error, { message: /got another server \(status 200\)/, mayHaveActed: true });

  const liar = createServer((client) => {
    client
      .on('error', () => {})
      .write('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
  }).listen(0, '127.0.0.1');
  await once(liar, 'listening');
  t.teardown(() => liar.close());
  const lying = `127.0.0.1:${(liar.address() as AddressInfo).port}`;
  await t.rejects(new TurnoutClient({ address: lying }).status(), { name: 'TurnoutNoAnswer' });
  for (const command of [['ready'], ['status', '--check']]) {
    const ended = await turnout([...command, '--admin', lying]);
    t.match(ended, { code: command[0] === 'ready' ? 1 : 3 }, 'a check does not end well');
  }

  const empty = createHttpServer((_request, response) => response.end('null')).listen(0);
  await once(empty, 'listening');
  t.teardown(() => empty.close());
  const none = `localhost:${(empty.address() as AddressInfo).port}`;
  await t.rejects(new TurnoutClient({ address: none }).status(), { name: 'TurnoutNoAnswer' });

  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const quiet = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const late = new TurnoutClient({ address: quiet, timeoutMs: 1 }).switch();
  await t.rejects(late, { message: /^no answer from .* within 1ms$/ });
  for (const wait of ['25d', '99999999h']) {
    const signal = AbortSignal.timeout(50);
    const asked = new TurnoutClient({ address: quiet }).drains({ wait }, { signal });
    await t.rejects(asked, { name: 'TimeoutError' }, 'a timer of Node has no room for it');
  }
  const signal = AbortSignal.abort(new Error('not any more'));
  await t.rejects(new TurnoutClient({ address: quiet }).switch({}, { signal }), {
    message: 'not any more',
  });
});
