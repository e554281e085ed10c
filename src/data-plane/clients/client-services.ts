// What client connections ask of their worker, in addition to what their exchanges ask.

import type { FailureCode } from '../../base/failures.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import type { ExchangeServices } from '../exchange/exchange-services.ts';
import type { Decided, DecidedClient } from '../routing/decision.ts';
import type { HoldQueue } from '../routing/hold-queue.ts';
import type { Crowd } from '../base/crowd.ts';

export interface ClientServices extends ExchangeServices {
  /** Filled and read within one turn, so one serves every connection. */
  readonly requestHead: RequestHead;
  readonly holdQueue: HoldQueue;
  /** Knows which connections are idle. */
  readonly crowd: Crowd;
  readonly isStopping: boolean;
  /** How long a connection may be idle. */
  readonly idleMaxMs: number;
  /** Fields about the client that come from `remoteAddress` are believed. */
  isTrusted(remoteAddress: string | undefined): boolean;
  /** Decides by the table in force at this moment; the result is good until the next call. */
  decide(head: RequestHead, client: DecidedClient): Decided;
  /** Counts and logs a request that was refused before it had a service; the id may be empty. */
  refused(code: FailureCode, client: string, requestId: string): void;
  clientClosed(client: DecidedClient): void;
  /** A connection has closed that had not come to a protocol. */
  doorstepLeft(): void;
}
