// TLS to targets, the same for traffic and for health checks: whom to believe, what to show, and which
// name a certificate has to be for. A target is verified always. One of these in each worker, and one in
// the control plane; each keeps its contexts and sessions.

import { isIP } from 'node:net';
import tls from 'node:tls';
import type { CertificateSet, UpstreamTerms } from './certificates.ts';
import type { LiveEndpoint } from './table.ts';

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
}

interface ServiceTerms {
  readonly upstream: UpstreamTerms | undefined;
  readonly context: tls.SecureContext;
  /** By place and name: a session says that the certificate was once for that name, and no other. */
  readonly sessions: Map<string, Buffer>;
}

export class TargetTls {
  #upstreams: ReadonlyMap<string, UpstreamTerms>;
  #services = new Map<string, ServiceTerms>();

  constructor(set: Pick<CertificateSet, 'upstreams'>) {
    this.#upstreams = byService(set);
  }

  /** New connections go by `set`. What a session was begun with is looked at again where that has changed. */
  renew(set: Pick<CertificateSet, 'upstreams'>): void {
    this.#upstreams = byService(set);
    for (const [service, { upstream }] of this.#services) {
      if (!isSame(upstream, this.#upstreams.get(service))) this.#services.delete(service);
    }
  }

  /** Returns how TLS is spoken to `endpoint`; undefined: it gets plain HTTP. */
  of({ tls: wanted, address }: Pick<LiveEndpoint, 'tls' | 'address'>): TargetTerms | undefined {
    if (wanted === undefined || address.kind !== 'tcp') return undefined;
    const { context, upstream, sessions } = this.#service(wanted.service);
    const own = upstream?.serverName ?? '';
    const name = own === '' ? wanted.name : own;
    const key = `${address.host} ${address.port} ${name}`;
    const keepSession = (session: Buffer): void => {
      sessions.delete(key);
      sessions.set(key, session);
      if (sessions.size > SESSIONS_MAX) sessions.delete(sessions.keys().next().value!);
    };
    return { context, name, session: sessions.get(key), keepSession };
  }

  #service(service: string): ServiceTerms {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const upstream = this.#upstreams.get(service);
    const made = { upstream, context: contextOf(upstream), sessions: new Map<string, Buffer>() };
    this.#services.set(service, made);
    return made;
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

let ofSystem: tls.SecureContext | undefined;

/** Most services have no terms of their own, and to read hundreds of authorities takes long. */
function contextOf(upstream: UpstreamTerms | undefined): tls.SecureContext {
  const { authorities = '', chain = '', key = '' } = upstream ?? {};
  if (authorities === '' && chain === '') {
    ofSystem ??= tls.createSecureContext({ minVersion: 'TLSv1.2', ca: systemAuthorities() });
    return ofSystem;
  }
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
