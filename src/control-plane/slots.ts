// Which block and which row of the shared counters belongs to whom. A number once given
// keeps its owner for the life of the process, so counters never change their meaning.
// Knows nothing of the memory itself.

import { BLOCKS_MAX, ENDPOINTS_MAX } from '../contract/counters.ts';
import type { Color } from '../contract/table.ts';
import { StartError } from './problems.ts';

export interface BlockOwner {
  readonly block: number;
  readonly service: string;
  readonly color: Color;
  readonly release: string;
}

export interface EndpointOwner {
  readonly slot: number;
  readonly service: string;
  readonly color: Color;
  readonly url: string;
}

/** Gives out block numbers (from 1; 0 takes what reached no service) and endpoint slots. */
export class Slots {
  readonly #blocks = new Map<string, BlockOwner>();
  readonly #endpoints = new Map<string, EndpointOwner>();

  /** Returns the block of a release on a color of a service. */
  block(owner: Omit<BlockOwner, 'block'>): number {
    const key = JSON.stringify([owner.service, owner.color, owner.release]);
    const known = this.#blocks.get(key);
    if (known) return known.block;
    const block = this.#blocks.size + 1;
    if (block >= BLOCKS_MAX) {
      throw new StartError(`too many services and releases: the limit is ${BLOCKS_MAX - 1} blocks`);
    }
    this.#blocks.set(key, { ...owner, block });
    return block;
  }

  /** Returns the slot of one upstream address of a color of a service. */
  endpoint(owner: Omit<EndpointOwner, 'slot'>): number {
    const key = JSON.stringify([owner.service, owner.color, owner.url]);
    const known = this.#endpoints.get(key);
    if (known) return known.slot;
    const slot = this.#endpoints.size;
    if (slot >= ENDPOINTS_MAX) {
      throw new StartError(`too many targets: the limit is ${ENDPOINTS_MAX} over all services`);
    }
    this.#endpoints.set(key, { ...owner, slot });
    return slot;
  }

  /** Returns every block that has an owner. */
  blocks(): BlockOwner[] {
    return [...this.#blocks.values()];
  }
}
