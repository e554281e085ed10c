// kill -9 at random moments around switches. Whatever an operator was told to be done is done
// after the restart, nothing is half done, and the first request gets the right color.
//
// TURNOUT_TEST_KILLS sets how many times; TURNOUT_TEST_SEED repeats a run.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { otherColor, type Color } from '../../src/contract/table.ts';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { Random } from '../support/random.ts';
import { callAndKill } from './call-and-kill.ts';
import { launch, startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

const KILLS = Number(process.env['TURNOUT_TEST_KILLS'] ?? 60);
const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
/** State directories that are used side by side: two cores start two processes. */
const LANES = 2;
/** Whole switches before the one that is met by the kill. */
const SWITCHES_BEFORE_MAX = 3;
/** One restart in so many is killed before it is ready. */
const KILL_START_ONE_IN = 5;
/** From spawn to ready on a quiet machine, about twice. */
const START_MS = 600;

/** What is known to hold, and what may hold. */
interface Truth {
  /** Generations that switches made, the latest first. The end of a drain makes others between. */
  readonly switches: number[];
  color: Color;
  /** A switch to the other color was asked for and never answered. */
  isOpen: boolean;
}

interface Since {
  readonly generation: number;
}

interface Tally {
  answered: number;
  unanswered: number;
  /** Unanswered, and in force after the restart. */
  survived: number;
  startsKilled: number;
}

interface LaneParts {
  readonly t: Test;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly random: Random;
  readonly tally: Tally;
}

class Lane {
  readonly #parts: LaneParts;
  readonly #truth: Truth = { switches: [], color: 'blue', isOpen: false };
  /** Milliseconds of recent calls: the moment of a kill is drawn from twice as much. */
  #callMs = 5;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  async round(): Promise<void> {
    if (this.#parts.random.below(KILL_START_ONE_IN) === 0) await this.#killStart();
    const running = await startTurnout(this.#parts.t, this.#parts.args, this.#parts.environment);
    const admin = new AdminClient(running.admin);
    try {
      await this.#check(running, admin);
      const count = this.#parts.random.below(SWITCHES_BEFORE_MAX + 1);
      for (let index = 0; index < count; index++) await this.#switch(admin);
    } finally {
      admin.close();
    }
    await this.#switchAndKill(running);
  }

  /** Asks for a switch, and kills at a random moment from before the call to after its answer. */
  async #switchAndKill(running: Running): Promise<void> {
    const to = otherColor(this.#truth.color);
    const waitMs = this.#parts.random.fraction() * 2 * this.#callMs;
    const answer = await callAndKill(running, '/v1/switch', { waitMs, body: { to } });
    const generation = /"generation": (\d+)/.exec(answer)?.[1];
    if (generation === undefined) {
      this.#parts.tally.unanswered++;
      this.#truth.isOpen = true;
    } else {
      this.#parts.tally.answered++;
      this.#learn(Number(generation));
    }
  }

  async #switch(admin: AdminClient): Promise<void> {
    const to = otherColor(this.#truth.color);
    const startedMs = performance.now();
    const { status, json } = await admin.post('/v1/switch', { to });
    this.#callMs = (this.#callMs + (performance.now() - startedMs)) / 2;
    this.#parts.t.match({ status, json }, { status: 200, json: { to, changed: true } });
    this.#learn(Number(json['generation']));
  }

  /** A switch is in force. */
  #learn(generation: number): void {
    this.#truth.switches.unshift(generation);
    this.#truth.color = otherColor(this.#truth.color);
  }

  async #check(running: Running, admin: AdminClient): Promise<void> {
    const truth = this.#truth;
    // The first request of this process.
    const answer = await fetch(`http://${running.proxy}/`, { headers: { connection: 'close' } });
    const served = await answer.text();
    const { json } = await admin.get('/v1/status');
    const [{ since: found }] = json['services'] as [{ readonly since: Since }];
    if (truth.isOpen && found.generation > (truth.switches[0] ?? 1)) {
      this.#parts.tally.survived++;
      this.#learn(found.generation);
    }
    truth.isOpen = false;
    const { switches, color } = truth;
    const expected = switches[0] ?? 1;
    this.#parts.t.equal(answer.status, 200);
    this.#parts.t.equal(served, color, `generation ${expected}: ${color} serves at once`);
    const since = { generation: expected };
    // The first generation was made by no switch.
    const previous = expected === 1 ? null : { generation: expected, to: color };
    const services = [{ active: color, since, previous }];
    this.#parts.t.match(json, { state: { warning: null }, services });
    this.#parts.t.ok(Number(json['generation']) >= expected, 'generations only grow');
    const { json: history } = await admin.get('/v1/history?limit=1000');
    const told = history['switches'] as readonly { readonly generation: number }[];
    const generations = told.map((one) => one.generation);
    this.#parts.t.strictSame(generations, switches, 'each switch has its line, and no other');
  }

  /** Kills a process that has not said that it is ready, and perhaps would not have yet. */
  async #killStart(): Promise<void> {
    const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const child = launch(['run', ...listen, ...this.#parts.args], this.#parts.environment);
    child.stdout?.resume();
    const ended = once(child, 'close');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#parts.random.fraction() * START_MS);
    await ended;
    clearTimeout(timer);
    this.#parts.t.equal(child.signalCode, 'SIGKILL', 'it did not end by itself');
    this.#parts.tally.startsKilled++;
  }
}

await t.test(`${KILLS} times kill -9 around a switch lose nothing that was told`, async (t) => {
  t.comment(`TURNOUT_TEST_SEED=${SEED}`);
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const targets = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  // Half of a start is compiling; what an orderly stop has kept, the others find.
  const environment = { NODE_COMPILE_CACHE: temporaryDirectory(t) };
  const warm = await startTurnout(t, targets, environment);
  warm.process.kill('SIGTERM');
  await warm.ended;
  const tally: Tally = { answered: 0, unanswered: 0, survived: 0, startsKilled: 0 };
  const lanes = Array.from({ length: LANES }, async (_, index) => {
    const args = [...targets, '--state', temporaryDirectory(t)];
    const lane = new Lane({ t, args, environment, random: new Random(SEED + index), tally });
    for (let round = index; round < KILLS; round += LANES) await lane.round();
  });
  await Promise.all(lanes);
  t.comment(
    `${tally.answered} switches answered before the kill, ${tally.unanswered} not ` +
      `(${tally.survived} of them in force), ${tally.startsKilled} starts killed`,
  );
  t.ok(tally.answered > 0 && tally.unanswered > 0, 'kills met both sides of the answer');
});
