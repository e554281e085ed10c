// Checked settings of TLS to targets → where authorities and certificates for it come from.

import type { Values } from '../schema/schema.ts';

/** What a service says of the TLS of its targets. */
export interface UpstreamSource {
  readonly service: string;
  /** Path of PEM; undefined: the authorities of the system. */
  readonly ca: string | undefined;
  /** Paths of PEM; undefined: there is nothing to show. */
  readonly pair: { readonly cert: string; readonly key: string } | undefined;
  /** Empty: the host in the URL. */
  readonly serverName: string;
}

/** Returns what services say; those that say nothing are left out. */
export function upstreamSources({ services }: Values): UpstreamSource[] {
  return services.flatMap(({ name, upstreamTls }) => {
    const { ca, cert, key, serverName = '' } = upstreamTls;
    // Both come together, or not at all: relations.ts has checked that.
    const pair = cert === undefined || key === undefined ? undefined : { cert, key };
    if (ca === undefined && pair === undefined && serverName === '') return [];
    return [{ service: name, ca, pair, serverName }];
  });
}
