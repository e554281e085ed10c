// TLS to targets, the same for traffic and for health checks: whom to believe, what to show, and which
// name a certificate has to be for. A target is verified always. One of these in each worker, and one in
// the control plane; each keeps its contexts and sessions.

import { isIP } from 'node:net';
import tls from 'node:tls';
import type { CertificateSet, UpstreamTerms } from './certificates.ts';
import { runningOf, type LiveEndpoint, type RoutingTable } from './table.ts';

/** Sessions kept for each service: one for each place of its targets, and some of those before. */
const SESSIONS_MAX = 128;

/** How TLS is spoken to one target. */
export interface TargetTerms {
  readonly context: tls.SecureContext;
  /** The name, or the address, that its certificate has to be for. */
  readonly name: string;
  /** The last session with it, so that a new connection costs both sides less. */
  readonly session: Buffer | undefined;
  keepSession(session: Buffer): void;
  /** Others have taken their place: nothing new begins on a connection that was made by these. */
  readonly isOver: boolean;
}

interface ServiceTerms {
  readonly upstream: UpstreamTerms | undefined;
  readonly context: tls.SecureContext;
  /** By place and name: a session says that the certificate was once for that name, and no other. */
  readonly sessions: Map<string, Buffer>;
  isOver: boolean;
}

export class TargetTls {
  #upstreams: ReadonlyMap<string, UpstreamTerms>;
  readonly #services = new Map<string, ServiceTerms>();
  /** By `contextKey`: services that say the same share one. */
  readonly #contexts = new Map<string, tls.SecureContext>();

  constructor(set: Pick<CertificateSet, 'upstreams'>) {
    this.#upstreams = byService(set);
  }

  /**
   * New connections go by `set`; `TargetTerms.isOver` tells of those before it. What a session was begun
   * with is looked at again where that has changed.
   */
  renew(set: Pick<CertificateSet, 'upstreams'>): void {
    this.#upstreams = byService(set);
    const changed = [...this.#services].filter(
      ([service, { upstream }]) => !isSame(upstream, this.#upstreams.get(service)),
    );
    for (const [service, terms] of changed) {
      terms.isOver = true;
      this.#services.delete(service);
    }
    for (const [service] of changed) this.#service(service);
    this.#dropContexts();
  }

  /**
   * Makes what the targets of `table` need, so that no request has to wait for it: to read the
   * authorities of the system takes dozens of milliseconds.
   */
  makeReady(table: Pick<RoutingTable, 'services'>): void {
    for (const service of servicesOver(table)) this.#service(service);
  }

  /** Returns how TLS is spoken to `endpoint`; undefined: it gets plain HTTP. */
  of({ tls: wanted, address }: Pick<LiveEndpoint, 'tls' | 'address'>): TargetTerms | undefined {
    if (wanted === undefined || address.kind !== 'tcp') return undefined;
    const terms = this.#service(wanted.service);
    const { context, upstream, sessions } = terms;
    const own = upstream?.serverName ?? '';
    const name = own === '' ? wanted.name : own;
    const key = `${address.host} ${address.port} ${name}`;
    return {
      context,
      name,
      session: sessions.get(key),
      keepSession: (session) => {
        sessions.delete(key);
        sessions.set(key, session);
        if (sessions.size > SESSIONS_MAX) sessions.delete(sessions.keys().next().value!);
      },
      get isOver() {
        return terms.isOver;
      },
    };
  }

  #service(service: string): ServiceTerms {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const upstream = this.#upstreams.get(service);
    const sessions = new Map<string, Buffer>();
    const made = { upstream, context: this.#context(upstream), sessions, isOver: false };
    this.#services.set(service, made);
    return made;
  }

  #context(upstream: UpstreamTerms | undefined): tls.SecureContext {
    const key = contextKey(upstream);
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const made = contextOf(upstream);
    this.#contexts.set(key, made);
    return made;
  }

  /** Forgets the contexts by which no service goes any more. */
  #dropContexts(): void {
    const used = new Set([...this.#services.values()].map(({ context }) => context));
    for (const [key, context] of this.#contexts) if (!used.has(context)) this.#contexts.delete(key);
  }
}

/** Returns what `tls.connect` is told beside where to. */
export function secureOptions({ context, name, session }: TargetTerms): tls.ConnectionOptions {
  return {
    secureContext: context,
    // Said here, because a variable of Node's can turn it off for a whole process.
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
    // An address is no name of a server (RFC 6066 §3).
    servername: isIP(name) === 0 ? name : '',
    ALPNProtocols: ['http/1.1'],
    ...(session === undefined ? {} : { session }),
  };
}

function byService({ upstreams }: Pick<CertificateSet, 'upstreams'>) {
  return new Map(upstreams.map((upstream) => [upstream.service, upstream]));
}

function isSame(a: UpstreamTerms | undefined, b: UpstreamTerms | undefined): boolean {
  return (
    a?.authorities === b?.authorities &&
    a?.chain === b?.chain &&
    a?.key === b?.key &&
    a?.serverName === b?.serverName
  );
}

/** Returns the services whose targets in `table` are spoken to by TLS, each once. */
function servicesOver({ services }: Pick<RoutingTable, 'services'>): string[] {
  const endpoints = services.flatMap((service) =>
    runningOf(service).flatMap((deployment) => deployment.endpoints),
  );
  return [...new Set(endpoints.flatMap(({ tls: wanted }) => wanted?.service ?? []))];
}

/** Contexts are the same where this is; names are not a part of them. */
function contextKey(upstream: UpstreamTerms | undefined): string {
  const { authorities = '', chain = '', key = '' } = upstream ?? {};
  return `${authorities}\0${chain}\0${key}`;
}

function contextOf(upstream: UpstreamTerms | undefined): tls.SecureContext {
  const { authorities = '', chain = '', key = '' } = upstream ?? {};
  return tls.createSecureContext({
    minVersion: 'TLSv1.2',
    ca: authorities === '' ? systemAuthorities() : authorities,
    ...(chain === '' ? {} : { cert: chain, key }),
  });
}

/** Returns those that this machine believes, and those that Node brings, for machines that have none. */
function systemAuthorities(): string[] {
  return [...new Set([...tls.getCACertificates('system'), ...tls.getCACertificates('default')])];
}
