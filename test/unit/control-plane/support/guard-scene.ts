// A guard that watches a rollout, with counters and a clock that the test sets.

import { BLOCK, DURATION_EDGES_MS } from '../../../../src/contract/counters.ts';
import type { RoutingTable, Service, Split } from '../../../../src/contract/table.ts';
import {
  GuardWatch,
  stateOf,
  type WatchState,
} from '../../../../src/control-plane/rollouts/watching/guard-watch.ts';
import { guardBrief } from '../../../../src/control-plane/rollouts/views/guard-brief.ts';
import type { GuardSays } from '../../../../src/control-plane/rollouts/machine/machine.ts';
import type {
  Leg,
  Rollout,
} from '../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import { testRollout } from '../../../support/rollout.ts';
import { NOW_MS, rollout } from './rollouts.ts';
import { FEW } from './tables.ts';

export interface Counted {
  readonly judged: number;
  readonly bad?: number;
  /** Requests on paths that the guard ignores. */
  readonly ignored?: number;
  /** Index of the bucket of durations; left out: the fastest. */
  readonly bucket?: number;
}

export const BUCKETS = DURATION_EDGES_MS.length + 1;

/** Counters of one process: a number for each slot of each block. */
class FakeCounters {
  readonly #slots = new Map<string, number>();
  readonly #lives = new Map<number, number>();
  /** Blocks whose errors all met one client. */
  readonly spared = new Set<number>();
  /** Called with each slot that is read. */
  onRead: (block: number, slot: number) => void = () => {};

  blockSlot(block: number, slot: number): number {
    const found = this.#slots.get(`${block} ${slot}`) ?? 0;
    this.onRead(block, slot);
    return found;
  }
  lifeOf(block: number): number {
    return this.#lives.get(block) ?? 0;
  }
  clients(block: number): { seen: number; bad: number } {
    return { seen: 100, bad: this.spared.has(block) ? 1 : 50 };
  }
  add(block: number, slot: number, by: number): void {
    this.#slots.set(`${block} ${slot}`, (this.#slots.get(`${block} ${slot}`) ?? 0) + by);
  }
  count(block: number, { judged, bad = 0, ignored = 0, bucket = 0 }: Counted): void {
    this.add(block, BLOCK.judged, judged);
    this.add(block, BLOCK.judgedSplit, judged);
    this.add(block, BLOCK.judgedBad, bad);
    this.add(block, BLOCK.judgedBadSplit, bad);
    this.add(block, BLOCK.duration + bucket, judged + ignored);
    this.add(block, BLOCK.durationSplit + bucket, judged);
    this.add(block, BLOCK.durationUnjudged + bucket, ignored);
  }
  /** Another deployment counts there now. */
  reuse(block: number): void {
    this.#lives.set(block, this.lifeOf(block) + 1);
    this.#zero(block);
  }
  /** What a worker has counted is gone. */
  lose(block: number): void {
    this.#zero(block);
  }
  #zero(block: number): void {
    for (const key of this.#slots.keys()) if (key.startsWith(`${block} `)) this.#slots.delete(key);
  }
}

const SPLIT: Split = {
  deployment: 2,
  salt: 1,
  sinceS: Math.floor(NOW_MS / 1_000),
  share: 5_000,
  ramp: undefined,
  sessions: 'new',
  by: 'session',
};

/** Service `at` has the blocks 2 at and 2 at + 1. */
function serviceAt(name: string, at: number): Service {
  return {
    ...FEW,
    name,
    blue: { ...FEW.blue, number: 2 * at + 1, block: 2 * at },
    green: { ...FEW.green, number: 2 * at + 2, block: 2 * at + 1 },
    split: { ...SPLIT, deployment: 2 * at + 2 },
  };
}

function legAt(service: string, at: number): Leg {
  return {
    service,
    from: { deployment: 2 * at + 1, color: 'blue', release: 'v1' },
    to: { deployment: 2 * at + 2, color: 'green', release: 'v2' },
  };
}

export function guardScene(
  names: readonly string[] = ['shop'],
  changes: Parameters<typeof rollout>[0] = {},
) {
  const counters = new FakeCounters();
  const clock = { ms: 0 };
  let table: RoutingTable = {
    version: 1,
    epoch: 1,
    services: names.map((name, at) => ({ ...serviceAt(name, at), split: undefined })),
  };
  const settings = testRollout();
  const open = (): GuardWatch =>
    new GuardWatch({
      table: () => table,
      totals: counters,
      configOf: () => ({ rollout: settings }),
      now: () => clock.ms,
      epochMs: () => NOW_MS + clock.ms,
    });
  let watch = open();
  let running: Rollout = rollout({ ...changes, legs: names.map(legAt), plan: '50%:5m, 100%' });
  const pass = (ms: number): void => {
    clock.ms += ms;
  };
  return {
    counters,
    pass,
    settings,
    get state(): WatchState {
      return stateOf(running)!;
    },
    get brief() {
      return guardBrief(running)!;
    },
    /** The old releases do what is normal, for ten minutes. */
    learn(perSecond: Counted = { judged: 100 }): void {
      for (let second = 0; second <= 600; second++) {
        for (const at of names.keys()) counters.count(2 * at, perSecond);
        pass(1_000);
        watch.learn();
      }
    },
    /** The first traffic moves. */
    begin(split: Partial<Split> = {}): void {
      running = { ...running, stage: 'shifting' };
      running = { ...running, guard: watch.begin(running) };
      table = { ...table, services: names.map((name, at) => serviceAt(name, at)) };
      this.edit((service) => ({ ...service, split: { ...service.split!, ...split } }));
    },
    edit(change: (service: Service) => Service): void {
      table = { ...table, services: table.services.map((one) => change(one)) };
    },
    set(changed: Partial<Rollout>): void {
      running = { ...running, ...changed };
    },
    look(ms = 1_000): GuardSays {
      pass(ms);
      const { state, says } = watch.look(running, ms);
      running = { ...running, guard: state };
      return says;
    },
    /** What is kept is read by a new process, whose counters begin at zero. */
    restart(): void {
      running = { ...running, guard: JSON.parse(JSON.stringify(running.guard)) as unknown };
      watch = open();
    },
  };
}

export type GuardScene = ReturnType<typeof guardScene>;

export const BAD = { judged: 50, bad: 25 };
export const GOOD = { judged: 50 };

/** Looks for `seconds`, in which the new release of service `at` does `fresh`. */
export function watchFor(world: GuardScene, seconds: number, fresh: Counted, at = 0): GuardSays {
  let says: GuardSays = { verdict: undefined, reason: '' };
  for (let second = 0; second < seconds; second++) {
    world.counters.count(2 * at, GOOD);
    world.counters.count(2 * at + 1, fresh);
    says = world.look();
  }
  return says;
}

export function evidence(world: GuardScene): number {
  return world.brief.evidence;
}
