// A client that has ended its side while its request runs. It may still read the response (RFC 9112
// §9.6), or it has left: that looks the same until something is written. Programs that half-close
// do so with the request (`nc -N`, health checkers), and get all the time that there is. An end that
// comes later is a closed tab far more often: it is waited for as long as bytes flow, and a moment
// longer. Knows no socket.

import { HALF_CLOSE_WITHIN_MS, HALF_CLOSED_LOOKS } from '../../base/limits.ts';
import type { Exchange } from '../exchange/exchange.ts';

/** What it needs to know of the request that runs. */
type RunningExchange = Pick<Exchange, 'elapsedMs' | 'clientGone' | 'stream'> & {
  readonly request: Pick<Exchange['request'], 'isDone'>;
  readonly response: Pick<Exchange['response'], 'bytes'>;
};

interface LookedAfter {
  /** `isFlushed`: nothing that was written waits for the client. */
  readonly output: { readonly isFlushed: boolean };
  /** Asks for a look in a moment. */
  lookAfter(): void;
}

export class HalfClosed {
  readonly #exchange: RunningExchange;
  readonly #socket: LookedAfter;
  readonly #cameWithRequest: boolean;
  #bytes = 0;
  #quietLooks = 0;

  /** The client ends its side now. */
  constructor(exchange: RunningExchange, socket: LookedAfter) {
    this.#exchange = exchange;
    this.#socket = socket;
    this.#cameWithRequest = exchange.elapsedMs() <= HALF_CLOSE_WITHIN_MS;
    this.look();
  }

  /** Ends the exchange of a client that counts as gone, or looks again in a moment. */
  look(): void {
    const { request, stream } = this.#exchange;
    // An event stream has no end that could be waited for, and a cut upload gets no response.
    const cannotEnd = !request.isDone || stream !== undefined;
    if (cannotEnd || this.#hasLeft()) this.#exchange.clientGone('CLIENT_GONE', false);
    else this.#socket.lookAfter();
  }

  #hasLeft(): boolean {
    if (this.#cameWithRequest) return false;
    const { bytes } = this.#exchange.response;
    const isQuiet = bytes === this.#bytes && this.#socket.output.isFlushed;
    this.#bytes = bytes;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
    return this.#quietLooks >= HALF_CLOSED_LOOKS;
  }
}
