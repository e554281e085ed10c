import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  BLOCK,
  blockOffset,
  ENDPOINT_ROW,
  endpointOffset,
  WORKER_ROW,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import type { ListenAddress } from '../../../../src/contract/worker-settings.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { StartError } from '../../../../src/control-plane/base/problems.ts';
import { Workers } from '../../../../src/control-plane/workers/workers.ts';
import { TEST_KEYS } from '../../../support/policy.ts';
import { FAKE_ENTRY, FakeControl } from '../support/fake-channel.ts';
import { NO_CERTIFICATES } from '../../../../src/contract/certificates.ts';
import { LOOPBACK, settings, shortDir, TestLog } from '../support/fixtures.ts';

function table(version: number): RoutingTable {
  return { version, epoch: 1, services: [] };
}

/** Builds workers that are not started yet; everything ends with the test. */
function hire(
  t: Test,
  { count = 2, listen = LOOPBACK }: { count?: number; listen?: ListenAddress } = {},
) {
  const memory = allocateSharedMemory(count);
  Atomics.store(memory.pointer, 0, 1);
  const log = new TestLog();
  const fakes = new FakeControl();
  const workers = new Workers({
    count,
    settings: settings(listen),
    memory,
    keys: TEST_KEYS,
    instance: 'test',
    inherited: [],
    log,
    entry: FAKE_ENTRY,
  });
  t.teardown(async () => {
    await workers.cut();
    fakes.close();
  });
  async function start(): Promise<void> {
    await workers.start(table(1));
    // What is told to a worker from here on finds it listening, and its birth is old news.
    for (let index = 0; index < count; index++) {
      await fakes.until((news) => news.news === 'born' && news.index === index);
    }
  }
  return { workers, memory, log, fakes, start };
}

function portOf(workers: Workers): number {
  return workers.address.kind === 'tcp' ? workers.address.port : 0;
}

await t.test('all workers listen on one port, also when any port was asked for', async (t) => {
  const { workers, fakes, start } = hire(t, { count: 3 });
  await start();
  t.equal(workers.listeningCount, 3);
  const socket = connect(portOf(workers), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  const born = fakes.news.filter((news) => news.news === 'born');
  t.same(
    born.map((news) => news.versions),
    [[1], [1], [1]],
  );
});

await t.test('a port that is in use is one clear line, and no worker is left', async (t) => {
  const occupied = createServer().listen(0, '127.0.0.1');
  await once(occupied, 'listening');
  t.teardown(() => occupied.close());
  const { port } = occupied.address() as AddressInfo;
  const { workers } = hire(t, { listen: { kind: 'tcp', host: '127.0.0.1', port } });
  await t.rejects(
    workers.start(table(1)),
    new StartError(`cannot listen on 127.0.0.1:${port}: the address is in use (EADDRINUSE)`),
  );
  t.equal(workers.listeningCount, 0);
});

await t.test('a port that another set of workers shares is in use all the same', async (t) => {
  const first = hire(t);
  await first.workers.start(table(1));
  const second = hire(t, { listen: first.workers.address });
  await t.rejects(second.workers.start(table(1)), /the address is in use/);
});

await t.test('an address that a worker cannot have ends the start', async (t) => {
  const path = join(t.testdir(), 'no such directory', 'socket');
  const { workers } = hire(t, { count: 1, listen: { kind: 'unix', path } });
  await t.rejects(workers.start(table(1)), /cannot listen on unix:.*socket/);
});

await t.test('a worker listens on a Unix socket', async (t) => {
  const path = join(shortDir(t), 'socket');
  const { workers, start } = hire(t, { count: 1, listen: { kind: 'unix', path } });
  await start();
  t.same(workers.address, { kind: 'unix', path });
  t.ok(existsSync(path));
});

await t.test('prepare resolves when every worker has answered', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  await workers.prepare(table(2), 5_000);
  const prepared = fakes.news.filter((news) => news.news === 'order' && news.order === 'prepare');
  t.equal(prepared.length, 2);
});

await t.test('prepare is refused when a worker stays silent, and names it', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  await fakes.tell({ index: 1, do: 'keep-silent' });
  await t.rejects(workers.prepare(table(2), 1_000), {
    code: 'workers-not-ready',
    message: /no answer within 1000 ms from worker 1;/,
  });
});

await t.test('adopt resolves when every worker goes by the table', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  await workers.prepare(table(2), 5_000);
  await workers.adopt(2, 5_000);
  const told = fakes.news.filter((news) => news.news === 'order' && news.order === 'adopt');
  t.match(told, [{ version: 2 }, { version: 2 }]);
  await fakes.tell({ index: 1, do: 'keep-silent' });
  await t.rejects(workers.adopt(3, 50), { code: 'workers-not-ready', message: /within 50 ms/ });
});

await t.test('a worker that is replaced meanwhile keeps no adoption waiting', async (t) => {
  const { workers, fakes, memory, start } = hire(t);
  await start();
  await fakes.tell({ index: 1, do: 'keep-silent' });
  const prepared = workers.prepare(table(2), 60_000);
  Atomics.store(memory.pointer, 0, 2);
  const adopted = workers.adopt(2, 60_000);
  await fakes.tell({ index: 1, do: 'exit' });
  await t.resolves(adopted);
  await prepared;
});

await t.test('new keys reach every worker, and those that are born later', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  const { signing } = TEST_KEYS;
  workers.standing.useKeys({ ...TEST_KEYS, accepted: [signing, new Uint8Array(32)] });
  for (const index of [0, 1]) {
    await fakes.until(
      (news) => news.news === 'order' && news.order === 'keys' && news.index === index,
    );
  }
  const from = fakes.news.length;
  await fakes.tell({ index: 0, do: 'exit' });
  const born = await fakes.until((news) => news.news === 'born', from);
  t.match(born, { index: 0, keyCount: 2 });
});

await t.test('where names lead reaches every worker, and those that are born later', async (t) => {
  const { workers, fakes, log, start } = hire(t);
  await start();
  t.equal(workers.standing.resolvedVersion, 0);
  await fakes.tell({ index: 1, do: 'keep-silent' });
  workers.standing.resolve(1, [{ slot: 5, endpoints: [] }]);
  for (const index of [0, 1]) {
    await fakes.until(
      (news) => news.news === 'order' && news.order === 'resolve' && news.index === index,
    );
  }
  t.equal(workers.standing.resolvedVersion, 0, 'one of them has not said that it goes by it');
  await fakes.tell({ index: 1, do: 'throw' });
  await log.until(/replaced/);
  const born = await fakes.until((news) => news.news === 'born' && news.nameCount > 0);
  t.match(born, { index: 1, nameCount: 1 });
  t.equal(workers.standing.resolvedVersion, 1, 'who is born with it never knew another');
});

await t.test('certificates reach every worker, and those that are born later', async (t) => {
  const { workers, fakes, log, start } = hire(t);
  await start();
  await workers.standing.certify({ ...NO_CERTIFICATES, version: 1 }, 60_000);
  await fakes.tell({ index: 1, do: 'keep-silent' });
  const second = { ...NO_CERTIFICATES, version: 2 };
  await t.rejects(workers.standing.certify(second, 1), {
    code: 'workers-not-ready',
    message: /not taken within 1 ms by worker (?:0, )?1$/,
  });
  const third = workers.standing.certify({ ...NO_CERTIFICATES, version: 3 }, 60_000);
  await fakes.tell({ index: 1, do: 'throw' });
  await t.resolves(third, 'a worker that is gone is not waited for');
  await log.until(/replaced/);
  const born = await fakes.until((news) => news.news === 'born' && news.certified > 0);
  t.match(born, { index: 1, certified: 3 });
});

await t.test('a worker that dies is replaced with the current table', async (t) => {
  const { workers, fakes, log, memory, start } = hire(t);
  await start();
  await workers.prepare(table(2), 5_000);
  Atomics.store(memory.pointer, 0, 2);
  const from = fakes.news.length;
  await fakes.tell({ index: 0, do: 'throw' });
  const born = await fakes.until((news) => news.news === 'born', from);
  t.match(born, { index: 0, versions: [2] }, 'and not with the one before');
  const [line] = await log.until(/a worker ended unasked/);
  t.match(line, { level: 'error', fields: { worker: 0, err: { message: 'told to throw' } } });
  t.equal(workers.restarts, 1);
  const others = fakes.news.filter((news) => news.news === 'born' && news.index === 1);
  t.equal(others.length, 1, 'the other worker was left alone');
});

await t.test('a replacement that comes up during a prepare counts with its birth', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  await fakes.tell({ index: 1, do: 'keep-silent' });
  const prepared = workers.prepare(table(2), 10_000);
  await fakes.until((news) => news.news === 'order' && news.index === 1);
  const from = fakes.news.length;
  await fakes.tell({ index: 1, do: 'exit' });
  const born = await fakes.until((news) => news.news === 'born', from);
  t.match(born, { index: 1, versions: [1, 2] });
  await t.resolves(prepared);
});

await t.test('a worker that keeps dying waits longer each time, up to a bound', async (t) => {
  const { fakes, log, start } = hire(t, { count: 1 });
  await start();
  for (let death = 1; death <= 4; death++) {
    const from = fakes.news.length;
    await fakes.tell({ index: 0, do: 'exit' });
    await log.until(/a worker ended unasked/, death);
    await fakes.until((news) => news.news === 'born', from);
  }
  const waits = log.lines.map(({ fields }) => ('waitMs' in fields ? fields.waitMs : undefined));
  t.same(waits, [0, 100, 200, 400]);
});

await t.test('a prepare does not wait for the pause of a dead worker', async (t) => {
  const { workers, fakes, log, start } = hire(t, { count: 1 });
  await start();
  // The eighth death in a row costs a pause of 5 s: longer than the prepare below may take.
  for (let death = 1; death <= 8; death++) {
    if (workers.listeningCount === 0) await workers.prepare(table(death), 5_000);
    await fakes.tell({ index: 0, do: 'exit' });
    await log.until(/a worker ended unasked/, death);
  }
  await t.resolves(workers.prepare(table(9), 4_000));
});

await t.test('a refused table is not given to replacements', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  await fakes.tell({ index: 0, do: 'keep-silent' });
  await t.rejects(workers.prepare(table(2), 20));
  workers.forget(2);
  const from = fakes.news.length;
  await fakes.tell({ index: 0, do: 'exit' });
  const born = await fakes.until((news) => news.news === 'born', from);
  t.match(born, { versions: [1] });
});

await t.test('a table that kills workers is refused, and they come back without it', async (t) => {
  const { workers, fakes, log, start } = hire(t, { count: 1 });
  await start();
  await fakes.tell({ index: 0, do: 'crash-on-prepare' });
  const from = fakes.news.length;
  void workers.prepare(table(2), 5_000).catch(() => {});
  await log.until(/a worker ended unasked/);
  workers.forget(2);
  const born = await fakes.until((news) => news.news === 'born', from);
  t.match(born, { index: 0, versions: [1] });
});

await t.test('the gauges of a dead worker return to zero, its counters stay', async (t) => {
  const { fakes, memory, start } = hire(t);
  await start();
  const region = workerRegion(memory.counters, 0);
  const gauges = [
    WORKER_ROW.connectionsOpen,
    blockOffset(3) + BLOCK.inflight,
    blockOffset(3) + BLOCK.tunnels,
    blockOffset(3) + BLOCK.streams,
    blockOffset(3) + BLOCK.held,
    endpointOffset(5) + ENDPOINT_ROW.inflight,
    endpointOffset(5) + ENDPOINT_ROW.connections,
  ];
  for (const slot of gauges) region[slot] = 7;
  region[WORKER_ROW.connectionsAccepted] = 7;
  region[blockOffset(3) + BLOCK.retries] = 7;
  const other = workerRegion(memory.counters, 1);
  other[WORKER_ROW.connectionsOpen] = 5;
  const from = fakes.news.length;
  await fakes.tell({ index: 0, do: 'exit' });
  await fakes.until((news) => news.news === 'born', from);
  t.same(
    gauges.map((slot) => region[slot]),
    [0, 0, 0, 0, 0, 0, 0],
  );
  t.same([region[WORKER_ROW.connectionsAccepted], region[blockOffset(3) + BLOCK.retries]], [7, 7]);
  t.equal(other[WORKER_ROW.connectionsOpen], 5, 'the other worker still has its connections');
});

await t.test(
  'a worker that dies while it stops is told of, one that has ended is not',
  async (t) => {
    const { workers, fakes, log, start } = hire(t);
    await start();
    await fakes.tell({ index: 1, do: 'ignore-stop' });
    const stopped = workers.stop(60_000, { idleMs: 0 });
    await fakes.until((news) => news.news === 'order' && news.index === 1 && news.order === 'stop');
    await fakes.tell({ index: 1, do: 'throw' });
    await stopped;
    const errors = log.lines.filter(({ level }) => level === 'error');
    t.match(errors, [{ fields: { worker: 1, err: { message: 'told to throw' } } }]);
    t.match(errors[0]?.message, /ended unasked while it stopped/);
  },
);

await t.test('a fault that a worker reports is logged', async (t) => {
  const { fakes, log, start } = hire(t);
  await start();
  await fakes.tell({ index: 1, do: 'fault' });
  const [line] = await log.until(/a broken rule/);
  t.match(line, { level: 'error', fields: { worker: 1, stack: 'at fake' } });
});

await t.test('stop asks every worker, adds up what was cut and leaves no thread', async (t) => {
  const { workers, fakes, log, start } = hire(t);
  await start();
  t.equal(await workers.stop(1_000, { idleMs: 0 }), 2);
  t.equal(workers.listeningCount, 0);
  const stops = fakes.news.filter((news) => news.news === 'order' && news.order === 'stop');
  t.equal(stops.length, 2);
  t.notOk(log.has(/replaced/));
});

await t.test('a table that comes during a stop wakes no worker that has stopped', async (t) => {
  const { workers, fakes, start } = hire(t);
  await start();
  await fakes.tell({ index: 1, do: 'ignore-stop' });
  const stopped = workers.stop(60_000, { idleMs: 0 });
  while (workers.listeningCount > 1) await turn();
  await workers.prepare(table(2), 5_000);
  await workers.adopt(2, 5_000);
  t.equal(workers.listeningCount, 1, 'nobody listens again');
  t.equal(fakes.news.filter(({ news }) => news === 'born').length, 2);
  await workers.cut();
  await stopped;
});
