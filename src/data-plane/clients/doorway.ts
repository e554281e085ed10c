// Where client connections come in: takes each, or refuses it where all places are taken and none can
// be freed, leads it over the doorstep where its listener has one, and knows which are open. What they
// do then is theirs.

import type net from 'node:net';
import type { Report } from '../../contract/messages.ts';
import { hasDoorstep, type Listener } from '../../contract/worker-settings.ts';
import { plainAddress } from '../../http/forward/forwarding.ts';
import type { Tally } from '../base/tally.ts';
import type { Wheel } from '../base/wheel.ts';
import type { Doors } from '../doorstep/doors.ts';
import type { Greeted } from '../doorstep/doorstep.ts';
import { Doorsteps, type DoorstepsOwner } from '../doorstep/doorsteps.ts';
import { addressOf, refuse, socketOf, type Accepted } from '../transport/accepted-socket.ts';
import type { Incoming } from '../transport/greeted-socket.ts';
import { arrivalAt } from './arrival.ts';
import type { ClientServices } from './client-services.ts';
import { nameOf } from '../base/crowd.ts';
import { CrowdNews } from './crowd-news.ts';
import type { DecidedClient } from '../routing/decision.ts';
import { H1Client } from './h1-client.ts';
import type { Acceptor } from './listeners.ts';

/** Failed accepts are reported this rarely: there may be thousands a second, all with one cause. */
const ACCEPT_FAULT_EVERY_MS = 10_000;

export class Doorway implements Acceptor, DoorstepsOwner {
  readonly clients = new Set<H1Client>();
  readonly tally: Tally;
  readonly wheel: Wheel;
  readonly #services: ClientServices;
  readonly #doorsteps: Doorsteps;
  readonly #news: CrowdNews;
  #acceptFailedMs = -Infinity;

  constructor(services: ClientServices, doors: Doors, report: (report: Report) => void) {
    this.#services = services;
    this.tally = services.tally;
    this.wheel = services.wheel;
    this.#doorsteps = new Doorsteps(this, doors);
    this.#news = new CrowdNews(services.wheel, report);
  }

  accept(accepted: Accepted, listener: Listener): void {
    const { tally, settings } = this.#services;
    if (tally.connectionsOpen >= settings.client.connectionsMax && !this.#makeRoomFor(accepted)) {
      tally.connectionRefused();
      refuse(accepted);
      return;
    }
    if (!hasDoorstep(listener)) {
      if (this.#enter(accepted, listener, undefined)) tally.connectionOpened();
      else refuse(accepted);
      return;
    }
    const socket = socketOf(accepted);
    if (this.#begin(socket, listener)) tally.connectionOpened();
    else socket.destroy();
  }

  greeted(listener: Listener, greeted: Greeted): void {
    if (this.#enter(greeted.socket, listener, greeted)) return;
    greeted.socket.close();
    this.left();
  }

  left(): void {
    this.tally.connectionClosed();
    this.#services.doorstepLeft();
  }

  contained(error: unknown): void {
    this.#services.contained(error);
  }

  get doorstepCount(): number {
    return this.#doorsteps.count;
  }

  /** What has not come to a protocol by now never will. */
  closeDoorsteps(): void {
    this.#doorsteps.closeAll();
  }

  acceptFailed(error: Error): void {
    this.#services.tally.connectionRefused();
    const nowMs = performance.now();
    if (nowMs - this.#acceptFailedMs < ACCEPT_FAULT_EVERY_MS) return;
    this.#acceptFailedMs = nowMs;
    this.#services.contained(error);
  }

  closed(client: DecidedClient): void {
    const clients: Set<DecidedClient> = this.clients;
    clients.delete(client);
    this.#services.tally.connectionClosed();
  }

  /** Begins with the protocol; false: an error of ours, which is told. */
  #enter(socket: Incoming, listener: Listener, greeted: Greeted | undefined): boolean {
    try {
      const arrival = arrivalAt(listener, greeted);
      this.clients.add(new H1Client(this.#services, socket, arrival));
      return true;
    } catch (error) {
      this.#services.contained(error);
      return false;
    }
  }

  /** Leads a connection to the doorstep; false: it is not wanted, or an error of ours, which is told. */
  #begin(socket: net.Socket, listener: Listener): boolean {
    try {
      return this.#doorsteps.begin(socket, listener);
    } catch (error) {
      this.#services.contained(error);
      return false;
    }
  }

  #makeRoomFor(accepted: Accepted): boolean {
    const { crowd, tally } = this.#services;
    const remote = addressOf(accepted);
    const isOneOfMany = remote === undefined || this.#services.isTrusted(remote);
    const address = isOneOfMany ? undefined : plainAddress(remote);
    const network = crowd.makeRoom(address);
    if (network === undefined) {
      this.#news.refused(nameOf(address));
      return false;
    }
    tally.connectionDisplaced();
    this.#news.displaced(network);
    return true;
  }
}
