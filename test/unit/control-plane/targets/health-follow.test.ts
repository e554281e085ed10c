// Health checks follow the routing table: who comes is asked, who goes is not asked any more.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { HealthConfig } from '../../../../src/config/config.ts';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import type { Endpoint, RoutingTable, Service } from '../../../../src/contract/table.ts';
import { Health } from '../../../../src/control-plane/targets/health.ts';
import type { Prober } from '../../../../src/control-plane/targets/probe.ts';
import { NO_CHECKS, NO_NAMES, TestLog } from '../support/fixtures.ts';
import { drain, FEW, oneService } from '../support/tables.ts';
import { endpoint } from '../support/endpoint.ts';

/** Asked as often as timers allow. */
const OFTEN: HealthConfig = { ...NO_CHECKS, kind: 'tcp', intervalMs: 1, rise: 1, fall: 1 };

/** A prober that a test answers for, and that remembers who was asked. */
class FakeTargets {
  readonly #events = new EventTarget();
  readonly asked: string[] = [];
  readonly closed: string[] = [];
  /** What the next question ends with; none: it does not end. */
  readonly answers = new Map<string, string | Promise<string>>();

  readonly prober: Prober = ({ url }) => ({
    ask: async () => {
      this.asked.push(url);
      this.#events.dispatchEvent(new Event('asked'));
      const answer = this.answers.get(url);
      if (answer !== undefined) return answer;
      return Promise.withResolvers<string>().promise;
    },
    close: () => {
      this.closed.push(url);
    },
  });

  /** Resolves when `url` has been asked once more. */
  async again(url: string): Promise<void> {
    const before = this.asked.length;
    while (!this.asked.slice(before).includes(url)) await once(this.#events, 'asked');
  }
}

/** Returns a table of the service below, with `changes`. */
function table(changes: Partial<Service> = {}): RoutingTable {
  return oneService({ ...withBlue(endpoint(0, 1)), ...changes });
}

/** Watches blue at slot 0, port 1; green has no target. */
function watch(t: Test, config: HealthConfig = OFTEN) {
  const targets = new FakeTargets();
  const memory = allocateSharedMemory(1);
  const log = new TestLog();
  const health = new Health({
    table: table(),
    configOf: () => config,
    names: NO_NAMES,
    memory,
    log,
    prober: targets.prober,
    onChange: () => {},
  });
  t.teardown(() => health.stop());
  return { health, targets, log, word: (slot: number) => memory.health[slot] };
}

/** Blue with these endpoints, which are of one deployment; green empty. */
function withBlue(...endpoints: Endpoint[]): Pick<Service, 'blue' | 'green'> {
  const { deployment: number } = endpoints[0]!;
  return {
    blue: { ...FEW.blue, number, endpoints },
    green: { ...FEW.green, endpoints: [] },
  };
}

const URLS = ['', 'http://127.0.0.1:1', 'http://127.0.0.1:2'] as const;

await t.test('a target that comes with a table is unknown, then asked, then up', async (t) => {
  const { health, targets, word, log } = watch(t);
  targets.answers.set(URLS[1], '');
  health.start();
  await log.until(/:1 is up/);
  health.follow(table(withBlue(endpoint(0, 1), endpoint(4, 2))));
  t.match(health.status(4), { state: 'unknown', reason: /^$/ });
  t.equal(word(4), HEALTH_WORD.unknown);
  t.equal(health.status(0).state, 'up', 'the other one was not touched');
  await targets.again(URLS[2]);
  health.follow(table(withBlue(endpoint(0, 1), endpoint(4, 2))));
  targets.answers.set(URLS[2], '');
  t.equal(health.status(4).state, 'unknown', 'until it has answered');
});

await t.test('a target that comes is up once it has answered', async (t) => {
  const { health, targets, word, log } = watch(t);
  for (const url of URLS) targets.answers.set(url, '');
  health.start();
  health.follow(table(withBlue(endpoint(4, 2))));
  await log.until(/:2 is up/);
  t.match(health.status(4), { state: 'up' });
  t.equal(word(4), HEALTH_WORD.up);
});

await t.test('the same address in another deployment begins as unknown', async (t) => {
  const { health, targets, word, log } = watch(t);
  targets.answers.set(URLS[1], '');
  health.start();
  await log.until(/:1 is up/);
  t.equal(word(0), HEALTH_WORD.up);
  targets.answers.delete(URLS[1]);
  health.follow(table(withBlue(endpoint(0, 1, 2))));
  t.equal(health.status(0).state, 'unknown');
  t.equal(word(0), HEALTH_WORD.unknown, 'also for the workers');
  await targets.again(URLS[1]);
  t.equal(health.status(0).state, 'unknown');
});

await t.test(
  'an answer to a question about the deployment before counts for nothing',
  async (t) => {
    const { health, targets, word, log } = watch(t);
    const late = Promise.withResolvers<string>();
    targets.answers.set(URLS[1], late.promise);
    health.start();
    await targets.again(URLS[1]);
    targets.answers.delete(URLS[1]);
    health.follow(table(withBlue(endpoint(0, 1, 2))));
    late.resolve('');
    await targets.again(URLS[1]);
    t.equal(health.status(0).state, 'unknown');
    t.equal(word(0), HEALTH_WORD.unknown);
    t.same(log.lines, []);
  },
);

await t.test('a target that no table names any more is asked no more', async (t) => {
  const { health, targets } = watch(t);
  for (const url of URLS) targets.answers.set(url, '');
  health.start();
  await targets.again(URLS[1]);
  health.follow(table(withBlue(endpoint(4, 2))));
  t.same(targets.closed, [URLS[1]], 'not even the question under way goes on');
  const before = targets.asked.length;
  for (let times = 0; times < 5; times++) await targets.again(URLS[2]);
  t.notOk(targets.asked.slice(before).includes(URLS[1]));
  t.equal(health.status(0).state, 'unknown');
});

await t.test('what drains is asked, too', async (t) => {
  const { health, targets, log } = watch(t);
  for (const url of URLS) targets.answers.set(url, '');
  const deployment = { ...FEW.green, number: 2, endpoints: [endpoint(4, 2, 2)] };
  health.follow(table({ draining: [drain(2, { deployment })] }));
  health.start();
  await log.until(/green .*:2 is up/);
  t.equal(health.status(4).state, 'up');
});

await t.test('what a preview link alone leads to is asked, too', async (t) => {
  const { health, targets, log } = watch(t);
  for (const url of URLS) targets.answers.set(url, '');
  const kept = { ...FEW.green, number: 2, endpoints: [endpoint(4, 2, 2)] };
  health.follow(table({ previewed: [kept] }));
  health.start();
  await log.until(/green .*:2 is up/);
  t.equal(health.status(4).state, 'up');
});

await t.test('a deployment that drains and is idle, too, is asked once', async (t) => {
  const { health, targets } = watch(t);
  for (const url of URLS) targets.answers.set(url, '');
  const deployment = { ...FEW.blue, endpoints: [endpoint(0, 1)] };
  health.follow(table({ draining: [drain(1, { deployment })] }));
  t.same(targets.closed, [], 'the one on the color is the one that counts');
  health.start();
  await targets.again(URLS[1]);
  health.follow(table());
  t.same(targets.closed, []);
});

await t.test('an address that two deployments share is asked for each of them', async (t) => {
  const { health, targets, log } = watch(t);
  targets.answers.set(URLS[1], '');
  health.start();
  await log.until(/:1 is up/);
  targets.answers.set(URLS[1], 'answered 500');
  const deployment = { ...FEW.blue, number: 2, endpoints: [endpoint(4, 1, 2)] };
  health.follow(table({ draining: [drain(2, { deployment })] }));
  t.strictSame([health.status(0).state, health.status(4).state], ['up', 'unknown']);
  await log.until(/:1 is down/, 2);
  t.strictSame([health.status(0).state, health.status(4).state], ['down', 'down']);
});

await t.test('a table in which nothing changed changes nothing', async (t) => {
  const { health, targets, log } = watch(t);
  targets.answers.set(URLS[1], '');
  health.start();
  await log.until(/:1 is up/);
  const before = health.status(0);
  health.follow(table({ active: 'green' }));
  t.equal(health.status(0).state, 'up');
  t.equal(health.status(0).changedAtMs, before.changedAtMs);
  t.same(targets.closed, []);
});

await t.test('where nobody is asked, who comes counts as up', async (t) => {
  const { health, word, targets } = watch(t, NO_CHECKS);
  health.start();
  health.follow(table(withBlue(endpoint(0, 1), endpoint(4, 2))));
  t.equal(health.status(4).state, 'up');
  t.equal(word(4), HEALTH_WORD.up);
  t.same(targets.asked, []);
});

await t.test('before the start and after the stop nobody is asked', async (t) => {
  const { health, targets } = watch(t);
  health.follow(table(withBlue(endpoint(4, 2))));
  health.start();
  await targets.again(URLS[2]);
  t.notOk(targets.asked.includes(URLS[1]));
  health.stop();
  const before = targets.asked.length;
  health.follow(table());
  t.equal(health.status(0).state, 'unknown');
  t.equal(targets.asked.length, before);
});
