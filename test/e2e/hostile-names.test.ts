// The whole program over a DNS server that turns hostile: whatever it says, traffic goes on to where
// it went, no generation is published, and the status tells what is wrong.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { nameData, openDns, srvData, TYPE, type Srv, type Zone } from '../support/dns-server.ts';
import { startTurnout } from './turnout-process.ts';

const NAME = '_http._tcp.app.test';

async function openApp(t: Test): Promise<number> {
  const server = createServer((_, answer) => answer.end('well')).listen(0, '127.0.0.2');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Status {
  readonly generation: number;
  readonly services: readonly {
    readonly blue: {
      readonly targets: readonly { readonly address: string | null }[];
      readonly names: readonly { readonly problem: string; readonly addresses: number }[];
    };
  }[];
}

/** Returns records that lead to `services`. */
function leading(...services: readonly Srv[]): Zone {
  return { kind: 'services', services };
}

function records(type: number, ...data: Buffer[]): Zone {
  return { kind: 'records', records: data.map((one) => ({ type, data: one })) };
}

await t.test('a DNS server that turns hostile stops no traffic', async (t) => {
  const dns = await openDns(t);
  const port = await openApp(t);
  dns.lead('app.test', '127.0.0.2');
  dns.lead('us.test', '127.0.0.1', '::ffff:127.0.0.1');
  dns.say(NAME, leading({ name: 'app.test', port }));
  const { proxy, admin: address } = await startTurnout(t, [
    ...dns.flags,
    '--blue',
    `http+srv://${NAME}`,
  ]);
  const admin = new AdminClient(address);
  t.teardown(() => admin.close());
  const ours = [proxy, address].map((where) => Number(where.split(':')[1]));

  const look = async (): Promise<{ problem: string; addresses: readonly unknown[] }> => {
    const { json, text } = await admin.get('/v1/status');
    t.ok(text.length < 20_000, 'the status stays short');
    const { generation, services } = json as unknown as Status;
    t.equal(generation, 1);
    const { targets, names } = services[0]!.blue;
    return { problem: names[0]!.problem, addresses: targets.map((target) => target.address) };
  };
  /** Lets DNS say something, waits until the status tells of it, and sees whether traffic goes on. */
  const check = async (what: string, told: RegExp): Promise<void> => {
    const endMs = performance.now() + 30_000;
    for (;;) {
      await dns.askedAgain(NAME);
      const { problem, addresses } = await look();
      t.same(addresses, [`127.0.0.2:${port}`], what);
      if (told.test(problem)) break;
      if (performance.now() > endMs) {
        t.match(problem, told, what);
        break;
      }
    }
    const answer = await fetch(`http://${proxy}/`);
    t.same([answer.status, await answer.text()], [200, 'well'], what);
  };
  const say = (zone: Zone): void => dns.say(NAME, zone);
  const mend = async (): Promise<void> => {
    say(leading({ name: 'app.test', port }));
    await check('all is well again', /^$/);
  };

  await check('all is well', /^$/);
  say(records(TYPE.cname, nameData(NAME)));
  await check('an alias in a circle', /DNS says: no such name/);
  say({ kind: 'truncated', more: { kind: 'silence' } });
  await check('truncated, with no TCP behind it', /app\.test: no DNS server /);
  say(leading(...ours.map((one) => ({ name: 'us.test', port: one }))));
  await check('our own listeners', /it leads to Turnout itself \(127\.0\.0\.1:\d+, /);
  say(records(TYPE.srv, srvData({ name: 'app.test', port: 0 }), srvData({ name: '.', port: 80 })));
  await check('no port, and no host', /none of the addresses that DNS tells can be used/);
  say(records(TYPE.srv, srvData({ name: `${'x'.repeat(63)}.`.repeat(5), port: 80 })));
  await check('a name too long', /the answer of the DNS server is broken/);
  say({ kind: 'silence' });
  await check('silence', /no DNS server answered/);
  await mend();
  say({ kind: 'elsewhere', name: 'b.test', address: '127.0.0.66' });
  await check('another question', /no DNS server answered/);
  await mend();
  say({ kind: 'bytes', bytes: Buffer.alloc(512, 0xff) });
  await check('garbage', /no DNS server|broken|failed/);
  await mend();
});
