// How many sessions were seen lately: exact where it decides, close enough elsewhere.

import t from 'tap';
import { BLOCKS_MAX } from '../../../src/contract/counters.ts';
import {
  clearSightings,
  countSightings,
  lastGivenS,
  markGiven,
  markSighting,
  SIGHTING_ERROR,
  SIGHTING_WORDS,
  sightingsOf,
  SLICES_PER_WINDOW,
} from '../../../src/contract/session-sightings.ts';
import { Random } from '../../support/random.ts';

const BLOCK = 3;
const SLICE = 1_000;

function partOf(workers = 1): Uint32Array[] {
  const all = new Uint32Array(workers * SIGHTING_WORDS);
  return Array.from({ length: workers }, (_, index) => sightingsOf(all, index));
}

/** Marks `count` sessions with ids from `random`. */
function mark(part: Uint32Array, count: number, random: Random, slice = SLICE): void {
  for (let index = 0; index < count; index++) {
    markSighting(part, { block: BLOCK, slice, idHash: random.below(2 ** 32) });
  }
}

/** Counts in one slice, or in the window that ends with it. */
function count(parts: readonly Uint32Array[], lastSlice = SLICE, slices = 0): number {
  return countSightings(parts, { block: BLOCK, firstSlice: lastSlice - slices, lastSlice });
}

await t.test('when a session was last given is the latest of all workers', async (t) => {
  const [one, two] = partOf(2);
  t.equal(lastGivenS([one!, two!], BLOCK), 0, 'never');
  markGiven(one!, BLOCK, 1_800_000_000);
  markGiven(two!, BLOCK, 1_800_000_007);
  markGiven(two!, BLOCK + 1, 1_900_000_000);
  t.equal(lastGivenS([one!, two!], BLOCK), 1_800_000_007);
  t.equal(count([one!, two!]), 0, 'it is no session that was seen');
  mark(one!, 1, new Random(1));
  t.equal(lastGivenS([one!], BLOCK), 1_800_000_000, 'a sighting leaves it alone');
  clearSightings(two!, BLOCK);
  t.equal(lastGivenS([two!], BLOCK), 0);
  t.equal(lastGivenS([two!], BLOCK + 1), 1_900_000_000);
});

await t.test('where no session was seen, the count is 0', async (t) => {
  const [part] = partOf();
  t.equal(count([part!]), 0);
  t.equal(count([part!], 0, SLICES_PER_WINDOW), 0, 'also at the very start of time');
  t.equal(count([]), 0);
});

await t.test('few sessions are counted exactly', async (t) => {
  for (const sessions of [1, 2, 3, 10, 50, 100]) {
    const [part] = partOf();
    // Neighbors, as ids of one generator might be: they must not fall on each other.
    for (let idHash = 1; idHash <= sessions; idHash++) {
      markSighting(part!, { block: BLOCK, slice: SLICE, idHash });
    }
    t.equal(count([part!]), sessions);
  }
});

await t.test('one session is one, whatever its id is and however often it comes', async (t) => {
  for (const idHash of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    const [part] = partOf();
    for (let times = 0; times < 10; times++) {
      markSighting(part!, { block: BLOCK, slice: SLICE, idHash });
    }
    t.equal(count([part!]), 1, String(idHash));
  }
});

await t.test('many sessions are counted within three standard errors', async (t) => {
  for (const sessions of [1_000, 10_000, 100_000]) {
    let squares = 0;
    const seeds = [11, 12, 13, 14, 15, 16, 17, 18];
    for (const seed of seeds) {
      const [part] = partOf();
      mark(part!, sessions, new Random(seed));
      const error = count([part!]) / sessions - 1;
      squares += error ** 2;
      const limit = 3 * SIGHTING_ERROR.share;
      t.ok(Math.abs(error) <= limit, `${sessions} sessions, seed ${seed}: off by ${error}`);
    }
    const standardError = Math.sqrt(squares / seeds.length);
    t.ok(standardError <= SIGHTING_ERROR.share, `${sessions} sessions: ${standardError}`);
  }
  t.equal(SIGHTING_ERROR.sessionsMax, 100_000);
});

await t.test(
  'more sessions than can be told apart give a large number, not infinity',
  async (t) => {
    const [part] = partOf();
    mark(part!, 1_000_000, new Random(21));
    const counted = count([part!]);
    t.ok(counted > 2 * SIGHTING_ERROR.sessionsMax && Number.isFinite(counted), String(counted));
  },
);

await t.test('a session that several workers saw is one', async (t) => {
  const parts = partOf(4);
  for (const part of parts) mark(part, 100, new Random(31));
  t.equal(count(parts), count([parts[0]!]));
  mark(parts[2]!, 50, new Random(32));
  t.ok(count(parts) > count([parts[0]!]) + 40);
});

await t.test('a session that was seen in several slices is one', async (t) => {
  const [part] = partOf();
  for (let slice = SLICE; slice > SLICE - 4; slice--) mark(part!, 100, new Random(41), slice);
  t.equal(count([part!], SLICE, SLICES_PER_WINDOW), count([part!]));
});

await t.test('only the slices of the window count', async (t) => {
  const [part] = partOf();
  const firstSlice = SLICE - SLICES_PER_WINDOW;
  for (let slice = firstSlice; slice <= SLICE; slice++) {
    markSighting(part!, { block: BLOCK, slice, idHash: slice });
  }
  t.equal(count([part!], SLICE, SLICES_PER_WINDOW), SLICES_PER_WINDOW + 1);
  for (let back = 0; back <= SLICES_PER_WINDOW; back++) {
    t.equal(count([part!], SLICE, back), back + 1, `${back} slices back`);
    const later = SLICE + back;
    t.equal(count([part!], later, SLICES_PER_WINDOW), SLICES_PER_WINDOW + 1 - back);
  }
  t.equal(count([part!], SLICE + 50, SLICES_PER_WINDOW), 0, 'long after, no session counts');
  t.equal(count([part!], firstSlice - 1, SLICES_PER_WINDOW), 0, 'and before, none was there');
});

await t.test('a slice is written over by the one that takes its place', async (t) => {
  const [part] = partOf();
  mark(part!, 100, new Random(51));
  const next = SLICE + SLICES_PER_WINDOW + 1;
  markSighting(part!, { block: BLOCK, slice: next, idHash: 1 });
  t.equal(count([part!], next), 1);
  t.equal(count([part!]), 0);
  t.equal(count([part!], next, 100), 1);
});

await t.test('a block is counted and cleared alone', async (t) => {
  const parts = partOf(2);
  for (const part of parts) {
    for (const block of [0, BLOCK - 1, BLOCK, BLOCK + 1, BLOCKS_MAX - 1]) {
      for (let slice = SLICE; slice < SLICE + 7; slice++) {
        markSighting(part, { block, slice, idHash: block });
      }
    }
  }
  for (const part of parts) clearSightings(part, BLOCK);
  const of = (block: number) =>
    countSightings(parts, { block, firstSlice: SLICE, lastSlice: SLICE + 7 });
  t.same([0, BLOCK - 1, BLOCK, BLOCK + 1, BLOCKS_MAX - 1].map(of), [1, 1, 0, 1, 1]);
  markSighting(parts[1]!, { block: BLOCK, slice: SLICE, idHash: 9 });
  t.equal(of(BLOCK), 1, 'what was there before the clearing does not come back');
});

await t.test('clearing what was never written writes nothing', async (t) => {
  const [part] = partOf();
  const written = new Proxy(part!, {
    set: () => {
      throw new Error('a page was touched');
    },
    get: (target, name) => Reflect.get(target, name) as unknown,
  });
  t.doesNotThrow(() => clearSightings(written, BLOCK));
});
