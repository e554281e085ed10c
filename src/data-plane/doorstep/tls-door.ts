// The TLS of one listener: which certificate a client sees, what it must show itself, which protocols
// are spoken. Never changes: what is renewed makes another door, and handshakes that have begun end at
// the one where they began. Knows connections by their sockets alone.
//
// `tls.Server` never listens: it is given connections, which Node documents (`'connection'`). What Node
// does not document is which of them a TLS socket stands on (`_parent`), so that is looked at once.

import net from 'node:net';
import tls from 'node:tls';
import { assert } from '../../base/assert.ts';
import type { TlsPolicy } from '../../contract/worker-settings.ts';
import { HANDSHAKE_MS } from '../../base/limits.ts';
import { kindFor } from '../../contract/presented.ts';
import { readChains } from './client-chain.ts';

/** The protocol by which an ACME authority looks for its certificate (RFC 8737 §4). */
const ACME_PROTOCOL = 'acme-tls/1';
/** Spoken here, the best first. */
const PROTOCOLS: readonly string[] = ['http/1.1', 'http/1.0'];
/** The deadline of the doorstep comes first. */
const NODES_HANDSHAKE_MS = 2 * HANDSHAKE_MS;

/**
 * What is presented for one name, by kind of key; empty: the same as for clients that name no host. Node
 * takes one certificate of a context that it is given for a name (node#54235), so each has its own.
 */
export type NameContexts = ReadonlyMap<string, tls.SecureContext>;

/** Certificates as OpenSSL takes them. */
export interface DoorContexts {
  /** For clients that name no host. */
  readonly fallback: tls.SecureContextOptions;
  /** By host name; `*.` stands for one label. */
  readonly byName: ReadonlyMap<string, NameContexts>;
  /** By host name: what ACME authorities look for. */
  readonly challenges: ReadonlyMap<string, tls.SecureContext>;
  readonly ticketKeys: Buffer;
  /** A session is resumed only where this is the same; at most 32 characters. */
  readonly sessionContext: string;
}

type Choose = (socket: Choosing, name: string, done: Chosen) => void;
type Chosen = (error: Error | null, context?: tls.SecureContext) => void;
type Agree = (
  socket: Presenting,
  name: string | false,
  offered: readonly string[],
) => string | undefined;

/** Is told what becomes of a connection. */
export interface DoorListener {
  /** The handshake is over. */
  secured(socket: tls.TLSSocket): void;
  /** It has failed; the socket is about to close. */
  failed(error: Error): void;
}

export class TlsDoor {
  readonly policy: TlsPolicy;
  readonly #server: tls.Server;
  readonly #contexts: DoorContexts;
  /** By the socket under its TLS. */
  readonly #listeners = new WeakMap<net.Socket, DoorListener>();
  /** TLS sockets of ACME authorities, and what they came to see. */
  readonly #challenged = new WeakMap<object, tls.SecureContext>();

  constructor(policy: TlsPolicy, contexts: DoorContexts) {
    this.policy = policy;
    this.#contexts = contexts;
    // Node calls both with the TLS socket as their `this`.
    const choose = (...asked: Parameters<Choose>): void => this.#choose(...asked);
    const agree = (...asked: Parameters<Agree>): string | undefined => this.#agree(...asked);
    this.#server = tls.createServer({
      ...contexts.fallback,
      ticketKeys: contexts.ticketKeys,
      sessionIdContext: contexts.sessionContext,
      handshakeTimeout: NODES_HANDSHAKE_MS,
      requestCert: policy.clients !== 'none',
      // A client without a good one is told so in a response: Node would close without a word.
      rejectUnauthorized: false,
      pauseOnConnect: true,
      SNICallback(name, done) {
        choose(this as unknown as Choosing, name, done);
      },
      ALPNCallback({ servername, protocols }) {
        return agree(this as unknown as Presenting, servername, protocols);
      },
    });
    if (policy.clients !== 'none') readChains(this.#server);
    this.#server.on('secureConnection', (socket) => {
      socket.allowHalfOpen = true;
      this.#listenerOf(socket)?.secured(socket);
    });
    this.#server.on('tlsClientError', (error, socket) => this.#listenerOf(socket)?.failed(error));
  }

  /** Begins the handshake on `socket`; what was read of it stands in it again (`unshift`). */
  receive(socket: net.Socket, listener: DoorListener): void {
    this.#listeners.set(socket, listener);
    // The TLS socket takes it over: a client that ends in the middle of its handshake is gone.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  /** A certificate is for the name that a client has asked for; false: it has named none. */
  isFor(name: string | false | null): boolean {
    return typeof name === 'string' && entryFor(this.#contexts.byName, name) !== undefined;
  }

  #listenerOf(socket: tls.TLSSocket): DoorListener | undefined {
    const below = socketBelow(socket);
    return below && this.#listeners.get(below);
  }

  #choose(socket: Choosing, name: string, done: Chosen): void {
    const { byName, challenges } = this.#contexts;
    // TLS 1.3: the protocol has been agreed on before.
    const challenged = this.#challenged.get(socket);
    const own = challenged === undefined ? entryFor(byName, name) : undefined;
    const isUnknown = challenged === undefined && own === undefined;
    const isRefused = isUnknown && this.policy.unknownNames === 'refuse';
    // TLS 1.2: it is agreed on afterwards, so a name that only an authority asks for must not be refused.
    if (isRefused && !challenges.has(usualName(name))) {
      done(Object.assign(new Error('no certificate is for this name'), { code: UNKNOWN_NAME }));
      return;
    }
    // Without one, the server's own is used.
    done(null, challenged ?? (own && contextFor(own, socket)));
  }

  /** Returns the protocol; undefined: none of them, which Node says by an alert (RFC 7301 §3.2). */
  #agree(socket: Presenting, name: string | false, offered: readonly string[]): string | undefined {
    if (offered.includes(ACME_PROTOCOL)) {
      // False, unlike what Node declares, where the client names no host.
      const context = name === false ? undefined : this.#contexts.challenges.get(usualName(name));
      if (context === undefined) return undefined;
      this.#challenged.set(socket, context);
      socket.setKeyCert(context);
      return ACME_PROTOCOL;
    }
    return PROTOCOLS.find((one) => offered.includes(one));
  }
}

/** Code of the error where a client names a host that no certificate is for. */
export const UNKNOWN_NAME = 'ERR_TURNOUT_UNKNOWN_NAME';

/** Tells whether an ACME authority has seen what it came for. */
export function isChallenge(socket: tls.TLSSocket): boolean {
  return socket.alpnProtocol === ACME_PROTOCOL;
}

/** Part of a TLS socket: the signatures that both sides can make and check, the most wanted first. */
interface Choosing {
  getSharedSigalgs(): string[];
}

function contextFor(contexts: NameContexts, socket: Choosing): tls.SecureContext | undefined {
  const [first] = contexts.values();
  if (contexts.size < 2) return first;
  const kind = kindFor([...contexts.keys()], socket.getSharedSigalgs());
  return kind === undefined ? first : contexts.get(kind);
}

/** Part of a TLS socket: presents another certificate than its server (tls.TLSSocket.setKeyCert). */
interface Presenting {
  setKeyCert(context: tls.SecureContext): void;
}

/** Returns what is kept for `name` itself, or for `*.` and all but its first label. */
export function entryFor<T>(byName: ReadonlyMap<string, T>, name: string): T | undefined {
  const usual = usualName(name);
  const dot = usual.indexOf('.');
  return byName.get(usual) ?? (dot === -1 ? undefined : byName.get(`*${usual.slice(dot)}`));
}

/** Names are not told apart by case, nor by a dot at the end. */
function usualName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

function socketBelow(socket: tls.TLSSocket): net.Socket | undefined {
  return (socket as unknown as { readonly _parent?: net.Socket })._parent;
}

/** Another Node would leave every connection without its listener: better no start at all. */
function checkNode(): void {
  const below = new net.Socket();
  const socket = new tls.TLSSocket(below, { isServer: true });
  assert(socketBelow(socket) === below, 'a TLS socket of this Node knows what it stands on');
  socket.destroy();
}

checkNode();
