// How many clients were answered lately, and how many of them badly.

import t from 'tap';
import { networkHash } from '../../../src/base/network.ts';
import {
  clearClients,
  CLIENT_WORDS,
  clientsOf,
  countClients,
  markClient,
} from '../../../src/contract/client-sightings.ts';

const NOW_S = 1_700_000_040;

function parts(count: number): Uint32Array[] {
  const memory = new Uint32Array(count * CLIENT_WORDS);
  return Array.from({ length: count }, (_, index) => clientsOf(memory, index));
}

/** Marks `count` clients, of which `bad` got a bad answer. */
function mark(part: Uint32Array, count: number, bad: number, nowS = NOW_S): void {
  for (let client = 0; client < count; client++) {
    const hash = networkHash(`198.51.${client >> 8}.${client & 255}`);
    markClient(part, { block: 7, nowS, hash, isBad: client < bad });
  }
}

await t.test('a few clients are counted exactly, many about', async (t) => {
  for (const [count, bad] of [
    [0, 0],
    [1, 1],
    [20, 3],
  ] as const) {
    const [part] = parts(1);
    mark(part!, count, bad);
    mark(part!, count, bad);
    t.same(countClients([part!], 7, NOW_S), { seen: count, bad });
  }
  const [part] = parts(1);
  mark(part!, 1_000, 0);
  const { seen } = countClients([part!], 7, NOW_S);
  t.ok(seen > 850 && seen < 1_150, `${seen}`);
  mark(part!, 60_000, 60_000);
  t.ok(countClients([part!], 7, NOW_S).seen > 5_000, 'more than can be told apart are many');
});

await t.test('the same client at two workers is one', async (t) => {
  const both = parts(2);
  mark(both[0]!, 5, 1);
  mark(both[1]!, 8, 0);
  t.same(countClients(both, 7, NOW_S), { seen: 8, bad: 1 });
  t.same(countClients(both, 8, NOW_S), { seen: 0, bad: 0 }, 'each block has its own');
});

await t.test('what was longer ago than two minutes is forgotten', async (t) => {
  const [part] = parts(1);
  mark(part!, 5, 1);
  t.same(countClients([part!], 7, NOW_S + 60), { seen: 5, bad: 1 });
  t.same(countClients([part!], 7, NOW_S + 120), { seen: 0, bad: 0 });
  mark(part!, 2, 0, NOW_S + 120);
  t.same(countClients([part!], 7, NOW_S + 120), { seen: 2, bad: 0 }, 'its place is written over');
  clearClients(part!, 7);
  t.same(countClients([part!], 7, NOW_S + 120), { seen: 0, bad: 0 });
});
