// Which endpoint takes a request.

import t from 'tap';
import { ENDPOINTS_MAX, HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { pickPool } from '../../../../src/data-plane/exchange/pick.ts';
import type { TargetPool } from '../../../../src/data-plane/transport/transport.ts';

interface World {
  readonly pools: readonly TargetPool[];
  readonly parts: Parameters<typeof pickPool>[2];
}

/** One pool for each entry: its health and its requests in flight. */
function world(
  endpoints: readonly (readonly [health: keyof typeof HEALTH_WORD, inflight: number])[],
): World {
  const health = new Int32Array(new SharedArrayBuffer(ENDPOINTS_MAX * 4));
  endpoints.forEach(([word], slot) => {
    health[slot] = HEALTH_WORD[word];
  });
  const tally = { endpointInflight: (slot: number): number => endpoints[slot]![1] };
  return {
    pools: endpoints.map((_, slot) => ({ endpoint: { slot } }) as unknown as TargetPool),
    parts: { health, tally },
  };
}

const ROUNDS = 2_000;

/** Returns how often each slot was picked. */
function picks({ pools, parts }: World, excluded: number | undefined): number[] {
  const counts = pools.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    const pool = pickPool(pools, excluded === undefined ? undefined : pools[excluded], parts);
    counts[pools.indexOf(pool!)]!++;
  }
  return counts;
}

await t.test('no endpoint makes no choice', async (t) => {
  const { pools, parts } = world([]);
  t.equal(pickPool(pools, undefined, parts), undefined);
});

await t.test('one endpoint takes everything, whatever its health', async (t) => {
  for (const health of ['unknown', 'up', 'down'] as const) {
    t.strictSame(picks(world([[health, 5]]), undefined), [ROUNDS]);
    t.strictSame(picks(world([[health, 5]]), 0), [ROUNDS], 'there is no other one');
  }
});

await t.test('equal endpoints share the load', async (t) => {
  const counts = picks(
    world([
      ['up', 1],
      ['up', 1],
      ['up', 1],
    ]),
    undefined,
  );
  for (const count of counts) t.ok(count > ROUNDS / 6, `${count} of ${ROUNDS}`);
});

await t.test('the busiest of three gets the smallest share', async (t) => {
  const [idle, middle, busy] = picks(
    world([
      ['up', 0],
      ['up', 5],
      ['up', 9],
    ]),
    undefined,
  );
  t.ok(idle! > middle! && middle! > busy!, `${idle} > ${middle} > ${busy}`);
});

await t.test(
  'where none is up, one that was not asked yet comes before one that is down',
  async (t) => {
    const counts = picks(
      world([
        ['down', 0],
        ['unknown', 5],
        ['down', 0],
        ['unknown', 5],
      ]),
      undefined,
    );
    t.strictSame([counts[0], counts[2]], [0, 0]);
    t.ok(counts[1]! > ROUNDS / 6 && counts[3]! > ROUNDS / 6, counts.join(', '));
  },
);

await t.test('an endpoint that is not up gets nothing while another one is', async (t) => {
  const counts = picks(
    world([
      ['down', 0],
      ['up', 100],
      ['unknown', 0],
    ]),
    undefined,
  );
  t.strictSame(counts, [0, ROUNDS, 0]);
});

await t.test('an endpoint that is ejected gets nothing while another one serves', async (t) => {
  t.strictSame(
    picks(
      world([
        ['ejected', 0],
        ['up', 100],
        ['ejected', 0],
      ]),
      undefined,
    ),
    [0, ROUNDS, 0],
  );
  t.strictSame(
    picks(
      world([
        ['ejected', 0],
        ['unknown', 100],
      ]),
      undefined,
    ),
    [0, ROUNDS],
  );
});

await t.test('an endpoint that is ejected comes before one that is down', async (t) => {
  const counts = picks(
    world([
      ['down', 0],
      ['ejected', 5],
      ['down', 0],
    ]),
    undefined,
  );
  t.strictSame(counts, [0, ROUNDS, 0]);
});

await t.test('each number of a trial lets one request through, and no second try', async (t) => {
  const { pools, parts } = world([
    ['trial', 0],
    ['up', 5],
  ]);
  const pool = pools[0] as TargetPool & { taken: number };
  pool.taken = 0;
  pool.takesTrial = (trial) => {
    const isNew = pool.taken !== trial;
    pool.taken = trial;
    return isNew;
  };
  t.strictSame(picks({ pools, parts }, 1), [ROUNDS, 0], 'there is no other one');
  t.equal(pool.taken, 0, 'a second try is no trial');
  t.strictSame(picks({ pools, parts }, undefined), [1, ROUNDS - 1]);
  parts.health[0] = HEALTH_WORD.trial + 1;
  t.strictSame(picks({ pools, parts }, undefined), [1, ROUNDS - 1]);
});

await t.test('when all are down all are tried', async (t) => {
  const counts = picks(
    world([
      ['down', 0],
      ['down', 0],
    ]),
    undefined,
  );
  t.ok(
    counts.every((count) => count > 0),
    counts.join(' '),
  );
});

await t.test('the excluded endpoint is left out, even for one that is down', async (t) => {
  const counts = picks(
    world([
      ['up', 0],
      ['down', 9],
    ]),
    0,
  );
  t.strictSame(counts, [0, ROUNDS]);
});
