// kill -9 at random instants while operators change all kinds of things and clients ask. Whatever was
// acknowledged is there after the restart, exactly once; what was not can be asked again with its
// key; nothing is half done, and the audit log is whole.
//
// TURNOUT_KILLS sets how many times (300 for the long form, with TURNOUT_TEST_SECONDS=3600);
// TURNOUT_TEST_SEED repeats a run.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { otherColor, type Color } from '../../src/contract/table.ts';
import { AdminClient, type AdminAnswer } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { Random } from '../support/random.ts';
import { SteadyClients } from '../support/steady-clients.ts';
import {
  activeOf,
  changesTable,
  isFreeze,
  isTold,
  readAll,
  send,
  stable,
  type Answered,
  type Call,
  type Entry,
} from './told-calls.ts';
import { startTurnout, temporaryDirectory, type Running } from './turnout-process.ts';

const KILLS = Number(process.env['TURNOUT_KILLS'] ?? 40);
const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
/** State directories that are used side by side: two cores start two processes. */
const LANES = 2;
/** Calls before those that are met by the kill. */
const CALLS_BEFORE_MAX = 6;
/** Calls that are under way when it comes. */
const CALLS_AT_ONCE_MAX = 3;

interface Tally {
  acknowledged: number;
  refused: number;
  open: number;
  /** Open, and made before the kill. */
  survived: number;
  requests: number;
}

interface LaneParts {
  readonly t: Test;
  readonly args: readonly string[];
  readonly urls: Readonly<Record<Color, string>>;
  /** A second address for each color. */
  readonly more: Readonly<Record<Color, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly random: Random;
  readonly tally: Tally;
}

class Lane {
  readonly #parts: LaneParts;
  readonly #answered: Answered[] = [];
  #open: readonly Call[] = [];
  #count = 0;
  /** Milliseconds of recent calls: the moment of a kill is drawn from twice as much. */
  #callMs = 5;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  async round(): Promise<void> {
    const { t, args, environment, random } = this.#parts;
    const running = await startTurnout(t, args, environment);
    const admin = new AdminClient(running.admin);
    const clients = new SteadyClients(running.proxy);
    try {
      await this.#check(admin);
      clients.start();
      const count = random.below(CALLS_BEFORE_MAX + 1);
      for (let index = 0; index < count; index++) await this.#make(admin);
      t.strictSame(clients.failures, [], 'clients notice nothing');
      await this.#makeAndKill(running, admin);
    } finally {
      await clients.stop();
      this.#parts.tally.requests += clients.count;
      admin.close();
    }
  }

  /** Makes one call and waits for its answer. */
  async #make(admin: AdminClient): Promise<void> {
    const call = this.#draw(await activeOf(admin));
    const startedMs = performance.now();
    const answer = await send(admin, call);
    this.#callMs = (this.#callMs + (performance.now() - startedMs)) / 2;
    this.#note({ ...call, answer });
  }

  /** Makes some calls at once, and kills at a random moment. */
  async #makeAndKill(running: Running, admin: AdminClient): Promise<void> {
    const { random } = this.#parts;
    const active = await activeOf(admin);
    const count = 1 + random.below(CALLS_AT_ONCE_MAX);
    const calls = Array.from({ length: count }, () => this.#draw(active));
    const asked = calls.map(async (call) => {
      const answer = await send(admin, call).catch(() => undefined);
      if (answer !== undefined) this.#note({ ...call, answer });
      return answer;
    });
    await sleep(random.fraction() * 2 * this.#callMs * count);
    running.process.kill('SIGKILL');
    const answers = await Promise.all(asked);
    await running.ended;
    this.#open = calls.filter((_, index) => answers[index] === undefined);
    this.#parts.tally.open += this.#open.length;
  }

  /** Returns a call of a random kind. */
  #draw(active: Color): Call {
    const { random, urls } = this.#parts;
    const key = randomUUID();
    const reason = key;
    const idle = otherColor(active);
    const release = `r${++this.#count}`;
    const kinds: readonly (() => Omit<Call, 'key'>)[] = [
      () => ({ method: 'POST', path: '/v1/switch', body: { reason } }),
      () => ({ method: 'POST', path: '/v1/switch', body: { to: idle, reason } }),
      () => ({ method: 'POST', path: '/v1/rollback', body: { reason } }),
      () => ({ method: 'POST', path: '/v1/rollback', body: { to: this.#anyNumber(), reason } }),
      () => ({ method: 'POST', path: '/v1/switch', body: { to: this.#anyNumber(), reason } }),
      () => ({
        method: 'PUT',
        path: `/v1/deployments/${active}/targets`,
        body: { targets: this.#someOf(active), reason },
      }),
      () => ({
        method: 'PUT',
        path: `/v1/releases/${idle}`,
        body: { release, targets: [urls[idle]], evict: true, reason },
      }),
      () => ({ method: 'POST', path: '/v1/drain', body: { reason } }),
      () => ({ method: 'POST', path: '/v1/unlock', body: { reason } }),
      () => ({ method: 'POST', path: '/v1/freeze', body: { reason } }),
      // Twice as often, so that most switches find it open.
      () => ({ method: 'POST', path: '/v1/unfreeze', body: { reason } }),
      () => ({ method: 'POST', path: '/v1/unfreeze', body: { reason } }),
      () => ({ method: 'POST', path: '/v1/tokens', body: { name: release, role: 'read', reason } }),
      () => ({ method: 'POST', path: '/v1/switch', body: { reason }, ifMatch: '"999999"' }),
      () => ({ method: 'POST', path: '/v1/switch', body: { to: 'red', reason } }),
    ];
    return { key, ...kinds[random.below(kinds.length)]!() };
  }

  /** Returns the number of a deployment that may have been registered. */
  #anyNumber(): number {
    return 1 + this.#parts.random.below(this.#count + 2);
  }

  /** Returns the address of the release on a color, with or without the one beside it. */
  #someOf(color: Color): string[] {
    const { random, urls, more } = this.#parts;
    return random.below(2) === 0 ? [urls[color]] : [urls[color], more[color]];
  }

  #note(answered: Answered): void {
    const { tally } = this.#parts;
    const { status } = answered.answer;
    if (status === 200) tally.acknowledged++;
    else tally.refused++;
    this.#parts.t.ok(status < 500, `${answered.path} was answered with ${status}`);
    this.#answered.push(answered);
  }

  /** Compares all that is there with all that was told. */
  async #check(admin: AdminClient): Promise<void> {
    const { t } = this.#parts;
    await this.#askAgain(admin);
    // Before the entries: the process may end a drain meanwhile, which is one more.
    const { json: status } = await admin.get('/v1/status');
    const entries = await readAll(admin, t);
    const own = Map.groupBy(entries, ({ reason }) => reason);
    const wrong = this.#answered.filter((one) => !isTold(one, own.get(one.key) ?? []));
    t.strictSame(
      wrong,
      [],
      `${this.#answered.length} calls have one entry each, as they were answered`,
    );
    await this.#checkTable(admin, { status, entries });
    const last = entries.findLast(({ action, outcome }) => isFreeze(action) && outcome === 'done');
    const { reason } = last?.action === 'POST /v1/freeze' ? last : {};
    t.equal(
      (status['freeze'] as Entry | null)?.reason,
      reason,
      'the last freeze is there, or none',
    );
    await this.#checkTokens(admin);
  }

  /** What had no answer is asked again with its key, and is made once. */
  async #askAgain(admin: AdminClient): Promise<void> {
    const { t, tally } = this.#parts;
    for (const call of this.#open) {
      const before = await readAll(admin, t);
      const wasMade = before.some(({ reason }) => reason === call.key);
      if (wasMade) tally.survived++;
      const answer = await send(admin, call);
      t.ok(answer.status < 500, `asked again, ${call.path} is answered with ${answer.status}`);
      this.#answered.push({ ...call, answer });
    }
    this.#open = [];
    // The latest that were made get the same answer again.
    const made = this.#answered.filter(({ answer }) => answer.status === 200);
    for (const { answer, ...call } of made.slice(-2)) {
      const again = await send(admin, call);
      t.equal(again.status, answer.status, `${call.path} is answered as before`);
      t.strictSame(stable(again), stable(answer));
    }
  }

  async #checkTable(
    admin: AdminClient,
    {
      status,
      entries,
    }: { readonly status: AdminAnswer['json']; readonly entries: readonly Entry[] },
  ): Promise<void> {
    const { t } = this.#parts;
    const generation = Number(status['generation']);
    const done = entries.filter(
      (one) => one.outcome === 'done' && changesTable(one.action) && one.generation <= generation,
    );
    // A start ends drains whose time is up; that is a new table, too.
    const begun = entries.filter(({ action }) => action === 'start').map((one) => one.generation);
    const changed = done.map((one) => one.generation);
    t.equal(new Set(changed).size, changed.length, 'no generation has two entries');
    const generations = [...new Set([...changed, ...begun.filter((one) => one > 1)])]
      .filter((one) => one <= generation)
      .toSorted((a, b) => a - b);
    const all = Array.from({ length: generation - 1 }, (_, index) => index + 2);
    t.strictSame(generations, all, 'each generation has one entry, and each entry its generation');
    const { json: history } = await admin.get('/v1/history?limit=1000');
    const switches = history['switches'] as readonly { generation: number; to: Color }[];
    const switched = done
      .filter(({ action }) => action === 'POST /v1/switch' || action === 'POST /v1/rollback')
      .map((one) => one.generation);
    t.strictSame(
      switches.map((one) => one.generation).toSorted((a, b) => a - b),
      switched.toSorted((a, b) => a - b),
    );
    const active = switches[0]?.to ?? 'blue';
    t.match(status, { state: { warning: null }, services: [{ active }] });
    await this.#checkDeployments(admin);
  }

  /** What was registered last is kept, with a number of its own; what was scaled last is so. */
  async #checkDeployments(admin: AdminClient): Promise<void> {
    const { t } = this.#parts;
    const { json } = await admin.get('/v1/deployments');
    const kept = json['deployments'] as readonly { deployment: number; release: string }[];
    const numbers = kept.map(({ deployment }) => deployment);
    t.equal(new Set(numbers).size, numbers.length, 'no number is given twice');
    const registered = this.#answered.findLast(
      ({ path, answer }) => path.startsWith('/v1/releases/') && answer.status === 200,
    );
    if (registered === undefined) return;
    const { release } = registered.body as { readonly release: string };
    t.ok(
      kept.some((one) => one.release === release),
      `release ${release} is kept`,
    );
  }

  async #checkTokens(admin: AdminClient): Promise<void> {
    const { json } = await admin.get('/v1/tokens');
    const names = (json['tokens'] as readonly { name: string }[]).map(({ name }) => name);
    const made = this.#answered.filter(
      ({ path, answer }) => path === '/v1/tokens' && answer.status === 200,
    );
    const wanted = made.map(({ body }) => (body as { readonly name: string }).name);
    this.#parts.t.strictSame(names.toSorted(), wanted.toSorted(), 'each token once, and no other');
  }
}

await t.test(
  `${KILLS} times kill -9 among all kinds of changes lose and double nothing`,
  async (t) => {
    t.comment(`TURNOUT_TEST_SEED=${SEED}`);
    const tally: Tally = { acknowledged: 0, refused: 0, open: 0, survived: 0, requests: 0 };
    const environment = { NODE_COMPILE_CACHE: temporaryDirectory(t) };
    const lanes = Array.from({ length: LANES }, async (_, index) => {
      const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
      const urls = { blue: blue.url, green: green.url };
      const more = {
        blue: (await openColoredApp(t, 'blue')).url,
        green: (await openColoredApp(t, 'green')).url,
      };
      const state = ['--state', temporaryDirectory(t)];
      const targets = ['--blue', urls.blue, '--green', urls.green, '--health-kind', 'none'];
      const args = [...targets, ...state, '--affinity-mode', 'off'];
      const lane = new Lane({
        t,
        args,
        urls,
        more,
        environment,
        random: new Random(SEED + index),
        tally,
      });
      for (let round = index; round < KILLS; round += LANES) await lane.round();
      await lane.round(); // What the last kill has left is looked at, too.
    });
    await Promise.all(lanes);
    t.comment(
      `${tally.acknowledged} changes acknowledged, ${tally.refused} refused, ${tally.open} calls ` +
        `without an answer (${tally.survived} of them made), ${tally.requests} requests of clients`,
    );
    t.ok(tally.acknowledged > 0 && tally.refused > 0 && tally.open > 0, 'kills met all of it');
  },
);
