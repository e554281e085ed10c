// Many users at once: so many of their steps are under way at any time, as long as the crowd is
// at work. Collects what they find, and knows where newcomers must get.

import { Random } from './random.ts';
import { ShopUser, type Door, type Fault, type Place } from './shop-user.ts';

/** Steps under way at once; a step is a request, sometimes two. */
const HANDS = 80;
/** Details of faults that are worth to be told. */
const DETAILS_MAX = 5;

interface CrowdOptions {
  readonly door: Door;
  readonly seed: number;
}

type Places = ReadonlyMap<ShopUser, Place | undefined>;

/** Users of whom each shall do one whole step. */
interface Round {
  readonly pending: Set<ShopUser>;
  readonly done: () => void;
}

export class Crowd {
  /** How often each kind was found; `astray`: a newcomer was not sent to the active release. */
  readonly faults: Partial<Record<Fault | 'astray', number>> = {};
  readonly details: string[] = [];
  /** Users of this release are allowed to become strangers. */
  mayLose: string | undefined;
  /** Release of newcomers; undefined while that is uncertain. */
  newcomersGoTo: { readonly release: string } | undefined;
  /** Most steps under way at once. */
  busyMax = 0;
  readonly #door: Door;
  readonly #random: Random;
  readonly #users: ShopUser[] = [];
  readonly #asleep = new Set<ShopUser>();
  #queue: ShopUser[] = [];
  #busy = 0;
  #isAtWork = true;
  #resting: (() => void) | undefined;
  #round: Round | undefined;

  constructor({ door, seed }: CrowdOptions) {
    this.#door = door;
    this.#random = new Random(seed);
  }

  get requestCount(): number {
    return this.#users.reduce((sum, { requestCount }) => sum + requestCount, 0);
  }

  /** Users that are logged in to `release`. */
  usersOf(release: string): ShopUser[] {
    return this.#users.filter(({ place }) => place?.release === release);
  }

  /** Where each user is, or each of those that `isMeant` chooses. */
  places(isMeant: (user: ShopUser) => boolean = () => true): Places {
    return new Map(this.#users.filter(isMeant).map((user) => [user, user.place]));
  }

  /** Names of the users that are somewhere else than `before`. */
  movedSince(before: Places): string[] {
    const moved = [...before].filter(([user, place]) => user.place?.shop !== place?.shop);
    return moved.map(([user]) => user.name);
  }

  /** Lets new users come; resolves with them when each has logged in and gone on from there. */
  async arrive(count: number): Promise<readonly ShopUser[]> {
    const first = this.#users.length + 1;
    const users = Array.from(
      { length: count },
      (_, i) => new ShopUser(`u${first + i}`, this.#door),
    );
    this.#users.push(...users);
    this.#queue.unshift(...users);
    await this.#eachDoesAStep(users); // logs in
    await this.#eachDoesAStep(users);
    return users;
  }

  /** Resolves when each user that is awake has done one whole step from now on. */
  async everyone(): Promise<void> {
    await this.#eachDoesAStep(this.#users.filter((user) => !this.#asleep.has(user)));
  }

  /** These do nothing until they are woken. */
  sleep(users: readonly ShopUser[]): void {
    for (const user of users) this.#asleep.add(user);
  }

  wake(): void {
    this.#queue.push(...this.#queueable());
    this.#asleep.clear();
    this.#fill();
  }

  /** Resolves when no request is under way; none begins until `work`. */
  async rest(): Promise<void> {
    this.#isAtWork = false;
    if (this.#busy === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resting = resolve;
    await promise;
  }

  work(): void {
    this.#isAtWork = true;
    this.#fill();
  }

  async close(): Promise<void> {
    await this.rest();
    await Promise.all(this.#users.map((user) => user.close()));
  }

  /** Sleepers that were taken out of the queue. */
  #queueable(): ShopUser[] {
    const queued = new Set(this.#queue);
    return [...this.#asleep].filter((user) => !queued.has(user));
  }

  async #eachDoesAStep(users: readonly ShopUser[]): Promise<void> {
    if (this.#round !== undefined) throw new Error('expected one round at a time');
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#round = { pending: new Set(users), done: resolve };
    this.#fill();
    await promise;
    this.#round = undefined;
  }

  #fill(): void {
    while (this.#isAtWork && this.#busy < HANDS) {
      const user = this.#queue.shift();
      if (user === undefined) return;
      if (this.#asleep.has(user)) continue;
      this.#busy++;
      this.busyMax = Math.max(this.busyMax, this.#busy);
      void this.#step(user);
    }
  }

  async #step(user: ShopUser): Promise<void> {
    const round = this.#round;
    const { place } = user;
    const expected = this.newcomersGoTo;
    if (place === undefined) await user.login();
    else await this.#shop(user);
    this.#judge(user, place, expected);
    this.#queue.push(user);
    this.#busy--;
    if (round?.pending.delete(user) === true && round.pending.size === 0) round.done();
    this.#fill();
    if (this.#busy === 0) this.#resting?.();
  }

  /** Puts something in, looks, or looks twice at once, as a page with two requests does. */
  async #shop(user: ShopUser): Promise<void> {
    const what = this.#random.below(4);
    if (what === 0) await user.add(`${user.name}-${user.items.length}`);
    else if (what === 1) await Promise.all([user.look(), user.look()]);
    else await user.look();
  }

  #judge(
    user: ShopUser,
    before: Place | undefined,
    expected: { readonly release: string } | undefined,
  ): void {
    const mayLose = before !== undefined && before.release === this.mayLose;
    for (const { fault, detail } of user.faults.splice(0)) {
      if (fault !== 'lost' || !mayLose) this.#note(fault, detail);
    }
    if (before !== undefined || user.place === undefined) return;
    // Where a switch was under way meanwhile, either is right.
    if (expected === undefined || expected !== this.newcomersGoTo) return;
    const { release } = user.place;
    if (release !== expected.release) this.#note('astray', `${user.name} came to ${release}`);
  }

  #note(fault: Fault | 'astray', detail: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    if (this.details.length < DETAILS_MAX) this.details.push(`${fault}: ${detail}`);
  }
}
