// Places that are Turnout itself, whatever DNS calls them.

import { once } from 'node:events';
import { link, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseListen } from '../../../../src/config/values/address.ts';
import type { ListenAddress } from '../../../../src/contract/worker-settings.ts';
import { ownAmong, ownPlaces } from '../../../../src/control-plane/targets/own-places.ts';
import { placeFinder } from '../../../../src/control-plane/targets/places.ts';
import { NO_NAMES } from '../support/fixtures.ts';
import { ManualTimers } from '../support/manual-timers.ts';
import { FakeDns, targetOf } from '../support/name-scene.ts';

function listener(text: string): ListenAddress {
  const parsed = parseListen(text, '127.0.0.1');
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

/** `[listener, host, port, is it ours]` */
const CASES: readonly (readonly [string, string, number, boolean])[] = [
  ['127.0.0.1:8081', '127.0.0.1', 8_081, true],
  ['127.0.0.1:8081', '::1', 8_081, true],
  ['127.0.0.1:8081', '127.0.0.1', 8_080, false],
  ['127.0.0.1:8081', '::ffff:7f00:1', 8_081, true],
  ['127.0.0.1:8081', '::ffff:7f00:2', 8_081, false],
  ['0.0.0.0:8080', '::ffff:7f00:2', 8_080, true],
  ['127.0.0.1:8081', '0.0.0.0', 8_081, true],
  ['127.0.0.1:8081', '::', 8_081, true],
  ['127.0.0.1:8081', 'localhost', 8_081, true],
  ['127.0.0.1:8081', '127.0.0.2', 8_081, false],
  ['localhost:8081', '127.0.0.1', 8_081, true],
  ['localhost:8081', '::1', 8_081, true],
  ['localhost:8081', '::ffff:7f00:1', 8_081, true],
  ['localhost:8081', '0.0.0.0', 8_081, true],
  ['localhost:8081', 'localhost', 8_081, true],
  ['localhost:8081', '127.0.0.2', 8_081, false],
  ['[::1]:8081', '127.0.0.1', 8_081, false],
  ['[::1]:8081', 'localhost', 8_081, true],
  ['0.0.0.0:8080', '127.0.0.9', 8_080, true],
  ['0.0.0.0:8080', '10.99.99.99', 8_080, false],
  ['[::]:8080', '::1', 8_080, true],
  ['10.0.0.1:8080', '10.0.0.1', 8_080, true],
  ['10.0.0.1:8080', '127.0.0.1', 8_080, false],
  ['unix:/run/admin.sock', '127.0.0.1', 8_080, false],
];

await t.test('loopback, wildcard and named listeners are known', async (t) => {
  for (const [text, host, port, isOurs] of CASES) {
    const own = ownPlaces(() => [undefined, listener(text)]);
    t.equal(own({ kind: 'tcp', host, port }), isOurs, `${text} and ${host}:${port}`);
  }
});

await t.test('who listens everywhere is every address of this machine', async (t) => {
  const own = ownPlaces(() => [listener('0.0.0.0:8080')]);
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  t.ok(addresses.length > 0);
  for (const { address, family } of addresses.filter((one) => one.family === 'IPv4')) {
    t.ok(own({ kind: 'tcp', host: address, port: 8_080 }), `${address} ${family}`);
    t.notOk(own({ kind: 'tcp', host: address, port: 8_082 }));
  }
});

await t.test('a listener that comes later counts from then on', async (t) => {
  const listeners = [listener('127.0.0.1:0')];
  const own = ownPlaces(() => listeners);
  const place = { kind: 'tcp', host: '127.0.0.1', port: 9_999 } as const;
  t.notOk(own(place));
  listeners.push(listener('127.0.0.1:9999'));
  t.ok(own(place));
});

await t.test(
  'a socket of Turnout is known by whatever path, as is a listener by TCP',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'own-'));
    t.teardown(() => rm(dir, { recursive: true }));
    const path = join(dir, 'admin.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    t.teardown(() => server.close());
    await symlink(path, join(dir, 'link.sock'));
    await link(path, join(dir, 'hard.sock'));
    const dns = new FakeDns();
    const find = placeFinder({ dns, system: dns, names: NO_NAMES, timers: new ManualTimers() });
    const targets = [
      'admin.sock',
      './admin.sock',
      '/admin.sock',
      'link.sock',
      'hard.sock',
      'app.sock',
    ].map((name) => targetOf(`unix:${dir}/${name}`));
    const tcp = ['http://localhost:8080', 'http://127.0.0.1:8081', 'http://admin.test:8080'];
    const all = [...targets, ...tcp.map(targetOf)];
    const listeners = () => [undefined, listener(`unix:${path}`), listener('127.0.0.1:8080')];
    const ours = await ownAmong(all, listeners, find);
    t.same([...ours], [...targets.slice(0, 5).map(({ url }) => url), 'http://localhost:8080']);
    t.same([...(await ownAmong(all, () => [], find))], []);
  },
);

await t.test('a listener that is a name is where the system finds it', async (t) => {
  const system = new FakeDns();
  const dns = new FakeDns();
  system.hosts.set('me.test', ['10.0.0.7', 'fd00::7']);
  const find = placeFinder({ dns, system, names: NO_NAMES, timers: new ManualTimers() });
  const own = [listener('me.test:8080'), listener('localhost:8081')];
  const urls = [
    'http://10.0.0.7:8080',
    'http://[fd00::7]:8080',
    'http://10.0.0.7:8081',
    'http://10.0.0.8:8080',
    'http://127.0.0.1:8081',
    'http://127.0.0.1:8080',
  ];
  const ours = await ownAmong(urls.map(targetOf), () => own, find);
  t.same([...ours], [urls[0], urls[1], urls[4]]);
});

await t.test('a name is ours if it leads nowhere else now', async (t) => {
  const dns = new FakeDns();
  dns.hosts.set('me.test', ['127.0.0.1']);
  dns.hosts.set('both.test', ['127.0.0.1', '10.0.0.8']);
  dns.hosts.set('other.test', ['10.0.0.8']);
  const find = placeFinder({ dns, system: dns, names: NO_NAMES, timers: new ManualTimers() });
  const own = [listener('0.0.0.0:8080')];
  const urls = ['me', 'both', 'other', 'none'].map((name) => `http://${name}.test:8080`);
  t.same([...(await ownAmong(urls.map(targetOf), () => own, find))], ['http://me.test:8080']);
  t.same([...(await ownAmong([targetOf('http://me.test:80')], () => own, find))], []);
});
