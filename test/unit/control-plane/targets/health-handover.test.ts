// What a process knows of its targets goes to the one that takes over.

import t from 'tap';
import { Health, type HealthReport } from '../../../../src/control-plane/targets/health.ts';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import type { HealthConfig } from '../../../../src/config/config.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { NO_CHECKS, NO_NAMES, TestLog } from '../support/fixtures.ts';
import { FEW, oneService } from '../support/tables.ts';
import { endpoint } from '../support/endpoint.ts';

const OFTEN: HealthConfig = { ...NO_CHECKS, kind: 'tcp', intervalMs: 1, rise: 2, fall: 1 };

/** Two targets of blue, one of green; which slots they have differs from process to process. */
function table(number: number, slots: readonly [number, number, number]): RoutingTable {
  const blue = [endpoint(slots[0], 1, number), endpoint(slots[1], 2, number)];
  return oneService({
    blue: { ...FEW.blue, number, endpoints: blue },
    green: { ...FEW.green, number: 9, endpoints: [endpoint(slots[2], 3, 9)] },
  });
}

/** Watches `watched`; a target answers with what `answers` has for it, else never. */
function watch(
  watched: RoutingTable,
  {
    config = OFTEN,
    answers = {},
  }: { config?: HealthConfig; answers?: Record<string, string> } = {},
) {
  const memory = allocateSharedMemory(1);
  const log = new TestLog();
  const health = new Health({
    table: watched,
    configOf: () => config,
    names: NO_NAMES,
    memory,
    log,
    prober: ({ url }) => ({
      ask: async () => answers[url] ?? Promise.withResolvers<string>().promise,
      close: () => {},
    }),
    onChange: () => {},
  });
  return { health, log, word: (slot: number) => memory.health[slot] };
}

/** One up, one down, one that has never answered. */
async function reports(): Promise<readonly HealthReport[]> {
  const { health, log } = watch(table(1, [0, 1, 2]), {
    answers: { 'http://127.0.0.1:1': '', 'http://127.0.0.1:2': 'answered 500' },
  });
  health.start();
  await Promise.all([log.until(/:1 is up/), log.until(/:2 is down/)]);
  health.stop();
  return structuredClone(health.report());
}

await t.test('verdicts go by what a target is, not by its slot', async (t) => {
  const told = await reports();
  t.equal(told.length, 2, 'of what is unknown there is nothing to tell');
  const { health, word } = watch(table(1, [7, 8, 9]));
  health.believe(told);
  t.match(health.status(7), { state: 'up', reason: /^$/ });
  t.match(health.status(8), { state: 'down', reason: 'answered 500' });
  t.match(health.status(9), { state: 'unknown' });
  t.strictSame([7, 8, 9].map(word), [HEALTH_WORD.up, HEALTH_WORD.down, HEALTH_WORD.unknown]);
});

await t.test('they hold for targets that appear before the checks begin, not later', async (t) => {
  const told = await reports();
  const { health, word } = watch(oneService({ blue: { ...FEW.blue, endpoints: [] } }));
  t.teardown(() => health.stop());
  health.believe(told);
  health.follow(table(1, [7, 8, 9]));
  t.equal(health.status(8).state, 'down');
  t.equal(word(8), HEALTH_WORD.down);
  health.start();
  health.follow(oneService({ blue: { ...FEW.blue, endpoints: [] } }));
  health.follow(table(1, [7, 8, 9]));
  t.equal(health.status(8).state, 'unknown');
});

await t.test('another deployment at the same address has to answer for itself', async (t) => {
  const { health } = watch(table(2, [7, 8, 9]));
  health.believe(await reports());
  t.equal(health.status(7).state, 'unknown');
});

await t.test('reports that come after the first checks change nothing', async (t) => {
  const { health } = watch(table(1, [7, 8, 9]));
  t.teardown(() => health.stop());
  health.start();
  health.believe(await reports());
  t.equal(health.status(8).state, 'unknown');
});

await t.test('checks go on from there: rise and fall count as always', async (t) => {
  const { health, log } = watch(table(1, [7, 8, 9]), {
    answers: { 'http://127.0.0.1:1': 'refused', 'http://127.0.0.1:2': '' },
  });
  t.teardown(() => health.stop());
  health.believe(await reports());
  health.start();
  await Promise.all([log.until(/:1 is down/), log.until(/:2 is up/)]);
  t.match(health.status(7), { state: 'down', reason: 'refused' });
  t.match(health.status(8), { state: 'up', reason: /^$/ });
});

await t.test('where nobody is asked any more, a target stays up', async (t) => {
  const { health } = watch(table(1, [7, 8, 9]), { config: NO_CHECKS });
  health.believe(await reports());
  t.equal(health.status(8).state, 'up');
  t.strictSame(health.report(), [], 'nor is there anything to tell');
});
