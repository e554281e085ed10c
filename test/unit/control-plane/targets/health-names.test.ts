// Health of names: each address is asked for itself, and comes and goes with the lookups.

import t, { type Test } from 'tap';
import type { HealthConfig } from '../../../../src/config/config.ts';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import type { Endpoint, LiveEndpoint } from '../../../../src/contract/table.ts';
import { Health } from '../../../../src/control-plane/targets/health.ts';
import { NEVER_ASKED } from '../../../../src/control-plane/targets/looked-up-name.ts';
import type { NameBook } from '../../../../src/control-plane/targets/looked-up-name.ts';
import type { Names } from '../../../../src/control-plane/targets/names.ts';
import {
  checkRollback,
  checkSwitch,
} from '../../../../src/control-plane/switching/checks/switch-check.ts';
import { NO_CHECKS, TestLog } from '../support/fixtures.ts';
import { FEW, oneService } from '../support/tables.ts';

const OFTEN: HealthConfig = { ...NO_CHECKS, kind: 'tcp', intervalMs: 1, rise: 1, fall: 1 };

const NAME: Endpoint = {
  slot: 0,
  deployment: FEW.blue.number,
  url: 'http://app.test:3000',
  address: { kind: 'name', host: 'app.test', port: 3_000 },
  authority: 'app.test:3000',
};

function live(slot: number, host: string): LiveEndpoint {
  const place = `${host}:3000`;
  return { ...NAME, slot, address: { kind: 'tcp', host, port: 3_000 }, place };
}

const [A, B] = [live(1, '10.0.0.1'), live(2, '10.0.0.2')];

/** Blue is one name; the test says where it leads and how each place answers. */
function watch(t: Test, config: HealthConfig = OFTEN) {
  const memory = allocateSharedMemory(1);
  const log = new TestLog();
  const found = {
    live: [A] as readonly LiveEndpoint[],
    status: NEVER_ASKED,
    doubted: [] as number[],
  };
  const names: NameBook & Pick<Names, 'doubt'> = {
    of: () => found.live,
    status: () => found.status,
    doubt: (slot) => found.doubted.push(slot),
  };
  const answers = new Map<string, string>();
  const closed: string[] = [];
  const table = oneService({
    blue: { ...FEW.blue, endpoints: [NAME] },
    green: { ...FEW.green, endpoints: [] },
  });
  const health = new Health({
    table,
    configOf: () => config,
    names,
    memory,
    log,
    prober: ({ place = '' }) => ({
      ask: async () => answers.get(place) ?? '',
      close: () => closed.push(place),
    }),
    onChange: () => {},
  });
  t.teardown(() => health.stop());
  const lead = (...endpoints: readonly LiveEndpoint[]): void => {
    found.live = endpoints;
    health.follow(table);
  };
  const service = table.services[0]!;
  return {
    health,
    log,
    found,
    answers,
    closed,
    lead,
    service,
    word: (n: number) => memory.health[n],
  };
}

await t.test('each address has a verdict and a health word of its own', async (t) => {
  const { health, log, answers, lead, word } = watch(t);
  answers.set(B.place!, 'connection refused');
  lead(A, B);
  health.start();
  await log.until(/app\.test:3000 \(10\.0\.0\.1:3000\) is up/);
  await log.until(/app\.test:3000 \(10\.0\.0\.2:3000\) is down/);
  t.match(health.of(NAME), [
    { slot: 1, place: '10.0.0.1:3000', state: 'up', reason: '' },
    { slot: 2, place: '10.0.0.2:3000', state: 'down', reason: 'connection refused' },
  ]);
  t.same([word(1), word(2)], [HEALTH_WORD.up, HEALTH_WORD.down]);
});

await t.test(
  'an address that comes is unknown, then asked; one that goes is asked no more',
  async (t) => {
    const { health, log, closed, lead, word } = watch(t);
    health.start();
    await log.until(/10\.0\.0\.1:3000\) is up/);
    lead(A, B);
    t.match(health.of(NAME), [{ state: 'up' }, { state: 'unknown' }]);
    t.equal(word(2), HEALTH_WORD.unknown);
    await log.until(/10\.0\.0\.2:3000\) is up/);
    lead(B);
    t.same(closed, [A.place]);
    t.match(health.of(NAME), [{ slot: 2, state: 'up' }]);
  },
);

await t.test('another address in the same slot begins as unknown', async (t) => {
  const { health, log, lead, word } = watch(t);
  health.start();
  await log.until(/10\.0\.0\.1:3000\) is up/);
  lead(live(1, '10.0.0.9'));
  t.equal(word(1), HEALTH_WORD.unknown);
  await log.until(/10\.0\.0\.9:3000\) is up/);
});

await t.test('a name that leads nowhere is unknown, with the reason of its lookup', async (t) => {
  const { health, found, lead } = watch(t);
  lead();
  t.match(health.of(NAME), [{ state: 'unknown', reason: 'its name was not looked up yet' }]);
  found.status = { ...NEVER_ASKED, problem: 'no DNS server answered', failureCount: 1 };
  t.match(health.of(NAME), [{ state: 'unknown', reason: 'no DNS server answered' }]);
});

await t.test('a name that DNS denies is down, and since when', async (t) => {
  const { health, found, lead, service } = watch(t);
  lead();
  const problem = 'DNS says: no such name';
  found.status = { ...NEVER_ASKED, problem, failureCount: 1, deniedAtMs: 7 };
  t.match(health.of(NAME), [{ state: 'down', reason: problem, changedAtMs: 7 }]);
  t.throws(() => checkSwitch(service.name, service.blue, (one) => health.of(one)), {
    code: 'target-unhealthy',
    message: `default: blue is not healthy: http://app.test:3000 is down (${problem})`,
  });
});

await t.test('an address that does not answer is reason to look its name up again', async (t) => {
  const { health, log, answers, found, lead } = watch(t);
  answers.set(B.place!, 'connection refused');
  lead(A, B);
  health.start();
  await log.until(/10\.0\.0\.1:3000\) is up/);
  await log.until(/10\.0\.0\.2:3000\) is down/);
  t.same(new Set(found.doubted), new Set([B.slot]));
});

await t.test('where nobody is asked, each address that comes counts as up', async (t) => {
  const { health, lead, word } = watch(t, NO_CHECKS);
  health.start();
  lead(A, B);
  t.same([word(1), word(2)], [HEALTH_WORD.up, HEALTH_WORD.up]);
});

await t.test('a switch needs every address, a rollback one', async (t) => {
  const { health, log, answers, lead, service } = watch(t);
  const of = (endpoint: Endpoint) => health.of(endpoint);
  answers.set(B.place!, 'connection refused');
  lead(A, B);
  health.start();
  await log.until(/10\.0\.0\.1:3000\) is up/);
  await log.until(/10\.0\.0\.2:3000\) is down/);
  t.throws(() => checkSwitch(service.name, service.blue, of), {
    code: 'target-unhealthy',
    message:
      'default: blue is not healthy: ' +
      'http://app.test:3000 at 10.0.0.2:3000 is down (connection refused)',
    members: {
      targets: [{ url: NAME.url, address: '10.0.0.2:3000', state: 'down' }],
    },
  });
  t.doesNotThrow(() => checkRollback(service.name, service.blue, of));
  lead(A);
  t.doesNotThrow(() => checkSwitch(service.name, service.blue, of));
  lead();
  t.throws(() => checkSwitch(service.name, service.blue, of), { code: 'target-unhealthy' });
  t.throws(() => checkRollback(service.name, service.blue, of), { code: 'target-unhealthy' });
});
