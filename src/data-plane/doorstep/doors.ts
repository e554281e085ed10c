// The TLS of all listeners of one worker: makes a door of what the control plane has said and of the
// policy of a listener. Contexts are kept as long as they are in use, because each costs
// milliseconds of CPU to make.

import { isIP } from 'node:net';
import tls from 'node:tls';
import { constants, createHash, X509Certificate } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Certificate, CertificateSet } from '../../contract/certificates.ts';
import { keyOfListener, type Listener, type TlsPolicy } from '../../contract/worker-settings.ts';
import { entryFor, TlsDoor, type DoorContexts } from './tls-door.ts';

/** Clients may not begin a second handshake in the first one: it costs us far more than them. */
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

/** What a context is made for, beside its certificate. */
type Terms = Pick<TlsPolicy, 'minVersion'> & { readonly clientAuthorities: string };

export class Doors {
  #set: CertificateSet;
  /** Host names that certificates are for. */
  #names: ReadonlyMap<string, true>;
  /** Certificates that are for addresses, beside names or instead of them. */
  #ofAddresses: readonly X509Certificate[];
  /** An ACME authority is expected to ask in the clear. */
  hasChallenges: boolean;
  /** By certificate and terms. */
  #contexts = new Map<string, tls.SecureContext>();
  /** By listener and policy. */
  #doors = new Map<string, TlsDoor>();
  /** One set after the other. */
  #renewing: Promise<void> = Promise.resolve();

  constructor(set: CertificateSet) {
    this.#set = set;
    this.#names = namesIn(set);
    this.#ofAddresses = ofAddresses(set);
    this.hasChallenges = asksInTheClear(set);
  }

  /**
   * Goes by `set` from now on. Makes what is new of it first, a piece at a time, so that traffic goes on
   * meanwhile; `listeners` say for which terms.
   */
  async renew(set: CertificateSet, listeners: readonly Listener[]): Promise<void> {
    const renewed = this.#renewing.then(async () => this.#renew(set, listeners));
    // One that fails is told to its caller, and the next one goes on.
    this.#renewing = renewed.catch(() => {});
    await renewed;
  }

  async #renew(set: CertificateSet, listeners: readonly Listener[]): Promise<void> {
    const made = new Map<string, tls.SecureContext>();
    for (const { tls: policy, ...listener } of listeners) {
      const door = policy && doorOf(set, keyOfListener(listener));
      if (door === undefined) continue;
      for (const certificate of certificatesOf(set, door.certificates)) {
        const terms = { minVersion: policy!.minVersion, clientAuthorities: door.clientAuthorities };
        const key = contextKey(certificate, terms);
        if (made.has(key)) continue;
        made.set(
          key,
          this.#contexts.get(key) ?? tls.createSecureContext(optionsOf(certificate, terms)),
        );
        await turn();
      }
    }
    this.#ofAddresses = ofAddresses(set);
    this.#contexts = made;
    this.#set = set;
    this.#names = namesIn(set);
    this.hasChallenges = asksInTheClear(set);
    this.#doors = new Map();
  }

  /**
   * Returns the door of a listener; undefined: it has no TLS, or lacks its certificate or the authorities
   * of its clients.
   */
  of(listener: Listener): TlsDoor | undefined {
    const { tls: policy } = listener;
    if (policy === undefined) return undefined;
    const listenerKey = keyOfListener(listener);
    const key = `${listenerKey} ${policy.minVersion} ${policy.unknownNames} ${policy.clients}`;
    const known = this.#doors.get(key);
    if (known !== undefined) return known;
    const contexts = this.#contextsFor(listenerKey, policy);
    if (contexts === undefined) return undefined;
    const door = new TlsDoor(policy, contexts);
    this.#doors.set(key, door);
    return door;
  }

  /** Returns what an ACME authority is told that asks for `token` in the clear. */
  answerFor(token: string): string | undefined {
    for (const challenge of this.#set.challenges) {
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

  #contextsFor(listenerKey: string, policy: TlsPolicy): DoorContexts | undefined {
    const set = this.#set;
    const door = doorOf(set, listenerKey);
    const [first, ...others] = certificatesOf(set, door?.certificates ?? []);
    if (first === undefined) return undefined;
    const { clientAuthorities } = door!;
    // Without an authority of ours, Node would accept the clients of any public one.
    if (policy.clients !== 'none' && clientAuthorities === '') return undefined;
    const { minVersion } = policy;
    const terms = { minVersion, clientAuthorities };
    const byName = new Map<string, tls.SecureContext>();
    // Where two are for one name, the one that stands first is presented.
    for (const certificate of [first, ...others]) {
      const context = this.#context(certificate, terms);
      for (const name of certificate.names) if (!byName.has(name)) byName.set(name, context);
    }
    const challenges = new Map<string, tls.SecureContext>();
    for (const one of set.challenges) {
      if (one.kind !== 'tls-alpn-01') continue;
      challenges.set(one.name, tls.createSecureContext({ cert: one.chain, key: one.key }));
    }
    return {
      fallback: optionsOf(first, terms),
      byName,
      challenges,
      ticketKeys: Buffer.from(set.ticketKeys),
      sessionContext: sessionContext(listenerKey, policy, terms),
    };
  }

  #context(certificate: Certificate, terms: Terms): tls.SecureContext {
    const key = contextKey(certificate, terms);
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const made = tls.createSecureContext(optionsOf(certificate, terms));
    this.#contexts.set(key, made);
    return made;
  }
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

function doorOf({ doors }: CertificateSet, listenerKey: string) {
  return doors.find(({ listener }) => listener === listenerKey);
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

function contextKey({ id }: Certificate, { minVersion, clientAuthorities }: Terms): string {
  return `${id} ${minVersion} ${clientAuthorities}`;
}

function optionsOf(certificate: Certificate, terms: Terms): tls.SecureContextOptions {
  const { minVersion, clientAuthorities } = terms;
  return {
    cert: certificate.chain,
    key: certificate.key,
    minVersion,
    ciphers: CIPHERS,
    secureOptions: NO_RENEGOTIATION,
    ...(clientAuthorities === '' ? {} : { ca: clientAuthorities }),
  };
}
