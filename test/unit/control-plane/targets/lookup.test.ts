// One lookup: which answers are used, in which order, and what DNS may say without doing harm.

import t, { type Test } from 'tap';
import type { ResolveConfig } from '../../../../src/config/config.ts';
import type { NamedAddress } from '../../../../src/contract/table.ts';
import {
  ADDRESSES_PER_NAME_MAX,
  LOOKUPS_WAITING_MAX,
  SYSTEM_LOOKUPS_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { gate } from '../../../../src/control-plane/targets/dns.ts';
import {
  chosenFrom,
  lookUp,
  NameDenied,
  placeText,
  type Place,
  type ServiceRecord,
} from '../../../../src/control-plane/targets/lookup.ts';
import { FakeDns, type Said } from '../support/name-scene.ts';

const NAME: NamedAddress = { kind: 'name', host: 'a.test', port: 80 };
const SERVICE = { kind: 'srv', name: '_http._tcp.a.test' } as const satisfies NamedAddress;

interface Case {
  readonly hosts?: Readonly<Record<string, Said>>;
  readonly records?: readonly ServiceRecord[] | Error;
  readonly families?: ResolveConfig['families'];
}

function dnsOf({ hosts = {}, records = [] }: Case): FakeDns {
  const dns = new FakeDns();
  for (const [host, said] of Object.entries(hosts)) dns.hosts.set(host, said);
  dns.records.set(SERVICE.name, records);
  return dns;
}

async function check(t: Test, address: NamedAddress, given: Case, places: string[]): Promise<void> {
  const found = await lookUp(address, given.families ?? 'ipv4-first', dnsOf(given));
  t.same(found.map(placeText), places, JSON.stringify(given).slice(0, 200));
}

await t.test('addresses come in a fixed order, each once', async (t) => {
  const both = { 'a.test': ['10.0.0.2', '10.0.0.1', '10.0.0.2'] };
  await check(t, NAME, { hosts: both }, ['10.0.0.1:80', '10.0.0.2:80']);
});

await t.test('one family is used, the other where that has no address, or both', async (t) => {
  const mixed = { hosts: { 'a.test': ['10.0.0.1', 'fd00::1'] } };
  await check(t, NAME, mixed, ['10.0.0.1:80']);
  await check(t, NAME, { ...mixed, families: 'ipv6-first' }, ['[fd00::1]:80']);
  await check(t, NAME, { ...mixed, families: 'both' }, ['10.0.0.1:80', '[fd00::1]:80']);
  await check(t, NAME, { hosts: { 'a.test': ['fd00::1'] } }, ['[fd00::1]:80']);
  const v4 = { hosts: { 'a.test': ['10.0.0.1'] } };
  await check(t, NAME, { ...v4, families: 'ipv6-first' }, ['10.0.0.1:80']);
});

await t.test('a family that could not be asked for is not replaced by the other', async (t) => {
  const dns = new FakeDns();
  dns.addresses = async (_, family) => {
    if (family === 4) throw new Error('a.test: no DNS server answered');
    return ['fd00::1'];
  };
  await t.rejects(lookUp(NAME, 'ipv4-first', dns), /no DNS server answered/);
  await t.rejects(lookUp(NAME, 'both', dns), /no DNS server answered/);
});

await t.test('what is no address, or stands for none, is left out', async (t) => {
  const hosts = { 'a.test': ['', 'x', '0.0.0.0', '::', '10.0.0', '10.0.0.1', '1.2.3.4.5'] };
  await check(t, NAME, { hosts }, ['10.0.0.1:80']);
  await check(t, NAME, { hosts: { 'a.test': ['0.0.0.0', '::'] } }, []);
});

await t.test('an IPv4 address in IPv6 is the IPv4 address', async (t) => {
  const hosts = { 'a.test': ['::ffff:127.0.0.1', '::FFFF:0.0.0.0'] };
  await check(t, NAME, { hosts, families: 'ipv6-first' }, ['127.0.0.1:80']);
});

await t.test('of SRV records the most preferred count', async (t) => {
  const hosts = { 'x.test': ['10.0.0.1'], 'y.test': ['10.0.0.2'], 'z.test': ['10.0.0.3'] };
  const records = [
    { name: 'z.test', port: 3, priority: 20 },
    { name: 'y.test', port: 2, priority: 10 },
    { name: 'X.test', port: 1, priority: 10 },
    { name: 'x.test', port: 1, priority: 10 },
  ];
  await check(t, SERVICE, { hosts, records }, ['10.0.0.1:1', '10.0.0.2:2']);
});

await t.test('an SRV record that leads nowhere is no record', async (t) => {
  const hosts = { 'x.test': ['10.0.0.1'], 'y.test': [] };
  const bad = ['', '.', '10.0.0.1', '::1', 'a b', 'x'.repeat(64), '\0', '-x.test'];
  const records = [
    ...bad.map((name) => ({ name, port: 1, priority: 0 })),
    { name: 'x.test', port: 0, priority: 0 },
    { name: 'x.test', port: 65_536, priority: 0 },
    { name: 'x.test', port: NaN, priority: 0 },
  ];
  await check(t, SERVICE, { hosts, records }, []);
  const good = { name: 'x.test', port: 8_080, priority: 5 };
  await check(t, SERVICE, { hosts, records: [...records, good] }, ['10.0.0.1:8080']);
  const empty = { name: 'y.test', port: 1, priority: 5 };
  await check(t, SERVICE, { hosts, records: [good, empty] }, ['10.0.0.1:8080']);
});

/** Every answer is that there is nothing: `[address, what DNS says]` */
const DENIALS: Readonly<Record<string, readonly [NamedAddress, Case]>> = {
  'a name without an address': [NAME, {}],
  'the same in both families': [NAME, { families: 'both' }],
  'no SRV record': [SERVICE, {}],
  'SRV records that say there is no service': [
    SERVICE,
    { records: [{ name: '.', port: 0, priority: 0 }] },
  ],
  'SRV records whose hosts have no address': [
    SERVICE,
    { records: ['x.test', 'y.test'].map((name) => ({ name, port: 1, priority: 0 })) },
  ],
};

for (const [what, [address, given]] of Object.entries(DENIALS)) {
  await t.test(`${what}: DNS denies the name`, async (t) => {
    const asked = lookUp(address, given.families ?? 'ipv4-first', dnsOf(given));
    await t.rejects(asked, new NameDenied());
  });
}

await t.test('half an answer denies nothing: the other half may be there', async (t) => {
  for (const silentFamily of [4, 6]) {
    for (const families of ['ipv4-first', 'ipv6-first', 'both'] as const) {
      const dns = new FakeDns();
      dns.addresses = async (_, family) => {
        if (family === silentFamily) throw new Error('a.test: the DNS server failed');
        return [];
      };
      await t.rejects(lookUp(NAME, families, dns), /the DNS server failed/);
    }
  }
});

await t.test('an answer that is of no use denies nothing: there is such a name', async (t) => {
  await check(t, NAME, { hosts: { 'a.test': ['0.0.0.0'] } }, []);
  const records = [{ name: 'x.test', port: 0, priority: 0 }];
  await check(t, SERVICE, { records }, []);
});

await t.test('a host of an SRV record that could not be looked up fails the whole', async (t) => {
  const hosts = { 'x.test': ['10.0.0.1'], 'y.test': new Error('y.test: the DNS server failed') };
  const records = ['x.test', 'y.test'].map((name) => ({ name, port: 1, priority: 0 }));
  await t.rejects(lookUp(SERVICE, 'ipv4-first', dnsOf({ hosts, records })), /^y\.test: the DNS/);
  const unknown = dnsOf({ records: new Error('no DNS server answered') });
  await t.rejects(lookUp(SERVICE, 'ipv4-first', unknown), /no DNS server answered/);
});

await t.test('a flood of SRV records takes a bounded number of questions', async (t) => {
  const records = Array.from({ length: 10_000 }, (_, n) => ({
    name: `h${n}.test`,
    port: 1,
    priority: 0,
  }));
  const dns = dnsOf({ records });
  await t.rejects(lookUp(SERVICE, 'both', dns), new NameDenied());
  t.equal(dns.asked.length, 1 + 2 * ADDRESSES_PER_NAME_MAX);
});

function places(first: number, count: number): Place[] {
  return Array.from({ length: count }, (_, n) => ({
    kind: 'tcp',
    host: `10.0.0.${first + n}`,
    port: 80,
  }));
}

await t.test('what is in use goes before what is new', async (t) => {
  const inUse = new Set(places(100, 10).map(placeText));
  const chosen = chosenFrom(places(1, 200), inUse).map(placeText);
  t.equal(chosen.length, ADDRESSES_PER_NAME_MAX);
  t.ok([...inUse].every((place) => chosen.includes(place)));
  const few = chosenFrom(places(1, 3), inUse).map(placeText);
  t.same(few, places(1, 3).map(placeText), 'what is in use but was not found is not chosen');
});

await t.test(
  'questions are open in bounded number, the others wait, and of those too',
  async (t) => {
    const through = gate(SYSTEM_LOOKUPS_MAX);
    const open: (() => void)[] = [];
    let most = 0;
    let done = 0;
    const task = async (): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      open.push(resolve);
      most = Math.max(most, open.length);
      await promise;
    };
    const all = Array.from({ length: SYSTEM_LOOKUPS_MAX + LOOKUPS_WAITING_MAX }, async () => {
      await through(task);
      done++;
    });
    await t.rejects(through(task), /too many lookups wait/);
    while (done < all.length) {
      open.shift()?.();
      await Promise.resolve();
    }
    await Promise.all(all);
    t.equal(most, SYSTEM_LOOKUPS_MAX);
    await t.rejects(
      through(async () => {
        throw new Error('as told');
      }),
      /as told/,
    );
    await through(async () => {});
    t.pass('a task that fails gives its place back');
  },
);
