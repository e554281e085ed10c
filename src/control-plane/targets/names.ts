// What the names among the targets lead to: looked up again and again while they are in a table. What has
// changed goes to the workers by names-publication.ts. Decides on no table.
//
//   dns ─► lookUp ─► what of it is used ─► slots ─► (settle) ─► health ─► workers
//
// A lookup that fails leaves everything as it was. Where DNS says that there is no such name, what it
// led to may run another app by now: requests of an active color go on there, no others.

import { epochMs } from '../../base/clock.ts';
import type { ResolveConfig } from '../../config/config.ts';
import {
  connectedAs,
  isLive,
  isNamed,
  type Endpoint,
  type LiveEndpoint,
  type RoutingTable,
} from '../../contract/table.ts';
import {
  FIRST_LOOKUP_MS,
  LOOKUP_TIMEOUT_MS,
  NAME_REST_MS,
  PLACES_TAKEN_MAX,
  PREPARED_TABLES_MAX,
  REFRESH_MS,
} from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { HandedNames, nameReports, type NameReport } from './handed-names.ts';
import { chosenFrom, lookUp, type DnsClient, type Place } from './lookup.ts';
import {
  answersOf,
  consequence,
  isAsked,
  isDenial,
  isWorthAsking,
  leavingSlots,
  namesOf,
  NEVER_ASKED,
  NOTHING_USABLE,
  pauseMs,
  remark,
  tellLookup,
  usableOf,
  type LookedUpName,
  type NameBook,
  type NameStatus,
  type PlaceRules,
} from './looked-up-name.ts';
import { NamesPublication, type NamesPublicationParts } from './names-publication.ts';
import { messageOf } from '../base/problems.ts';

export interface NamesParts extends PlaceRules, NamesPublicationParts {
  /** How the names of a service are looked up, as configured now. */
  readonly configOf: (service: string) => ResolveConfig | undefined;
  readonly dns: DnsClient;
  readonly log: Log;
}

export class Names implements NameBook {
  readonly #parts: NamesParts;
  /** By slot of the endpoint in the table. */
  #names: ReadonlyMap<number, LookedUpName> = new Map();
  /** The last two: requests of the one before may still run. */
  #tables: readonly RoutingTable[] = [];
  /** About to be published, and such that are waited for at the moment. */
  #prepared: readonly RoutingTable[] = [];
  readonly #awaited = new Set<RoutingTable>();
  /** Slots of the names of active colors, as tables say or are about to say. */
  #activeSlots: ReadonlySet<number> = new Set();
  readonly #publication: NamesPublication;
  #isStopped = false;
  /** What the process before this one knew of the names of the first table. */
  #handed = new HandedNames();

  constructor(parts: NamesParts) {
    this.#parts = parts;
    const names = (): Iterable<LookedUpName> => this.#names.values();
    this.#publication = new NamesPublication(parts, names, (name) => this.#used(name));
  }

  of(endpoint: Endpoint): readonly LiveEndpoint[] {
    if (isLive(endpoint)) return [endpoint];
    const name = this.#names.get(endpoint.slot);
    if (name === undefined) return [];
    return this.#used(name).map((live) => connectedAs(live, endpoint));
  }

  status(endpoint: Endpoint): NameStatus | undefined {
    const name = isNamed(endpoint) ? this.#names.get(endpoint.slot) : undefined;
    if (name === undefined || name.status.deniedAtMs === 0) return name?.status;
    const so = consequence(name, this.#isActive(name));
    return { ...name.status, problem: `${name.status.problem}; ${so}` };
  }

  /** The address in this slot did not answer: its name is looked up soon, where it has one. */
  doubt(slot: number): void {
    for (const name of this.#names.values()) {
      if (name.live.some((one) => one.slot === slot)) this.#askSoon(name);
    }
  }

  /** `table` was published: its names are looked up from here on, and those of the one before. */
  follow(table: RoutingTable): void {
    this.#tables = [...this.#tables.slice(-1), table];
    this.#prepared = this.#prepared.filter(({ version }) => version > table.version);
    this.#keep();
  }

  /**
   * Looks up what is new in `table`, which is about to be published, and resolves when the workers
   * were told; after a while without an answer, too.
   */
  async prepare(table: RoutingTable): Promise<void> {
    this.#awaited.add(table);
    this.#keep();
    const fresh = [...this.#names.values()].filter(
      ({ status, wasAwaited }) => status === NEVER_ASKED && !wasAwaited,
    );
    for (const name of fresh) name.wasAwaited = true;
    await answersOf(fresh, FIRST_LOOKUP_MS, this.#parts.timers);
    this.#awaited.delete(table);
    this.#prepared = [...this.#prepared, table].slice(-PREPARED_TABLES_MAX);
    this.#publication.now();
  }

  /**
   * Asks again for the names among `endpoints`, unless they were asked for within the last second.
   * Resolves when they were answered, or after a while: then what was known before still counts.
   */
  async refresh(endpoints: readonly Endpoint[]): Promise<void> {
    const names = endpoints.flatMap(({ slot }) => this.#names.get(slot) ?? []);
    for (const name of names.filter(isWorthAsking)) {
      name.cancel();
      this.#ask(name);
    }
    const asked = names.filter(({ phase }) => phase === 'asking');
    await answersOf(asked, REFRESH_MS, this.#parts.timers);
  }

  /** Returns where names lead, for the process that takes over. */
  report(): readonly NameReport[] {
    return nameReports(this.#names.values());
  }

  /** Takes over where names led in the process before this one, until they are answered here. */
  believe(reports: readonly NameReport[]): void {
    this.#handed = new HandedNames(reports);
    if (this.#tables.length === 0) return; // The first is yet to come.
    for (const name of this.#names.values()) this.#inform(name);
    this.#handed = new HandedNames();
    this.#publication.soon();
  }

  #inform(name: LookedUpName): void {
    const report = this.#handed.of(name.endpoint);
    const { status } = name;
    if (report === undefined || status.answeredAtMs > 0) return;
    const { isOurs, mayLeadTo: may } = this.#parts;
    const places = report.places.filter((place) => !isOurs(place) && may(name.endpoint, place));
    name.live = this.#publication.liveAt(name, places);
    const { answeredAtMs } = report.status;
    name.status = status === NEVER_ASKED ? report.status : { ...status, answeredAtMs };
    this.#publication.soon();
  }

  /** Looks nothing up any more. */
  stop(): void {
    this.#isStopped = true;
    this.#publication.stop();
    for (const name of this.#names.values()) this.#drop(name);
    this.#parts.dns.close();
  }

  /** Begins with names that are new in the tables, and drops those that are in none. */
  #keep(): void {
    if (this.#isStopped) return;
    const before = this.#names;
    const coming = [...this.#prepared, ...this.#awaited];
    const wanted = namesOf([...this.#tables, ...coming]).map((name) => {
      const known = before.get(name.endpoint.slot);
      return known?.endpoint.url === name.endpoint.url ? known : name;
    });
    this.#names = new Map(wanted.map((name) => [name.endpoint.slot, name]));
    const leaving = leavingSlots(this.#tables.at(-1));
    for (const [slot, name] of this.#names) name.isLeaving = leaving.has(slot);
    for (const [slot, name] of before) if (this.#names.get(slot) !== name) this.#drop(name);
    for (const [slot, name] of this.#names) {
      if (before.get(slot) === name) continue;
      this.#inform(name);
      this.#ask(name);
    }
    this.#handed = new HandedNames();
    this.#activate([...this.#tables.slice(-1), ...coming]);
  }

  /** A name that DNS denies is used from here on if its color has become active, or no more. */
  #activate(tables: readonly RoutingTable[]): void {
    const denied = [...this.#names.values()].filter(({ status }) => status.deniedAtMs > 0);
    const before = denied.map((name) => this.#isActive(name));
    const services = tables.flatMap((table) => table.services);
    const active = services.flatMap((service) => service[service.active].endpoints);
    this.#activeSlots = new Set(active.map(({ slot }) => slot));
    if (denied.some((name, index) => this.#isActive(name) !== before[index]))
      this.#publication.soon();
  }

  #isActive({ endpoint }: LookedUpName): boolean {
    return this.#activeSlots.has(endpoint.slot);
  }

  /** Returns where requests may go. */
  #used(name: LookedUpName): readonly LiveEndpoint[] {
    const { status, isLeaving } = name;
    return status.deniedAtMs === 0 || isLeaving || this.#isActive(name) ? name.live : [];
  }

  #drop(name: LookedUpName): void {
    name.isGone = true;
    name.cancel();
    name.answered.resolve();
    if (name.live.length > 0) this.#publication.soon();
  }

  /** At once, or when it has rested since the last time. */
  #askSoon(name: LookedUpName): void {
    name.isInDoubt = true;
    if (name.phase !== 'waiting') return;
    name.cancel();
    this.#ask(name);
  }

  #ask(name: LookedUpName): void {
    name.phase = 'asking';
    name.isInDoubt = false;
    name.answered = Promise.withResolvers();
    background(this.#round(name), this.#parts.log, 'lookup');
  }

  async #round(name: LookedUpName): Promise<void> {
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
      if (isAsked(name)) this.#take(name, found);
    } catch (error) {
      if (isAsked(name)) this.#fail(name, messageOf(error), isDenial(error));
    }
    cancel();
    tellLookup(this.#parts.log, name);
    name.answered.resolve();
    // What was given up may still keep a thread busy: there is never more than one lookup of a name.
    await asked.catch(() => {});
    if (name.isGone) return;
    this.#rest(name);
  }

  /** There is a while between two lookups of a name, whatever the reason to ask. */
  #rest(name: LookedUpName): void {
    const { timers } = this.#parts;
    const pause = pauseMs(name);
    const restMs = Math.min(NAME_REST_MS, pause);
    name.phase = 'resting';
    name.cancel = timers.after(restMs, () => {
      name.phase = 'waiting';
      name.cancel = timers.after(pause - restMs, () => this.#ask(name));
      if (name.isInDoubt) this.#askSoon(name);
    });
  }

  /** Takes an answer into account. */
  #take(name: LookedUpName, found: readonly Place[]): void {
    const { usable, leftAside } = usableOf(name, found, this.#parts);
    if (usable.length === 0) {
      this.#fail(name, leftAside === '' ? NOTHING_USABLE : leftAside);
      return;
    }
    const inUse = new Set(name.live.map(({ place }) => place!));
    const chosen = chosenFrom(usable, inUse);
    const live = this.#publication.liveAt(name, chosen);
    if (live.length === 0) {
      this.#fail(name, 'no slot is free: too many addresses are in use');
      return;
    }
    name.streak = 0;
    const isCut = found.length >= PLACES_TAKEN_MAX;
    const leftOut = usable.length - live.length;
    const problem = leftAside === '' ? remark(leftOut, { isCut }) : leftAside;
    this.#tell(name, problem);
    const wasDenied = name.status.deniedAtMs > 0;
    name.status = { ...name.status, problem, answeredAtMs: epochMs(), deniedAtMs: 0 };
    const comes = live.map(({ place }) => place!).filter((place) => !inUse.has(place));
    const stays = new Set(live.map(({ place }) => place!));
    const goes = [...inUse].filter((place) => !stays.has(place));
    if (comes.length + goes.length === 0 && !wasDenied) return;
    name.live = live;
    this.#publication.soon();
    const { service, color, endpoint } = name;
    this.#parts.log.info(
      { service, color, url: endpoint.url, comes, goes },
      `${service} ${color} ${endpoint.url} leads to ${[...stays].join(', ')}`,
    );
  }

  /** What was found last is kept; of no use while DNS denies the name, except to an active color. */
  #fail(name: LookedUpName, problem: string, isDenied = false): void {
    name.streak++;
    const { status } = name;
    // A question that was not answered says nothing, either way.
    const deniedAtMs = status.deniedAtMs === 0 && isDenied ? epochMs() : status.deniedAtMs;
    const next = { ...status, problem, failureCount: status.failureCount + 1, deniedAtMs };
    const isActive = this.#isActive(name);
    this.#tell(name, problem, `; ${consequence({ ...name, status: next }, isActive)}`);
    name.status = next;
    if (deniedAtMs > status.deniedAtMs && !isActive && name.live.length > 0)
      this.#publication.soon();
  }

  /** Logs a problem once, for as long as it stays the same. */
  #tell({ service, color, endpoint, status }: LookedUpName, problem: string, more = ''): void {
    if (problem === '' || problem === status.problem) return;
    const { url } = endpoint;
    const message = `${service} ${color} ${url}: ${problem}${more}`;
    this.#parts.log.warn({ service, color, url, problem }, message);
  }
}
