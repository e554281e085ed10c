// Spellings of one place meet, and no two places do.

import { once } from 'node:events';
import { link, mkdir, mkdtemp, rename, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PLACES_WITHIN_MS } from '../../../../src/control-plane/base/control-limits.ts';
import type { Endpoint, LiveEndpoint } from '../../../../src/contract/table.ts';
import {
  meet,
  placeFinder,
  type PlacedTarget,
} from '../../../../src/control-plane/targets/places.ts';
import { NO_NAMES } from '../support/fixtures.ts';
import { ManualTimers } from '../support/manual-timers.ts';
import { FakeDns, targetOf } from '../support/name-scene.ts';

function scene() {
  const [dns, system, timers] = [new FakeDns(), new FakeDns(), new ManualTimers()];
  system.hosts.set('localhost', ['127.0.0.1', '::1']);
  const live = new Map<string, readonly LiveEndpoint[]>();
  const names = { of: (one: Endpoint) => live.get(one.url) ?? NO_NAMES.of(one) };
  const find = placeFinder({ dns, system, names, timers });
  return {
    dns,
    system,
    timers,
    live,
    find,
    /** Resolves with whether two targets, as an operator writes them, lead to one place. */
    areOne: async (one: string, other: string): Promise<boolean> => {
      const places = await find([targetOf(one), targetOf(other)]);
      return meet(places.get(targetOf(one).url)!, places.get(targetOf(other).url)!);
    },
  };
}

/** `[one, other, are they one place]` */
const ADDRESSES: readonly (readonly [string, string, boolean])[] = [
  ['http://10.0.0.1:80', 'http://10.0.0.1', true],
  ['http://10.0.0.1:80', 'http://10.0.0.1:81', false],
  ['http://10.0.0.1:80', 'http://10.0.0.2:80', false],
  ['http://10.0.0.1:80', 'http://[::ffff:10.0.0.1]:80', true],
  ['http://10.0.0.1:80', 'http://[::ffff:a00:1]:80', true],
  ['http://10.0.0.1:80', 'http://[0:0:0:0:0:FFFF:0A00:0001]:80', true],
  ['http://10.0.0.1:80', 'http://[::10.0.0.1]:80', false],
  ['http://[fd00::1]:80', 'http://[FD00:0:0::0001]:80', true],
  ['http://0.0.0.0:80', 'http://127.0.0.1:80', true],
  ['http://[::]:80', 'http://[::1]:80', true],
  ['http://[::ffff:0.0.0.0]:80', 'http://127.0.0.1:80', true],
  ['http://127.0.0.1:80', 'http://127.0.0.2:80', false],
  ['http://127.0.0.1:80', 'http://[::1]:80', false],
  ['http://localhost:80', 'http://127.0.0.1:80', true],
  ['http://localhost:80', 'http://[::1]:80', true],
  ['http://LOCALHOST:80', 'http://localhost', true],
  ['http://localhost:80', 'http://127.0.0.1:81', false],
  // Another way to reach the same place: a deployment has the address, and not the scheme.
  ['http://10.0.0.1:8443', 'https://10.0.0.1:8443', true],
  ['https://10.0.0.1', 'http://10.0.0.1:443', true],
  ['http://10.0.0.1', 'https://10.0.0.1', false],
];

await t.test('addresses have one form', async (t) => {
  const { areOne } = scene();
  for (const [one, other, expected] of ADDRESSES) {
    t.equal(await areOne(one, other), expected, `${one} and ${other}`);
    t.equal(await areOne(other, one), expected, `${other} and ${one}`);
  }
});

await t.test(
  'localhost is what this machine says it is, and loopback without an answer',
  async (t) => {
    const { areOne, system } = scene();
    system.hosts.set('localhost', ['127.0.0.1']);
    t.notOk(await areOne('http://localhost:80', 'http://[::1]:80'));
    system.hosts.set('localhost', new Error('no answer'));
    t.ok(await areOne('http://localhost:80', 'http://[::1]:80'));
    t.ok(await areOne('http://localhost:80', 'http://127.0.0.1:80'));
  },
);

await t.test('a name is every address that it has now', async (t) => {
  const { areOne, dns } = scene();
  dns.hosts.set('a.test', ['10.0.0.1', 'fd00::1']);
  dns.hosts.set('b.test', ['10.0.0.2', '10.0.0.1']);
  dns.hosts.set('c.test', ['10.0.0.3']);
  t.ok(await areOne('http://a.test', 'http://b.test'));
  t.ok(await areOne('http://a.test', 'http://10.0.0.1'));
  t.ok(await areOne('http://a.test', 'http://[fd00::1]'), 'of both families');
  t.notOk(await areOne('http://a.test', 'http://c.test'));
  t.notOk(await areOne('http://a.test', 'http://b.test:81'));
  dns.hosts.set('c.test', ['10.0.0.1']);
  t.ok(await areOne('http://a.test', 'http://c.test'), 'it is asked for each time');
});

await t.test('one family without an answer does not hide the other', async (t) => {
  const { areOne, dns } = scene();
  dns.addresses = async (_, family) => {
    if (family === 6) throw new Error('the DNS server failed');
    return ['10.0.0.1'];
  };
  t.ok(await areOne('http://a.test', 'http://10.0.0.1'));
});

await t.test('SRV records lead to hosts and ports', async (t) => {
  const { areOne, dns } = scene();
  dns.hosts.set('a.test', ['10.0.0.1']);
  dns.records.set('_http._tcp.app.test', [{ name: 'a.test', port: 8_080, priority: 0 }]);
  t.ok(await areOne('http+srv://_http._tcp.app.test', 'http://10.0.0.1:8080'));
  t.ok(await areOne('http+srv://_http._tcp.app.test', 'http://a.test:8080'));
  t.notOk(await areOne('http+srv://_http._tcp.app.test', 'http://a.test:8081'));
});

await t.test('a name that cannot be looked up is known by its text', async (t) => {
  const { areOne, dns } = scene();
  dns.hosts.set('a.test', new Error('no DNS server answered'));
  t.ok(await areOne('http://a.test:80', 'http://A.test'));
  t.ok(await areOne('http://a.test', 'http://a.test.'), 'the dot at its end says nothing');
  t.notOk(await areOne('http://a.test', 'http://a.test:81'));
  t.notOk(await areOne('http://a.test', 'http://b.test'));
  t.notOk(await areOne('http://a.test', 'http+srv://a.test'));
});

await t.test('a silent DNS holds nothing up for long', async (t) => {
  const { find, dns, timers } = scene();
  dns.hosts.set('a.test', 'silence');
  const found = find([targetOf('http://a.test'), targetOf('http://10.0.0.1')]);
  await timers.pass(PLACES_WITHIN_MS);
  const places = await found;
  t.same([...places.get('http://a.test')!], ['name a.test:80']);
  t.same([...places.get('http://10.0.0.1')!], ['10.0.0.1:80']);
  t.equal(timers.count, 0);
});

await t.test('a name in a table is also where its requests go now', async (t) => {
  const { find, live, dns } = scene();
  dns.hosts.set('a.test', new Error('no DNS server answered'));
  const endpoint: Endpoint = { ...targetOf('http://a.test'), slot: 1, deployment: 1 };
  const address = { kind: 'tcp', host: '10.0.0.7', port: 80 } as const;
  live.set(endpoint.url, [{ ...endpoint, slot: 2, address, place: '10.0.0.7:80' }]);
  const found = await find([{ ...endpoint, in: endpoint }, targetOf('http://10.0.0.7')]);
  t.ok(meet(found.get('http://a.test')!, found.get('http://10.0.0.7')!));
});

/** Makes a folder with a path that is short enough for sockets. */
async function folder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'places-'));
  t.teardown(() => rm(dir, { recursive: true }));
  return dir;
}

/** Opens a socket and returns its path. */
async function openSocket(t: Test, path: string): Promise<string> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return path;
}

await t.test('a socket is one by whatever path', async (t) => {
  const { areOne } = scene();
  const dir = await folder(t);
  await mkdir(join(dir, 'run'));
  await mkdir(join(dir, 'deep/deeper'), { recursive: true });
  await symlink('deep/deeper', join(dir, 'short'));
  await symlink('run', join(dir, 'var'));
  const path = await openSocket(t, join(dir, 'run/app.sock'));
  await symlink(path, join(dir, 'link.sock'));
  await symlink('link.sock', join(dir, 'link2.sock'));
  await link(path, join(dir, 'hard.sock'));
  const same = ['run//app.sock', 'run/./app.sock', 'run/../run/app.sock', 'var/app.sock'];
  const others = ['link.sock', 'link2.sock', 'hard.sock', 'short/../../run/app.sock'];
  for (const spelling of [...same, ...others]) {
    t.ok(await areOne(`unix:${path}`, `unix:${dir}/${spelling}`), spelling);
  }
  const other = await openSocket(t, join(dir, 'run/other.sock'));
  t.notOk(await areOne(`unix:${path}`, `unix:${other}`));
  // The system follows the link first, so this is not run/app.sock.
  t.notOk(await areOne(`unix:${path}`, `unix:${dir}/short/../run/app.sock`));
});

await t.test('a socket that does not exist yet is known by its folder', async (t) => {
  const { areOne } = scene();
  const dir = await folder(t);
  await mkdir(join(dir, 'run'));
  await symlink('run', join(dir, 'var'));
  await symlink(join(dir, 'var/app.sock'), join(dir, 'link.sock'));
  await symlink('loop.sock', join(dir, 'loop.sock'));
  const path = `unix:${dir}/run/app.sock`;
  for (const spelling of ['run//app.sock', 'var/app.sock', 'var/../run/app.sock', 'link.sock']) {
    t.ok(await areOne(path, `unix:${dir}/${spelling}`), spelling);
  }
  t.notOk(await areOne(path, `unix:${dir}/app.sock`));
  t.notOk(await areOne(path, `unix:${dir}/loop.sock`), 'a link to itself leads nowhere');
  const late = `unix:${dir}/late/app.sock`;
  t.ok(await areOne(late, `unix:${dir}/late//./app.sock`), 'its folder may be missing, too');
  t.notOk(await areOne(late, `unix:${dir}/later/app.sock`));
});

await t.test('a socket that an app makes anew stays the same place', async (t) => {
  const { find } = scene();
  const dir = await folder(t);
  const path = await openSocket(t, join(dir, 'app.sock'));
  const target = targetOf(`unix:${path}`);
  const before = (await find([target])).get(target.url)!;
  await rename(await openSocket(t, join(dir, 'new.sock')), path);
  t.ok(meet(before, (await find([target])).get(target.url)!));
  await unlink(path);
  t.ok(meet(before, (await find([target])).get(target.url)!));
});

await t.test('no target has no place', async (t) => {
  const { find } = scene();
  const targets: readonly PlacedTarget[] = [
    targetOf('unix:/nowhere/app.sock'),
    targetOf('http://gone.test'),
    targetOf('http+srv://gone.test'),
    targetOf('http://localhost'),
    targetOf('http://[fd00::1]'),
  ];
  for (const places of (await find(targets)).values()) t.ok(places.size > 0);
});
