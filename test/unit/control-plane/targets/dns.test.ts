// Questions to a real DNS server over UDP, which answers as DNS servers do on bad days too.

import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import t from 'tap';
import { dnsClient } from '../../../../src/control-plane/targets/dns.ts';
import { SERVER_LOOKUPS_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { openDns, type Zone } from '../../../support/dns-server.ts';
import { ownAddress } from '../../../support/own-address.ts';

await t.test('addresses of both families and SRV records are found', async (t) => {
  const dns = await openDns(t);
  dns.lead('a.test', '10.0.0.1', '10.0.0.2', 'fd00::2:1');
  dns.say('_http._tcp.a.test', {
    kind: 'services',
    services: [{ name: 'x.test', port: 8_080, priority: 7 }],
  });
  const client = dnsClient([dns.address]);
  t.same((await client.addresses('a.test', 4)).toSorted(), ['10.0.0.1', '10.0.0.2']);
  t.same(await client.addresses('a.test', 6), ['fd00::2:1']);
  t.match(await client.services('_http._tcp.a.test'), [
    { name: 'x.test', port: 8_080, priority: 7 },
  ]);
});

await t.test('a name that does not exist, or has nothing, is an answer', async (t) => {
  const dns = await openDns(t);
  dns.lead('v4.test', '10.0.0.1');
  const client = dnsClient([dns.address]);
  t.same(await client.addresses('nowhere.test', 4), []);
  t.same(await client.addresses('v4.test', 6), []);
  t.same(await client.services('v4.test'), []);
});

const NO_ANSWERS: Readonly<Record<string, readonly [Zone, RegExp]>> = {
  'a server that fails': [{ kind: 'fault', code: 2 }, /a\.test: the DNS server failed$/],
  'a server that refuses': [{ kind: 'fault', code: 5 }, /a\.test: the DNS server refused/],
  'a server that is silent': [{ kind: 'silence' }, /a\.test: no DNS server answered$/],
};

for (const [what, [zone, message]] of Object.entries(NO_ANSWERS)) {
  await t.test(`${what} is no answer, and the reason says so`, async (t) => {
    const dns = await openDns(t);
    dns.say('a.test', zone);
    await t.rejects(dnsClient([dns.address]).addresses('a.test', 4), { message });
  });
}

await t.test('broken bytes for an answer end in a reason, soon', async (t) => {
  const dns = await openDns(t);
  const client = dnsClient([dns.address]);
  const broken = [
    Buffer.alloc(0),
    Buffer.from('8400', 'hex'),
    Buffer.from('840000010001000000000161047465737400000100', 'hex'),
    // One answer whose name points at itself, and one of 65,535 bytes that are not there.
    Buffer.from('84000001000100000000016104746573740000010001c01800010001000000000004', 'hex'),
    Buffer.from('84000001000100000000016104746573740000010001c00c0001000100000000ffff0a', 'hex'),
    Buffer.alloc(512, 0xff),
  ];
  for (const bytes of broken) {
    dns.say('a.test', { kind: 'bytes', bytes });
    await t.rejects(
      client.addresses('a.test', 4),
      { message: /^a\.test: ./ },
      bytes.toString('hex'),
    );
  }
  dns.lead('a.test', '10.0.0.1');
  t.same(await client.addresses('a.test', 4), ['10.0.0.1'], 'and the next answer counts');
});

await t.test('a server that is not there is a reason', async (t) => {
  const socket = createSocket('udp4').bind(0, ownAddress());
  await once(socket, 'listening');
  const { address, port } = socket.address();
  socket.close();
  const client = dnsClient([`${address}:${port}`]);
  await t.rejects(client.addresses('a.test', 4), { message: /^a\.test: no DNS server/ });
});

await t.test('the second server is asked where the first is silent', async (t) => {
  const [silent, other] = [await openDns(t), await openDns(t)];
  silent.say('a.test', { kind: 'silence' });
  other.lead('a.test', '10.0.0.1');
  t.same(await dnsClient([silent.address, other.address]).addresses('a.test', 4), ['10.0.0.1']);
});

await t.test('the system is asked as any program asks it', async (t) => {
  const client = dnsClient([]);
  t.same(await client.addresses('localhost', 4), ['127.0.0.1'], 'it reads /etc/hosts');
});

await t.test('only so many questions are open at once', async (t) => {
  const dns = await openDns(t);
  const hosts = Array.from({ length: SERVER_LOOKUPS_MAX + 4 }, (_, n) => `h${n}.test`);
  for (const host of hosts) dns.say(host, { kind: 'silence' });
  const client = dnsClient([dns.address]);
  const failed: string[] = [];
  const all = hosts.map(async (host) => client.addresses(host, 4).catch(() => failed.push(host)));
  const most = new Set<string>();
  while (failed.length === 0) {
    for (const host of dns.asked) most.add(host);
    await new Promise(setImmediate);
  }
  t.equal(most.size, SERVER_LOOKUPS_MAX, 'until the first of them has failed');
  client.close();
  for (const host of hosts) dns.lead(host, '10.0.0.1');
  await Promise.all(all);
  t.ok(failed.length >= SERVER_LOOKUPS_MAX);
  t.equal(new Set(dns.asked).size, hosts.length, 'the others had their turn afterwards');
});

await t.test('who stops waits for no answer', async (t) => {
  const dns = await openDns(t);
  dns.say('a.test', { kind: 'silence' });
  const client = dnsClient([dns.address]);
  const asked = client.addresses('a.test', 4);
  await dns.askedAgain('a.test');
  client.close();
  await t.rejects(asked, { message: /a\.test: Turnout is stopping/ });
});
