// The routing table: the immutable and complete picture from which a worker can serve
// alone. Only the switchboard makes one; it is replaced whole, never patched.
// It crosses threads by structured clone, so it holds plain data only.

export type Color = 'blue' | 'green';

export const COLORS = ['blue', 'green'] as const satisfies readonly Color[];

/** Returns the color that `color` is not. */
export function otherColor(color: Color): Color {
  return color === 'blue' ? 'green' : 'blue';
}

/** One upstream address. */
export interface Endpoint {
  /** Index of its row in the shared endpoint counters and in the health words. */
  readonly slot: number;
  /** As configured, for people: `http://127.0.0.1:3001` or `unix:/run/app.sock`. */
  readonly url: string;
  /** Where to connect: a name or address with a port, or a socket path. */
  readonly address:
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
    | { readonly kind: 'unix'; readonly path: string };
  /** `Host` for requests that come without one (HTTP/1.0). */
  readonly authority: string;
}

/** One color of one service. */
export interface Side {
  readonly color: Color;
  /** Release id; empty until one was named. */
  readonly release: string;
  /** Index of its block in the shared counters: one per service, color and release. */
  readonly block: number;
  readonly endpoints: readonly Endpoint[];
}

export interface Service {
  readonly name: string;
  /** Lower-case names without port; `*.example.com` for one label or more; none: any host. */
  readonly hosts: readonly string[];
  /** Prefixes that end at a segment border; none: any path. */
  readonly paths: readonly string[];
  readonly active: Color;
  /** Generation in which `active` last changed. */
  readonly since: number;
  readonly blue: Side;
  readonly green: Side;
}

export interface RoutingTable {
  /** Grows with each published table; above 0. */
  readonly generation: number;
  readonly services: readonly Service[];
}
