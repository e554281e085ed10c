// Switches under load over TLS, with one worker and with two: no request fails, every session stays
// on its release, and a client without one gets the release that is active.

import { Agent } from 'node:https';
import t, { type Test } from 'tap';
import { skipWithout } from '../../support/installed.ts';
import { ask, cookieOf, openTlsScene, type Door } from './tls-scene.ts';

/** A longer run: `TURNOUT_TLS_SWITCHES=500`. */
const SWITCHES = Number(process.env['TURNOUT_TLS_SWITCHES'] ?? 20);
/** With a session and a kept connection each. */
const CUSTOMERS = 12;
/** Each on a new connection for each request, without a cookie. */
const NEWCOMERS = 3;
const skip = skipWithout('openssl');

type Color = 'blue' | 'green';

class Crowd {
  readonly failures = new Map<string, number>();
  readonly colors = new Set<Color>();
  customersAnswered = 0;
  newcomersJudged = 0;
  readonly #door: Door;
  /** Undefined while a switch is called: either color is right. */
  #active: Color | undefined = 'blue';
  /** Changes with every switch, so that a request knows whether one was called meanwhile. */
  #epoch = 0;
  #isOver = false;
  readonly #all: Promise<unknown>;
  readonly #progress = new Set<() => void>();

  constructor(door: Door) {
    this.#door = door;
    const customers = Array.from({ length: CUSTOMERS }, async () => this.#customer());
    const newcomers = Array.from({ length: NEWCOMERS }, async () => this.#newcomer());
    this.#all = Promise.all([...customers, ...newcomers]);
  }

  called(): void {
    this.#active = undefined;
    this.#epoch++;
  }

  switched(to: Color): void {
    this.#active = to;
    this.#epoch++;
  }

  /** Resolves when so many more requests were answered, of each kind. */
  async more(count: number): Promise<void> {
    const [customers, newcomers] = [this.customersAnswered + count, this.newcomersJudged + 1];
    while (this.customersAnswered < customers || this.newcomersJudged < newcomers) {
      if (this.failures.size > 0) throw new Error([...this.failures.keys()].join(', '));
      await new Promise<void>((resolve) => this.#progress.add(resolve));
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }

  /** Comes without a cookie, keeps what it is given, and expects to be where it began. */
  async #customer(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let cookie: string | undefined;
    let color: string | undefined;
    while (!this.#isOver) {
      const headers = cookie === undefined ? {} : { cookie };
      const answer = await ask(this.#door, agent, { headers }).catch(String);
      if (typeof answer === 'string') {
        this.#fail(answer);
        continue;
      }
      color ??= answer.text;
      cookie = cookieOf(answer) ?? cookie;
      if (!cookie?.startsWith('__Host-')) this.#fail(`cookie ${cookie}`);
      if (answer.status !== 200) this.#fail(`status ${answer.status}`);
      else if (answer.text !== color) this.#fail(`a session of ${color} on ${answer.text}`);
      this.customersAnswered++;
      this.#tell();
    }
    agent.destroy();
  }

  async #newcomer(): Promise<void> {
    while (!this.#isOver) {
      const [epoch, active] = [this.#epoch, this.#active];
      const answer = await ask(this.#door, false).catch(String);
      if (typeof answer === 'string') this.#fail(answer);
      else if (answer.status !== 200) this.#fail(`status ${answer.status}`);
      else if (active !== undefined && epoch === this.#epoch) {
        this.newcomersJudged++;
        this.colors.add(active);
        if (answer.text !== active) this.#fail(`new at ${answer.text}, active is ${active}`);
        this.#tell();
      }
    }
  }

  #fail(what: string): void {
    this.failures.set(what, (this.failures.get(what) ?? 0) + 1);
    this.#tell();
  }

  #tell(): void {
    const waiting = [...this.#progress];
    this.#progress.clear();
    for (const wake of waiting) wake();
  }
}

async function check(t: Test, workers: number): Promise<void> {
  const scene = await openTlsScene(t, { workers });
  const crowd = new Crowd(scene.door);
  await crowd.more(CUSTOMERS);
  for (let count = 1; count <= SWITCHES; count++) {
    const to = count % 2 === 1 ? 'green' : 'blue';
    crowd.called();
    await scene.switchTo(to);
    crowd.switched(to);
    await crowd.more(CUSTOMERS);
  }
  await crowd.end();
  t.comment(`${crowd.customersAnswered} by sessions, ${crowd.newcomersJudged} by new clients`);
  t.strictSame(Object.fromEntries(crowd.failures), {});
  t.strictSame([...crowd.colors].toSorted(), ['blue', 'green']);
  const { text } = await scene.admin.get('/metrics');
  const outcomes = text.match(/^turnout_tls_handshakes_total\{.*\} [1-9]\d*$/gm) ?? [];
  t.strictSame(
    outcomes.map((line) => /outcome="([^"]*)"/.exec(line)?.[1]).filter((one) => one !== 'resumed'),
    ['done'],
    'no handshake has failed',
  );
}

await t.test(`${SWITCHES} switches over TLS, one worker`, { skip }, async (t) => check(t, 1));
await t.test(`${SWITCHES} switches over TLS, two workers`, { skip }, async (t) => check(t, 2));
