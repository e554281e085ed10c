// How long one target is waited for: for its connection, a head, more of a body or tunnel, and how long a
// connection may be kept unused. One deadline at a time. Does not know what happens when it is over.

import { idleTimeoutMs } from '../../http/heads/keep-alive.ts';
import { Timer, type TimerOwner } from '../base/wheel.ts';
import type { TargetServices } from './target-services.ts';

export class TargetPatience {
  readonly #services: Pick<TargetServices, 'settings' | 'wheel'>;
  readonly #timer: Timer;
  #idleSinceMs = 0;
  #idleTimeoutMs: number;

  /** The connection is awaited; `owner` is told when that takes too long. */
  constructor(services: Pick<TargetServices, 'settings' | 'wheel'>, owner: TimerOwner) {
    this.#services = services;
    this.#timer = new Timer(owner);
    const { upstream } = services.settings;
    this.#idleTimeoutMs = upstream.idleTimeoutMs;
    this.#arm(upstream.connectTimeoutMs);
  }

  awaitHead(): void {
    this.#arm(this.#services.settings.upstream.headTimeoutMs);
  }

  awaitBody(): void {
    this.#arm(this.#services.settings.upstream.bodyIdleTimeoutMs);
  }

  awaitTunnel(): void {
    this.#arm(this.#services.settings.upstream.tunnelIdleTimeoutMs);
  }

  /** Nothing runs on the connection: it is kept for a while. */
  awaitReuse(): void {
    this.#idleSinceMs = this.#services.wheel.nowMs();
    this.#arm(this.#idleTimeoutMs);
  }

  /** The target has said for how long it keeps an unused connection. */
  boundReuse(seconds: number): void {
    this.#idleTimeoutMs = idleTimeoutMs(seconds, this.#services.settings.upstream.idleTimeoutMs);
  }

  idleMs(): number {
    return this.#services.wheel.nowMs() - this.#idleSinceMs;
  }

  /** Nothing is awaited from the target. */
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
