// What connections to targets ask of their worker, in addition to worker-services.ts.

import type { ResponseHead } from '../../http/heads/response-head.ts';
import type { WorkerServices } from '../transport/worker-services.ts';
import type { ReadBuffers } from './read-buffer.ts';

export interface TargetServices extends WorkerServices {
  /** Filled and read within one turn, so one serves every connection. */
  readonly responseHead: ResponseHead;
  readonly readBuffers: ReadBuffers;
}
