// What is said of a target beside its checks: it stands in the health words while the target is not down,
// and belongs to that target alone.

import t from 'tap';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { Health } from '../../../../src/control-plane/targets/health.ts';
import { begun } from '../support/begun.ts';
import { NO_CHECKS, NO_NAMES, serviceConfig, target, TestLog } from '../support/fixtures.ts';

function scene() {
  const { table } = begun([
    serviceConfig({ blue: { release: '', targets: [target(1), target(2)] } }),
  ]);
  const memory = allocateSharedMemory(1);
  const endpoint = table.services[0]!.blue.endpoints[0]!;
  let health = NO_CHECKS;
  const checks = new Health({
    table,
    configOf: () => health,
    names: NO_NAMES,
    memory,
    log: new TestLog(),
    prober: () => ({ ask: async () => '', close: () => {} }),
    onChange: () => {},
  });
  return {
    table,
    checks,
    slot: endpoint.slot,
    word: () => Atomics.load(memory.health, endpoint.slot),
    /** The same table, with targets that are asked otherwise. */
    asksEvery: (intervalMs: number): void => {
      health = { ...NO_CHECKS, intervalMs };
      checks.follow(table);
    },
  };
}

await t.test('a mark stands in place of the state, and goes', async (t) => {
  const { checks, slot, word } = scene();
  t.equal(word(), HEALTH_WORD.up);
  checks.mark(slot, HEALTH_WORD.ejected);
  t.equal(word(), HEALTH_WORD.ejected);
  t.equal(checks.status(slot).state, 'up', 'what checks say is not touched');
  checks.mark(slot, HEALTH_WORD.trial + 7);
  t.equal(word(), HEALTH_WORD.trial + 7);
  checks.mark(slot, undefined);
  t.equal(word(), HEALTH_WORD.up);
});

await t.test('it outlives a table, and another way to ask, but not its target', async (t) => {
  const { table, checks, slot, word, asksEvery } = scene();
  checks.mark(slot, HEALTH_WORD.ejected);
  checks.follow(table);
  t.equal(word(), HEALTH_WORD.ejected);
  asksEvery(5_000);
  t.equal(word(), HEALTH_WORD.ejected);
  const [service] = table.services;
  const [first, ...rest] = service!.blue.endpoints;
  const other = { ...first!, url: 'http://127.0.0.1:9' };
  const moved = { ...service!.blue, endpoints: [other, ...rest] };
  checks.follow({ ...table, services: [{ ...service!, blue: moved }] });
  t.equal(word(), HEALTH_WORD.up);
  checks.mark(slot, HEALTH_WORD.ejected);
  checks.follow({ ...table, services: [] });
  t.equal(word(), HEALTH_WORD.unknown);
  checks.follow(table);
  t.equal(word(), HEALTH_WORD.up);
});

await t.test('a target that is down is down', async (t) => {
  const { table } = begun([serviceConfig()]);
  const memory = allocateSharedMemory(1);
  const { slot, url, deployment } = table.services[0]!.blue.endpoints[0]!;
  const checks = new Health({
    table,
    configOf: () => ({ ...NO_CHECKS, kind: 'http' }),
    names: NO_NAMES,
    memory,
    log: new TestLog(),
    prober: () => ({ ask: async () => '', close: () => {} }),
    onChange: () => {},
  });
  checks.mark(slot, HEALTH_WORD.ejected);
  t.equal(memory.health[slot], HEALTH_WORD.ejected);
  const verdict = { state: 'down', streak: 1, streakOf: 'fail' } as const;
  const status = { state: 'down', reason: 'refused', changedAtMs: 1 } as const;
  checks.believe([{ deployment, url, verdict, status }]);
  t.equal(memory.health[slot], HEALTH_WORD.down);
});
