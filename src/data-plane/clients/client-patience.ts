// How long one client is waited for: for the rest of a head, for the next request, for more of a
// body. One deadline at a time. Does not know what happens when it is over.

import { LOOK_AFTER_MS, REST_OF_REQUEST_MS } from '../../base/limits.ts';
import type { DataPlaneSettings } from '../../contract/worker-settings.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';

/** What the bounds depend on; read anew with every wait. */
export interface PatienceServices {
  readonly wheel: Wheel;
  readonly settings: Pick<DataPlaneSettings, 'client'>;
  /** How long a connection may be idle. */
  readonly idleMaxMs: number;
}

export class ClientPatience {
  readonly #services: PatienceServices;
  readonly #timer: Timer;
  #idleSinceMs: number;

  /** The first head is awaited; `owner` is told when it did not come in time. */
  constructor(services: PatienceServices, owner: TimerOwner) {
    this.#services = services;
    this.#timer = new Timer(owner);
    this.#idleSinceMs = services.wheel.nowMs();
    this.#arm(services.settings.client.headTimeoutMs);
  }

  get isWaiting(): boolean {
    return this.#timer.isArmed;
  }

  /** Waits for the next request, or for the rest of a head that has begun. */
  awaitHead(hasBegun: boolean): void {
    const { idleMaxMs, settings, wheel } = this.#services;
    this.#arm(hasBegun ? settings.client.headTimeoutMs : idleMaxMs);
    this.#idleSinceMs = wheel.nowMs();
  }

  /** Waits for more of a body. */
  awaitBody(): void {
    this.#arm(this.#services.settings.client.bodyIdleTimeoutMs);
  }

  /** Waits for the rest of a request whose response is out. */
  awaitRest(): void {
    this.#arm(REST_OF_REQUEST_MS);
  }

  /** It has ended its side: time to look whether it is still there. */
  lookAfter(): void {
    this.#arm(LOOK_AFTER_MS);
  }

  /** The idle timeout has changed: an idle connection gets what is left of the new one. */
  renewIdle(): void {
    const idleMs = this.#services.wheel.nowMs() - this.#idleSinceMs;
    this.#arm(Math.max(0, this.#services.idleMaxMs - idleMs));
  }

  /** Nothing is awaited from the client. */
  rest(): void {
    this.#services.wheel.disarm(this.#timer);
  }

  /** The connection has closed. */
  stop(): void {
    this.#services.wheel.remove(this.#timer);
  }

  #arm(afterMs: number): void {
    this.#services.wheel.arm(this.#timer, afterMs);
  }
}
