// Whether many closes were spread evenly, judged by a client on a machine that may stand still now
// and then. What is due while the proxy or the client gets no processor comes at once afterwards;
// so the pauses are measured, and a crowd of closes is excused by a pause that they waited for.

import { connect, type Socket } from 'node:net';

/** From one answer to the next question. */
const STEP_MS = 10;
/** Shorter delays are no pause. */
const STALL_MS_MIN = 5;
/** After a pause the answer to the witness and the closes that were held up come in any order. */
const CATCH_UP_MS = 20;
/** No service is configured for this host, so the proxy answers by itself. */
const QUESTION = 'GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n';

/** A time in which client, proxy or the way between stood still; in ms since the epoch. */
export interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
  readonly tookMs: number;
}

/** Returns the time with parts of ms, by a clock that never jumps. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Asks the proxy something small again and again: a late answer shows a pause. */
export class StallWitness {
  readonly stalls: Stall[] = [];
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = nowMs();

  constructor(address: { readonly host: string; readonly port: number }) {
    this.#socket = connect({ ...address, noDelay: true });
    this.#socket.on('data', (bytes) => {
      if (bytes.includes('404 NO_ROUTE')) this.#onAnswer();
    });
    this.#ask();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #ask(): void {
    this.#socket.write(QUESTION);
  }

  #onAnswer(): void {
    const toMs = nowMs();
    const tookMs = toMs - this.#lastMs - STEP_MS;
    if (tookMs >= STALL_MS_MIN) this.stalls.push({ fromMs: this.#lastMs, toMs, tookMs });
    this.#lastMs = toMs;
    this.#timer = setTimeout(() => this.#ask(), STEP_MS);
  }
}

/** Closes over a window of time. */
export interface Spread {
  /** Ascending, in ms since the epoch. */
  readonly closedAtMs: readonly number[];
  /** Ascending. */
  readonly stalls: readonly Stall[];
  readonly startMs: number;
  readonly windowMs: number;
}

export interface Evenness {
  /** Closes in the busiest stretch of time. */
  readonly busiest: number;
  /** The same, without stretches that a pause has filled. */
  readonly busiestUndisturbed: number;
  /** How many came before their turn on an even line; a pause can only make them late. */
  readonly ahead: number;
  readonly latestMs: number;
  readonly stalledMs: number;
}

/** Looks at every stretch of `stretchMs` that ends with a close; `max` closes in one are usual. */
export function evenness(
  spread: Spread,
  { stretchMs, max }: { readonly stretchMs: number; readonly max: number },
): Evenness {
  const { closedAtMs, stalls, startMs, windowMs } = spread;
  const share = windowMs / closedAtMs.length;
  let [busiest, busiestUndisturbed, ahead, latestMs, from] = [0, 0, 0, 0, 0];
  for (const [to, atMs] of closedAtMs.entries()) {
    while (closedAtMs[from]! <= atMs - stretchMs) from++;
    const count = to - from + 1;
    const lateMs = closedAtMs[from]! - (startMs + from * share);
    const isExcused = count > max && waitedMs(stalls, closedAtMs[from]!, lateMs) > lateMs / 2;
    busiest = Math.max(busiest, count);
    if (!isExcused) busiestUndisturbed = Math.max(busiestUndisturbed, count);
    ahead = Math.max(ahead, to + 1 - (atMs - startMs) / share);
    latestMs = Math.max(latestMs, atMs - (startMs + to * share));
  }
  const stalledMs = stalls.reduce((sum, { tookMs }) => sum + tookMs, 0);
  return { busiest, busiestUndisturbed, ahead, latestMs, stalledMs };
}

/** Returns how much of the last `lateMs` before `atMs` were pauses. */
function waitedMs(stalls: readonly Stall[], atMs: number, lateMs: number): number {
  return stalls
    .filter(({ fromMs, toMs }) => fromMs < atMs + CATCH_UP_MS && toMs > atMs - lateMs - CATCH_UP_MS)
    .reduce((sum, { tookMs }) => sum + tookMs, 0);
}
