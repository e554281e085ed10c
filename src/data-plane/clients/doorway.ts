// Where client connections come in: takes each, or refuses it where all places are taken and none can
// be freed, and knows which are open. What they do then is theirs.

import type { Report } from '../../contract/messages.ts';
import type { Listener } from '../../contract/worker-settings.ts';
import { plainAddress } from '../../http/forward/forwarding.ts';
import { addressOf, refuse, type Accepted } from '../transport/accepted-socket.ts';
import type { ClientServices } from './client-services.ts';
import { nameOf } from './crowd.ts';
import { CrowdNews } from './crowd-news.ts';
import { H1Client } from './h1-client.ts';
import type { Acceptor } from './listeners.ts';

/** Failed accepts are reported this rarely: there may be thousands a second, all with one cause. */
const ACCEPT_FAULT_EVERY_MS = 10_000;

export class Doorway implements Acceptor {
  readonly clients = new Set<H1Client>();
  readonly #services: ClientServices;
  readonly #news: CrowdNews;
  #acceptFailedMs = -Infinity;

  constructor(services: ClientServices, report: (report: Report) => void) {
    this.#services = services;
    this.#news = new CrowdNews(services.wheel, report);
  }

  accept(accepted: Accepted, listener: Listener): void {
    const { tally, settings } = this.#services;
    if (tally.connectionsOpen >= settings.client.connectionsMax && !this.#makeRoomFor(accepted)) {
      tally.connectionRefused();
      refuse(accepted);
      return;
    }
    let client: H1Client;
    try {
      client = new H1Client(this.#services, accepted, listener.use === 'preview');
    } catch (error) {
      refuse(accepted);
      this.#services.contained(error);
      return;
    }
    tally.connectionOpened();
    this.clients.add(client);
  }

  acceptFailed(error: Error): void {
    this.#services.tally.connectionRefused();
    const nowMs = performance.now();
    if (nowMs - this.#acceptFailedMs < ACCEPT_FAULT_EVERY_MS) return;
    this.#acceptFailedMs = nowMs;
    this.#services.contained(error);
  }

  closed(client: H1Client): void {
    this.clients.delete(client);
    this.#services.tally.connectionClosed();
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
