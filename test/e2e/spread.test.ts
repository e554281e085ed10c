// 5,000 WebSockets across a switch: each is closed once, in order and at its own moment, between
// two messages of a busy conversation, and comes back to the other color.
//
// Five processes with at most 20,000 descriptors each: two servers, the clients, Turnout, this.

import t, { type Test } from 'tap';
import { seriesOf } from '../support/admin-client.ts';
import { metricsUntil } from '../support/settled-metrics.ts';
import { startWsBench } from '../support/ws-bench.ts';
import type { ClientsVerdict } from '../support/ws-children.ts';
import { evenness } from '../support/ws-evenness.ts';

const COUNT = 5_000;
const WINDOW_MS = 10_000;
/** Messages a second, each way. */
const FLOW = 250;
const DEFLATE_ONE_IN = 10;
const FLAGS = {
  'affinity-mode': 'off',
  'drain-long-lived': 'spread',
  'drain-streams': `${WINDOW_MS}ms`,
  'drain-closes-per-second': '0',
};

await t.test(`${COUNT} WebSockets close evenly, cleanly and once, and come back`, async (t) => {
  const bench = await startWsBench(t, FLAGS, { deflateOneIn: DEFLATE_ONE_IN, reconnects: true });
  const { blue, green, clients, admin, running } = bench;
  await clients.open(COUNT);
  for (const side of [blue, green, clients]) await side.flow(FLOW);
  t.equal((await blue.tell()).open, COUNT);
  t.equal(await clients.ask(), COUNT, 'all of them are served');

  await clients.watch();
  const startMs = await bench.change('switch');
  const verdict = await clients.closed(COUNT);

  t.strictSame(verdict.codes, { 1012: COUNT }, 'each was closed with 1012, once');
  t.strictSame(verdict.faults, {}, 'none saw a broken frame, message or connection');
  t.strictSame(verdict.colors, { 'blue,green': COUNT }, 'each came back once, to the new color');
  checkEvenness(t, verdict, startMs);

  t.equal(await clients.ask(), COUNT, 'all of them are served again');
  const left = await blue.emptied();
  const { 1012: heard = 0, 1006: slow = 0, ...others } = left.codes;
  t.strictSame({ count: heard + slow, others }, { count: COUNT, others: {} });
  t.comment(`${slow} clients were too slow to answer the goodbye in time`);
  t.strictSame(left.faults, {}, 'the server got every message before the goodbye');
  t.equal(left.deflated, COUNT / DEFLATE_ONE_IN);
  t.comment(`${left.messages} messages to blue, ${verdict.messages} to the clients`);
  t.ok(left.messages > FLOW && verdict.messages > FLOW, 'messages did flow');
  const drained = await admin.get('/v1/drain?wait=10s');
  t.strictSame(drained.json['draining'], [], 'nothing drains any more');
  for (const side of [blue, green]) await side.flow(0);
  await clients.close();
  t.strictSame((await green.emptied()).faults, {});
  const tunnels = 'turnout_tunnels{service="default",color="blue",release=""}';
  await metricsUntil(admin, (text) => seriesOf(text, tunnels) === 0);
  running.process.kill('SIGTERM');
  t.equal(await running.ended, 0);
});

/** No window of 100 ms has more than twice its share, and no close comes before its turn. */
function checkEvenness(t: Test, { closedAtMs, stalls }: ClientsVerdict, startMs: number): void {
  const mean = (COUNT * 100) / WINDOW_MS;
  const { busiest, busiestUndisturbed, ahead, latestMs, stalledMs } = evenness(
    { closedAtMs, stalls, startMs, windowMs: WINDOW_MS },
    { stretchMs: 100, max: 2 * mean },
  );
  const lastMs = closedAtMs.at(-1)! - startMs;
  t.comment(
    `the last close after ${lastMs.toFixed(0)} ms, at most ${ahead.toFixed(0)} early, ` +
      `at most ${latestMs.toFixed(0)} ms late; pauses of ${stalledMs.toFixed(0)} ms in all; ` +
      `mean ${mean} in 100 ms, at most ${busiestUndisturbed} (after pauses ${busiest})`,
  );
  t.ok(busiestUndisturbed <= 2 * mean, 'no 100 ms window has more than twice the mean');
  t.ok(ahead <= mean, 'none is closed before its turn');
  t.ok(lastMs > WINDOW_MS * 0.9, 'the whole window is used');
}
