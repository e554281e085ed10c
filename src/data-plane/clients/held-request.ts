// The request of one client while its service is held: its place in the queue, and how long it
// waits. Made when a request has to wait, dropped when that request is over.

import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { HoldQueue, Place, Waiter } from '../routing/hold-queue.ts';
import type { RoutedService } from '../routing/table/routed-service.ts';

/** The connection that the request came in on. */
interface HeldOwner {
  pauseReading(): void;
  /** The request is decided on anew. */
  goOn(): void;
  onFault(error: unknown): void;
}

export class HeldRequest implements Waiter, TimerOwner {
  /** It has waited for as long as a request may. */
  hasWaited = false;
  readonly #owner: HeldOwner;
  readonly #queue: HoldQueue;
  readonly #wheel: Wheel;
  readonly #timer = new Timer(this);
  /** Undefined while it does not wait. */
  #place: Place | undefined = undefined;

  constructor(
    owner: HeldOwner,
    { holdQueue, wheel }: { readonly holdQueue: HoldQueue; readonly wheel: Wheel },
  ) {
    this.#owner = owner;
    this.#queue = holdQueue;
    this.#wheel = wheel;
  }

  /** Waits with the `bytes` that have come, for as long as `service` is held. */
  wait(service: RoutedService, bytes: number): void {
    this.#place = this.#queue.enter(this, service, bytes);
    this.#wheel.arm(this.#timer, this.#wheel.wall.untilMs(service.hold!.untilMs));
  }

  /** More has come from the client. */
  grow(bytes: number): void {
    this.#queue.grow(this.#place!, bytes);
  }

  /** Gives up its place; to do it again changes nothing. */
  leave(): void {
    this.#queue.leave(this.#place);
    this.#place = undefined;
    this.#wheel.remove(this.#timer);
  }

  resume(): void {
    if (this.#place === undefined) return;
    this.leave();
    try {
      this.#owner.goOn();
    } catch (error) {
      this.#owner.onFault(error); // The other requests in the queue still have to go on.
    }
  }

  waitNoLonger(): void {
    this.hasWaited = true;
    this.resume();
  }

  pauseReading(): void {
    this.#owner.pauseReading();
  }

  onDeadline(): void {
    this.waitNoLonger();
  }

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }
}
