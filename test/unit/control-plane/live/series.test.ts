import t from 'tap';
import { DECISION, requestSlot } from '../../../../src/contract/counters.ts';
import { Series } from '../../../../src/control-plane/live/series.ts';
import { board } from '../support/board.ts';

const OK = requestSlot(DECISION.active, 200);
const FAILED = requestSlot(DECISION.active, 503);

function scene() {
  const parts = board();
  const clock = { ms: 0 };
  const series = new Series({
    totals: parts.totals,
    table: () => parts.switchboard.table,
    now: () => clock.ms,
    wallNow: () => clock.ms,
  });
  const look = (afterMs = 10_000): void => {
    clock.ms += afterMs;
    series.look();
  };
  const { name, blue, green } = parts.switchboard.table.services[0]!;
  return { ...parts, series, look, name, blue, green, clock };
}

await t.test('a point has what came in its ten seconds, and whose it was', (t) => {
  const { series, look, count, name, blue } = scene();
  count(blue.block, OK, 1_000); // Before the first look: of no point.
  look(0);
  count(blue.block, OK, 1_100);
  count(blue.block, FAILED, 20);
  look();
  look();
  t.match(series.of(name, 60).blue, [
    { atMs: 10_000, deployment: 1, release: 'v1', requestsPerSecond: 12, errorsPerSecond: 2 },
    { atMs: 20_000, requestsPerSecond: 0, p50Ms: undefined },
  ]);
  t.end();
});

await t.test('an hour is kept, and a query can ask for less', (t) => {
  const { series, look, name } = scene();
  look(0);
  for (let i = 0; i < 400; i++) look();
  t.equal(series.of(name, 60).blue.length, 360);
  t.equal(series.of(name, 1).green.length, 6);
  t.strictSame(series.of('nobody', 60), { blue: [], green: [] });
  t.end();
});

await t.test('a block that counts for another owner makes no jump', (t) => {
  const { series, look, count, totals, name, blue } = scene();
  look(0);
  count(blue.block, OK, 500);
  totals.clearBlock(blue.block);
  count(blue.block, OK, 70);
  look();
  t.strictSame(series.of(name, 60).blue, [], 'nothing was measured');
  count(blue.block, OK, 80);
  look();
  t.match(series.of(name, 60).blue, [{ requestsPerSecond: 1 }]);
  t.end();
});

await t.test('a machine that slept has measured nothing meanwhile', (t) => {
  const { series, look, count, name, blue } = scene();
  look(0);
  count(blue.block, OK, 1_000);
  look(3_600_000);
  t.strictSame(series.of(name, 60).blue, []);
  look();
  t.equal(series.of(name, 60).blue.length, 1);
  t.end();
});
