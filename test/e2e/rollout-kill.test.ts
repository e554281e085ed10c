// kill -9 at each transition of rollouts: while gates are asked and around each call of an operator. After
// the restart, a rollout is where it was or where the call wanted it, nothing is done twice or left out.
//
// TURNOUT_TEST_KILLS sets how many times; TURNOUT_TEST_SEED repeats a run.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { otherColor, type Color } from '../../src/contract/table.ts';
import { AdminClient, type AdminAnswer } from '../support/admin-client.ts';
import { Random } from '../support/random.ts';
import {
  askOnce,
  HEALTH,
  openApp,
  openHook,
  RolloutCaller,
  type Hook,
  type View,
} from './rollout-scene.ts';
import { callAndKill } from './call-and-kill.ts';
import { startAsGiven, temporaryDirectory, type Running } from './turnout-process.ts';

const KILLS = Number(process.env['TURNOUT_TEST_KILLS'] ?? 10);
const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);

t.setTimeout(60_000 + KILLS * 15_000);

const PLAN = '10%:pause, 25%:pause, 50%:approve, 75%:pause';
/** What is told of such a rollout, each once, in this order. */
const TOLD = `
  rollout.started rollout.stage gate.result gate.result rollout.stage rollout.waiting gate.result
  rollout.step rollout.waiting rollout.resumed
  rollout.step rollout.waiting rollout.resumed
  rollout.step rollout.waiting rollout.approved
  rollout.step rollout.waiting rollout.resumed
  rollout.promoted rollout.hurried rollout.stage`
  .trim()
  .split(/\s+/);
const STAGES = ['registered', 'warming', 'testing', 'gated', 'shifting', 'baking', 'draining'];

/** How far a rollout is: it only grows. */
function placeOf({ stage, step, end }: Pick<View, 'stage' | 'step' | 'end'>): number {
  if (end?.outcome === 'done') return 1_000;
  return STAGES.indexOf(stage) * 100 + (stage === 'shifting' ? (step ?? 0) : 0);
}

/** What an operator says next to a rollout that stands; undefined: it goes on by itself. */
function wordFor({ stage, status, end }: View): string | undefined {
  if (end !== null || stage === 'draining') return undefined;
  if (stage === 'baking') return 'skip';
  if (status.kind !== 'waiting') return undefined;
  return status['for'] === 'approval' ? 'approve' : 'resume';
}

interface KillParts {
  readonly t: Test;
  readonly random: Random;
  readonly apps: Readonly<Record<Color, { readonly name: string }>>;
  readonly hooks: readonly Hook[];
}

/** Rollouts one after the other, and what is known to hold of them. */
class KillRun {
  readonly #parts: KillParts;
  readonly #told = new Map<number, string>();
  #active: Color = 'blue';
  #id: string | undefined;
  #place = 0;
  /** A start was asked for and not answered. */
  #isOpen = false;
  /** Kills fall up to twice so long after a call: about half of them after its answer. */
  #callMs = 20;
  kills = 0;
  unanswered = 0;
  done = 0;

  constructor(parts: KillParts) {
    this.#parts = parts;
  }

  get isOver(): boolean {
    return this.kills >= KILLS && this.#id === undefined;
  }

  /** What was so before the last kill is so now, or what was asked for then. */
  async check(running: Running, caller: RolloutCaller): Promise<void> {
    const { t, apps } = this.#parts;
    const audit = await caller.admin.get('/v1/audit?limit=1&verify=true');
    t.match(audit.json, { chain: { state: 'ok' } }, 'the audit log is whole');
    const { json } = await caller.admin.get('/v1/rollouts?limit=1');
    const [latest] = json['rollouts'] as View[];
    const isNew = latest !== undefined && latest.end === null && latest.stage !== 'draining';
    if (this.#id === undefined && this.#isOpen && isNew) this.#id = latest.id;
    this.#isOpen = false;
    if (this.#id === undefined) return;
    const view = await this.#look(caller, this.#id);
    const place = placeOf(view);
    t.ok(place >= this.#place, `${view.id} is at ${place}, it was at ${this.#place}`);
    const isMoved = ['baking', 'draining', 'done'].includes(view.stage);
    const active = isMoved ? otherColor(this.#active) : this.#active;
    const status = (await caller.admin.get('/v1/status')).json;
    t.match(status['services'], [{ active }], `${view.id} in ${view.stage}`);
    const served = await askOnce(running.proxy);
    if (view.stage !== 'shifting') t.equal(served, apps[active].name);
  }

  /** Goes on until this process is killed, or enough of them were. */
  async goOn(running: Running, caller: RolloutCaller): Promise<void> {
    const { t, hooks, random } = this.#parts;
    while (!this.isOver) {
      const id = this.#id;
      if (id === undefined) return this.#call(running, '/v1/rollouts');
      const view = await this.#look(caller, id);
      const word = wordFor(view);
      const isLast = this.kills >= KILLS;
      if (view.stage === 'draining' || view.end !== null) {
        this.#next(view, await caller.admin.get('/v1/history?limit=1000'));
      } else if (word !== undefined) {
        if (!isLast) return this.#call(running, `/v1/rollouts/${id}/${word}`);
        t.match(await caller.act(id, word), { status: 200 });
      } else {
        const asked = hooks.find(({ attempts }) => attempts.length === 0);
        if (asked !== undefined && !isLast && random.below(2) === 0)
          return this.#killAsking(running, asked);
        await caller.until(id, ({ event }) => event !== view.event, 'another event');
      }
    }
  }

  async #look(caller: RolloutCaller, id: string): Promise<View> {
    const view = await caller.view(id);
    for (const { seq, kind } of view.events) {
      if (/^(?:rollout|gate)\./.test(kind)) this.#told.set(seq, kind);
    }
    this.#place = Math.max(this.#place, placeOf(view));
    return view;
  }

  async #call(running: Running, path: string): Promise<void> {
    const { t, random } = this.#parts;
    const answer = await callAndKill(running, path, {
      waitMs: random.fraction() * 2 * this.#callMs,
    });
    const isAnswered = answer.startsWith('HTTP/1.1 2');
    if (!isAnswered) this.unanswered++;
    this.#callMs *= isAnswered ? 0.8 : 1.25;
    t.notMatch(answer, /^HTTP\/1.1 [45]/, path);
    this.kills++;
    if (path !== '/v1/rollouts') return;
    this.#isOpen = true;
    this.#id = /"id": "(r-\d+)"/.exec(answer)?.[1];
  }

  /** It asks the gate, and dies before or after the answer. */
  async #killAsking(running: Running, hook: Hook): Promise<void> {
    hook.answer = this.#parts.random.below(2) === 0 ? undefined : 200;
    await hook.asked();
    running.process.kill('SIGKILL');
    await running.ended;
    hook.answer = 200;
    this.kills++;
  }

  /** One is over: judges all that was told of it, and turns to the next one. */
  #next({ id, gates }: View, { json }: AdminAnswer): void {
    const { t, hooks } = this.#parts;
    const told = [...this.#told].toSorted(([a], [b]) => a - b).map(([, kind]) => kind);
    t.strictSame(told.slice(0, TOLD.length), TOLD, `${id}: each told once`);
    for (const { attempts } of hooks) {
      t.equal(new Set(attempts).size, 1, `${id}: one question, the same when repeated`);
      attempts.length = 0;
    }
    const verdicts = gates.map(({ verdict }) => verdict);
    t.strictSame(verdicts, ['ok', 'ok', 'ok']);
    this.done++;
    t.equal((json['switches'] as unknown[]).length, this.done, 'one switch of each rollout');
    this.#told.clear();
    this.#id = undefined;
    this.#place = 0;
    this.#active = otherColor(this.#active);
  }
}

await t.test(`${KILLS} times kill -9 in rollouts`, async (t) => {
  t.comment(`TURNOUT_TEST_SEED=${SEED}`);
  const apps = { blue: await openApp(t, 'v1'), green: await openApp(t, 'v2') };
  const hooks = [await openHook(t), await openHook(t)];
  const directory = temporaryDirectory(t);
  const file = join(directory, 'turnout.yaml');
  const asked = hooks.map(({ url }, at) => ({ name: `ask-${at}`, kind: 'webhook', url }));
  const gates = [...asked, { name: 'mia', kind: 'approve' }];
  const service = {
    blue: { release: 'v1', targets: [apps.blue.url] },
    green: { release: 'v2', targets: [apps.green.url] },
    health: HEALTH,
    rollout: { plan: PLAN, bake: '1h', guard: { mode: 'off' }, gates },
  };
  writeFileSync(file, JSON.stringify({ services: [service] }));
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
  const args = [...listen, '--state', join(directory, 'state'), '--config', file];
  const run = new KillRun({ t, random: new Random(SEED), apps, hooks });
  while (!run.isOver) {
    const running = await startAsGiven(t, args);
    const admin = new AdminClient(running.admin);
    const caller = new RolloutCaller(admin);
    await run.check(running, caller);
    await run.goOn(running, caller);
    admin.close();
  }
  const { done, kills, unanswered } = run;
  t.comment(`${done} rollouts, ${kills} kills, ${unanswered} calls without an answer`);
});
