// What a rollout shifts, as a worker uses it: which sessions fall under the share at a moment. The
// same session has the same place in every worker and after every restart; a share that grows takes
// more of them and gives none back. Knows hashes, no requests.

import { mixed } from '../../../base/hashes.ts';
import { shareAt, SHARE_MAX } from '../../../contract/split-share.ts';
import type { Split } from '../../../contract/table.ts';
import type { RoutedDeployment } from './routed-service.ts';

/** Hashes have 32 bits: where all are under the share, every one is below this. */
const PLACES = 2 ** 32;
/** The golden ratio, as a part of PLACES: its multiples are spread evenly, however few they are. */
const GOLDEN_STEP = 0x9e3779b9;

export class RoutedSplit {
  /** The deployment on the idle color. */
  readonly canary: RoutedDeployment;
  readonly by: Split['by'];
  readonly sinceS: number;
  /** Sessions of the active deployment move over, too, once their place is under the share. */
  readonly movesAll: boolean;
  /** The share becomes smaller: it is the way back, on which nothing moves to the canary any more. */
  readonly isShrinking: boolean;
  readonly #salt: number;
  readonly #share: number;
  readonly #ramp: Split['ramp'];
  #next = Math.floor(Math.random() * PLACES);

  constructor(split: Split, canary: RoutedDeployment, hasSessions: boolean) {
    this.canary = canary;
    // Where nothing tells one client from the other, requests are what can be placed.
    this.by = split.by === 'session' && !hasSessions ? 'request' : split.by;
    this.sinceS = split.sinceS;
    this.movesAll = split.sessions === 'all';
    this.isShrinking = split.ramp !== undefined && split.ramp.from > split.share;
    this.#salt = split.salt;
    this.#share = split.share;
    this.#ramp = split.ramp;
  }

  /** Tells whether what has `hash` (any 32 bits) is under the share at `nowMs` since the epoch. */
  takes(hash: number, nowMs: number): boolean {
    return mixed(hash ^ this.#salt) < this.#limit(nowMs);
  }

  /** Tells the same of a request that nothing is known of: each one is placed by itself. */
  takesNext(nowMs: number): boolean {
    this.#next = (this.#next + GOLDEN_STEP) >>> 0;
    return this.#next < this.#limit(nowMs);
  }

  /** Tells whether a session that began at `issuedS` was placed by this split, on either color. */
  hasPlaced(issuedS: number): boolean {
    return this.movesAll || issuedS >= this.sinceS;
  }

  #limit(nowMs: number): number {
    const ramp = this.#ramp;
    const share = ramp === undefined ? this.#share : shareAt({ share: this.#share, ramp }, nowMs);
    return (share * PLACES) / SHARE_MAX;
  }
}
