// Where a session may go on: at the listener where it began, on the same terms, and nowhere else. All
// listeners share their ticket keys, and a resumed session brings its client certificate along.

import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import {
  keyOfListener,
  type Listener,
  type TlsPolicy,
} from '../../../../src/contract/worker-settings.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { tlsListener } from '../support/test-door.ts';
import { skipWithout } from '../../../support/installed.ts';

const skip = skipWithout('openssl');

function listener(port: number, changes: Partial<TlsPolicy> = {}): Listener {
  return tlsListener(port, { clients: 'required', ...changes });
}

/** Answers each client with whether its certificate is accepted, and whether its session went on. */
async function serve(t: Test, doors: Doors, configured: Listener): Promise<number> {
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    doors.of(configured)!.receive(socket, {
      secured: (secure) => {
        secure.on('error', () => {});
        secure.end(
          `${secure.authorized ? 'accepted' : 'unknown'}, ${secure.isSessionReused() ? 'resumed' : 'full'}`,
        );
      },
      failed: () => socket.destroy(),
    });
  });
  t.teardown(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

await t.test(
  'a session goes on where it began, not where other clients are accepted',
  { skip },
  async (t) => {
    const [own, one, other] = [authority(t), authority(t), authority(t)];
    const server = pemsOf(own.sign('server'));
    const client = pemsOf(one.sign('client'));
    const [first, second, lax] = [listener(1), listener(2), listener(1, { clients: 'optional' })];
    const { cert: chain, key } = server;
    const certificate = {
      id: 'a',
      names: ['localhost'],
      chain,
      key,
      keyKind: 'ec',
      source: 'file',
    } as const;
    const doors = new Doors({
      version: 1,
      certificates: [certificate],
      doors: [
        {
          listener: keyOfListener(first),
          certificates: ['a'],
          clientAuthorities: pemsOf(one).cert,
        },
        {
          listener: keyOfListener(second),
          certificates: ['a'],
          clientAuthorities: pemsOf(other).cert,
        },
      ],
      ticketKeys: new Uint8Array(48).fill(7),
      challenges: [],
      upstreams: [],
    });
    const ports = await Promise.all([first, second, lax].map(async (it) => serve(t, doors, it)));
    const [atFirst = 0, atSecond = 0, atLax = 0] = ports;
    const ask = async (port: number, version: SecureVersion, session?: Buffer) => {
      const socket: TLSSocket = connect({
        host: '127.0.0.1',
        port,
        ca: pemsOf(own).cert,
        ...client,
        ...(session === undefined ? {} : { session }),
        minVersion: version,
        maxVersion: version,
      });
      let text = '';
      let ticket = session;
      socket.on('session', (given) => (ticket = given));
      socket.on('data', (bytes) => (text += String(bytes)));
      socket.on('error', () => {});
      await once(socket, 'close');
      return { text, ticket };
    };
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { text, ticket } = await ask(atFirst, version);
      t.equal(text, 'accepted, full');
      t.equal((await ask(atFirst, version, ticket)).text, 'accepted, resumed', version);
      t.equal((await ask(atSecond, version, ticket)).text, 'unknown, full', 'other authorities');
      t.equal((await ask(atLax, version, ticket)).text, 'accepted, full', 'another policy');
    }
  },
);
