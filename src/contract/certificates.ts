// What the listeners with TLS present and accept: certificates, authorities of clients, keys of session
// tickets, and what an ACME authority comes to see; and how TLS is spoken to targets. Made by the control
// plane, given to every worker beside the tables: a certificate that is renewed is no decision about
// traffic, and a private key has no business in a table.

/** All that workers know of TLS, replaced whole. */
export interface CertificateSet {
  /** Grows with every set of one process. */
  readonly version: number;
  readonly certificates: readonly Certificate[];
  /** One for each listener with TLS. */
  readonly doors: readonly DoorTerms[];
  /** 48 bytes; the same in all workers, so that a session goes on in any of them. */
  readonly ticketKeys: Uint8Array;
  readonly challenges: readonly AcmeChallenge[];
  /** How TLS is spoken to the targets of services; one that is missing here goes by the authorities of the system. */
  readonly upstreams: readonly UpstreamTerms[];
}

/** What a service says of the TLS of its targets. */
export interface UpstreamTerms {
  readonly service: string;
  /** PEM of the authorities that sign for its targets; empty: those of the system. */
  readonly authorities: string;
  /** PEM of what is shown to targets that ask; both empty: nothing. */
  readonly chain: string;
  readonly key: string;
  /** What certificates have to be for, instead of the name in the URL; empty: that. */
  readonly serverName: string;
}

export interface Certificate {
  /** Hash of chain and key: what is the same under two versions need not be made again. */
  readonly id: string;
  /** The DNS names it is for, in small letters and without a dot at the end; `*.` for one label. */
  readonly names: readonly string[];
  /** PEM, its own first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Such as `ec` or `rsa`, as Node says it (`KeyObject.asymmetricKeyType`). */
  readonly keyKind: string;
  readonly source: 'file' | 'acme';
}

/** What one listener presents and accepts. */
export interface DoorTerms {
  /** `keyOfListener` of the listener. */
  readonly listener: string;
  /** Ids of `certificates`; the first one is for clients that name no host, or none of ours. Never empty. */
  readonly certificates: readonly string[];
  /** PEM of the authorities whose clients are accepted; empty: none are asked for a certificate. */
  readonly clientAuthorities: string;
}

/** What an ACME authority comes to see (RFC 8555 §8). */
export type AcmeChallenge =
  /** `GET /.well-known/acme-challenge/<token>` on a listener without TLS is answered with `answer`. */
  | { readonly kind: 'http-01'; readonly token: string; readonly answer: string }
  /** A handshake that offers only `acme-tls/1` for `name` gets this certificate (RFC 8737). */
  | {
      readonly kind: 'tls-alpn-01';
      readonly name: string;
      readonly chain: string;
      readonly key: string;
    };

/** What workers are born with where no listener has TLS. */
export const NO_CERTIFICATES: CertificateSet = {
  version: 0,
  certificates: [],
  doors: [],
  ticketKeys: new Uint8Array(48),
  challenges: [],
  upstreams: [],
};
