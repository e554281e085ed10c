// Copies of requests to idle deployments: which are made, how many run at once, and what became of
// them. A copy is dropped where there is no place for it; it never waits, and nothing waits for it.

import { HEALTH_WORD } from '../../contract/counters.ts';
import type { ShadowDifference, ShadowRules } from '../../contract/shadow-rules.ts';
import type { Method } from '../../http/grammar/methods.ts';
import type { Wheel } from '../base/wheel.ts';
import type { RoutedShadow } from '../routing/table/routed-shadow.ts';
import type { ConnectionServices, TargetServices } from '../targets/target-services.ts';
import type { ResponseTap } from '../transport/response-tap.ts';
import type { TargetPool } from '../transport/transport.ts';
import { isCopied } from './copied.ts';
import { DifferenceNotes, type DifferencesReport } from './difference-notes.ts';
import { Ignored } from './ignored.ts';
import { ShadowPair, type CopiedRequest, type PairOwner, type PairResult } from './shadow-pair.ts';
import { ShadowPool, type ShadowPlaces } from './shadow-pool.ts';

/** Connections of one worker for copies. */
export const SHADOW_CONNECTIONS_MAX = 16;
/** Bytes of bodies that are kept to be compared, both sides together: 4 MiB. */
const SHADOW_BYTES_MAX = 4_194_304;
/** Copies whose comparison is not over; most have no connection any more, because their client is slow. */
export const SHADOW_PAIRS_MAX = 64;

/** What the target is told, so that it can leave out what must happen once. */
const SHADOW_FIELD = 'x-turnout-shadow: 1\r\n';

/** Steps of the golden ratio: any run of requests has the share that was asked for, without a pattern. */
const GOLDEN_STEP = 0.618_033_988_749_895;

/** A request that has been sent to its target. */
export interface LiveRequest extends CopiedRequest {
  readonly method: Method;
  readonly wantsUpgrade: boolean;
  readonly isOver: boolean;
  readonly request: {
    readonly head: string;
    /** Returns such a head as a target is sent it. */
    asSent(head: string): string;
    /** Undefined: it waits for a connection. */
    readonly stream: object | undefined;
  };
  /** Set: its client logs in connections. */
  readonly client: { readonly bonds: object | undefined };
}

/** What copies ask of their worker. */
export interface ShadowServices extends TargetServices {
  /** HEALTH_WORD by slot of the endpoint. */
  readonly health: Int32Array;
}

/** The part of a routing table that says what is copied. */
interface ShadowedTable {
  readonly services: readonly { readonly shadow: RoutedShadow | undefined }[];
}

export class Shadows implements PairOwner {
  readonly #services: ShadowServices;
  readonly #connectionServices: ConnectionServices;
  readonly #notes: DifferenceNotes;
  readonly #places: ShadowPlaces = { openCount: 0, max: SHADOW_CONNECTIONS_MAX };
  readonly #pools = new Map<TargetPool, ShadowPool>();
  readonly #pairs = new Set<ShadowPair>();
  /** By the list of patterns, which is part of a table. */
  readonly #ignored = new WeakMap<ShadowRules['ignore'], Ignored>();
  #keptBytes = 0;
  /** Between 0 and 1. */
  #draw = 0;
  /** Which endpoint is next. */
  #next = 0;
  #isStopped = false;

  constructor(services: ShadowServices, report: DifferencesReport) {
    this.#services = services;
    this.#connectionServices = unseen(services);
    const contained = (error: unknown): void => services.contained(error);
    this.#notes = new DifferenceNotes(services.wheel, report, contained);
  }

  get wheel(): Wheel {
    return this.#services.wheel;
  }

  /** Connections that are open. */
  get openCount(): number {
    return this.#places.openCount;
  }

  /** Comparisons that are not over. */
  get pairCount(): number {
    return this.#pairs.size;
  }

  contained(error: unknown): void {
    this.#services.contained(error);
  }

  /**
   * Copies `live`, which has just been sent, if that is its turn. Returns what shall see its response;
   * undefined: it is not copied. Never throws.
   */
  copy(shadow: RoutedShadow, live: LiveRequest): ResponseTap | undefined {
    try {
      return this.#isTurn(shadow, live) ? this.#copy(shadow, live) : undefined;
    } catch (error) {
      this.contained(error);
      return undefined;
    }
  }

  /** Goes by `table`: copies that it does not ask for are given up, and connections for them close. */
  follow(table: ShadowedTable): void {
    const shadows = table.services.flatMap(({ shadow }) => shadow ?? []);
    const isWanted = ({ shadow: { to } }: ShadowPair): boolean =>
      shadows.some((one) => one.to.number === to.number);
    for (const pair of this.#pairs) if (!isWanted(pair)) pair.abandon();
    const wanted = new Set(shadows.flatMap(({ to }) => to.pools));
    for (const [pool, own] of this.#pools) {
      if (wanted.has(pool)) continue;
      this.#pools.delete(pool);
      own.retire();
    }
  }

  /** Closes idle connections that may not be used again. */
  closeOutdated(): void {
    for (const pool of this.#pools.values()) pool.closeOutdated();
  }

  /** The worker stops: no more copies. */
  stop(): void {
    this.#isStopped = true;
    this.follow({ services: [] });
  }

  pairEnded(pair: ShadowPair, result: PairResult, difference: ShadowDifference | undefined): void {
    if (!this.#pairs.delete(pair)) return;
    const { shadow, live, copied } = pair;
    const { number, block } = shadow.to;
    this.#keptBytes -= bytesOf(shadow);
    this.#services.tally.shadow(block, result);
    if (difference !== undefined) this.#notes.note(number, pair.method, pair.path, difference);
    if (result === 'same' || result === 'differed') {
      this.#services.tally.shadowTimes(
        block,
        live.headMs - pair.sentMs,
        copied.headMs - pair.sentMs,
      );
    }
  }

  /** Cheap questions first: they are asked of every request of a service that is shadowed. */
  #isTurn(shadow: RoutedShadow, live: LiveRequest): boolean {
    if (live.deployment !== shadow.from || live.isOver || live.wantsUpgrade) return false;
    this.#draw = (this.#draw + GOLDEN_STEP) % 1;
    if (this.#draw * 10_000 >= shadow.share || this.#isStopped) return false;
    if (live.client.bonds !== undefined || !isCopied(live.method, live.request.head)) return false;
    return shadow.ignoredPaths.isEmpty || !shadow.ignoredPaths.matches(live.path);
  }

  #copy(shadow: RoutedShadow, live: LiveRequest): ResponseTap | undefined {
    // Where clients wait for connections, the machine has enough to do.
    const pool = live.request.stream === undefined ? undefined : this.#poolFor(shadow);
    const hasRoom =
      this.#pairs.size < SHADOW_PAIRS_MAX && this.#keptBytes + bytesOf(shadow) <= SHADOW_BYTES_MAX;
    const pair = pool === undefined || !hasRoom ? undefined : this.#send(shadow, live, pool);
    this.#services.tally.shadow(shadow.to.block, pair === undefined ? 'dropped' : 'sent');
    return pair;
  }

  #send(shadow: RoutedShadow, live: LiveRequest, pool: ShadowPool): ShadowPair | undefined {
    const { from, to } = shadow;
    const pair = new ShadowPair({
      owner: this,
      shadow,
      ignored: this.#ignoredBy(shadow.rules.ignore),
      request: live,
      head: live.request.asSent(
        live.request.head.slice(0, -from.requestEnding.length) + SHADOW_FIELD + to.requestEnding,
      ),
      pool,
    });
    if (!pool.hasIdle) this.#makePlace();
    if (!pair.start()) return undefined;
    this.#pairs.add(pair);
    this.#keptBytes += bytesOf(shadow);
    return pair;
  }

  /** Returns where the next copy goes: the endpoints take turns, but for those that are down. */
  #poolFor({ to: { pools } }: RoutedShadow): ShadowPool | undefined {
    const { health } = this.#services;
    for (let i = 0; i < pools.length; i++) {
      this.#next = (this.#next + 1) % pools.length;
      const pool = pools[this.#next]!;
      const word = Atomics.load(health, pool.endpoint.slot);
      if (word !== HEALTH_WORD.down && word !== HEALTH_WORD.ejected) return this.#own(pool);
    }
    return undefined;
  }

  #own(pool: TargetPool): ShadowPool {
    const known = this.#pools.get(pool);
    if (known !== undefined) return known;
    const own = new ShadowPool(pool.endpoint, this.#connectionServices, this.#places);
    this.#pools.set(pool, own);
    return own;
  }

  /** Closes a connection that carries nothing where all places are taken. */
  #makePlace(): void {
    if (this.#places.openCount < this.#places.max) return;
    for (const pool of this.#pools.values()) if (pool.closeIdle()) return;
  }

  #ignoredBy(patterns: ShadowRules['ignore']): Ignored {
    let ignored = this.#ignored.get(patterns);
    if (ignored === undefined) {
      ignored = new Ignored(patterns);
      this.#ignored.set(patterns, ignored);
    }
    return ignored;
  }
}

/** What the bodies of a pair may take. */
function bytesOf({ rules }: RoutedShadow): number {
  return 2 * rules.bodyBytesMax;
}

const UNCOUNTED: ConnectionServices['tally'] = {
  connected: () => {},
  connectFailed: () => {},
  endpointResponded: () => {},
  endpointFailed: () => {},
};

/** Returns what a connection asks of the worker, so that nothing of it is counted. */
function unseen(services: ShadowServices): ConnectionServices {
  return {
    get settings() {
      return services.settings;
    },
    get responseHead() {
      return services.responseHead;
    },
    wheel: services.wheel,
    readBuffers: services.readBuffers,
    targetTls: services.targetTls,
    tally: UNCOUNTED,
    contained: (error) => services.contained(error),
  };
}
