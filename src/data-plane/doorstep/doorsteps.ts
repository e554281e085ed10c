// The connections of one worker that have not come to a protocol yet: begins them, bounds how many there
// are, and counts what becomes of them.

import type net from 'node:net';
import { HANDSHAKES_MAX } from '../../base/limits.ts';
import type { HandshakeOutcome } from '../../contract/counters.ts';
import type { Listener } from '../../contract/worker-settings.ts';
import { plainAddress } from '../../http/forward/forwarding.ts';
import type { Tally } from '../base/tally.ts';
import type { Wheel } from '../base/wheel.ts';
import { Crowd, type Seat } from '../base/crowd.ts';
import type { Doors } from './doors.ts';
import { Doorstep, type DoorstepHost, type Greeted } from './doorstep.ts';
import { AddressRanges } from '../base/address-ranges.ts';

/** Takes what becomes of them. */
export interface DoorstepsOwner {
  readonly wheel: Wheel;
  readonly tally: Pick<Tally, 'handshakeBegan' | 'handshakeEnded' | 'handshake'>;
  /** The connection is ready for its protocol. */
  greeted(listener: Listener, greeted: Greeted): void;
  /** It has closed, or is about to. */
  left(): void;
  contained(error: unknown): void;
}

interface Waiting {
  readonly listener: Listener;
  readonly seat: Seat;
}

export class Doorsteps implements DoorstepHost {
  readonly wheel: Wheel;
  readonly #owner: DoorstepsOwner;
  readonly #doors: Doors;
  readonly #steps = new Map<Doorstep, Waiting>();
  /** All of them are idle as far as it knows: each may make room. */
  readonly #crowd = new Crowd();
  readonly #proxies = new WeakMap<readonly string[], AddressRanges>();

  constructor(owner: DoorstepsOwner, doors: Doors) {
    this.#owner = owner;
    this.#doors = doors;
    this.wheel = owner.wheel;
  }

  /** Begins with a connection, which is paused; false: it is not wanted, and counted. */
  begin(socket: net.Socket, listener: Listener): boolean {
    const { tally } = this.#owner;
    const address = socket.remoteAddress && plainAddress(socket.remoteAddress);
    const hasProxyHeader = listener.proxyFrom.length > 0;
    if (hasProxyHeader && !this.#isProxy(address, listener)) {
      tally.handshake('not-a-proxy');
      return false;
    }
    const door = listener.tls && this.#doors.of(listener);
    if (listener.tls !== undefined && door === undefined) {
      tally.handshake('failed');
      return false;
    }
    // Behind a balancer all of them come from one address, each for another client.
    const network = hasProxyHeader ? undefined : address;
    // Each of them makes room, so there is always some.
    if (this.#steps.size >= HANDSHAKES_MAX) this.#crowd.makeRoom(network);
    tally.handshakeBegan();
    const step = new Doorstep(this, { hasProxyHeader, door }, socket);
    this.#steps.set(step, { listener, seat: this.#crowd.enter(step, network) });
    return true;
  }

  get count(): number {
    return this.#steps.size;
  }

  /** Closes all of them; no request has begun. */
  closeAll(): void {
    for (const step of this.#steps.keys()) step.makeRoom();
  }

  entered(step: Doorstep, greeted: Greeted): void {
    const { listener } = this.#end(
      step,
      greeted.tls?.isSessionReused() === true ? 'resumed' : 'done',
    );
    this.#owner.greeted(listener, greeted);
  }

  gone(step: Doorstep, outcome: HandshakeOutcome): void {
    this.#end(step, outcome);
    this.#owner.left();
  }

  contained(error: unknown): void {
    this.#owner.contained(error);
  }

  #end(step: Doorstep, outcome: HandshakeOutcome): Waiting {
    const waiting = this.#steps.get(step)!;
    this.#steps.delete(step);
    this.#crowd.leave(waiting.seat);
    this.#owner.tally.handshakeEnded(outcome);
    return waiting;
  }

  /** A Unix socket has rights of its own. */
  #isProxy(address: string | undefined, { proxyFrom }: Listener): boolean {
    if (address === undefined) return true;
    let ranges = this.#proxies.get(proxyFrom);
    if (ranges === undefined) this.#proxies.set(proxyFrom, (ranges = new AddressRanges(proxyFrom)));
    return ranges.has(address);
  }
}
