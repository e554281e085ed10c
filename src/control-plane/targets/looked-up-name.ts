// What is kept of one name while it is looked up again and again, how it is put into words, and when
// it is asked for next. Asks nothing itself: see names.ts.
//
//   asking ──answer──► resting ──1 s──► waiting ──the rest of the interval──► asking
//                         └── in doubt meanwhile ──┴───────────── at once ──────► asking

import type { ResolveConfig } from '../../config/config.ts';
import {
  deploymentsOf,
  isNamed,
  runningOf,
  type Color,
  type Deployment,
  type Endpoint,
  type LiveEndpoint,
  type NamedAddress,
  type RoutingTable,
} from '../../contract/table.ts';
import { epochMs } from '../../base/clock.ts';
import { someText } from '../../base/count-text.ts';
import {
  LOOKUP_HURRY_MS,
  LOOKUP_JITTER_SHARE,
  PLACES_NAMED_MAX,
  SPOT_ANSWER_KEPT_MS,
} from '../base/control-limits.ts';
import type { Timers } from '../base/timers.ts';
import type { Log } from '../base/log.ts';
import { NameDenied, placeText, type Place } from './lookup.ts';

export interface NameStatus {
  /** Of the last lookup; empty when all was well or none has ended. */
  readonly problem: string;
  /** When addresses were last found, in ms since the epoch; 0: never. */
  readonly answeredAtMs: number;
  /** Lookups that failed or found nothing. */
  readonly failureCount: number;
  /** Since when DNS says that there is no such name, in ms since the epoch; 0: it does not. */
  readonly deniedAtMs: number;
}

/** What is known about names, to read. */
export interface NameBook {
  /** Returns where `endpoint` leads at the moment: to itself, unless it is a name. */
  of(endpoint: Endpoint): readonly LiveEndpoint[];
  /** Returns what is known about a name; undefined where nothing is looked up. */
  status(endpoint: Endpoint): NameStatus | undefined;
}

/** Before the first lookup has ended. */
export const NEVER_ASKED: NameStatus = {
  problem: '',
  answeredAtMs: 0,
  failureCount: 0,
  deniedAtMs: 0,
};

export interface LookedUpName {
  readonly service: string;
  readonly color: Color;
  readonly endpoint: Endpoint & { readonly address: NamedAddress };
  config: ResolveConfig;
  /** Where it led when it was last known to lead anywhere. */
  live: readonly LiveEndpoint[];
  status: NameStatus;
  /** Lookups in a row that failed. */
  streak: number;
  /** A table has waited for it once. */
  wasAwaited: boolean;
  /** No table has it any more. */
  isGone: boolean;
  /** It was taken from its deployment, and leads for ever to where it led. */
  isLeaving: boolean;
  phase: 'asking' | 'resting' | 'waiting';
  /** There is a reason to ask before the interval is over. */
  isInDoubt: boolean;
  cancel: () => void;
  /** Resolves when the lookup that runs has ended, well or not. */
  answered: PromiseWithResolvers<void>;
}

const UNCONFIGURED: ResolveConfig = { intervalMs: 10_000, families: 'ipv4-first' };

/** Returns the names that run in `tables`, each once. */
export function namesOf(tables: readonly RoutingTable[]): LookedUpName[] {
  const names = new Map<number, LookedUpName>();
  for (const service of tables.flatMap(({ services }) => services)) {
    for (const { color, endpoints } of runningOf(service)) {
      for (const endpoint of endpoints.filter(isNamed)) {
        names.set(endpoint.slot, newName(service.name, color, endpoint));
      }
    }
  }
  return [...names.values()];
}

function newName(service: string, color: Color, endpoint: LookedUpName['endpoint']): LookedUpName {
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
    isLeaving: false,
    phase: 'waiting',
    isInDoubt: false,
    cancel: () => {},
    answered: Promise.withResolvers(),
  };
}

/** Returns how long to wait after a lookup: less after failures at first, as all may be gone. */
export function pauseMs({ config, streak }: LookedUpName): number {
  const spread = 1 + LOOKUP_JITTER_SHARE * (2 * Math.random() - 1);
  const hurriedMs = streak === 0 ? Infinity : LOOKUP_HURRY_MS * 2 ** Math.min(streak - 1, 16);
  return Math.min(config.intervalMs, hurriedMs) * spread;
}

/** No usable address was among those that DNS told. */
export const NOTHING_USABLE = 'none of the addresses that DNS tells can be used';

/** Says what a failed lookup means for requests. */
export function consequence({ live, status }: LookedUpName, isActive: boolean): string {
  if (live.length === 0) {
    const isUnknown = status.answeredAtMs === 0 && status.deniedAtMs === 0;
    return isUnknown
      ? 'it leads nowhere: this process has never had an answer'
      : 'it leads nowhere';
  }
  return status.deniedAtMs === 0 || isActive ? 'known addresses stay' : 'no request goes there';
}

/** Tells whether `error` says that there is no such name, rather than that DNS failed. */
export function isDenial(error: unknown): boolean {
  return error instanceof NameDenied;
}

/**
 * Returns the places that a name may lead to, and why others are left aside; empty: none is. To Turnout
 * itself requests would go in circles, or reach the admin API.
 */
export function usableOf(
  { endpoint }: Pick<LookedUpName, 'endpoint'>,
  found: readonly Place[],
  { isOurs, mayLeadTo }: PlaceRules,
): { readonly usable: readonly Place[]; readonly leftAside: string } {
  const own = new Set(found.filter((place) => isOurs(place)));
  const others = found.filter((place) => !own.has(place));
  const barred = new Set(others.filter((place) => !mayLeadTo(endpoint, place)));
  const texts = [
    ...(own.size > 0 ? [`it leads to Turnout itself (${placesText(own)})`] : []),
    ...(barred.size > 0 ? [`it leads where targets may not lead (${placesText(barred)})`] : []),
  ];
  return { usable: others.filter((place) => !barred.has(place)), leftAside: texts.join('; ') };
}

/** Where names may not lead. */
export interface PlaceRules {
  /** Tells whether a place is Turnout itself: where clients or operators come in. */
  readonly isOurs: (place: Place) => boolean;
  /** Tells whether the setting and the token that registered a name let it lead to a place. */
  readonly mayLeadTo: (endpoint: LookedUpName['endpoint'], place: Place) => boolean;
}

function placesText(places: ReadonlySet<Place>): string {
  return someText([...places].map(placeText), PLACES_NAMED_MAX);
}

/** `isCut`: there may have been still more. */
export function remark(leftOut: number, { isCut }: { readonly isCut: boolean }): string {
  if (leftOut === 0) return '';
  return `${isCut ? 'at least ' : ''}${leftOut} more addresses are not used`;
}

/** Returns the slots of what leaves in the table that is in force; what is also used does not. */
export function leavingSlots(table: RoutingTable | undefined): ReadonlySet<number> {
  const services = table?.services ?? [];
  const used = new Set(slotsOf(services.flatMap(deploymentsOf)));
  return new Set(slotsOf(services.flatMap(runningOf)).filter((slot) => !used.has(slot)));
}

function slotsOf(deployments: readonly Deployment[]): number[] {
  return deployments.flatMap(({ endpoints }) => endpoints.map(({ slot }) => slot));
}

/** An operator waits for this: a name that rests is asked, too, unless it has just answered. */
export function isWorthAsking({ phase, status }: LookedUpName): boolean {
  return phase !== 'asking' && epochMs() - status.answeredAtMs >= SPOT_ANSWER_KEPT_MS;
}

/** Tells whether it matters where a name leads now. */
export function isAsked({ isGone, isLeaving }: LookedUpName): boolean {
  return !isGone && !isLeaving;
}

/** Resolves when each of `names` was answered, or after a while. */
export async function answersOf(
  names: readonly LookedUpName[],
  withinMs: number,
  timers: Timers,
): Promise<void> {
  if (names.length === 0) return;
  const late = Promise.withResolvers<void>();
  const cancel = timers.after(withinMs, late.resolve);
  await Promise.race([Promise.all(names.map((one) => one.answered.promise)), late.promise]);
  cancel();
}

/** Tells the log at level debug what a lookup has brought. */
export function tellLookup(log: Pick<Log, 'debug'>, name: LookedUpName): void {
  const { service, endpoint, live, status } = name;
  const { url } = endpoint;
  const places = live.map(({ place }) => place!);
  const found = status.problem === '' ? someText(places, PLACES_NAMED_MAX) : status.problem;
  log.debug({ kind: 'lookup', service, url, addresses: live.length }, `lookup of ${url}: ${found}`);
}
