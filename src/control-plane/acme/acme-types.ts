// What ACME is told, what it asks of the keeper of certificates, and what it tells operators. Types alone,
// so that neither side has to know how the other works.

import type { AcmeChallenge } from '../../contract/certificates.ts';
import type { ChallengeKind } from './order-messages.ts';

export interface AcmeSettings {
  /** DNS names in ASCII and small letters, none with `*`. Each gets a certificate of its own. */
  readonly domains: readonly string[];
  /** URL of the directory of the authority. */
  readonly ca: string;
  /** PEM file of what the server of the directory is checked against; undefined: what Node trusts. */
  readonly caFile: string | undefined;
  /** Undefined: the authority gets no address. */
  readonly email: string | undefined;
  readonly challenge: ChallengeKind;
  /** Binds the account to one that the operator has at the authority. */
  readonly externalAccount: ExternalAccount | undefined;
}

/** External account binding (RFC 8555 §7.3.4). */
export interface ExternalAccount {
  readonly keyId: string;
  /** File that holds the HMAC key in base64url. */
  readonly hmacKeyFile: string;
}

/** Brings to the workers what ACME has for them. */
export interface AcmeKeeper {
  /** Returns why a certificate would not be presented; undefined: it would. */
  faultOf(certificate: AcmeCertificate): string | undefined;
  /** Replaces all challenges; resolves when every worker can answer these, and rejects if one cannot. */
  setChallenges(challenges: readonly AcmeChallenge[]): Promise<void>;
  /** Replaces all certificates of ACME; resolves when every worker presents these. */
  setObtained(certificates: readonly AcmeCertificate[]): Promise<void>;
}

/** A certificate that listeners with `acme: true` present. The first one is for clients that name no host. */
export interface AcmeCertificate {
  /** The domain that it is for; a self-signed one is for all domains that have no other. */
  readonly domain: string;
  /** PEM, its own first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Made here, until there is one of the authority: clients warn, and its end is of no interest. */
  readonly isSelfSigned: boolean;
}

/** What operators are told about one domain. */
export interface AcmeStatus {
  readonly domain: string;
  /** End of its certificate, in ms since the epoch; undefined: there is none, a self-signed one is presented. */
  readonly notAfterMs: number | undefined;
  readonly isOrdering: boolean;
  /** When it is ordered next, in ms since the epoch. */
  readonly nextTryMs: number;
  /** Orders that failed in a row. */
  readonly failures: number;
  /** Why the last of them failed; empty: none did. */
  readonly problem: string;
  /** What can be done about it; empty: nothing, or it is not known. */
  readonly advice: string;
}

/** What became of orders since the start, for the metrics. */
export type OrderOutcome = 'obtained' | 'failed';
