// What the names among the targets lead to: looked up again and again while they are in a table,
// and told to the workers as one whole picture whenever it has changed. Decides on no table.
//
//   dns ─► lookUp ─► what of it is used ─► slots ─► (settle) ─► health ─► workers
//
// A lookup that fails, or finds nothing, leaves everything as it was.

import { epochMs } from '../../base/clock.ts';
import type { ResolveConfig } from '../../config/config.ts';
import {
  isLive,
  isNamed,
  deploymentsOf,
  type Color,
  type Endpoint,
  type LiveEndpoint,
  type NameAddresses,
  type NamedAddress,
  type RoutingTable,
} from '../../contract/table.ts';
import {
  FIRST_LOOKUP_MS,
  LOOKUP_HURRY_MS,
  LOOKUP_JITTER_SHARE,
  LOOKUP_TIMEOUT_MS,
  NAMES_SETTLE_MS,
  PLACES_NAMED_MAX,
  PLACES_TAKEN_MAX,
} from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { chosenFrom, lookUp, placeText, type DnsClient, type Place } from './lookup.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import type { Timers } from '../base/timers.ts';

/** What is known about names, to read. */
export interface NameBook {
  /** Returns where `endpoint` leads at the moment: to itself, unless it is a name. */
  of(endpoint: Endpoint): readonly LiveEndpoint[];
  /** Returns what is known about a name; undefined where nothing is looked up. */
  status(endpoint: Endpoint): NameStatus | undefined;
}

export interface NameStatus {
  /** Of the last lookup; empty when all was well or none has ended. */
  readonly problem: string;
  /** When addresses were last found, in ms since the epoch; 0: never. */
  readonly answeredAtMs: number;
  /** Lookups that failed or found nothing. */
  readonly failureCount: number;
}

export interface NamesParts {
  /** How the names of a service are looked up, as configured now. */
  readonly configOf: (service: string) => ResolveConfig | undefined;
  readonly dns: DnsClient;
  readonly slots: Slots;
  /** Tells whether a place is Turnout itself: where clients or operators come in. */
  readonly isOurs: (place: Place) => boolean;
  readonly workers: {
    resolve(version: number, names: readonly NameAddresses[]): void;
    readonly resolvedVersion: number;
  };
  /** Called before the workers hear of a change. */
  readonly onChange: () => void;
  readonly timers: Timers;
  readonly log: Log;
}

interface Name {
  readonly service: string;
  readonly color: Color;
  readonly endpoint: Endpoint & { readonly address: NamedAddress };
  config: ResolveConfig;
  live: readonly LiveEndpoint[];
  status: NameStatus;
  /** Lookups in a row that failed. */
  streak: number;
  /** A table has waited for it once. */
  wasAwaited: boolean;
  /** No table has it any more. */
  isGone: boolean;
  cancel: () => void;
  /** Resolves when the first lookup has ended, well or not. */
  readonly first: PromiseWithResolvers<void>;
}

export class Names implements NameBook {
  readonly #parts: NamesParts;
  /** By slot of the endpoint in the table. */
  #names: ReadonlyMap<number, Name> = new Map();
  /** The last two: requests of the one before may still run. */
  #tables: readonly RoutingTable[] = [];
  #version = 0;
  /** Slot of an address → the last version that had it. */
  readonly #lastIn = new Map<number, number>();
  #cancelPublication: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: NamesParts) {
    this.#parts = parts;
  }

  of(endpoint: Endpoint): readonly LiveEndpoint[] {
    return isLive(endpoint) ? [endpoint] : (this.#names.get(endpoint.slot)?.live ?? []);
  }

  status(endpoint: Endpoint): NameStatus | undefined {
    return isNamed(endpoint) ? this.#names.get(endpoint.slot)?.status : undefined;
  }

  /** `table` was published: its names are looked up from here on, and those of the one before. */
  follow(table: RoutingTable): void {
    this.#tables = [...this.#tables.slice(-1), table];
    this.#keep(this.#tables);
  }

  /**
   * Looks up what is new in `table`, which is about to be published, and resolves when the workers
   * were told; after a while without an answer, too.
   */
  async prepare(table: RoutingTable): Promise<void> {
    this.#keep([...this.#tables, table]);
    const fresh = [...this.#names.values()].filter(
      ({ status, wasAwaited }) => status === NEVER_ASKED && !wasAwaited,
    );
    if (fresh.length === 0) return;
    for (const name of fresh) name.wasAwaited = true;
    const late = Promise.withResolvers<void>();
    const cancel = this.#parts.timers.after(FIRST_LOOKUP_MS, late.resolve);
    await Promise.race([Promise.all(fresh.map(({ first }) => first.promise)), late.promise]);
    cancel();
    if (this.#cancelPublication) this.#publish();
  }

  /** Looks nothing up any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelPublication?.();
    for (const name of this.#names.values()) this.#drop(name);
    this.#parts.dns.close();
  }

  /** Begins with names that are new in `tables`, and drops those that are in none. */
  #keep(tables: readonly RoutingTable[]): void {
    if (this.#isStopped) return;
    const before = this.#names;
    const wanted = this.#namesOf(tables).map((name) => {
      const known = before.get(name.endpoint.slot);
      return known?.endpoint.url === name.endpoint.url ? known : name;
    });
    this.#names = new Map(wanted.map((name) => [name.endpoint.slot, name]));
    for (const [slot, name] of before) if (this.#names.get(slot) !== name) this.#drop(name);
    for (const [slot, name] of this.#names) if (before.get(slot) !== name) this.#ask(name);
  }

  #namesOf(tables: readonly RoutingTable[]): Name[] {
    const names = new Map<number, Name>();
    for (const service of tables.flatMap(({ services }) => services)) {
      for (const { color, endpoints } of deploymentsOf(service)) {
        for (const endpoint of endpoints.filter(isNamed)) {
          names.set(endpoint.slot, newName(service.name, color, endpoint));
        }
      }
    }
    return [...names.values()];
  }

  #drop(name: Name): void {
    name.isGone = true;
    name.cancel();
    name.first.resolve();
    if (name.live.length > 0) this.#publishSoon();
  }

  #ask(name: Name): void {
    background(this.#round(name), this.#parts.log, 'lookup');
  }

  async #round(name: Name): Promise<void> {
    const { dns, timers, configOf } = this.#parts;
    // A service that is about to go keeps what it had.
    name.config = configOf(name.service) ?? name.config;
    const asked = lookUp(name.endpoint.address, name.config.families, dns);
    const late = Promise.withResolvers<never>();
    const cancel = timers.after(LOOKUP_TIMEOUT_MS, () => {
      late.reject(new Error(`no answer within ${LOOKUP_TIMEOUT_MS} ms`));
    });
    try {
      const found = await Promise.race([asked, late.promise]);
      if (!name.isGone) this.#take(name, found);
    } catch (error) {
      if (!name.isGone) this.#fail(name, messageOf(error));
    }
    cancel();
    name.first.resolve();
    // What was given up may still keep a thread busy: there is never more than one lookup of a name.
    await asked.catch(() => {});
    if (name.isGone) return;
    name.cancel = timers.after(pauseMs(name), () => this.#ask(name));
  }

  /** Takes an answer into account. */
  #take(name: Name, found: readonly Place[]): void {
    const { isOurs } = this.#parts;
    const ours = new Set(found.filter((place) => isOurs(place)));
    const own = [...ours].map(placeText);
    const usable = found.filter((place) => !ours.has(place));
    if (usable.length === 0) {
      this.#fail(name, own.length === 0 ? NOTHING_FOUND : toOurselves(own));
      return;
    }
    const inUse = new Set(name.live.map(({ place }) => place!));
    const chosen = chosenFrom(usable, inUse);
    const live = this.#liveOf(name, chosen);
    if (live.length === 0) {
      this.#fail(name, 'no slot is free: too many addresses are in use');
      return;
    }
    name.streak = 0;
    const isCut = found.length >= PLACES_TAKEN_MAX;
    const leftOut = usable.length - live.length;
    const problem = own.length > 0 ? toOurselves(own) : remark(leftOut, { isCut });
    this.#tell(name, problem);
    name.status = { ...name.status, problem, answeredAtMs: epochMs() };
    const comes = live.map(({ place }) => place!).filter((place) => !inUse.has(place));
    const stays = new Set(live.map(({ place }) => place!));
    const goes = [...inUse].filter((place) => !stays.has(place));
    if (comes.length + goes.length === 0) return;
    name.live = live;
    this.#publishSoon();
    const { service, color, endpoint } = name;
    this.#parts.log.info(
      { service, color, url: endpoint.url, comes, goes },
      `${service} ${color} ${endpoint.url} leads to ${[...stays].join(', ')}`,
    );
  }

  /** What was found last stays in use. */
  #fail(name: Name, problem: string): void {
    name.streak++;
    const so = name.live.length === 0 ? 'it leads nowhere' : 'known addresses stay';
    this.#tell(name, problem, `; ${so}`);
    name.status = { ...name.status, problem, failureCount: name.status.failureCount + 1 };
  }

  /** Logs a problem once, for as long as it stays the same. */
  #tell({ service, color, endpoint, status }: Name, problem: string, more = ''): void {
    if (problem === '' || problem === status.problem) return;
    const { url } = endpoint;
    const message = `${service} ${color} ${url}: ${problem}${more}`;
    this.#parts.log.warn({ service, color, url, problem }, message);
  }

  /** Returns endpoints at `places`, as many as there are slots for. */
  #liveOf({ service, color, endpoint, live }: Name, places: readonly Place[]): LiveEndpoint[] {
    const { slots } = this.#parts;
    const known = new Map(live.map((one) => [one.place, one]));
    slots.retainPlaces(this.#slotsInUse());
    const { url, deployment } = endpoint;
    const found: LiveEndpoint[] = [];
    for (const address of places) {
      const place = placeText(address);
      try {
        const slot =
          known.get(place)?.slot ?? slots.endpoint({ service, color, deployment, url, place });
        found.push({ ...endpoint, slot, address, place });
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        break; // None is left for the others either.
      }
    }
    return found;
  }

  /** Slots that lead somewhere now, or in a worker that has not heard of the change yet. */
  #slotsInUse(): Set<number> {
    const { resolvedVersion } = this.#parts.workers;
    const slots = new Set<number>();
    for (const { live } of this.#names.values()) for (const { slot } of live) slots.add(slot);
    for (const [slot, version] of this.#lastIn) {
      if (version >= resolvedVersion) slots.add(slot);
      else this.#lastIn.delete(slot);
    }
    return slots;
  }

  #publishSoon(): void {
    if (this.#isStopped) return;
    this.#cancelPublication ??= this.#parts.timers.after(NAMES_SETTLE_MS, () => this.#publish());
  }

  #publish(): void {
    this.#cancelPublication?.();
    this.#cancelPublication = undefined;
    const { workers, onChange } = this.#parts;
    const version = ++this.#version;
    const picture = [...this.#names].map(([slot, { live }]) => ({ slot, endpoints: live }));
    for (const { slot } of picture.flatMap(({ endpoints }) => endpoints)) {
      this.#lastIn.set(slot, version);
    }
    onChange();
    workers.resolve(version, picture);
  }
}

const NOTHING_FOUND = 'none of the addresses that DNS tells can be used';

const NEVER_ASKED: NameStatus = { problem: '', answeredAtMs: 0, failureCount: 0 };

const UNCONFIGURED: ResolveConfig = { intervalMs: 10_000, families: 'ipv4-first' };

function newName(service: string, color: Color, endpoint: Name['endpoint']): Name {
  return {
    service,
    color,
    endpoint,
    config: UNCONFIGURED,
    live: [],
    status: NEVER_ASKED,
    streak: 0,
    wasAwaited: false,
    isGone: false,
    cancel: () => {},
    first: Promise.withResolvers(),
  };
}

/** Requests would go in circles, or clients reach the admin API. */
function toOurselves(places: readonly string[]): string {
  const named = places.slice(0, PLACES_NAMED_MAX).join(', ');
  const rest = places.length - PLACES_NAMED_MAX;
  return `it leads to Turnout itself (${named}${rest > 0 ? ` and ${rest} more` : ''})`;
}

/** `isCut`: there may have been still more. */
function remark(leftOut: number, { isCut }: { readonly isCut: boolean }): string {
  if (leftOut === 0) return '';
  return `${isCut ? 'at least ' : ''}${leftOut} more addresses are not used`;
}

/** A name that fails is asked for sooner at first: what it led to may be gone. */
function pauseMs({ config, streak }: Name): number {
  const spread = 1 + LOOKUP_JITTER_SHARE * (2 * Math.random() - 1);
  const hurriedMs = streak === 0 ? Infinity : LOOKUP_HURRY_MS * 2 ** Math.min(streak - 1, 16);
  return Math.min(config.intervalMs, hurriedMs) * spread;
}
