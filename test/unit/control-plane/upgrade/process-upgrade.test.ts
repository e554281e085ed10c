// What the process that was upgraded makes of the tables of its successor: they are numbered anew
// there, and here they go on behind the ones that were.

import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { listenerFd } from '../../../../src/base/listener-fd.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import {
  upgrade,
  type UpgradeParts,
} from '../../../../src/control-plane/upgrade/process-upgrade.ts';
import { HANDOVER_PROTOCOL } from '../../../../src/control-plane/upgrade/successor.ts';
import { QUIET, TestLog } from '../support/fixtures.ts';
import { FEW, oneService } from '../support/tables.ts';

/** The version that the pointer names when the successor takes over. */
const BASE = 7;

/** Publishes two tables as a successor does; forgets the first once each answer was the right one. */
function successorOf(
  first: RoutingTable,
  second: RoutingTable,
  port: number,
  protocol: number | undefined = HANDOVER_PROTOCOL,
): string {
  return `
    const [first, second] = ${JSON.stringify([first, second])};
    const port = ${port};
    const next = () => new Promise((resolve) => process.once('message', resolve));
    const ask = async (said) => { process.send(said); return next(); };
    next().then(async () => {
      process.send({ kind: 'ready', version: '9.9.9', protocol: ${protocol} });
      const heard = [];
      for (const table of [first, second]) {
        heard.push(await ask({ kind: 'prepare', table }));
        heard.push(await ask({ kind: 'point', version: table.version }));
      }
      if (JSON.stringify(heard.map(({ kind, what, version }) => [kind, what, version])) !==
          '[["done","prepare",1],["done","point",1],["done","prepare",2],["done","point",2]]')
        process.exit(1);
      process.send({ kind: 'forget', version: first.version });
      require('node:net').connect(port, '127.0.0.1').on('error', () => {});
      setInterval(() => {}, 1_000);
    });`;
}

/** A listener to hand over; the successor connects to it once it has heard all answers. */
async function listening(t: Test) {
  const answered = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => {}).destroy();
    answered.resolve();
  }).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { fd: listenerFd(server)!, port, answered: answered.promise };
}

async function handOver(t: Test, protocol?: number) {
  const memory = allocateSharedMemory(1);
  Atomics.store(memory.pointer, 0, BASE);
  const prepared: RoutingTable[] = [];
  const followed: number[] = [];
  const pointers: number[] = [];
  const forgotten = Promise.withResolvers<number>();
  const log = new TestLog();
  const { fd, port, answered } = await listening(t);
  const address = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const parts = {
    command: {
      file: process.execPath,
      args: [
        '-e',
        successorOf(oneService({}, 1), { ...oneService({}, 2), epoch: 40 }, port, protocol),
      ],
      environment: process.env,
    },
    workers: {
      listeners: [{ address, use: 'traffic', redirectPort: 0, tls: undefined, proxyFrom: [] }],
      fdsOf: () => [fd],
      isAccepting: true,
      prepare: async (table: RoutingTable) => void prepared.push(table),
      adopt: async () => void pointers.push(Atomics.load(memory.pointer, 0)),
      forget: (version: number) => forgotten.resolve(version),
    },
    predecessor: undefined,
    names: {
      prepare: async () => {},
      follow: ({ version }: RoutingTable) => followed.push(version),
      report: () => [],
    },
    health: { report: () => [], follow: () => {} },
    certificateKeeper: { bequest: { keys: '', sinceMs: 0 } },
    slots: new Slots(QUIET),
    memory,
    totals: new Totals(memory, 1),
    switchboard: { pause: async () => {} },
    drains: { pause: () => {} },
    feed: { stop: () => {} },
    notifier: { stop: () => {} },
    liveParts: { news: { mute: () => {} }, leave: () => {} },
    reopenable: { release: async () => {} },
    log,
  } as unknown as UpgradeParts;
  const { pid } = await upgrade(parts, { address, fd }, new AbortController().signal);
  t.teardown(() => process.kill(pid, 'SIGKILL'));
  return { memory, prepared, followed, pointers, forgotten, answered, log };
}

await t.test(
  'a successor of another version gets its answers, and is followed in nothing',
  async (t) => {
    const { memory, prepared, followed, log, answered } = await handOver(t, 1);
    const lines = log.lines.filter(({ level }) => level === 'warn');
    t.match(lines, [{ message: /makes tables of another version/ }]);
    await answered;
    t.strictSame([prepared, followed], [[], []]);
    t.equal(Atomics.load(memory.pointer, 0), BASE);
  },
);

await t.test('tables of the successor get numbers of this process', async (t) => {
  const { prepared, followed, pointers, forgotten } = await handOver(t);
  t.equal(await forgotten.promise, BASE + 1, 'what it forgets is forgotten here by that number');
  t.strictSame(
    prepared.map(({ version, epoch }) => [version, epoch]),
    [
      [BASE + 1, 1],
      [BASE + 2, 40],
    ],
    'the epoch is that of the decision',
  );
  t.strictSame(followed, [BASE + 1, BASE + 2]);
  t.strictSame(pointers, [BASE + 1, BASE + 2], 'the pointer only grows');
  t.equal(prepared[0]!.services[0]!.blue.number, FEW.blue.number, 'deployments keep theirs');
});
