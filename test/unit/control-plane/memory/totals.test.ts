// What all workers count, seen as one; and memory that is put back to zero for its next owner.

import t from 'tap';
import {
  BLOCK,
  BLOCK_SLOTS,
  blockOffset,
  ENDPOINT_ROW,
  ENDPOINT_ROW_SLOTS,
  endpointOffset,
  HEALTH_WORD,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import {
  markSighting,
  sightingsOf,
  SLICES_PER_WINDOW,
} from '../../../../src/contract/session-sightings.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';

const WORKERS = 3;
const BLOCK_NUMBER = 5;

function build() {
  const memory = allocateSharedMemory(WORKERS);
  const workers = [0, 1, 2] as const;
  const regions = workers.map((index) => workerRegion(memory.counters, index));
  const parts = workers.map((index) => sightingsOf(memory.sightings, index));
  return { totals: new Totals(memory, WORKERS), regions, parts, health: memory.health };
}

await t.test('one slot of a block is the sum over all workers', async (t) => {
  const { totals, regions } = build();
  for (const [index, region] of regions.entries()) {
    region[blockOffset(BLOCK_NUMBER) + BLOCK.tunnels] = index + 1;
    region[blockOffset(BLOCK_NUMBER + 1) + BLOCK.tunnels] = 100;
  }
  t.equal(totals.blockSlot(BLOCK_NUMBER, BLOCK.tunnels), 6);
  t.equal(totals.block(BLOCK_NUMBER)[BLOCK.tunnels], 6);
});

await t.test('sessions are counted over all workers, each one once', async (t) => {
  const { totals, parts } = build();
  const windowS = 60; // slices of 10 s
  const nowS = 1_000;
  const slice = nowS / 10;
  markSighting(parts[0]!, { block: BLOCK_NUMBER, slice, idHash: 1 });
  markSighting(parts[1]!, { block: BLOCK_NUMBER, slice: slice - 3, idHash: 1 });
  markSighting(parts[2]!, { block: BLOCK_NUMBER, slice: slice - 3, idHash: 2 });
  markSighting(parts[2]!, { block: BLOCK_NUMBER + 1, slice, idHash: 3 });
  t.equal(totals.sessions(BLOCK_NUMBER, { nowS, windowS }), 2);
});

await t.test('a session counts for the whole window, and little longer', async (t) => {
  for (const windowS of [1, 6, 7, 60, 100, 1_800]) {
    const sliceS = Math.max(1, Math.ceil(windowS / SLICES_PER_WINDOW));
    for (const seenS of [10_000, 10_001, 10_000 + sliceS - 1]) {
      const { totals, parts } = build();
      const slice = Math.floor(seenS / sliceS);
      markSighting(parts[0]!, { block: BLOCK_NUMBER, slice, idHash: 1 });
      const at = (nowS: number) => totals.sessions(BLOCK_NUMBER, { nowS, windowS });
      const what = `a window of ${windowS} s, seen at ${seenS}`;
      t.equal(at(seenS), 1, what);
      t.equal(at(seenS + windowS), 1, `${what}: still there at the end`);
      const longest = (SLICES_PER_WINDOW + 1) * sliceS;
      t.equal(at(seenS + longest), 0, `${what}: gone after ${longest} s`);
    }
  }
});

await t.test('a block is quiet when nothing runs, waits or is open in any worker', async (t) => {
  for (const slot of [BLOCK.inflight, BLOCK.tunnels, BLOCK.streams, BLOCK.held]) {
    const { totals, regions } = build();
    t.equal(totals.isBlockQuiet(BLOCK_NUMBER), true);
    regions[2]![blockOffset(BLOCK_NUMBER) + slot] = 1;
    t.equal(totals.isBlockQuiet(BLOCK_NUMBER), false, `slot ${slot}`);
    t.equal(totals.isBlockQuiet(BLOCK_NUMBER + 1), true);
  }
  const { totals, regions } = build();
  regions[0]![blockOffset(BLOCK_NUMBER) + BLOCK.retries] = 1;
  t.equal(totals.isBlockQuiet(BLOCK_NUMBER), true, 'what only grows is no reason');
});

await t.test('an endpoint is quiet when no worker has a request or a connection', async (t) => {
  for (const slot of [ENDPOINT_ROW.inflight, ENDPOINT_ROW.connections]) {
    const { totals, regions } = build();
    t.equal(totals.isEndpointQuiet(9), true);
    regions[1]![endpointOffset(9) + slot] = 1;
    t.equal(totals.isEndpointQuiet(9), false, `slot ${slot}`);
    t.equal(totals.isEndpointQuiet(8), true);
  }
});

await t.test('a cleared block is zero in every worker, and its neighbors are not', async (t) => {
  const { totals, regions, parts } = build();
  for (const region of regions) {
    region.fill(7, blockOffset(BLOCK_NUMBER - 1), blockOffset(BLOCK_NUMBER + 2));
  }
  for (const block of [BLOCK_NUMBER - 1, BLOCK_NUMBER]) {
    for (const part of parts) markSighting(part, { block, slice: 100, idHash: 1 });
  }
  totals.clearBlock(BLOCK_NUMBER);
  t.ok(totals.block(BLOCK_NUMBER).every((value) => value === 0));
  for (const neighbor of [BLOCK_NUMBER - 1, BLOCK_NUMBER + 1]) {
    const block = totals.block(neighbor);
    t.equal(block.length, BLOCK_SLOTS);
    t.ok(block.every((value) => value === 7 * WORKERS));
  }
  const window = { nowS: 1_000, windowS: 60 };
  t.equal(totals.sessions(BLOCK_NUMBER, window), 0);
  t.equal(totals.sessions(BLOCK_NUMBER - 1, window), 1);
});

await t.test('a cleared endpoint has no verdict, and its neighbors keep theirs', async (t) => {
  const { totals, health } = build();
  health.fill(HEALTH_WORD.down, 8, 11);
  totals.clearEndpoint(9);
  const { down, unknown } = HEALTH_WORD;
  t.same(health.slice(8, 11), Int32Array.of(down, unknown, down));
});

await t.test('a cleared endpoint is zero in every worker, and its neighbors are not', async (t) => {
  const { totals, regions } = build();
  for (const region of regions) region.fill(7, endpointOffset(8), endpointOffset(11));
  totals.clearEndpoint(9);
  for (let slot = 0; slot < ENDPOINT_ROW_SLOTS; slot++) {
    t.same(
      [8, 9, 10].map((endpoint) => totals.endpoint(endpoint, slot)),
      [21, 0, 21],
    );
  }
});
