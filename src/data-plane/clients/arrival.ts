// What is known of a client connection before its first request, beside what its socket says.

import { certificateFields } from '../doorstep/shown-certificate.ts';
import type { Greeted } from '../doorstep/doorstep.ts';
import type { Listener } from '../../contract/worker-settings.ts';

export interface Arrival {
  /** All its requests go to the idle color. */
  readonly isPreview: boolean;
  /** Port of https where all its requests are sent; undefined: they are served. */
  readonly redirectPort: number | undefined;
  /** Of the client, where a PROXY header has named it. */
  readonly address: string | undefined;
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
    address: greeted?.address,
    isSecure: greeted?.isSecure ?? false,
    certificateFields: greeted?.tls === undefined ? '' : certificateFields(greeted.tls),
  };
}
