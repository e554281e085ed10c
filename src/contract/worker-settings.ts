// What a worker must know beside the routing table: limits, forwarding policy, logging.
// Replaced whole, with a routing table. Default and reason of every value stand in
// config/settings/table/.

export interface DataPlaneSettings {
  /** Each has an address of its own; one at least is for traffic, at most one for previews. */
  readonly listeners: readonly Listener[];
  /** Paths of all Unix sockets on which Turnout listens: no target may be one of them. */
  readonly ownSockets: readonly string[];
  /** Rules in normal form that say where targets may lead; none: anywhere. */
  readonly targetsAllow: readonly string[];
  readonly client: ClientLimits;
  readonly upstream: TargetLimits;
  readonly forwarding: ForwardingPolicy;
  readonly ids: IdPolicy;
  readonly accessLog: AccessLogPolicy;
  /** Adds `x-turnout-color`, `-release`, `-generation` to responses too. */
  readonly exposeColor: boolean;
}

/** Where connections come in, and what is asked of each. */
export interface Listener {
  /** As configured. */
  readonly address: ListenAddress;
  /** Where the address says port 0: the port that the system chose, and that all workers share. */
  readonly foundPort?: number;
  /** Traffic; all of it for the idle color; or requests that are told to come by https. */
  readonly use: 'traffic' | 'preview' | 'redirect';
  /** Of https, where it redirects to; 0: the one that the system chose for a listener with TLS. */
  readonly redirectPort: number;
  /** Undefined: plain. Certificates come by another way (certificates.ts). */
  readonly tls: TlsPolicy | undefined;
  /**
   * Addresses and ranges whose connections begin with a PROXY header; all others are closed. Empty: there
   * is no such header. On a Unix socket: whatever it says, every connection has one.
   */
  readonly proxyFrom: readonly string[];
}

export interface TlsPolicy {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** A client that names no host that a certificate is for gets the first one, or is refused. */
  readonly unknownNames: 'default' | 'refuse';
  /** Whether clients are asked for a certificate, and need one. */
  readonly clients: 'none' | 'optional' | 'required';
}

/** Tells whether a connection to `listener` has to say or show something before its first request. */
export function hasDoorstep({ tls, proxyFrom }: Listener): boolean {
  return tls !== undefined || proxyFrom.length > 0;
}

/** Returns what a listener is called where its certificates and its inherited sockets are named. */
export function keyOfListener({ address, use }: Pick<Listener, 'address' | 'use'>): string {
  return `${use} ${printAddress(address)}`;
}

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Returns where a listener can be reached, as far as its port is known. */
export function addressOfListener({ address, foundPort }: Listener): ListenAddress {
  if (address.kind === 'unix' || foundPort === undefined) return address;
  return { ...address, port: foundPort };
}

/**
 * Returns which listener of `before` goes on as which of `after`: the one with the same key, or else
 * the one with the same address, which is for something else now.
 */
export function listenersThatStay(
  before: readonly Listener[],
  after: readonly Listener[],
): ReadonlyMap<Listener, Listener> {
  const stay = new Map<Listener, Listener>();
  const taken = new Set<Listener>();
  for (const nameOf of [keyOfListener, ({ address }: Listener) => printAddress(address)]) {
    for (const old of before) {
      if (stay.has(old)) continue;
      const next = after.find((one) => !taken.has(one) && nameOf(one) === nameOf(old));
      if (next === undefined) continue;
      stay.set(old, next);
      taken.add(next);
    }
  }
  return stay;
}

/** Returns `address` as a person writes it. */
export function printAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const { host, port } = address;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

interface ClientLimits {
  /** Client connections of one worker; more are closed at once and counted. */
  readonly connectionsMax: number;
  /** Request line and fields together, with their line ends. */
  readonly headBytesMax: number;
  readonly headFieldsMax: number;
  /** Bytes of the request target alone. */
  readonly targetBytesMax: number;
  /** Methods that pass beside the registered ones. */
  readonly methods: readonly string[];
  /** Request body; 0: no limit. */
  readonly bodyBytesMax: number;
  /** From the first byte of a head (or from accept) to its last. */
  readonly headTimeoutMs: number;
  /** Longest pause inside a request body. */
  readonly bodyIdleTimeoutMs: number;
  /** Longest pause of a client that should be reading its response. */
  readonly sendIdleTimeoutMs: number;
  /** Idle time between two requests of one connection. */
  readonly keepAliveTimeoutMs: number;
  /** Requests on one connection; 0: no limit. */
  readonly requestsMax: number;
}

interface TargetLimits {
  readonly connectTimeoutMs: number;
  /** From the last byte of the request to the head of the final response. */
  readonly headTimeoutMs: number;
  readonly headBytesMax: number;
  readonly headFieldsMax: number;
  /** Longest pause inside a response body. */
  readonly bodyIdleTimeoutMs: number;
  /** Longest silence of an upgraded connection, both ways. */
  readonly tunnelIdleTimeoutMs: number;
  /** Life of an unused pooled connection; keep it shorter than the target's own. */
  readonly idleTimeoutMs: number;
  /** Open connections to one endpoint from one worker. */
  readonly connectionsMax: number;
  /** Requests that wait for a connection of one endpoint in one worker. */
  readonly waitingMax: number;
}

interface ForwardingPolicy {
  /** Peers (CIDR ranges or addresses) whose forwarding fields are believed and appended to. */
  readonly trustedProxies: readonly string[];
  /** Names of fields, perhaps with `*` at the end, that are passed on for trusted peers alone. */
  readonly strip: readonly string[];
  /** `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`. */
  readonly xForwarded: boolean;
  /** `Forwarded` (RFC 7239). */
  readonly forwarded: boolean;
  /** Pseudonym in `Via` (RFC 9110 §7.6.3); empty: no `Via`. */
  readonly via: string;
}

interface IdPolicy {
  /** Name of the field with the id of a request, in small letters; empty: requests get none. */
  readonly field: string;
  /** Whose traces go on: any, those of trusted proxies, or `off`: the fields pass as they are. */
  readonly traces: 'continue' | 'trusted' | 'off';
  /** How a trace begins here, where none goes on. */
  readonly newTraces: 'sampled' | 'unsampled' | 'none';
}

export interface AccessLogPolicy {
  readonly mode: 'off' | 'sampled' | 'all';
  /** With `sampled`: one in this many; failures and 5xx responses are always written. */
  readonly oneIn: number;
  readonly format: 'json' | 'ecs' | 'combined';
  /** Queries are logged, too. */
  readonly query: boolean;
}
