// One copied request: what its client gets, seen on the way, and what the copy gets. Ends once, by one
// result, and takes part in nothing that happens to the client.
//
//   both run ─► the copy is over ─► the client has its response ─► same | differed | failed
//       └─► the client has it ─► the copy gets some more time ──────┘
//       └─► the client gets no whole response ─────────────────────► unpaired

import type { ShadowDifference } from '../../contract/shadow-rules.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { RoutedShadow } from '../routing/table/routed-shadow.ts';
import type { RoutedDeployment } from '../routing/table/routed-service.ts';
import type { ResponseTap } from '../transport/response-tap.ts';
import { differenceOf, noResponse } from './comparison.ts';
import type { Ignored } from './ignored.ts';
import { Observed } from './observed.ts';
import { ShadowCopy, type CopyOwner } from './shadow-copy.ts';
import type { ShadowPool } from './shadow-pool.ts';

/** Once the client has its response, the copy gets as long again, and so much more. */
export const COPY_GRACE_MS = 5_000;
/** Nothing that takes longer is worth a place. */
export const PAIR_MS_MAX = 60_000;

/** The request that is copied, as its exchange tells it. */
export interface CopiedRequest {
  /** Where it is at the moment: another deployment may be asked later. */
  readonly deployment: RoutedDeployment;
  readonly isHead: boolean;
  readonly method: { readonly name: string };
  /** Without its query. */
  readonly path: string;
}

export type PairResult = 'same' | 'differed' | 'failed' | 'unpaired';

/** Keeps the pairs of a worker. */
export interface PairOwner {
  readonly wheel: Wheel;
  pairEnded(pair: ShadowPair, result: PairResult, difference: ShadowDifference | undefined): void;
  contained(error: unknown): void;
}

/** What a pair is made of. */
export interface PairParts {
  readonly owner: PairOwner;
  readonly shadow: RoutedShadow;
  readonly ignored: Ignored;
  readonly request: CopiedRequest;
  /** Of the copy. */
  readonly head: string;
  readonly pool: ShadowPool;
}

export class ShadowPair implements ResponseTap, CopyOwner, TimerOwner {
  readonly shadow: RoutedShadow;
  readonly method: string;
  readonly path: string;
  readonly live: Observed;
  readonly copied: Observed;
  readonly pool: ShadowPool;
  readonly #owner: PairOwner;
  readonly #ignored: Ignored;
  readonly #request: CopiedRequest;
  readonly #from: RoutedDeployment;
  readonly #copy: ShadowCopy;
  /** When it was sent. */
  sentMs = 0;
  readonly #timer = new Timer(this);
  readonly #startedMs: number;
  #isCopyOver = false;
  #isCopyWhole = false;
  #isOver = false;

  constructor({ owner, shadow, ignored, request, head, pool }: PairParts) {
    this.shadow = shadow;
    this.method = request.method.name;
    this.path = request.path;
    this.pool = pool;
    this.live = new Observed(shadow.rules);
    this.copied = new Observed(shadow.rules);
    this.#owner = owner;
    this.#ignored = ignored;
    this.#request = request;
    this.#from = request.deployment;
    this.#startedMs = owner.wheel.nowMs();
    const { isHead } = request;
    const { bodyBytesMax } = shadow.rules;
    this.#copy = new ShadowCopy(this, { head, isHead, pool, observed: this.copied, bodyBytesMax });
  }

  /** Sends the copy; false: there is no place for it, and the pair is not one. */
  start(): boolean {
    this.sentMs = performance.now();
    if (!this.#copy.start()) return false;
    this.#owner.wheel.arm(this.#timer, PAIR_MS_MAX);
    return true;
  }

  // What the client gets.

  head(head: ResponseHead, part: readonly number[], trailers: string | undefined): void {
    if (this.#isOver) return;
    try {
      // Another deployment has answered, or the response is a stream: there is nothing to compare.
      if (this.#request.deployment !== this.#from || head.isEventStream) {
        this.abandon();
        return;
      }
      this.live.head(head, performance.now());
    } catch (error) {
      this.onFault(error);
    }
    this.body(head.bytes, part, trailers);
  }

  body(bytes: Buffer, part: readonly number[], trailers: string | undefined): void {
    if (this.#isOver || this.live.isDone) return;
    try {
      this.live.body(bytes, part, trailers !== undefined);
      if (this.live.isDone) this.#liveDone();
    } catch (error) {
      this.onFault(error);
    }
  }

  end(): void {
    if (!this.live.isDone) this.abandon();
  }

  // What the copy tells.

  copyEnded(isWhole: boolean): void {
    this.#isCopyOver = true;
    this.#isCopyWhole = isWhole;
    if (this.live.isDone) this.#compare();
  }

  onDeadline(): void {
    if (this.live.isDone) this.#settle('failed', noResponse(this.live));
    else this.abandon();
  }

  /** An error of ours: it costs this comparison and nothing else. */
  onFault(error: unknown): void {
    this.#owner.contained(error);
    this.abandon();
  }

  /** There is nothing to compare with, or copies are not wanted any more. */
  abandon(): void {
    this.#settle('unpaired', undefined);
  }

  /** The copy gets as long again as the client has waited. */
  #liveDone(): void {
    const { wheel } = this.#owner;
    if (this.#isCopyOver) this.#compare();
    else wheel.arm(this.#timer, COPY_GRACE_MS + wheel.nowMs() - this.#startedMs);
  }

  #compare(): void {
    if (!this.#isCopyWhole) {
      this.#settle('failed', noResponse(this.live));
      return;
    }
    const { rules } = this.shadow;
    const difference = differenceOf(this.live, this.copied, rules, this.#ignored);
    this.#settle(difference === undefined ? 'same' : 'differed', difference);
  }

  #settle(result: PairResult, difference: ShadowDifference | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.wheel.remove(this.#timer);
    if (!this.#isCopyOver) this.#copy.abandon();
    this.#owner.pairEnded(this, result, difference);
  }
}
