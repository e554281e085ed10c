// One JSON line per request, written by the worker itself, several at a time, and never waited for. A
// line has no query, body, cookie or credential: those are where secrets live.

import { openStdout } from '../../base/log-outlet.ts';
import { droppedText, LogWriter } from '../../base/log-writer.ts';
import { FAILURES, type FailureCode } from '../../base/failures.ts';
import { DECISIONS } from '../../contract/counters.ts';
import type { AccessLogPolicy } from '../../contract/worker-settings.ts';
import { TRACE_ID_DIGITS } from '../../http/traceparent.ts';
import type { Exchange } from './exchange.ts';
import { pathIn } from './path-in.ts';

/** Long enough to fill a write where there is much to log, short enough to be watched. */
const GATHER_MS = 500;
/** About 10,000 lines: a second of much traffic. */
const HELD_BYTES_MAX = 4_194_304;

export class AccessLog {
  #policy: AccessLogPolicy;
  readonly #onDropped: (lines: number) => void;
  #out: LogWriter | undefined;
  #count = 0;

  /** `onDropped`: lines had to be dropped, because what reads the log is slow or gone. */
  constructor(policy: AccessLogPolicy, onDropped: (lines: number) => void) {
    this.#policy = policy;
    this.#onDropped = onDropped;
    this.usePolicy(policy);
  }

  usePolicy(policy: AccessLogPolicy): void {
    this.#policy = policy;
    if (policy.mode !== 'off' && this.#out === undefined) this.#open();
  }

  #open(): void {
    this.#out = new LogWriter({
      open: openStdout,
      heldBytesMax: HELD_BYTES_MAX,
      gatherMs: GATHER_MS,
      told: droppedLine,
      onDropped: this.#onDropped,
    });
  }

  /** Writes the line of an exchange that has ended, if the policy wants it. */
  ended(exchange: Exchange, elapsedMs: number): void {
    if (this.#out === undefined) return;
    const isBad = exchange.failure !== undefined || exchange.response.status >= 500;
    if (this.#isWanted(isBad)) this.#out.add(exchangeLine(exchange, elapsedMs));
  }

  /** Writes the line of a request that was refused before it had a service. */
  refused(code: FailureCode, client: string, requestId: string): void {
    if (this.#out === undefined || !this.#isWanted(true)) return;
    const { status, blame } = FAILURES[code];
    const time = new Date().toISOString();
    this.#out.add(
      `${JSON.stringify({ time, kind: 'access', client, status, requestId: requestId || undefined, failure: code, blame })}\n`,
    );
  }

  /** Writes what is still held, for the end of the worker; `done`: it is written, or can't be. */
  flush(done: () => void): void {
    if (this.#out === undefined) done();
    else this.#out.flush(done);
  }

  #isWanted(isBad: boolean): boolean {
    const { mode, oneIn } = this.#policy;
    if (mode !== 'sampled') return mode === 'all';
    this.#count++;
    if (this.#count >= oneIn) {
      this.#count = 0;
      return true;
    }
    return isBad;
  }
}

function droppedLine(dropped: number): string {
  const time = new Date().toISOString();
  const line = { level: 'warn', time, kind: 'access', dropped, msg: droppedText(dropped) };
  return `${JSON.stringify(line)}\n`;
}

function exchangeLine(exchange: Exchange, elapsedMs: number): string {
  const { side, failure, request, response, tunnel } = exchange;
  const line = {
    time: new Date().toISOString(),
    kind: 'access',
    client: exchange.client.peer.address,
    method: exchange.method.name,
    path: pathIn(request.head),
    status: response.status,
    requestId: exchange.requestId || undefined,
    traceId: exchange.trace.slice(0, TRACE_ID_DIGITS) || undefined,
    spanId: exchange.trace.slice(TRACE_ID_DIGITS + 1) || undefined,
    service: side.service,
    color: side.color,
    release: side.release,
    generation: side.generation,
    reason: DECISIONS[exchange.reason],
    target: exchange.pool?.endpoint.url,
    address: exchange.pool?.endpoint.place,
    ms: Math.round(elapsedMs * 1_000) / 1_000,
    requestBytes: request.bytes + (tunnel?.bytes ?? 0),
    responseBytes: response.bytes,
    retries: exchange.retries,
    failure,
    blame: failure === undefined ? undefined : FAILURES[failure].blame,
  };
  return `${JSON.stringify(line)}\n`;
}
