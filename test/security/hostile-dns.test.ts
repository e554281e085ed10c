// A DNS server that lies, stutters or says too much, over UDP and TCP. What was known stays in use,
// nothing grows, and the reason is told.

import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { dnsClient } from '../../src/control-plane/targets/dns.ts';
import {
  ADDRESSES_PER_NAME_MAX,
  LOOKUP_TIMEOUT_MS,
  PLACES_TAKEN_MAX,
} from '../../src/control-plane/base/control-limits.ts';
import { lookUp, placeText } from '../../src/control-plane/targets/lookup.ts';
import type { NamedAddress } from '../../src/contract/table.ts';
import {
  addressData,
  nameData,
  openDns,
  srvData,
  TYPE,
  type AnyRecord,
  type Zone,
} from '../support/dns-server.ts';

const HOST: NamedAddress = { kind: 'name', host: 'a.test', port: 80 };
const SERVICE = { kind: 'srv', name: '_http._tcp.a.test' } as const satisfies NamedAddress;

/** Resolves with the places that an answer leads to, or with the reason why there are none. */
async function outcomeOf(
  t: Test,
  address: NamedAddress,
  zone: Zone,
  tcp = false,
): Promise<unknown> {
  const dns = await openDns(t, { tcp });
  dns.say(address.kind === 'srv' ? address.name : address.host, zone);
  dns.lead('good.test', '10.0.0.9');
  const client = dnsClient([dns.address]);
  t.teardown(() => client.close());
  try {
    return (await lookUp(address, 'ipv4-first', client)).map(placeText);
  } catch (error) {
    return error instanceof Error ? error.message : error;
  }
}

const a = (address: string, owner?: string): AnyRecord => ({
  type: TYPE.a,
  data: addressData(address),
  ...(owner === undefined ? {} : { owner }),
});
const alias = (name: string, owner?: string): AnyRecord => ({
  type: TYPE.cname,
  data: nameData(name),
  ...(owner === undefined ? {} : { owner }),
});
const srv = (name: string, port: number): AnyRecord => ({
  type: TYPE.srv,
  data: srvData({ name, port }),
});

const long = Array.from({ length: 5 }, () => 'x'.repeat(62)).join('.');

/** `[what, address, what is said, what comes of it]` */
const CASES: readonly (readonly [string, NamedAddress, Zone, unknown])[] = [
  [
    'a name that is an alias of itself',
    HOST,
    { kind: 'records', records: [alias('a.test')] },
    /^DNS says: no such name/,
  ],
  [
    'aliases in a circle',
    HOST,
    { kind: 'records', records: [alias('b.test'), alias('a.test', 'b.test')] },
    /^DNS says: no such name/,
  ],
  [
    'an alias and its address',
    HOST,
    { kind: 'records', records: [alias('b.test'), a('10.0.0.1', 'b.test')] },
    ['10.0.0.1:80'],
  ],
  [
    // As c-ares does it. The server that answers the question may name any address anyway.
    'an address of another name in the answer to the right question',
    HOST,
    { kind: 'records', records: [a('10.0.0.66', 'b.test'), a('10.0.0.1')] },
    ['10.0.0.1:80', '10.0.0.66:80'],
  ],
  [
    'an answer to another question',
    HOST,
    { kind: 'elsewhere', name: 'b.test', address: '10.0.0.66' },
    'a.test: no DNS server answered',
  ],
  [
    'an address of three bytes',
    HOST,
    { kind: 'records', records: [{ type: TYPE.a, data: Buffer.alloc(3, 10) }] },
    /^a\.test: the answer of the DNS server is broken/,
  ],
  [
    'SRV records without a port, and to nowhere',
    SERVICE,
    { kind: 'records', records: [srv('good.test', 0), srv('.', 80)] },
    [],
  ],
  [
    'the same beside a good one',
    SERVICE,
    { kind: 'records', records: [srv('good.test', 0), srv('.', 80), srv('good.test', 81)] },
    ['10.0.0.9:81'],
  ],
  [
    'SRV records to an address, and to bytes that are no name',
    SERVICE,
    { kind: 'records', records: [srv('127.0.0.1', 80), srv('\u001b[31m', 80), srv('a b', 80)] },
    [],
  ],
  [
    'an SRV record to a name that is too long',
    SERVICE,
    { kind: 'records', records: [srv(long, 80), srv('good.test', 81)] },
    /^_http\._tcp\.a\.test: the answer of the DNS server is broken/,
  ],
];

for (const [what, address, zone, outcome] of CASES) {
  await t.test(`${what}: the outcome is known`, async (t) => {
    const found = await outcomeOf(t, address, zone);
    if (outcome instanceof RegExp) t.match(found, outcome);
    else t.same(found, outcome);
  });
}

await t.test('an answer as long as a message can be is cut to its bound', async (t) => {
  // RFC 1035 §4.2.2: 65,535 bytes, and each record has 16.
  const addresses = Array.from({ length: 4_000 }, (_, n) => `10.1.${n >> 8}.${n & 255}`);
  const more: Zone = { kind: 'addresses', addresses };
  const found = await outcomeOf(t, HOST, { kind: 'truncated', more }, true);
  t.equal(Array.isArray(found) && found.length, PLACES_TAKEN_MAX);
  const dns = await openDns(t, { tcp: true });
  const hosts = Array.from({ length: ADDRESSES_PER_NAME_MAX }, (_, n) => `h${n}.test`);
  for (const host of hosts) dns.say(host, { kind: 'truncated', more });
  dns.say(SERVICE.name, {
    kind: 'services',
    services: hosts.map((name, n) => ({ name, port: n + 1 })),
  });
  const client = dnsClient([dns.address]);
  t.teardown(() => client.close());
  const places = await lookUp(SERVICE, 'ipv4-first', client);
  t.equal(places.length, PLACES_TAKEN_MAX);
  t.same(await lookUp(SERVICE, 'ipv4-first', client), places, 'always the same ones');
});

await t.test('a truncated answer is asked for on TCP', async (t) => {
  const more: Zone = { kind: 'addresses', addresses: ['10.0.0.1', '10.0.0.2'] };
  const found = await outcomeOf(t, HOST, { kind: 'truncated', more }, true);
  t.same(found, ['10.0.0.1:80', '10.0.0.2:80']);
});

await t.test('a truncated answer with no TCP behind it is none', async (t) => {
  const more: Zone = { kind: 'silence' };
  t.match(await outcomeOf(t, HOST, { kind: 'truncated', more }), /^a\.test: no DNS server /);
});

await t.test('nor is one with a TCP that is silent, in time', async (t) => {
  const sinceMs = performance.now();
  const more: Zone = { kind: 'silence' };
  const said = await outcomeOf(t, HOST, { kind: 'truncated', more }, true);
  t.equal(said, 'a.test: no DNS server answered');
  t.ok(performance.now() - sinceMs < 2 * LOOKUP_TIMEOUT_MS);
});

await t.test('nor one that is truncated on TCP as well', async (t) => {
  const more: Zone = { kind: 'truncated', more: { kind: 'silence' } };
  // As c-ares does it: to the end, the answer has no address.
  const found = await outcomeOf(t, HOST, { kind: 'truncated', more }, true);
  t.match(found, /^DNS says: no such name/);
});

await t.test('a TCP that comes byte by byte does not keep a question open', async (t) => {
  const dns = await openDns(t);
  dns.say('a.test', { kind: 'truncated', more: { kind: 'silence' } });
  const sockets = new Set<Socket>();
  const slow = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write('\u00ff\u00ff', 'latin1');
    const timer = setInterval(() => socket.write('x'), 100);
    socket.once('close', () => clearInterval(timer));
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    slow.close();
  });
  slow.listen(dns.port, dns.host);
  await once(slow, 'listening');
  const client = dnsClient([dns.address]);
  t.teardown(() => client.close());
  const sinceMs = performance.now();
  await t.rejects(lookUp(HOST, 'ipv4-first', client), {
    message: 'a.test: no DNS server answered',
  });
  t.ok(performance.now() - sinceMs < 2 * LOOKUP_TIMEOUT_MS);
});

await t.test('however long an answer may be kept, it is asked for again', async (t) => {
  const dns = await openDns(t);
  const client = dnsClient([dns.address]);
  t.teardown(() => client.close());
  for (const ttl of [0, 86_400, 0x7f_ff_ff_ff, 0xff_ff_ff_ff]) {
    for (const address of ['10.0.0.1', '10.0.0.2']) {
      dns.say('a.test', { kind: 'records', records: [{ ...a(address), ttl }] });
      t.same(await client.addresses('a.test', 4), [address], `${ttl} s`);
    }
  }
});
