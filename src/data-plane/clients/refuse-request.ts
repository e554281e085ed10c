// How a request is refused that never became an exchange: it is counted, logged and answered.

import type { FailureCode } from '../../base/failures.ts';
import type { Peer } from '../../http/forward/forwarding.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { refusalFor, refusalResponse, type Refusal } from '../routing/responses/refusal.ts';
import type { ClientServices } from './client-services.ts';
import type { ClientWriter } from './client-writer.ts';

interface RefusedRequest {
  readonly code: FailureCode;
  /** What the client is told, if not the usual for the code. */
  readonly told?: Refusal | undefined;
  readonly detail?: string | undefined;
  /** Set where its fields were read. */
  readonly head?: RequestHead | undefined;
}

/** Refuses a request of `client`, whose connection closes then. */
export function refuseRequest(
  services: Pick<ClientServices, 'ids' | 'refused'>,
  client: { readonly output: ClientWriter; readonly peer: Peer },
  { code, told, detail, head }: RefusedRequest,
): void {
  const { ids } = services;
  if (head === undefined) ids.makeOnly();
  else ids.read(head, client.peer.isTrusted);
  const { requestId } = ids;
  services.refused(code, client.peer.address, requestId);
  const ending = { keepAlive: false, isHead: false, lastFields: ids.responseField(requestId) };
  client.output.write(refusalResponse(told ?? refusalFor(code, detail), ending));
}
