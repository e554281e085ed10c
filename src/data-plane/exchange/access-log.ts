// One line per request, written by the worker itself, several at a time, and never waited for. A line
// has no body, cookie or credential, and no query unless that is asked for: those are where secrets live.

import { openStdout } from '../../base/log-outlet.ts';
import { LogWriter } from '../../base/log-writer.ts';
import { FAILURES, type FailureCode } from '../../base/failures.ts';
import type { AccessLogPolicy } from '../../contract/worker-settings.ts';
import { droppedLine, entryOf, lineOf } from './access-lines.ts';
import type { Exchange } from './exchange.ts';

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
    if (!this.#isWanted(isBad)) return;
    const entry = entryOf(exchange, elapsedMs, this.#policy);
    this.#out.add(lineOf(entry, this.#policy.format));
  }

  /** Writes the line of a request that was refused before it had a service. */
  refused(code: FailureCode, client: string, requestId: string): void {
    if (this.#out === undefined || !this.#isWanted(true)) return;
    const { status } = FAILURES[code];
    const entry = { client, status, requestId: requestId || undefined, failure: code };
    this.#out.add(lineOf(entry, this.#policy.format));
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
