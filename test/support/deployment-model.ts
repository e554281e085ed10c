// What is right, said once more and more simply than the code does it: which deployment a client is
// served by, and what operators are refused. Knows nothing of tables, tokens or texts that are stored.

import { NEWCOMER_GRACE_MS } from '../../src/control-plane/base/control-limits.ts';
import type { Color } from '../../src/contract/table.ts';
import { IDLE_MS, SESSIONS_MS, START_MS, type Said, type SaidColor } from './deployment-town.ts';

interface Deployment {
  readonly number: number;
  readonly service: string;
  readonly release: string;
  at: readonly number[];
  /** Another release has its address. */
  isTaken: boolean;
  /** Ports that were taken from it and may still finish what runs there. */
  leaving: { ports: readonly number[]; isHurried: boolean }[];
}

interface Used extends Deployment {
  readonly use: 'active' | 'idle' | 'draining';
}

interface Drain {
  /** Until when sessions may stay. */
  untilMs: number;
  /** Its connections close. */
  isEvicted: boolean;
}

interface Service {
  readonly name: string;
  active: Color;
  /** Number of what is on a color; 0: nothing. */
  readonly on: Record<Color, number>;
  readonly configured: Record<Color, SaidColor>;
  readonly drains: Map<number, Drain>;
  readonly lockedOut: Set<string>;
  last: { readonly from: number; readonly isRollback: boolean } | undefined;
}

/** A session as its client knows it. */
export interface Session {
  deployment: number;
  /** When its token was given. */
  givenMs: number;
  /** It was used, so that Turnout knows of it. */
  hasComeBack: boolean;
}

export type Outcome =
  | 'done'
  | 'unchanged'
  | 'color-active'
  | 'address-in-use'
  | 'no-targets'
  | 'release-locked-out'
  | 'nothing-to-roll-back-to'
  | 'deployment-unknown';

/** What a change would leave; it is made when it is known to have been stored. */
type Plan = { readonly outcome: Outcome; readonly make: () => void };

/** A session that was not used for this long is over: see Affinity.hasEnded. */
const ENDED_MS = IDLE_MS + IDLE_MS / 10;

const nothing = (outcome: Outcome): Plan => ({ outcome, make: () => {} });

export class Model {
  nowMs = START_MS;
  readonly services = new Map<string, Service>();
  readonly deployments = new Map<number, Deployment>();
  #next = 1;

  constructor(said: Said) {
    for (const [name, colors] of Object.entries(said)) {
      const service: Service = {
        name,
        active: 'blue',
        on: { blue: 0, green: 0 },
        configured: { ...colors },
        drains: new Map(),
        lockedOut: new Set(),
        last: undefined,
      };
      this.services.set(name, service);
      for (const color of ['blue', 'green'] as const) {
        if (colors[color].at.length > 0) this.#put(service, color, colors[color]);
      }
    }
  }

  active(service: string): Deployment | undefined {
    const { on, active } = this.services.get(service)!;
    return this.deployments.get(on[active]);
  }

  /** Returns the number of the deployment that answers; `named`: release id in the request. */
  expected(service: string, session: Session | undefined, named: string | undefined): number {
    const { on, active, drains, lockedOut } = this.services.get(service)!;
    const activeNumber = on[active];
    const mayStay = (number: number): boolean => (drains.get(number)?.untilMs ?? 0) > this.nowMs;
    if (named !== undefined) {
      if (this.deployments.get(activeNumber)?.release === named) return activeNumber;
      const past = [...drains.keys()].toReversed().find((number) => {
        return this.deployments.get(number)!.release === named && !lockedOut.has(named);
      });
      if (past !== undefined && mayStay(past)) return past;
    }
    if (session === undefined || this.hasEnded(session)) return activeNumber;
    return mayStay(session.deployment) ? session.deployment : activeNumber;
  }

  /** Turnout knows that it is used, or it was given so lately that it may come back. */
  isAwaited({ givenMs, hasComeBack }: Session): boolean {
    return hasComeBack || this.nowMs < Math.floor(givenMs / 1_000) * 1_000 + NEWCOMER_GRACE_MS;
  }

  hasEnded({ givenMs }: Session): boolean {
    return Math.floor(this.nowMs / 1_000) - Math.floor(givenMs / 1_000) > ENDED_MS / 1_000;
  }

  register(
    name: string,
    color: Color,
    wanted: SaidColor,
    { evict }: { readonly evict: boolean },
  ): Plan {
    const service = this.services.get(name)!;
    const there = this.deployments.get(service.on[color]);
    if (there !== undefined && !there.isTaken && isSame(there, wanted)) return nothing('unchanged');
    if (service.active === color) return nothing('color-active');
    if (this.#isRefused(service, color, wanted, evict)) return nothing('address-in-use');
    return { outcome: 'done', make: () => void this.#put(service, color, wanted) };
  }

  switch(name: string, to: number | string, isHeld: boolean): Plan {
    const service = this.services.get(name)!;
    const found = this.#find(service, to);
    if (typeof found === 'string') return nothing(found);
    return this.#move(service, found, { isRollback: false, movesSessions: isHeld });
  }

  rollback(name: string, to: number | undefined, movesSessions: boolean): Plan {
    const service = this.services.get(name)!;
    const { last, drains, on, active } = service;
    // Called once more, with other terms: the sessions that were left are taken along.
    const left = last?.isRollback === true ? drains.get(last.from) : undefined;
    const isAgain = to === undefined || to === on[active];
    if (movesSessions && isAgain && left !== undefined && left.untilMs > this.nowMs) {
      return { outcome: 'done', make: () => void (left.untilMs = this.nowMs) };
    }
    let found: Deployment | Outcome;
    if (to === undefined) {
      if (last === undefined || last.isRollback) return nothing('nothing-to-roll-back-to');
      found = this.deployments.get(last.from) ?? 'nothing-to-roll-back-to';
    } else {
      found = this.#find(service, to);
    }
    if (typeof found === 'string') return nothing(found);
    return this.#move(service, found, { isRollback: true, movesSessions });
  }

  /** The configuration says something else of one color. */
  configure(name: string, color: Color, wanted: SaidColor): Plan {
    const service = this.services.get(name)!;
    const { configured, on, active } = service;
    // The file says the very same: in another order, it is read anew, and nothing follows.
    if (isWrittenAlike(configured[color], wanted)) return nothing('unchanged');
    const there = this.deployments.get(on[color]);
    const note = (): void => void (configured[color] = wanted);
    if (there !== undefined && isSame(there, wanted)) return { outcome: 'done', make: note };
    if (wanted.at.length === 0) {
      if (there !== undefined && active === color) return nothing('no-targets');
      const make = (): void => {
        on[color] = 0;
        note();
      };
      return { outcome: 'done', make };
    }
    const isScaling =
      there?.isTaken === false &&
      there.release === wanted.release &&
      there.at.some((port) => wanted.at.includes(port));
    const isReplacing = active === color && !isScaling;
    if (isReplacing && service.lockedOut.has(wanted.release)) return nothing('release-locked-out');
    if (this.#isRefused(service, color, wanted, false)) return nothing('address-in-use');
    const make = (): void => {
      note();
      if (isScaling) {
        const left = there.at.filter((port) => !wanted.at.includes(port));
        // What stays is where it was: only what comes may take an address over.
        const added = wanted.at.filter((port) => !there.at.includes(port));
        this.#take(there, { ...wanted, at: added });
        this.endLeave(there.number, wanted.at);
        if (left.length > 0) there.leaving.push({ ports: left, isHurried: false });
        there.at = wanted.at;
        return;
      }
      const left = on[active];
      const made = this.#put(service, color, wanted);
      if (active !== color) return;
      this.#activate(service, made, color, { left, isRollback: false, movesSessions: false });
    };
    return { outcome: 'done', make };
  }

  /** Turnout says that nothing is left of a drain, or that its time is up. */
  endDrain(service: string, number: number): void {
    this.services.get(service)!.drains.delete(number);
  }

  /** The same of targets that were taken from a deployment. */
  endLeave(number: number, ports: readonly number[]): void {
    const left = this.deployments.get(number)!;
    for (const one of left.leaving) one.ports = one.ports.filter((port) => !ports.includes(port));
    left.leaving = left.leaving.filter((one) => one.ports.length > 0);
  }

  evict(service: string): Plan {
    const { drains } = this.services.get(service)!;
    const open = [...drains.values()].filter((one) => !one.isEvicted || one.untilMs > this.nowMs);
    const leaving = [...this.deployments.values()]
      .filter((one) => one.service === service)
      .flatMap((one) => one.leaving.filter(({ isHurried }) => !isHurried));
    if (open.length + leaving.length === 0) return nothing('unchanged');
    const make = (): void => {
      for (const drain of open) evict(drain, this.nowMs);
      for (const one of leaving) one.isHurried = true;
    };
    return { outcome: 'done', make };
  }

  #find(service: Service, to: number | string): Deployment | Outcome {
    if (to === 'blue' || to === 'green') {
      return this.deployments.get(service.on[to]) ?? 'no-targets';
    }
    const own = [...this.deployments.values()].filter((one) => one.service === service.name);
    if (typeof to === 'number')
      return own.find(({ number }) => number === to) ?? 'deployment-unknown';
    const isOn = ({ number }: Deployment): boolean => Object.values(service.on).includes(number);
    const rank = (one: Deployment): number => (one.isTaken ? 2 : isOn(one) ? 0 : 1);
    const named = own.filter(({ release }) => release === to);
    const [first] = named.toSorted((a, b) => rank(a) - rank(b) || b.number - a.number);
    return first ?? 'deployment-unknown';
  }

  #move(
    service: Service,
    to: Deployment,
    how: { readonly isRollback: boolean; readonly movesSessions: boolean },
  ): Plan {
    const { on, active, lockedOut } = service;
    const left = on[active];
    if (to.number === left && !how.isRollback) return nothing('unchanged');
    if (lockedOut.has(to.release)) return nothing('release-locked-out');
    const others = this.#usersOf(to.at).filter((one) => one.release !== to.release);
    if (to.isTaken || others.length > 0) return nothing('address-in-use');
    if (to.number === left) return nothing('unchanged');
    const color = this.#colorOf(service, to.number) ?? (active === 'blue' ? 'green' : 'blue');
    return {
      outcome: 'done',
      make: () => {
        const bad = this.deployments.get(left);
        this.#activate(service, to, color, { left, ...how });
        if (how.isRollback && bad !== undefined && bad.release !== to.release) {
          lockedOut.add(bad.release);
        }
      },
    };
  }

  #activate(
    service: Service,
    to: Deployment,
    color: Color,
    {
      left,
      isRollback,
      movesSessions,
    }: { readonly left: number; readonly isRollback: boolean; readonly movesSessions: boolean },
  ): void {
    const { on, drains } = service;
    drains.delete(to.number);
    const untilMs = movesSessions ? this.nowMs : this.nowMs + SESSIONS_MS;
    if (left !== 0) drains.set(left, { untilMs, isEvicted: false });
    on[color] = to.number;
    service.active = color;
    service.last = { from: left, isRollback };
  }

  #colorOf({ on }: Service, number: number): Color | undefined {
    return (['blue', 'green'] as const).find((color) => on[color] === number);
  }

  /** Everything that traffic may still go to at one of `ports`. */
  #usersOf(ports: readonly number[]): Used[] {
    const isMeant = (port: number): boolean => ports.includes(port);
    return [...this.deployments.values()].flatMap((one): Used[] => {
      const { on, active, drains } = this.services.get(one.service)!;
      const leaving = one.leaving.flatMap((left) => left.ports).some(isMeant);
      const left: Used[] = leaving ? [{ ...one, use: 'draining' }] : [];
      if (one.isTaken || !one.at.some(isMeant)) return left;
      if (on[active] === one.number) return [...left, { ...one, use: 'active' }];
      if (drains.has(one.number)) return [...left, { ...one, use: 'draining' }];
      return Object.values(on).includes(one.number) ? [...left, { ...one, use: 'idle' }] : left;
    });
  }

  #isRefused(service: Service, color: Color, { release, at }: SaidColor, evict: boolean): boolean {
    const replaced = service.on[color];
    return this.#usersOf(at).some(
      (one) =>
        one.release !== release &&
        !(one.use === 'idle' && one.number === replaced) &&
        (!evict || one.use === 'active'),
    );
  }

  #put(service: Service, color: Color, { release, at }: SaidColor): Deployment {
    const made: Deployment = {
      number: this.#next++,
      service: service.name,
      release,
      at,
      isTaken: false,
      leaving: [],
    };
    this.#take(made, { release, at });
    this.deployments.set(made.number, made);
    service.on[color] = made.number;
    return made;
  }

  /** Whatever else was at these ports does not run there any more. */
  #take(by: Deployment, { release, at }: SaidColor): void {
    for (const one of this.deployments.values()) {
      if (one === by || one.release === release) continue;
      for (const left of one.leaving) {
        if (left.ports.some((port) => at.includes(port))) left.isHurried = true;
      }
      if (!one.at.some((port) => at.includes(port))) continue;
      one.isTaken = true;
      const drain = this.services.get(one.service)!.drains.get(one.number);
      if (drain !== undefined) evict(drain, this.nowMs);
    }
  }
}

function isSame(a: SaidColor, b: SaidColor): boolean {
  return a.release === b.release && inOrder(a.at) === inOrder(b.at);
}

function inOrder(ports: readonly number[]): string {
  return ports.toSorted((one, other) => one - other).join(' ');
}

function evict(drain: Drain, nowMs: number): void {
  drain.untilMs = Math.min(drain.untilMs, nowMs);
  drain.isEvicted = true;
}

function isWrittenAlike(a: SaidColor, b: SaidColor): boolean {
  return a.release === b.release && a.at.join(' ') === b.at.join(' ');
}
