// What each policy makes of hundreds of WebSockets at a switch: wait, close at once within a limit,
// keep what a rollback comes in time for, and leave sessions where they are.

import t from 'tap';
import { startWsBench } from '../support/ws-bench.ts';
import { evenness } from '../support/ws-evenness.ts';

const NO_AFFINITY = { 'affinity-mode': 'off', 'drain-closes-per-second': '0' };
const FLOW = 100;

await t.test('linger closes none of 1,000 before its deadline, and all after it', async (t) => {
  const count = 1_000;
  const lingerMs = 3_000;
  const flags = { 'drain-long-lived': 'linger', 'drain-streams': `${lingerMs}ms` };
  const bench = await startWsBench(
    t,
    { ...NO_AFFINITY, ...flags },
    { deflateOneIn: 10, reconnects: true },
  );
  const { blue, green, clients } = bench;
  await clients.open(count);
  for (const side of [blue, green, clients]) await side.flow(FLOW);
  const startMs = await bench.change('switch');
  const { closedAtMs, codes, faults, colors } = await clients.closed(count);
  t.ok(closedAtMs[0]! - startMs >= lingerMs, `the first after ${closedAtMs[0]! - startMs} ms`);
  t.strictSame({ codes, faults }, { codes: { 1012: count }, faults: {} });
  t.strictSame(colors, { 'blue,green': count });
  t.equal(await clients.ask(), count, 'all of them are served again');
});

await t.test('cut closes all at once, but never more in a second than the limit', async (t) => {
  const count = 600;
  const perSecond = 200;
  const flags = { 'drain-long-lived': 'cut', 'drain-closes-per-second': String(perSecond) };
  const bench = await startWsBench(
    t,
    { ...NO_AFFINITY, ...flags, workers: '2' },
    { deflateOneIn: 0, reconnects: true },
  );
  const { blue, green, clients } = bench;
  await clients.open(count);
  for (const side of [blue, green, clients]) await side.flow(FLOW);
  await clients.watch();
  const startMs = await bench.change('switch');
  const { closedAtMs, stalls, codes, faults, colors } = await clients.closed(count);
  t.strictSame({ codes, faults }, { codes: { 1012: count }, faults: {} });
  t.strictSame(colors, { 'blue,green': count });
  const tookMs = closedAtMs.at(-1)! - closedAtMs[0]!;
  t.ok(tookMs >= 2_500, `${count} closes took ${tookMs.toFixed(0)} ms`);
  const max = 1.2 * perSecond;
  const { busiest, busiestUndisturbed, ahead } = evenness(
    { closedAtMs, stalls, startMs, windowMs: (count / perSecond) * 1_000 },
    { stretchMs: 1_000, max },
  );
  t.ok(busiestUndisturbed <= max, `at most ${busiestUndisturbed} in a second (${busiest})`);
  t.ok(ahead <= perSecond / 10, `at most ${ahead.toFixed(0)} before their turn`);
});

await t.test('a rollback in the middle of a spread keeps what is not closed yet', async (t) => {
  const count = 600;
  const flags = { 'drain-long-lived': 'spread', 'drain-streams': '6s' };
  const bench = await startWsBench(
    t,
    { ...NO_AFFINITY, ...flags },
    { deflateOneIn: 0, reconnects: true },
  );
  const { blue, green, clients } = bench;
  await clients.open(count);
  for (const side of [blue, green, clients]) await side.flow(FLOW);
  await bench.change('switch');
  await clients.closed(count / 6);
  await bench.change('rollback');
  // Those who had moved are moved back over a window that ends later than the first would have.
  // One whose request was on its way at the rollback may open a tunnel on green after all others.
  const { json } = await bench.admin.get('/v1/drain?wait=60s');
  t.strictSame(json['draining'], [], 'nothing is left on green');
  const { codes, faults, colors } = await clients.settled();
  const { blue: kept = 0, 'blue,green,blue': back = 0, 'blue,blue': late = 0, ...others } = colors;
  t.comment(`${kept} were kept, ${back} went and came back, ${late} closed during the rollback`);
  t.ok(kept >= count / 6, 'whoever had not been closed was kept');
  t.ok(back >= count / 6);
  t.equal(kept + back + late, count);
  t.strictSame(others, {});
  t.strictSame(codes, { 1012: 2 * back + late }, 'and nobody else was closed');
  t.strictSame(faults, {});
  t.equal(await clients.ask(), count, 'all of them are served');
  t.strictSame((await blue.tell()).faults, {});
});

await t.test('a WebSocket that came with a session stays until sessions are over', async (t) => {
  const [withSession, without] = [40, 160];
  const count = withSession + without;
  const sessionsMs = 8_000;
  const flags = { 'drain-sessions': `${sessionsMs}ms`, 'drain-streams': '1s' };
  const bench = await startWsBench(t, flags, { deflateOneIn: 0, reconnects: true });
  const { blue, green, clients, running } = bench;
  const answer = await fetch(`http://${running.proxy}/`);
  t.equal(await answer.text(), 'blue');
  const [cookie = ''] = answer.headers.getSetCookie();
  await clients.open(withSession, { cookie: cookie.split(';')[0]! });
  await clients.open(without);
  for (const side of [blue, green, clients]) await side.flow(FLOW);
  const startMs = await bench.change('switch');
  const first = await clients.closed(without);
  t.strictSame(first.colors, { 'blue,green': without, blue: withSession });
  const { codes, faults, colors, closedAtMs } = await clients.closed(count);
  t.strictSame({ codes, faults }, { codes: { 1012: count }, faults: {} });
  t.strictSame(colors, { 'blue,green': count }, 'a session that is over leads nowhere else');
  const stayedMs = closedAtMs[without]! - startMs;
  // The wheel of a busy worker may be behind when it is asked for the time.
  t.ok(stayedMs > sessionsMs - 1_000, `the first of them stayed for ${stayedMs.toFixed(0)} ms`);
  t.equal(await clients.ask(), count, 'all of them are served again');
});
