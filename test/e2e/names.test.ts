// Names as targets, with the whole program and a real DNS server: addresses come and go while
// traffic runs, and no generation is published for it.

import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { printAddress } from '../../src/contract/worker-settings.ts';
import { startDaemon } from '../../src/control-plane/daemon.ts';
import { AdminClient, seriesOf, type AdminAnswer } from '../support/admin-client.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { openDns } from '../support/dns-server.ts';
import { MORTAL_ENTRY, MortalControl } from '../support/mortal-channel.ts';
import { config, serviceConfig, TestLog } from '../unit/control-plane/support/fixtures.ts';
import { targetOf } from '../unit/control-plane/support/name-scene.ts';
import { ownAddress } from '../support/own-address.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

/** An app that answers with its own address, and is unwell when it is told to be. */
interface App {
  readonly host: string;
  readonly port: number;
  isWell: boolean;
}

/** Opens an app on an address of this machine; port 0: a free one. */
async function openApp(t: Test, host: string, port = 0): Promise<App> {
  const app = { host, port, isWell: true };
  const server: Server = createServer((asked, answer) => {
    if (asked.url === '/healthz') answer.statusCode = app.isWell ? 200 : 503;
    answer.end(`${host} for ${asked.headers.host}`);
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  app.port = (server.address() as AddressInfo).port;
  return app;
}

/** Opens two apps on addresses of their own, both on one port, as the pods of a service are. */
async function openApps(t: Test): Promise<[App, App]> {
  const first = await openApp(t, ownAddress());
  return [first, await openApp(t, ownAddress(), first.port)];
}

const keepAlive = new Agent({ keepAlive: true });

/** Asks the proxy; resolves with status and body. */
async function ask(proxy: string): Promise<string> {
  const asked = request(`http://${proxy}/`, { agent: keepAlive, headers: { host: 'shop.test' } });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return `${response.statusCode} ${text}`;
}

/** Asks until `isTrue` of the answer; fails the test when it never is. */
async function until<T>(t: Test, look: () => Promise<T>, isTrue: (seen: T) => boolean): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (isTrue(seen)) return seen;
    await new Promise(setImmediate); // What answers is in this process, too.
    if (performance.now() > endMs) {
      t.fail('what was waited for did not come', { seen });
      return seen;
    }
  }
}

interface TargetSeen {
  readonly url: string;
  readonly address: string | null;
  readonly health: string;
}

interface SideSeen {
  readonly health: string;
  readonly targets: readonly TargetSeen[];
  readonly names: readonly { readonly addresses: number; readonly problem: string }[];
}

/** Returns what the status says of a color. */
async function side(admin: AdminClient, color: 'blue' | 'green'): Promise<SideSeen> {
  const { json } = await admin.get('/v1/status');
  const { services } = json as unknown as {
    readonly services: readonly Readonly<Record<string, SideSeen>>[];
  };
  return services[0]![color]!;
}

/** Returns what 20 requests were answered with. */
async function answersOf(proxy: string): Promise<string[]> {
  return await Promise.all(Array.from({ length: 20 }, () => ask(proxy)));
}

function onlyFrom({ host }: App): (answers: readonly string[]) => boolean {
  return (answers) => answers.every((answer) => answer === `200 ${host} for shop.test`);
}

function isJudged({ targets }: SideSeen): boolean {
  return targets.length === 2 && targets.every(({ health }) => health !== 'unknown');
}

function isAllUp(count: number): (seen: SideSeen) => boolean {
  return ({ health, targets }) => health === 'up' && targets.length === count;
}

await t.test('addresses come and go under load, without a failure or a generation', async (t) => {
  const dns = await openDns(t);
  const [a, b] = await openApps(t);
  const url = `http://app.test:${a.port}`;
  dns.lead('app.test', a.host);
  const args = [...dns.flags, '--blue', url, '--workers', '2'];
  const { proxy, admin: address } = await startTurnout(t, args);
  const admin = new AdminClient(address);
  t.teardown(() => admin.close());
  t.equal(await ask(proxy), `200 ${a.host} for shop.test`);

  const counts = new Map<string, number>();
  const life = { isOver: false };
  const flow = async (): Promise<void> => {
    while (!life.isOver) {
      const seen = await ask(proxy);
      counts.set(seen, (counts.get(seen) ?? 0) + 1);
    }
  };
  const flows = Array.from({ length: 8 }, flow);
  const fromB = (): number => counts.get(`200 ${b.host} for shop.test`) ?? 0;

  dns.lead('app.test', a.host, b.host);
  await until(t, () => side(admin, 'blue'), isAllUp(2));
  await until(
    t,
    async () => fromB(),
    (count) => count > 0,
  );
  t.pass('the address that came is used');
  const metrics = (await admin.get('/metrics')).text;
  const labels = `service="default",color="blue",target="${url}"`;
  t.equal(seriesOf(metrics, `turnout_target_addresses{${labels}}`), 2);
  const up = `turnout_target_up{${labels},address="${b.host}:${b.port}"}`;
  t.equal(seriesOf(metrics, up), 1);

  dns.lead('app.test', b.host);
  await until(t, () => side(admin, 'blue'), isAllUp(1));
  life.isOver = true;
  await Promise.all(flows);
  await until(t, () => answersOf(proxy), onlyFrom(b));
  t.strictSame(
    [...counts.keys()].toSorted(),
    [`200 ${a.host} for shop.test`, `200 ${b.host} for shop.test`].toSorted(),
    'every request was answered',
  );

  dns.say('app.test', { kind: 'fault', code: 2 });
  const broken = await until(
    t,
    () => side(admin, 'blue'),
    ({ names }) => names[0]!.problem !== '',
  );
  t.match(broken.names, [{ addresses: 1, problem: 'app.test: the DNS server failed' }]);
  dns.lead('app.test');
  await dns.askedAgain('app.test');
  t.equal(await ask(proxy), `200 ${b.host} for shop.test`, 'what was known stays in use');

  const { json, text } = await admin.get('/v1/status');
  t.equal(json['generation'], 1);
  t.match((await admin.get('/metrics')).text, /turnout_lookup_failures_total\{[^}]+\} [1-9]/);
  t.match(text.replaceAll(' ', ''), `"address":"${b.host}:`);
});

await t.test('a switch needs every address of every name, found by SRV records too', async (t) => {
  const dns = await openDns(t);
  const [blue, one, two] = [
    await openApp(t, '127.0.0.1'),
    await openApp(t, '127.0.0.2'),
    await openApp(t, '127.0.0.3'),
  ];
  two.isWell = false;
  const name = '_http._tcp.next.test';
  dns.lead('one.test', one.host);
  dns.lead('two.test', two.host);
  const services = [
    { name: 'one.test', port: one.port },
    { name: 'two.test', port: two.port },
  ];
  dns.say(name, { kind: 'services', services });
  const args = [...dns.flags, '--blue', `http://127.0.0.1:${blue.port}`];
  const { proxy, admin: address } = await startTurnout(t, args);
  const admin = new AdminClient(address);
  t.teardown(() => admin.close());

  const targets = [`http+srv://${name}`];
  const { status } = await admin.put('/v1/releases/green', { release: 'v2', targets });
  t.equal(status, 200);
  await until(t, () => side(admin, 'green'), isJudged);
  const refused = await admin.post('/v1/switch', { to: 'green' });
  t.match(refused.json, {
    code: 'target-unhealthy',
    detail: `${targets[0]} at 127.0.0.3:${two.port} is down (GET /healthz gave 503, expected 200-399)`,
    targets: [{ url: targets[0], address: `127.0.0.3:${two.port}`, state: 'down' }],
  });
  t.notMatch(refused.json['detail'], /127\.0\.0\.2/, 'the one that is up is not blamed');

  two.isWell = true;
  await until(t, () => side(admin, 'green'), isAllUp(2));
  const switched = await admin.post('/v1/switch', { to: 'green' });
  t.equal(switched.status, 200);
  const seen = new Set<string>();
  await until(
    t,
    async () => seen.add(await ask(proxy)),
    () => seen.size === 2,
  );
  t.strictSame([...seen].toSorted(), [
    '200 127.0.0.2 for shop.test',
    '200 127.0.0.3 for shop.test',
  ]);

  dns.say(name, { kind: 'services', services: services.slice(0, 1) });
  await until(t, () => side(admin, 'green'), isAllUp(1));
  await until(t, () => answersOf(proxy), onlyFrom(one));
  const { json } = await admin.get('/v1/status');
  const generation = switched.json['generation'];
  t.match(json['services'], [{ since: { generation } }]);
});

await t.test('a silent DNS does not keep Turnout from starting', async (t) => {
  const dns = await openDns(t);
  const app = await openApp(t, '127.0.0.2');
  dns.say('app.test', { kind: 'silence' });
  const args = [...dns.flags, '--blue', `http://app.test:${app.port}`];
  const { proxy, admin: address } = await startTurnout(t, args);
  const admin = new AdminClient(address);
  t.teardown(() => admin.close());
  t.match(await ask(proxy), /^503 /);
  t.match(await side(admin, 'blue'), { health: 'unknown', names: [{ addresses: 0 }] });
  dns.lead('app.test', app.host);
  await until(
    t,
    () => ask(proxy),
    (answer) => answer.startsWith('200'),
  );
  t.pass('it serves once DNS has answered');
});

await t.test('DNS that leads to the admin API leads nowhere', async (t) => {
  const dns = await openDns(t);
  const blue = await openApp(t, '127.0.0.1');
  const args = [...dns.flags, '--blue', `http://127.0.0.1:${blue.port}`];
  const { admin: address, proxy } = await startTurnout(t, args);
  const admin = new AdminClient(address);
  t.teardown(() => admin.close());
  const ports = [address, proxy].map((where) => Number(where.split(':')[1]));
  dns.lead('evil.test', '127.0.0.1', '::ffff:7f00:1');
  const leadTo = (service: string, to: readonly number[]): void =>
    dns.say(service, {
      kind: 'services',
      services: to.map((port) => ({ name: 'evil.test', port })),
    });
  const register = (service: string) =>
    admin.put('/v1/releases/green', { release: 'v2', targets: [`http+srv://${service}`] });
  leadTo('_http._tcp.evil.test', ports);
  const refused = await register('_http._tcp.evil.test');
  t.match(refused.json, { code: 'target-invalid', detail: /a listener of Turnout itself/ });
  // One that leads elsewhere at first, and here later.
  const elsewhere = await openApp(t, '127.0.0.3');
  dns.lead('later.test', elsewhere.host);
  dns.say('_later._tcp.evil.test', {
    kind: 'services',
    services: [{ name: 'later.test', port: elsewhere.port }],
  });
  t.equal((await register('_later._tcp.evil.test')).status, 200);
  leadTo('_later._tcp.evil.test', ports);
  const green = await until(
    t,
    () => side(admin, 'green'),
    ({ names }) => names[0]?.problem !== '',
  );
  t.match(green.names, [{ addresses: 1, problem: /it leads to Turnout itself/ }]);
  const { json } = await admin.post('/v1/switch', { to: 'green', force: true, reason: 'test' });
  t.equal(json['changed'], true);
  const kept = await ask(proxy);
  t.match(
    kept,
    `200 ${elsewhere.host}`,
    'it keeps what it had: not even a forced switch leads here',
  );
});

await t.test('a worker that is born later knows where names lead by then', async (t) => {
  const dns = await openDns(t);
  const [a, b] = await openApps(t);
  dns.lead('app.test', a.host);
  const service = serviceConfig({
    blue: { release: '', targets: [targetOf(`http://app.test:${a.port}`)] },
    green: { release: '', targets: [] },
    resolve: { intervalMs: 1_000, families: 'ipv4-first' },
  });
  const log = new TestLog();
  const daemon = await startDaemon(
    config(temporaryDirectory(t), {
      workers: 1,
      services: [service],
      resolve: { servers: [dns.address] },
    }),
    { log, workerEntry: MORTAL_ENTRY },
  );
  t.teardown(async () => daemon.cut());
  const proxy = printAddress(daemon.proxyAddress);
  t.equal(await ask(proxy), `200 ${a.host} for shop.test`);
  dns.lead('app.test', b.host);
  await until(
    t,
    () => ask(proxy),
    (answer) => answer.includes(b.host),
  );
  dns.say('app.test', { kind: 'fault', code: 2 });
  const mortals = new MortalControl(t);
  await mortals.order({ kind: 'exit', index: 0 });
  await log.until(/a worker ended unasked/);
  const born = await until(
    t,
    () => ask(proxy).catch(() => ''),
    (answer) => answer !== '',
  );
  t.equal(born, `200 ${b.host} for shop.test`);
});

await t.test('an upgrade under load, and a switch right after it, with names', async (t) => {
  const dns = await openDns(t);
  const [blue, green] = [await openApp(t, '127.0.0.2'), await openApp(t, '127.0.0.3')];
  dns.lead('blue.test', blue.host);
  dns.lead('green.test', green.host);
  const colors = [
    ['--blue', `http://blue.test:${blue.port}`],
    ['--green', `http://green.test:${green.port}`],
  ].flat();
  const args = [...dns.flags, ...colors, '--affinity-mode', 'off', '--stop-deadline', '5s'];
  const { proxy, admin: address } = await startTurnout(t, args);
  const fresh = async (path: string, body: object): Promise<AdminAnswer> => {
    const admin = new AdminClient(address);
    const answer = await admin.post(path, body);
    admin.close();
    return answer;
  };
  const seen = new Set<string>();
  const life = { isOver: false };
  const flow = async (): Promise<void> => {
    while (!life.isOver) seen.add(await ask(proxy));
  };
  const flows = Array.from({ length: 8 }, flow);
  const upgraded = await fresh('/v1/upgrade', {});
  t.equal(upgraded.status, 200, upgraded.text);
  t.teardown(() => {
    process.kill(Number(upgraded.json['pid']), 'SIGKILL');
  });
  const switched = await until(
    t,
    () => fresh('/v1/switch', { to: 'green' }),
    ({ status }) => status === 200,
  );
  t.equal(switched.status, 200);
  await until(t, () => answersOf(proxy), onlyFrom(green));
  life.isOver = true;
  await Promise.all(flows);
  t.strictSame([...seen].toSorted(), [
    '200 127.0.0.2 for shop.test',
    '200 127.0.0.3 for shop.test',
  ]);
});
