// How the workers hear where names lead: as one whole picture, a moment after something has changed. Each
// address in it has a slot, which stays taken until every worker has heard that nothing leads there any
// more. Does not know why a name leads somewhere.

import type { LiveEndpoint, NameAddresses } from '../../contract/table.ts';
import { NAMES_SETTLE_MS } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';
import type { Timers } from '../base/timers.ts';
import type { Slots } from '../memory/slots.ts';
import type { LookedUpName } from './looked-up-name.ts';
import { placeText, type Place } from './lookup.ts';

export interface NamesPublicationParts {
  readonly slots: Slots;
  readonly workers: {
    resolve(version: number, names: readonly NameAddresses[]): void;
    readonly resolvedVersion: number;
  };
  /** Called before the workers hear of a change. */
  readonly onChange: () => void;
  readonly timers: Timers;
}

export class NamesPublication {
  readonly #parts: NamesPublicationParts;
  /** Returns all names that are looked up now. */
  readonly #names: () => Iterable<LookedUpName>;
  /** Returns where requests for a name may go. */
  readonly #used: (name: LookedUpName) => readonly LiveEndpoint[];
  #version = 0;
  /** Slot of an address → the last version that had it. */
  readonly #lastIn = new Map<number, number>();
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(
    parts: NamesPublicationParts,
    names: () => Iterable<LookedUpName>,
    used: (name: LookedUpName) => readonly LiveEndpoint[],
  ) {
    this.#parts = parts;
    this.#names = names;
    this.#used = used;
  }

  /** Something has changed: the workers hear of it in a moment, with what changes until then. */
  soon(): void {
    if (this.#isStopped) return;
    this.#cancel ??= this.#parts.timers.after(NAMES_SETTLE_MS, () => this.#publish());
  }

  /** Tells the workers at once what has changed, if anything has. */
  now(): void {
    if (this.#cancel !== undefined) this.#publish();
  }

  /** Tells nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Returns endpoints of a name at `places`, as many as there are slots for. */
  liveAt(
    { service, color, endpoint, live }: LookedUpName,
    places: readonly Place[],
  ): LiveEndpoint[] {
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
    for (const { live } of this.#names()) for (const { slot } of live) slots.add(slot);
    for (const [slot, version] of this.#lastIn) {
      if (version >= resolvedVersion) slots.add(slot);
      else this.#lastIn.delete(slot);
    }
    return slots;
  }

  #publish(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const { workers, onChange } = this.#parts;
    const version = ++this.#version;
    const picture = Array.from(this.#names(), (name) => ({
      slot: name.endpoint.slot,
      endpoints: this.#used(name),
    }));
    for (const { slot } of picture.flatMap(({ endpoints }) => endpoints)) {
      this.#lastIn.set(slot, version);
    }
    onChange();
    workers.resolve(version, picture);
  }
}
