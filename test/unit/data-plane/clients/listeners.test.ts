// The sockets of a worker while what it listens on changes: what stays keeps its socket, whatever comes in
// there from then on.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { OpenListener } from '../../../../src/contract/messages.ts';
import {
  keyOfListener,
  listenersThatStay,
  type Listener,
} from '../../../../src/contract/worker-settings.ts';
import { Listeners, type ListenFailure } from '../../../../src/data-plane/clients/listeners.ts';
import { refuse } from '../../../../src/data-plane/transport/accepted-socket.ts';
import { shortDir } from '../../control-plane/support/fixtures.ts';
import { ownAddress } from '../../../support/own-address.ts';

function tcp(host: string, changes: Partial<Listener> = {}): Listener {
  const address = { kind: 'tcp', host, port: 0 } as const;
  return { address, use: 'traffic', redirectPort: 0, tls: undefined, proxyFrom: [], ...changes };
}

interface Scene {
  readonly listeners: Listeners;
  readonly open: (wanted: readonly Listener[]) => Promise<ListenFailure | undefined>;
  /** Connects, and resolves with the listener that took the connection. */
  readonly arrive: (port: number, host: string) => Promise<Listener>;
}

function scene(t: Test, opensFiles = true): Scene {
  const taken: Listener[] = [];
  const events = new EventTarget();
  const acceptor = {
    accept(accepted: Parameters<typeof refuse>[0], listener: Listener) {
      refuse(accepted);
      taken.push(listener);
      events.dispatchEvent(new Event('taken'));
    },
    acceptFailed(error: Error) {
      throw error;
    },
  };
  const listeners = new Listeners({ acceptor, reusePort: false, opensFiles });
  t.teardown(() => listeners.close());
  return {
    listeners,
    open: async (wanted) =>
      new Promise((resolve) => {
        listeners.open({ listeners: wanted }, [], resolve);
      }),
    arrive: async (port, host) => {
      const arrived = once(events, 'taken');
      const socket = connect(port, host);
      socket.on('error', () => {});
      await arrived;
      socket.destroy();
      return taken.at(-1)!;
    },
  };
}

const TLS = { minVersion: 'TLSv1.2', unknownNames: 'default', clients: 'none' } as const;

await t.test('each listener has a socket; what is open is told once', async (t) => {
  const { listeners, open, arrive } = scene(t);
  const [a, b] = [tcp(ownAddress()), tcp(ownAddress(), { use: 'preview' })];
  t.equal(await open([a, b]), undefined);
  const news = listeners.news()!;
  t.match(news, [{ listener: keyOfListener(a) }, { listener: keyOfListener(b) }]);
  t.equal(listeners.news(), undefined);
  for (const [index, one] of [a, b].entries()) {
    t.equal(await arrive(news[index]!.port, hostOf(one)), one);
  }
});

await t.test('terms change without another socket, once they are in force', async (t) => {
  const { listeners, open, arrive } = scene(t);
  const before = tcp(ownAddress());
  await open([before]);
  const [{ port, fds }] = listeners.news() as [OpenListener];
  const changes: readonly Partial<Listener>[] = [
    { tls: TLS },
    { tls: { ...TLS, minVersion: 'TLSv1.3' } },
    { proxyFrom: ['10.0.0.0/8'] },
    { use: 'redirect', redirectPort: 443 },
    { use: 'preview' },
    {},
  ];
  let now = before;
  for (const change of changes) {
    const next = { ...before, ...change };
    t.equal(await open([next]), undefined);
    t.equal(await arrive(port, hostOf(before)), now, 'it is only prepared');
    listeners.keep({ listeners: [next] });
    now = next;
    t.equal(await arrive(port, hostOf(before)), next);
    const [told = { port, fds }] = listeners.news() ?? [];
    t.strictSame([told.port, told.fds], [port, fds], 'the same socket');
  }
});

await t.test('a redirect leads to the port where TLS is spoken', async (t) => {
  const { listeners, open, arrive } = scene(t);
  const plain = tcp(ownAddress(), { use: 'redirect', redirectPort: 0 });
  await open([plain]);
  const [{ port }] = listeners.news() as [OpenListener];
  const leadsTo = async (): Promise<number> => (await arrive(port, hostOf(plain))).redirectPort;
  t.equal(await leadsTo(), 443, 'none speaks TLS');
  const secure = tcp(ownAddress(), { tls: TLS });
  await open([plain, tcp(ownAddress()), secure]);
  const found = listeners.news()!.find(({ listener }) => listener === keyOfListener(secure))!.port;
  t.equal(await leadsTo(), found);
  const [fixed] = [{ ...plain, redirectPort: 8443 }];
  listeners.keep({ listeners: [fixed, secure] });
  t.equal(await leadsTo(), 8443, 'as configured');
});

await t.test(
  'what is not wanted any more is closed, also where it was only prepared',
  async (t) => {
    const { listeners, open } = scene(t);
    const [a, b] = [tcp(ownAddress()), tcp(ownAddress())];
    await open([a]);
    listeners.news();
    await open([a, b]);
    t.equal(listeners.news()!.length, 2);
    listeners.keep({ listeners: [a] });
    t.match(listeners.news(), [{ listener: keyOfListener(a) }]);
  },
);

await t.test('where one fails, none of those that come is open', async (t) => {
  const { listeners, open } = scene(t);
  const host = ownAddress();
  await open([tcp(host)]);
  const [{ port }] = listeners.news() as [OpenListener];
  const taken = tcp(host, { address: { kind: 'tcp', host, port } });
  const other = scene(t);
  const failure = await other.open([tcp(ownAddress()), taken]);
  t.match(failure, { fault: { address: { port }, code: 'EADDRINUSE' } });
  t.strictSame(other.listeners.news(), undefined, 'nothing is open, as before');
});

await t.test('a socket file is opened by one worker', async (t) => {
  const path = join(shortDir(t), 's');
  const file = tcp('', { address: { kind: 'unix', path } });
  const second = scene(t, false);
  t.equal(await second.open([file, tcp(ownAddress())]), undefined);
  t.equal(second.listeners.news()!.length, 1);
  t.notOk(existsSync(path));
  const first = scene(t);
  await first.open([file]);
  t.ok(existsSync(path));
});

await t.test('listeners stay by their key, then by their address', (t) => {
  const [one, other] = ['127.0.0.1', '127.0.0.2'];
  const before = [tcp(one), tcp(one, { use: 'preview' }), tcp(other, { use: 'redirect' })];
  const after = [tcp(other), tcp(one, { use: 'preview' }), tcp(one), tcp('127.0.0.3')];
  const stay = [...listenersThatStay(before, after)].map(([old, next]) => [
    before.indexOf(old),
    after.indexOf(next),
  ]);
  t.strictSame(
    stay.toSorted(([a = 0], [b = 0]) => a - b),
    [
      [0, 2],
      [1, 1],
      [2, 0],
    ],
  );
  t.end();
});

function hostOf({ address }: Listener): string {
  return address.kind === 'tcp' ? address.host : '';
}
