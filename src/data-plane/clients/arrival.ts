// What is known of a client connection before its first request, beside what its socket says.

import type { ConnectionEnds } from '../../base/proxy-greeting.ts';
import { certificateFields } from '../doorstep/shown-certificate.ts';
import type { Greeted } from '../doorstep/doorstep.ts';
import type { Listener } from '../../contract/worker-settings.ts';
import { describePeer, type Peer } from '../../http/forward/forwarding.ts';
import type { ClientServices } from './client-services.ts';

export interface Arrival {
  /** All its requests go to the idle color. */
  readonly isPreview: boolean;
  /** Port of https where all its requests are sent; undefined: they are served. */
  readonly redirectPort: number | undefined;
  /** Of the connection of the client, where a PROXY header has told them. */
  readonly ends: ConnectionEnds | undefined;
  /** The client speaks TLS, with us or with the balancer that says so. */
  readonly isSecure: boolean;
  /** Lines that tell targets of the certificate of the client; empty: it has shown none. */
  readonly certificateFields: string;
}

/** Returns what a connection to `listener` has brought; undefined: nothing was asked of it. */
export function arrivalAt(listener: Listener, greeted: Greeted | undefined): Arrival {
  return {
    isPreview: listener.use === 'preview',
    redirectPort: listener.use === 'redirect' ? listener.redirectPort : undefined,
    ends: greeted?.ends,
    isSecure: greeted?.isSecure ?? false,
    certificateFields: greeted?.tls === undefined ? '' : certificateFields(greeted.tls),
  };
}

/** Returns the client at `remoteAddress`. */
export function peerOf(
  arrival: Arrival,
  remoteAddress: string | undefined,
  services: Pick<ClientServices, 'isTrusted'>,
): Peer {
  const isTrusted = services.isTrusted(remoteAddress);
  return describePeer({ ...arrival, remoteAddress, isTrusted });
}
