// What an operator can do about an order that failed, where one cause is much more likely than others.
// Pure.

import type { ChallengeKind, OrderStep } from './order-messages.ts';

/** By type of the problem that the authority names (RFC 8555 §6.7), whatever it was at. */
const BY_TYPE: ReadonlyMap<string, string> = new Map([
  ['caa', 'the CAA records of the domain have to allow this authority'],
  ['rejectedIdentifier', 'this authority never issues for that name: take it out of acme.domains'],
  ['externalAccountRequired', 'set acme.eab to the account that you have there'],
  ['unsupportedContact', 'the authority does not take acme.email: give another address'],
  ['invalidContact', 'the authority does not take acme.email: give another address'],
  ['userActionRequired', 'the authority wants you to agree to something on its own pages'],
  ['rateLimited', 'it is tried again by itself: more tries and restarts do not make it sooner'],
]);

/** Where it looks for what proves the domain. */
const BY_CHALLENGE: Readonly<Record<ChallengeKind, string>> = {
  'tls-alpn-01': 'port 443 of the domain has to lead to an address of `listen` with TLS',
  'http-01': 'port 80 of the domain has to lead to an address of `listen` without TLS',
};

/**
 * Returns a sentence without its end; empty: there is none to give. `type` is that of the problem that the
 * authority has answered, empty where it is none of its documents; undefined: it has not answered.
 */
export function adviceFor(
  step: OrderStep,
  challenge: ChallengeKind,
  type: string | undefined,
): string {
  const known = BY_TYPE.get(type ?? '');
  if (known !== undefined) return known;
  if (step === 'validation') {
    return `${BY_CHALLENGE[challenge]}, by each of its A and AAAA records`;
  }
  if (type === undefined && step === 'directory') {
    return 'check acme.ca, and that this machine can reach it';
  }
  return '';
}
