// How a data plane stops: it accepts no connection any more, lets run what runs, and at the end of
// the time cuts the rest, with a count and a line in the log for each request. Requests that wait
// because their service is held wait on: a hold ends when its operator or its time says so.

import { STOP_IDLE_MS } from '../base/limits.ts';
import type { Order, Report } from '../contract/messages.ts';
import type { H1Client } from './clients/h1-client.ts';
import type { AccessLog } from './exchange/access-log.ts';

/** More than a log that is read needs, and little beside the time of a stop. */
const LOG_FLUSH_MS = 500;

/** What has to stop. */
interface StoppingHost {
  readonly accessLog: AccessLog;
  clients(): ReadonlySet<H1Client>;
  /** Connections that have not come to a protocol yet: their handshake may be under way. */
  readonly doorsteps: { readonly doorstepCount: number; closeDoorsteps(): void };
  /** Accepts nothing more, and closes tunnels and event streams within `withinMs`. */
  leaveService(withinMs: number): void;
  /** Nothing runs any more. */
  retire(): void;
  report(report: Report): void;
}

export class PlaneStop {
  /** It has begun. */
  isStopping = false;
  /** Connections that carry nothing have had their time. */
  isIdleOver = false;
  readonly #host: StoppingHost;
  #isOver = false;
  #cutCount = 0;

  constructor(host: StoppingHost) {
    this.#host = host;
  }

  begin({ withinMs, idleMs }: Extract<Order, { kind: 'stop' }>): void {
    if (this.isStopping) return;
    this.isStopping = true;
    this.#host.leaveService(withinMs);
    // A request on an idle connection is still served: closed at once, the two could cross.
    if (idleMs > STOP_IDLE_MS) setTimeout(() => this.#endIdle(), idleMs).unref();
    else this.#endIdle();
    this.clientClosed();
    if (!this.#isOver) setTimeout(() => this.#cutAll(), withinMs).unref();
  }

  /** A client has gone, or has not become one: the last one ends the stop. */
  clientClosed(): void {
    const { doorstepCount } = this.#host.doorsteps;
    if (this.isStopping && this.#host.clients().size + doorstepCount === 0) this.#end();
  }

  #endIdle(): void {
    this.isIdleOver = true;
    this.#forEachClient((client) => client.endIdle());
    // The client of a handshake has a request to send: it has as long as one that is on its way.
    setTimeout(() => this.#host.doorsteps.closeDoorsteps(), STOP_IDLE_MS).unref();
  }

  #cutAll(): void {
    this.#host.doorsteps.closeDoorsteps();
    this.#cutCount = this.#host.clients().size;
    this.#forEachClient((client) => client.cutByStop());
    this.#end();
  }

  /** An error in one must not keep the others from it. */
  #forEachClient(act: (client: H1Client) => void): void {
    for (const client of this.#host.clients()) {
      try {
        act(client);
      } catch (error) {
        client.onFault(error);
      }
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.retire();
    // The thread is ended after the report, and with it all that is not written. A log that nothing
    // reads is not waited for.
    let isReported = false;
    const report = (): void => {
      clearTimeout(deadline);
      if (!isReported) this.#host.report({ kind: 'stopped', cutCount: this.#cutCount });
      isReported = true;
    };
    const deadline = setTimeout(report, LOG_FLUSH_MS);
    this.#host.accessLog.flush(report);
  }
}
