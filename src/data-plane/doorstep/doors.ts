// The TLS of all listeners of one worker: makes a door of what the control plane has said and of the
// policy of a listener. Contexts are kept as long as they are in use, because each costs
// milliseconds of CPU to make.

import { isIP } from 'node:net';
import tls from 'node:tls';
import { constants, createHash, X509Certificate } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Certificate, CertificateSet } from '../../contract/certificates.ts';
import { keyOfListener, type Listener, type TlsPolicy } from '../../contract/worker-settings.ts';
import { presentedOf } from '../../contract/presented.ts';
import { entryFor, TlsDoor, type NameContexts } from './tls-door.ts';

/** Renegotiation is refused: a handshake costs a server far more than its client. */
const NO_RENEGOTIATION = constants.SSL_OP_NO_RENEGOTIATION;
/** Forward secrecy and AEAD alone (RFC 9325 §4.2); of TLS 1.3 all are so. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** What a context depends on, beside its certificate. */
type Terms = Pick<TlsPolicy, 'minVersion'> & { readonly clientAuthorities: string };

/** What has been made of a set. */
interface Made {
  readonly set: CertificateSet;
  /** By certificate and terms. */
  readonly contexts: Map<string, tls.SecureContext>;
  /** By listener and policy. */
  readonly doors: Map<string, TlsDoor>;
}

export class Doors {
  #made: Made;
  /** Host names that certificates are for. */
  #names: ReadonlyMap<string, true>;
  /** Certificates that are for addresses, beside names or instead of them. */
  #ofAddresses: readonly X509Certificate[];
  /** An ACME authority is expected to ask in the clear. */
  hasChallenges: boolean;
  /** One set after the other. */
  #renewing: Promise<void> = Promise.resolve();

  constructor(set: CertificateSet) {
    this.#made = { set, contexts: new Map(), doors: new Map() };
    this.#names = namesIn(set);
    this.#ofAddresses = ofAddresses(set);
    this.hasChallenges = asksInTheClear(set);
  }

  /**
   * Goes by `set` from now on, or by the same as before. Makes what is new for `listeners` first, a piece
   * at a time, so that traffic goes on meanwhile.
   */
  async renew(listeners: readonly Listener[], set?: CertificateSet): Promise<void> {
    const renewed = this.#renewing.then(async () => this.#renew(listeners, set ?? this.#made.set));
    // One that fails is told to its caller, and the next one goes on.
    this.#renewing = renewed.catch(() => {});
    await renewed;
  }

  async #renew(listeners: readonly Listener[], set: CertificateSet): Promise<void> {
    const before = this.#made;
    const made: Made = { set, contexts: new Map(), doors: new Map() };
    for (const listener of listeners) {
      for (const _ of makeDoor(made, listener, before)) await turn();
    }
    this.#made = made;
    this.#ofAddresses = ofAddresses(set);
    this.#names = namesIn(set);
    this.hasChallenges = asksInTheClear(set);
  }

  /**
   * Returns the door of a listener; undefined: it has no TLS, or lacks its certificate or the authorities
   * of its clients. Makes it at once unless that was done: no connection should come before.
   */
  of(listener: Listener): TlsDoor | undefined {
    const { tls: policy } = listener;
    if (policy === undefined) return undefined;
    const made = this.#made;
    const key = doorKey(listener, policy);
    const known = made.doors.get(key);
    if (known !== undefined) return known;
    for (const _ of makeDoor(made, listener, made)) continue;
    return made.doors.get(key);
  }

  /** Returns what an ACME authority is told that asks for `token` in the clear. */
  answerFor(token: string): string | undefined {
    for (const challenge of this.#made.set.challenges) {
      if (challenge.kind === 'http-01' && challenge.token === token) return challenge.answer;
    }
    return undefined;
  }

  /** `host`: as in a URL, so an IPv6 address stands in brackets. */
  hasCertificateFor(host: string): boolean {
    if (entryFor(this.#names, host) === true) return true;
    const address = host.startsWith('[') ? host.slice(1, -1) : host;
    if (isIP(address) === 0) return false;
    return this.#ofAddresses.some((one) => one.checkIP(address) !== undefined);
  }
}

/**
 * Adds the door of a listener to `made`, if it can have one, and yields after each piece of work. What
 * `before` has already is taken from there.
 */
function* makeDoor(made: Made, listener: Listener, before: Made): Generator<undefined, void> {
  const { tls: policy } = listener;
  if (policy === undefined) return;
  const key = doorKey(listener, policy);
  if (made.doors.has(key)) return;
  const listenerKey = keyOfListener(listener);
  const { set } = made;
  const said = set.doors.find((one) => one.listener === listenerKey);
  const presented = said && presentedOf(certificatesOf(set, said.certificates));
  if (presented === undefined) return;
  const { clientAuthorities } = said!;
  // Without an authority of ours, Node would accept the clients of any public one.
  if (policy.clients !== 'none' && clientAuthorities === '') return;
  const terms = { minVersion: policy.minVersion, clientAuthorities };
  const fallback = presented.fallback.map(({ id }) => id).join();
  const byName = new Map<string, NameContexts>();
  for (const [name, certificates] of presented.byName) {
    const contexts = new Map<string, tls.SecureContext>();
    byName.set(name, contexts);
    if (certificates.map(({ id }) => id).join() === fallback) continue;
    for (const certificate of certificates) {
      const contextKey = `${certificate.id} ${terms.minVersion} ${clientAuthorities}`;
      let context = made.contexts.get(contextKey) ?? before.contexts.get(contextKey);
      if (context === undefined) {
        context = tls.createSecureContext(optionsOf([certificate], terms));
        yield;
      }
      made.contexts.set(contextKey, context);
      contexts.set(certificate.keyKind, context);
    }
  }
  const known = made.set === before.set ? before.doors.get(key) : undefined;
  if (known !== undefined) {
    made.doors.set(key, known);
    return;
  }
  const challenges = new Map<string, tls.SecureContext>();
  for (const one of set.challenges) {
    if (one.kind !== 'tls-alpn-01') continue;
    challenges.set(one.name, tls.createSecureContext({ cert: one.chain, key: one.key }));
    yield;
  }
  const door = new TlsDoor(policy, {
    fallback: optionsOf(presented.fallback, terms),
    byName,
    challenges,
    ticketKeys: Buffer.from(set.ticketKeys),
    sessionContext: sessionContext(listenerKey, policy, terms),
  });
  made.doors.set(key, door);
  yield;
}

function doorKey(listener: Listener, { minVersion, unknownNames, clients }: TlsPolicy): string {
  return `${keyOfListener(listener)} ${minVersion} ${unknownNames} ${clients}`;
}

function namesIn({ certificates }: CertificateSet): ReadonlyMap<string, true> {
  return new Map(certificates.flatMap(({ names }) => names.map((name) => [name, true] as const)));
}

function ofAddresses({ certificates }: CertificateSet): readonly X509Certificate[] {
  const all = certificates.map(({ chain }) => new X509Certificate(chain));
  return all.filter(({ subjectAltName }) => subjectAltName?.includes('IP Address:'));
}

function asksInTheClear({ challenges }: CertificateSet): boolean {
  return challenges.some(({ kind }) => kind === 'http-01');
}

function certificatesOf({ certificates }: CertificateSet, ids: readonly string[]): Certificate[] {
  return ids.flatMap((id) => certificates.find((one) => one.id === id) ?? []);
}

/**
 * Returns the same in all workers and after an upgrade. All listeners share ticket keys, and a resumed
 * session brings its client certificate as accepted: it must not come from a listener that accepts others.
 */
function sessionContext(
  listenerKey: string,
  { clients }: TlsPolicy,
  { clientAuthorities }: Terms,
): string {
  const text = [clients, listenerKey, clientAuthorities].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, SESSION_CONTEXT_CHARS);
}

/** What OpenSSL takes (SSL_MAX_SID_CTX_LENGTH). */
const SESSION_CONTEXT_CHARS = 32;

/** Of certificates whose kinds of keys differ: OpenSSL presents the one that a client can verify. */
function optionsOf(certificates: readonly Certificate[], terms: Terms): tls.SecureContextOptions {
  const { minVersion, clientAuthorities } = terms;
  return {
    cert: certificates.map(({ chain }) => chain),
    key: certificates.map(({ key }) => key),
    minVersion,
    ciphers: CIPHERS,
    secureOptions: NO_RENEGOTIATION,
    ...(clientAuthorities === '' ? {} : { ca: clientAuthorities }),
  };
}
