// What the process in charge and the program that carries out one order say to each other. Secrets
// travel here, on the channel between the two, and never in arguments or in an environment.

import type { AcmeChallenge } from '../../contract/certificates.ts';

export type ChallengeKind = AcmeChallenge['kind'];

/** Everything that one order needs. */
export interface OrderBrief {
  /** URL of the directory of the authority (RFC 8555 §7.1.1). */
  readonly directory: string;
  /** PEM of the authorities that the server of the directory is checked against; empty: those of Node. */
  readonly trusted: string;
  /** PEM of the private key of the account. */
  readonly accountKey: string;
  /** Empty: there is no account yet. */
  readonly accountUrl: string;
  /** Empty: the authority gets no address. */
  readonly email: string;
  /** The authority knows another address. */
  readonly isEmailNew: boolean;
  readonly binding: AccountBinding | undefined;
  readonly domain: string;
  readonly challenge: ChallengeKind;
}

/** Binds the account to one that the operator has at the authority (RFC 8555 §7.3.4). */
export interface AccountBinding {
  readonly keyId: string;
  /** In base64url, as authorities give it. */
  readonly hmacKey: string;
}

export type ToProgram =
  | { readonly kind: 'order'; readonly brief: OrderBrief }
  /** Every worker can answer the challenge. */
  | { readonly kind: 'answering' };

export type FromProgram =
  | { readonly kind: 'step'; readonly step: OrderStep }
  /** The account exists, with the email of the order. */
  | { readonly kind: 'account'; readonly url: string }
  | { readonly kind: 'challenge'; readonly challenge: AcmeChallenge }
  | { readonly kind: 'obtained'; readonly chain: string; readonly key: string }
  | { readonly kind: 'failed'; readonly problem: OrderProblem };

/** What the order is at, in running order; the text goes on "while …". */
export const ORDER_STEPS = {
  directory: 'asking for its directory',
  account: 'registering the account',
  order: 'placing the order',
  challenge: 'preparing the challenge',
  validation: 'it validates the domain',
  certificate: 'it makes the certificate',
} as const;
export type OrderStep = keyof typeof ORDER_STEPS;

/** Why an order failed. */
export interface OrderProblem {
  /** One line of visible text. */
  readonly words: string;
  /** What can be done about it; empty: it is not known. */
  readonly advice: string;
  /** The authority says that there were too many requests. */
  readonly isRateLimited: boolean;
  /** How long the authority wants to be left alone; undefined: it did not say. */
  readonly retryAfterMs: number | undefined;
}
