// Endpoints that fail live requests are left out for a while, and come back: against counts that the
// test makes, and time that it lets pass.

import t from 'tap';
import type { EjectionConfig } from '../../../../src/config/config.ts';
import { ENDPOINT_ROW, HEALTH_WORD } from '../../../../src/contract/counters.ts';
import type { Endpoint, LiveEndpoint, RoutingTable } from '../../../../src/contract/table.ts';
import { EJECTIONS_LOOK_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { Ejections } from '../../../../src/control-plane/targets/ejections.ts';
import type { HealthState } from '../../../../src/control-plane/targets/health-verdict.ts';
import { begun } from '../support/begun.ts';
import { NO_NAMES, serviceConfig, target, TestLog } from '../support/fixtures.ts';
import { ManualTimers } from '../support/manual-timers.ts';

const CONFIG: EjectionConfig = { mode: 'on', failures: 5, timeMs: 30_000, timeMaxMs: 60_000 };

/** Blue with `count` endpoints; the slots of its endpoints are 0, 1 and so on. */
class Scene {
  readonly log = new TestLog();
  readonly timers = new ManualTimers();
  readonly marks = new Map<number, number>();
  readonly states = new Map<number, HealthState>();
  readonly #counts = new Map<string, number>();
  readonly ejections: Ejections;
  config: EjectionConfig = CONFIG;
  namesOf: (endpoint: Endpoint) => readonly LiveEndpoint[] = (one) => NO_NAMES.of(one);
  table: RoutingTable;

  constructor(count: number) {
    const targets = Array.from({ length: count }, (_, index) => target(3_001 + index));
    const green = { release: 'v2', targets: [target(4_000)] };
    this.table = begun([serviceConfig({ blue: { release: 'v1', targets }, green })]).table;
    this.ejections = new Ejections({
      table: () => this.table,
      names: { of: (endpoint) => this.namesOf(endpoint) },
      health: {
        status: (slot) => ({ state: this.states.get(slot) ?? 'up', reason: '', changedAtMs: 0 }),
        mark: (slot, word) => {
          if (word === undefined) this.marks.delete(slot);
          else this.marks.set(slot, word);
        },
      },
      totals: { endpoint: (slot, row) => this.#counts.get(`${slot} ${row}`) ?? 0 },
      configOf: () => this.config,
      timers: this.timers,
      now: () => this.timers.nowMs,
      log: this.log,
    });
    this.ejections.start();
  }

  /** Counts requests that have ended at endpoints: positive numbers were answered, negative ones failed. */
  count(ended: readonly number[], kind: keyof typeof ENDPOINT_ROW = 'failed'): this {
    for (const [slot, requests] of ended.entries()) {
      const key = `${slot} ${ENDPOINT_ROW[requests > 0 ? 'answered' : kind]}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + Math.abs(requests));
    }
    return this;
  }

  clear(slot: number): void {
    for (const row of Object.values(ENDPOINT_ROW)) this.#counts.delete(`${slot} ${row}`);
  }

  async look(ms = EJECTIONS_LOOK_MS): Promise<void> {
    await this.timers.pass(ms);
  }

  /** Looks with these counts. */
  async ends(...ended: readonly number[]): Promise<void> {
    this.count(ended);
    await this.look();
  }

  /** What the health words say beside the checks. */
  get words(): string[] {
    return [...this.marks].map(
      ([slot, word]) => `${slot} ${word === HEALTH_WORD.ejected ? 'ejected' : 'trial'}`,
    );
  }
}

/** A scene in which endpoint 0 is ejected and the others serve. */
async function ejected(count = 2): Promise<Scene> {
  const scene = new Scene(count);
  await scene.look();
  await scene.ends(-5, ...Array.from({ length: count - 1 }, () => 20));
  return scene;
}

await t.test('an endpoint that fails all its requests is left out', async (t) => {
  const scene = await ejected();
  t.strictSame(scene.words, ['0 ejected']);
  t.match(scene.ejections.of(0), { reason: /^5 requests in a row failed there, while the rest/ });
  t.equal(scene.ejections.countOf(0), 1);
  t.equal(scene.ejections.of(1), undefined);
  t.match(scene.log.lines, [
    { level: 'warn', message: /^default blue http:\/\/127.0.0.1:3001 is ejected for 30 s: 5 req/ },
  ]);
  scene.ejections.stop();
  t.equal(scene.timers.count, 0);
});

await t.test('failures of several looks add up, an answer ends the run', async (t) => {
  const scene = new Scene(2);
  await scene.look();
  await scene.ends(-3, 10);
  await scene.ends(1, 10);
  await scene.ends(-2, 10);
  await scene.ends(0, 10);
  await scene.ends(-2, 10);
  t.strictSame(scene.words, []);
  await scene.ends(-1, 0);
  t.strictSame(scene.words, ['0 ejected']);
});

await t.test('what was counted before the first look says nothing', async (t) => {
  const scene = new Scene(2).count([-50, 50]);
  await scene.look();
  await scene.ends(0, 20);
  t.strictSame(scene.words, []);
});

await t.test('connects that failed are named in the reason', async (t) => {
  const scene = new Scene(2);
  await scene.look();
  scene.count([-4], 'connectFailures');
  await scene.ends(-6, 20);
  t.match(scene.ejections.of(0)?.reason, '6 requests in a row failed there (4 of them got no con');
});

await t.test('where all endpoints fail, none is left out', async (t) => {
  const scene = new Scene(3);
  await scene.look();
  for (let i = 0; i < 20; i++) await scene.ends(-5, -5, -5);
  t.strictSame(scene.words, []);
  t.strictSame(scene.log.lines, []);
});

await t.test('where all endpoints fail much, a run of one of them is chance', async (t) => {
  const scene = new Scene(3);
  await scene.look();
  for (let i = 0; i < 20; i++) {
    scene.count([1, 1, 1]);
    await scene.ends(-3, -2, -2);
  }
  await scene.ends(-9, 1, 1);
  t.strictSame(scene.words, []);
});

await t.test('the only endpoint and the last one that serves are never left out', async (t) => {
  const alone = new Scene(1);
  await alone.look();
  await alone.ends(-50);
  t.strictSame(alone.words, []);
  const scene = new Scene(2);
  scene.states.set(1, 'down');
  await scene.look();
  await scene.ends(-50, 20);
  t.strictSame(scene.words, [], 'the other one is down by its checks');
});

await t.test('all but one may be left out; when that fails too, all serve', async (t) => {
  const scene = new Scene(3);
  await scene.look();
  await scene.ends(-5, -5, 20);
  t.strictSame(scene.words, ['0 ejected', '1 ejected']);
  await scene.ends(0, 0, -5);
  t.strictSame(scene.words, []);
  t.match(scene.log.lines.at(-1), { message: /gets requests again: no other endpoint of its col/ });
});

await t.test('a check that passes changes nothing, nor does one that calls it down', async (t) => {
  const scene = await ejected();
  for (const state of ['up', 'down', 'up'] as const) {
    scene.states.set(0, state);
    await scene.ends(0, 5);
    t.strictSame(scene.words, ['0 ejected'], state);
  }
});

await t.test('when no other endpoint is up any more, it serves again', async (t) => {
  const scene = await ejected();
  scene.states.set(1, 'down');
  await scene.look();
  t.strictSame(scene.words, []);
});

await t.test('a word that was lost is said again', async (t) => {
  const scene = await ejected();
  scene.marks.clear();
  await scene.look();
  t.strictSame(scene.words, ['0 ejected']);
});

await t.test('an answer while it is left out was asked for before', async (t) => {
  const scene = await ejected();
  await scene.ends(3, 5);
  t.strictSame(scene.words, ['0 ejected']);
});

await t.test('after its time it is tried, request by request, until one is answered', async (t) => {
  const scene = await ejected();
  await scene.look(CONFIG.timeMs);
  t.strictSame(scene.words, ['0 trial']);
  const first = scene.marks.get(0);
  t.ok(scene.ejections.of(0), 'it is still told');
  await scene.ends(-1, 5);
  t.not(scene.marks.get(0), first, 'each look lets another request through');
  await scene.ends(1, 5);
  t.strictSame(scene.words, []);
  t.equal(scene.ejections.of(0), undefined);
  t.match(scene.log.lines.at(-1), {
    level: 'info',
    message: /^default blue \S+ gets requests again: it has answered a request$/,
  });
});

await t.test('one that fails its trial is left out for longer, up to the bound', async (t) => {
  const scene = await ejected();
  for (const secondsOut of [60, 60]) {
    await scene.look(CONFIG.timeMaxMs);
    t.strictSame(scene.words, ['0 trial']);
    await scene.ends(-3, 5);
    t.strictSame(scene.words, ['0 trial']);
    await scene.ends(-2, 5);
    t.strictSame(scene.words, ['0 ejected']);
    t.match(scene.log.lines.at(-1)?.message, `is ejected for ${secondsOut} s`);
  }
  t.equal(scene.ejections.countOf(0), 3);
});

await t.test('one that fails again after its return is left out again', async (t) => {
  const scene = await ejected();
  await scene.look(CONFIG.timeMs);
  await scene.ends(1, 5);
  await scene.ends(-5, 5);
  t.strictSame(scene.words, ['0 ejected']);
  t.match(scene.log.lines.at(-1)?.message, 'is ejected for 60 s');
});

await t.test('only time in which it answers lets it be forgiven', async (t) => {
  const scene = await ejected();
  await scene.look(CONFIG.timeMs);
  await scene.ends(1, 5);
  await scene.look(10 * CONFIG.timeMs);
  await scene.ends(-5, 5);
  t.match(scene.log.lines.at(-1)?.message, 'is ejected for 60 s', 'nothing was asked of it');
  await scene.look(2 * CONFIG.timeMs);
  await scene.ends(1, 5);
  await scene.look(10 * CONFIG.timeMs);
  await scene.ends(1, 5);
  await scene.ends(-5, 5);
  t.match(scene.log.lines.at(-1)?.message, 'is ejected for 30 s');
});

await t.test('each address of a name is an endpoint of its own', async (t) => {
  const scene = new Scene(1);
  const [name] = scene.table.services[0]!.blue.endpoints;
  const live = ['10.0.0.1:80', '10.0.0.2:80'].map((place, slot) => ({ ...name!, slot, place }));
  scene.namesOf = ({ slot }) => (slot === name!.slot ? (live as LiveEndpoint[]) : []);
  await scene.look();
  await scene.ends(-5, 20);
  t.strictSame(scene.words, ['0 ejected']);
  t.match(scene.log.lines.at(-1)?.message, 'http://127.0.0.1:3001 (10.0.0.1:80) is ejected');
  scene.namesOf = () => [
    { ...live[0], place: '10.0.0.3:80' } as LiveEndpoint,
    live[1] as LiveEndpoint,
  ];
  await scene.look();
  t.strictSame(scene.words, [], 'another address at its slot begins anew');
});

await t.test('a trial that fails as all others do is over', async (t) => {
  const scene = await ejected(3);
  await scene.look(CONFIG.timeMs);
  for (let i = 0; i < 8; i++) {
    scene.count([0, -9, -9]);
    await scene.ends(0, 1, 1);
  }
  await scene.ends(-5, 1, 1);
  t.strictSame(scene.words, []);
  t.match(scene.log.lines.at(-1), { message: /again: the other endpoints of its color fail/ });
});

await t.test('setting it off takes everything back', async (t) => {
  const scene = await ejected();
  scene.config = { ...CONFIG, mode: 'off' };
  await scene.look();
  t.strictSame(scene.words, []);
  await scene.ends(-50, 20);
  t.strictSame(scene.words, []);
});

await t.test('another deployment, and one that has become active, begin anew', async (t) => {
  const scene = await ejected();
  const [service] = scene.table.services;
  const blue = { ...service!.blue, servedSince: service!.blue.servedSince + 5 };
  scene.table = { ...scene.table, services: [{ ...service!, blue }] };
  await scene.look();
  t.strictSame(scene.words, []);
  t.equal(scene.ejections.of(0), undefined);
  await scene.ends(-5, 20);
  t.match(scene.log.lines.at(-1)?.message, 'is ejected for 30 s', 'as if for the first time');
  t.equal(scene.ejections.countOf(0), 2, 'a counter never falls');
  const gone = { ...service!.blue, endpoints: [] };
  scene.table = { ...scene.table, services: [{ ...service!, blue: gone }] };
  await scene.look();
  t.equal(scene.ejections.of(0), undefined);
  t.equal(scene.ejections.countOf(0), 0);
});

await t.test('a slot that counts from zero again is no run of failures', async (t) => {
  const scene = new Scene(2).count([30, 30]);
  await scene.look();
  scene.clear(0);
  scene.count([-5, 20]);
  await scene.look();
  t.strictSame(scene.words, []);
});
