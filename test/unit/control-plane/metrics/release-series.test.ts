// A release that has gone keeps its series for some scrapes, and no count goes backwards meanwhile.

import t from 'tap';
import { FAILURE_CODES } from '../../../../src/base/failures.ts';
import {
  BLOCK,
  BLOCKS_MAX,
  blockOffset,
  requestSlot,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import type { Deployment, RoutingTable } from '../../../../src/contract/table.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import {
  GONE_MS,
  GONE_RELEASES_MAX,
  GONE_SCRAPES,
  ReleaseSeries,
} from '../../../../src/control-plane/metrics/release-series.ts';
import { drain, FEW, oneService } from '../support/tables.ts';

const OK = requestSlot(0, 200);

function open() {
  const memory = allocateSharedMemory(1);
  const totals = new Totals(memory, 1);
  const slots = new Slots(totals);
  const region = workerRegion(memory.counters, 0);
  let nowMs = 0;
  const series = new ReleaseSeries({ slots, totals, now: () => nowMs });
  const scrape = (): Readonly<Record<string, number>> =>
    Object.fromEntries(
      series.shown().map((one) => [one.labels['release'], series.sumOf(one)[OK]!]),
    );
  let number = 0;
  return {
    slots,
    scrape,
    series,
    /** Registers a deployment of `release` and returns its block. */
    register: (release: string): number =>
      slots.block({ service: 'shop', color: 'blue', deployment: ++number, release }),
    /** Says which blocks the tables still name. */
    keep: (blocks: readonly number[]): void => slots.retain([naming(blocks)]),
    count: (block: number, slot: number, value: number): void => {
      region[blockOffset(block) + slot]! += value;
    },
    later: (ms: number): void => void (nowMs += ms),
  };
}

function deploymentAt(block: number): Deployment {
  return { ...FEW.blue, block, endpoints: [] };
}

function naming(blocks: readonly number[]): RoutingTable {
  const [blue = 0, green = 0, ...others] = blocks;
  const draining = others.map((block, index) =>
    drain(index + 1, { deployment: deploymentAt(block) }),
  );
  return oneService({ blue: deploymentAt(blue), green: deploymentAt(green), draining });
}

await t.test('it is shown for some scrapes and some minutes, then not', async (t) => {
  const { register, keep, count, scrape, later } = open();
  const [v1, v2] = [register('v1'), register('v2')];
  count(v1, OK, 7);
  keep([v2]);
  for (let done = 0; done < GONE_SCRAPES; done++) {
    later(GONE_MS);
    t.strictSame(scrape(), { v1: 7, v2: 0 }, 'also where scrapes are far apart');
  }
  t.strictSame(scrape(), { v2: 0 });
  keep([v1, v2]);
  count(v1, OK, 1);
  t.strictSame(scrape(), { v1: 8, v2: 0 }, 'it goes on counting when it comes back');
});

await t.test('many scrapes at once take nothing from another scraper', async (t) => {
  const { register, keep, scrape, later } = open();
  register('v1');
  keep([register('v2')]);
  for (let done = 0; done < 20; done++) t.match(scrape(), { v1: 0 });
  later(GONE_MS);
  t.strictSame(scrape(), { v2: 0 });
});

await t.test('while requests run there, it has not gone', async (t) => {
  const { register, keep, count, scrape, later } = open();
  const v1 = register('v1');
  keep([register('v2')]);
  count(v1, BLOCK.inflight, 1);
  for (let done = 0; done < 10; done++) {
    later(GONE_MS);
    t.match(scrape(), { v1: 0 });
  }
  count(v1, BLOCK.inflight, -1);
  count(v1, OK, 1);
  t.strictSame(scrape(), { v1: 1, v2: 0 }, 'its last count is told');
});

await t.test('releases that came and went between two scrapes are bounded', async (t) => {
  const { register, keep, scrape } = open();
  for (let made = 0; made < 120; made++) keep([register(`r${made}`)]);
  const shown = Object.keys(scrape());
  t.equal(shown.length, 1 + GONE_RELEASES_MAX);
  t.ok(shown.includes('r119') && shown.includes('r118'), 'the latest are there');
});

await t.test('a release that is registered again and again never counts backwards', async (t) => {
  const { register, keep, count, scrape, series } = open();
  let total = 0;
  for (let made = 0; made < BLOCKS_MAX * 2; made++) {
    const block = register('latest');
    keep([block]);
    count(block, OK, 1);
    count(block, BLOCK.failures, 1);
    t.strictSame(scrape(), { latest: ++total });
  }
  t.equal(series.failures()[FAILURE_CODES.indexOf(FAILURE_CODES[0]!)], total);
});

await t.test('failures of releases without series still count', async (t) => {
  const { register, keep, count, scrape, series, later } = open();
  const v1 = register('v1');
  count(v1, BLOCK.failures, 3);
  count(0, BLOCK.failures, 2);
  keep([register('v2')]);
  for (let done = 0; done <= GONE_SCRAPES; done++) {
    scrape();
    later(GONE_MS);
  }
  t.strictSame(scrape(), { v2: 0 });
  t.equal(series.failures()[0], 5);
});
