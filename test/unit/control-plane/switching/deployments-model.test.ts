// Random histories of deploys, switches, rollbacks, drains, evictions, reloads, restarts and kills in
// a small town, whose few addresses are used again by other releases and other services. After every
// step each client is served by the deployment that the model says, and never by an app that was not
// released for it. TURNOUT_MODEL_RUNS sets how many histories are tried, TURNOUT_MODEL_SEED which.

import * as fc from 'fast-check';
import t from 'tap';
import { COLORS, type Color } from '../../../../src/contract/table.ts';
import { leavingKey } from '../../../../src/control-plane/deployments/state-edit.ts';
import { Model } from '../../../support/deployment-model.ts';
import {
  Town,
  type KillPoint,
  type Said,
  type SaidColor,
} from '../../../support/deployment-town.ts';
import { back, change, to, wanted } from '../support/board.ts';
import {
  carryOut,
  checkServed,
  compare,
  type Client,
  type Real,
} from '../support/deployment-worlds.ts';

const RUNS = Number(process.env['TURNOUT_MODEL_RUNS'] ?? 2_000);
const SEED = Number(process.env['TURNOUT_MODEL_SEED'] ?? Date.now() % 1_000_000);
const STEPS_MAX = 30;

const SERVICES = ['shop', 'bank'] as const;
const CLIENTS = [0, 1, 2] as const;

const FIRST: Said = {
  shop: { blue: { release: 'r1', at: [3001] }, green: { release: 'r2', at: [3002] } },
  bank: { blue: { release: 'b1', at: [3003] }, green: { release: 'b2', at: [] } },
};

type Step = fc.AsyncCommand<Model, Real>;

const service = fc.constantFrom(...SERVICES);
const color = fc.constantFrom<Color>(...COLORS);
const release = fc.constantFrom('r1', 'r2', 'r3', 'b1', 'b2');
const ports = fc.uniqueArray(fc.constantFrom(3001, 3002, 3003, 3004, 3005), {
  minLength: 1,
  maxLength: 2,
});
const saidColor: fc.Arbitrary<SaidColor> = fc.record({ release, at: ports });
const killPoint = fc.option(fc.constantFrom<KillPoint>('before-store', 'after-store'), {
  freq: 12,
  nil: undefined,
});

/** A step that is a change of operators. */
abstract class Change implements Step {
  check(): boolean {
    return true;
  }
  abstract carry(model: Model, real: Real): Promise<void>;
  async run(model: Model, real: Real): Promise<void> {
    await this.carry(model, real);
    compare(model, real);
  }
  abstract toString(): string;
}

class Register extends Change {
  readonly said: readonly [string, Color, SaidColor, boolean, KillPoint | undefined];
  constructor(...said: readonly [string, Color, SaidColor, boolean, KillPoint | undefined]) {
    super();
    this.said = said;
  }
  async carry(model: Model, real: Real): Promise<void> {
    const [name, on, what, evict, kill] = this.said;
    const { town } = real;
    const plan = model.register(name, on, what, { evict });
    const targets = what.at.map((port) => `http://127.0.0.1:${port}`);
    const asked = wanted({ color: on, release: what.release, targets, evict });
    const before = model.deployments.size;
    await carryOut(real, plan, kill, async () => {
      const { changed } = await town.turnout.board.register(change({ service: name }), asked);
      return changed;
    });
    if (model.deployments.size > before) town.run(what.release, what.at);
  }
  toString(): string {
    return `register ${JSON.stringify(this.said)}`;
  }
}

class Switch extends Change {
  readonly said: readonly [string, number | string, KillPoint | undefined];
  constructor(...said: readonly [string, number | string, KillPoint | undefined]) {
    super();
    this.said = said;
  }
  async carry(model: Model, real: Real): Promise<void> {
    const [name, destination, kill] = this.said;
    const plan = model.switch(name, destination, false);
    await carryOut(real, plan, kill, async () => {
      const asked = to(destination, { service: name });
      return (await real.town.turnout.board.switch(asked)).changed;
    });
  }
  toString(): string {
    return `switch ${JSON.stringify(this.said)}`;
  }
}

class Rollback extends Change {
  readonly said: readonly [string, number | undefined, 'all' | 'new', KillPoint | undefined];
  constructor(
    ...said: readonly [string, number | undefined, 'all' | 'new', KillPoint | undefined]
  ) {
    super();
    this.said = said;
  }
  async carry(model: Model, real: Real): Promise<void> {
    const [name, destination, restick, kill] = this.said;
    const plan = model.rollback(name, destination, restick === 'all');
    await carryOut(real, plan, kill, async () => {
      const asked = back({ service: name, to: destination, restick });
      return (await real.town.turnout.board.rollback(asked)).changed;
    });
  }
  toString(): string {
    return `rollback ${JSON.stringify(this.said)}`;
  }
}

/** The file says something else of one color: read again, or at the next start. */
class Configure extends Change {
  readonly said: readonly [string, Color, SaidColor, 'reload' | 'restart', KillPoint | undefined];
  constructor(
    ...said: readonly [string, Color, SaidColor, 'reload' | 'restart', KillPoint | undefined]
  ) {
    super();
    this.said = said;
  }
  async carry(model: Model, real: Real): Promise<void> {
    const [name, on, what, how, kill] = this.said;
    const { town } = real;
    const before = real.said;
    const said = { ...before, [name]: { ...before[name]!, [on]: what } };
    const plan = model.configure(name, on, what);
    const run = (): void => {
      // What was registered is started; a scaling starts what was added.
      if (plan.outcome === 'done') town.run(what.release, what.at);
    };
    if (how === 'restart') {
      town.turnout.said = said;
      await town.restart();
      if (plan.outcome === 'done') plan.make();
      // A refused line is told, and stays refused: the operator takes it back.
      if (plan.outcome === 'done') real.said = said;
      else await this.#takeBack(town, before);
      run();
      return;
    }
    town.turnout.said = said;
    const outcome = await carryOut(real, plan, kill, async () => {
      const asked = { ...change(), dryRun: false };
      return (await town.turnout.reloader.reload(asked)).changed;
    });
    // The process that was killed before reads the file at its next start.
    if (outcome === 'done' && kill === 'before-store') plan.make();
    if (outcome === 'done') real.said = said;
    else if (kill !== undefined) await this.#takeBack(town, before);
    else town.turnout.said = before;
    run();
  }

  /** A process that has started with a file that it refuses is told the one before. */
  async #takeBack(town: Town, before: Said): Promise<void> {
    town.turnout.said = before;
    await town.restart();
  }

  toString(): string {
    return `configure ${JSON.stringify(this.said)}`;
  }
}

class Evict extends Change {
  readonly service: string;
  constructor(name: string) {
    super();
    this.service = name;
  }
  async carry(model: Model, real: Real): Promise<void> {
    const plan = model.evict(this.service);
    await carryOut(real, plan, undefined, async () => {
      const asked = change({ service: this.service });
      return (await real.town.turnout.board.evict(asked, undefined)).changed;
    });
  }
  toString(): string {
    return `evict ${this.service}`;
  }
}

class Restart extends Change {
  async carry(_model: Model, { town }: Real): Promise<void> {
    await town.restart();
  }
  toString(): string {
    return 'restart';
  }
}

/** Time passes, and Turnout looks at its drains. */
class Pass extends Change {
  readonly seconds: number;
  constructor(seconds: number) {
    super();
    this.seconds = seconds;
  }
  async carry(model: Model, { town, clients }: Real): Promise<void> {
    town.pass(this.seconds * 1_000);
    model.nowMs += this.seconds * 1_000;
    for (const status of town.turnout.drains.running({})) {
      const { service: name, deployment, scope, startedAtMs, targets, reasons, endsAtMs } = status;
      if (reasons.length > 0 && model.nowMs < endsAtMs) continue;
      const asked = change({ service: name });
      if (scope === 'targets') {
        const key = leavingKey(deployment, startedAtMs);
        await town.turnout.board.endDrains(asked, new Set(), new Set([key]));
        model.endLeave(
          deployment,
          targets.map((url) => Number(new URL(url).port)),
        );
        continue;
      }
      await town.turnout.board.endDrains(asked, new Set([deployment]));
      const { untilMs } = model.services.get(name)!.drains.get(deployment)!;
      const stays = clients.some(({ sessions }) => {
        const session = sessions.get(name);
        const isThere = session?.deployment === deployment && model.isAwaited(session);
        return isThere && !model.hasEnded(session) && model.nowMs < untilMs;
      });
      if (stays) throw new Error(`the drain of ${deployment} has ended under a session`);
      model.endDrain(name, deployment);
    }
  }
  toString(): string {
    return `pass ${this.seconds} s`;
  }
}

class Visit implements Step {
  readonly said: readonly [number, string, string | undefined];
  constructor(...said: readonly [number, string, string | undefined]) {
    this.said = said;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, { town, clients }: Real): Promise<void> {
    const [index, name, named] = this.said;
    const { cookies, sessions } = clients[index]!;
    const session = sessions.get(name);
    const expected = model.expected(name, session, named);
    const target = named === undefined ? '/' : `/?dpl=${named}`;
    // A client sends all its cookies, also those of the other service.
    const served = town.ask(name, [...cookies.values()], target);
    checkServed(model, served, expected, `client ${index} of ${name}`);
    if (session !== undefined && !model.hasEnded(session)) session.hasComeBack = true;
    if (served.cookie === undefined) return;
    cookies.set(name, served.cookie);
    sessions.set(name, {
      deployment: model.expected(name, session, undefined),
      givenMs: model.nowMs,
      hasComeBack: session !== undefined && !model.hasEnded(session),
    });
  }
  toString(): string {
    return `visit ${JSON.stringify(this.said)}`;
  }
}

const visit: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(...CLIENTS), service, fc.option(release, { nil: undefined, freq: 4 }))
  .map((said) => new Visit(...said));
const destination = fc.oneof(color, release, fc.integer({ min: 1, max: 12 }));

const changes: readonly fc.Arbitrary<Step>[] = [
  fc.tuple(service, color, saidColor, fc.boolean(), killPoint).map((said) => new Register(...said)),
  fc.tuple(service, color, saidColor, fc.boolean(), killPoint).map((said) => new Register(...said)),
  fc.tuple(service, destination, killPoint).map((said) => new Switch(...said)),
  fc.tuple(service, destination, killPoint).map((said) => new Switch(...said)),
  fc
    .tuple(
      service,
      fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
      fc.constantFrom<'all' | 'new'>('all', 'new'),
      killPoint,
    )
    .map((said) => new Rollback(...said)),
  fc
    .tuple(
      service,
      color,
      saidColor,
      fc.constantFrom<'reload' | 'restart'>('reload', 'restart'),
      killPoint,
    )
    .map((said) => new Configure(...said)),
  service.map((name) => new Evict(name)),
  fc.constant(new Restart()),
  fc.constantFrom(1, 10, 70, 200, 400).map((seconds) => new Pass(seconds)),
];
const steps = fc.commands([visit, visit, visit, ...changes], {
  maxCommands: STEPS_MAX,
  size: 'max',
});

await t.test(`${RUNS} histories, seed ${SEED}`, { timeout: 1_200_000 }, async (t) => {
  t.comment(`TURNOUT_MODEL_SEED=${SEED} TURNOUT_MODEL_RUNS=${RUNS}`);
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const town = await Town.found(FIRST);
      try {
        const clients = CLIENTS.map((): Client => ({ cookies: new Map(), sessions: new Map() }));
        const setup = () => ({ model: new Model(FIRST), real: { town, clients, said: FIRST } });
        await fc.asyncModelRun(setup, commands);
      } finally {
        town.leave();
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
  t.pass('every client was served by what was released for it');
});
