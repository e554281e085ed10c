// What connections to targets ask of their worker, in addition to worker-services.ts.

import type { TargetTls } from '../../contract/target-tls.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import type { Tally } from '../base/tally.ts';
import type { WorkerServices } from '../transport/worker-services.ts';
import type { ReadBuffers } from './read-buffer.ts';

/** What a single connection asks: little of the counters, so that it can be one that is not counted. */
export interface ConnectionServices extends Omit<TargetServices, 'tally'> {
  readonly tally: Pick<
    Tally,
    'connected' | 'connectFailed' | 'endpointResponded' | 'endpointFailed'
  >;
}

export interface TargetServices extends WorkerServices {
  /** Filled and read within one turn, so one serves every connection. */
  readonly responseHead: ResponseHead;
  readonly readBuffers: ReadBuffers;
  readonly targetTls: Pick<TargetTls, 'of' | 'makeReady'>;
}
