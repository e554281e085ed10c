// 10,000 client connections that idle. Three processes: this one is the target and measures, one
// holds the connections, one is the plane.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { openMemoryPlane } from '../support/memory-plane.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { GET, OK, responseOf } from '../support/fault-bench.ts';
import { answering, openOrigin } from '../support/origin.ts';

const COUNT = 10_000;
/** The budget is 12 KiB; the rest is room for the noise of a shared machine. */
const BYTES_EACH_MAX = 16 * 1_024;

await t.test(`${COUNT} idle connections cost little and all still answer`, async (t) => {
  const origin = await openOrigin(answering(OK));
  t.teardown(() => origin.close());
  const plane = await openMemoryPlane(t, origin.port, {
    client: { connectionsMax: COUNT + 10, headTimeoutMs: 300_000, keepAliveTimeoutMs: 300_000 },
  });
  const holder = fork(new URL('../support/idle-child.ts', import.meta.url));
  t.teardown(() => holder.kill('SIGKILL'));
  const order = async (kind: 'open' | 'ask' | 'close'): Promise<number> => {
    const answered = once(holder, 'message') as Promise<[number]>;
    holder.send({ kind, port: plane.port, count: COUNT });
    return (await answered)[0];
  };

  // Warm: code compiled, first buffers made, so that only connections are counted.
  const warm = await connectRaw(plane.port);
  for (let round = 0; round < 500; round++) {
    const from = warm.text.length;
    warm.send(GET);
    await responseOf(warm, { from, method: 'GET' });
  }
  const before = (await plane.measure()).rssBytes;
  t.equal(await order('open'), COUNT);
  // A connection stands for its client before the plane has accepted it.
  let fresh = await plane.measure();
  for (let look = 0; look < 1_000 && fresh.gauges.connectionsOpen <= COUNT; look++) {
    fresh = await plane.measure();
  }
  t.equal(fresh.gauges.connectionsOpen, COUNT + 1);
  const freshEach = (fresh.rssBytes - before) / COUNT;
  t.comment(`${(freshEach / 1_024).toFixed(1)} KiB of RSS for a connection that never asked`);
  t.ok(freshEach <= BYTES_EACH_MAX, 'within the bound before the first request');

  t.equal(await order('ask'), COUNT, 'every connection answers');
  const asked = await plane.measure();
  const askedEach = (asked.rssBytes - before) / COUNT;
  t.comment(`${(askedEach / 1_024).toFixed(1)} KiB of RSS for a connection that has asked`);
  t.ok(askedEach <= BYTES_EACH_MAX, 'within the bound after a request');

  const late = await connectRaw(plane.port);
  late.send(GET);
  t.equal((await responseOf(late, { from: 0, method: 'GET' })).body, 'ok', 'new ones are served');

  t.equal(await order('ask'), COUNT, 'every connection still answers');
  await order('close');
  warm.socket.destroy();
  late.socket.destroy();
  let open = COUNT;
  for (let look = 0; look < 200 && open > 0; look++) {
    open = (await plane.measure()).gauges.connectionsOpen;
  }
  t.equal(open, 0, 'nothing is left of them');
});
