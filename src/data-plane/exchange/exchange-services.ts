// What an exchange asks of its worker, in addition to worker-services.ts.

import type { Forwarder, Peer, ViaFields } from '../../http/forward/forwarding.ts';
import type { HeadBuffer } from '../../http/forward/head-buffer.ts';
import type { RequestIds } from '../../http/forward/request-ids.ts';
import type { RoutedShadow } from '../routing/table/routed-shadow.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import type { RoutedService, RoutedDeployment } from '../routing/table/routed-service.ts';
import type { HeldSession, MovedSession } from '../routing/sessions/session-keeper.ts';
import type { ResponseTap } from '../transport/response-tap.ts';
import type { TargetPool } from '../transport/transport.ts';
import type { WorkerServices } from '../transport/worker-services.ts';
import type { AccessLog } from './access-log.ts';
import type { Exchange } from './exchange.ts';

export interface ExchangeServices extends WorkerServices {
  /** All but large uploads are read into it; what must outlive the read is copied. */
  readonly clientBuffer: Buffer;
  readonly forwarder: Forwarder;
  readonly viaFields: ViaFields;
  /** Filled for a request by its exchange, and read within the same turn. */
  readonly ids: RequestIds;
  /** Heads of responses are put together in it. */
  readonly responseBuffer: HeadBuffer;
  /** HEALTH_WORD by slot of the endpoint. */
  readonly health: Int32Array;
  /** Of this worker. */
  readonly sightings: Uint32Array;
  /** Clients that were answered; of this worker. */
  readonly clientSightings: Uint32Array;
  readonly accessLog: AccessLog;
  /** Stands for the deployment of a request that no service is configured for. */
  readonly nowhere: RoutedDeployment;
  /** Where a file is looked for that `asked` does not have; undefined: nowhere. */
  rescuerOf(asked: RoutedDeployment): RoutedDeployment | undefined;
  /** The deployment that `session` belongs to can't be reached: returns where it goes on. */
  moveOver(service: RoutedService, session: HeldSession): MovedSession | undefined;
  /** Returns where requests of `deployment` may be sent at this moment. */
  poolsNow(deployment: RoutedDeployment): readonly TargetPool[];
  /** `exchange` has just been sent: copies it if that is its turn, and returns what sees its response. */
  shadowOf(shadow: RoutedShadow, exchange: Exchange): ResponseTap | undefined;
  /** Returns 32 bits that tell the address of a client from others; 0: it is not known. */
  addressHash(head: RequestHead, peer: Peer): number;
  /** A tunnel or event stream has begun; `accounts.ts` counts its end. */
  longLivedBegan(exchange: Exchange): void;
}
