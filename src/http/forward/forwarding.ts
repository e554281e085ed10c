// What a proxy tells the target about the client: X-Forwarded-*, Forwarded (RFC 7239), Via
// (RFC 9110 §7.6.3). What an untrusted peer claims is replaced, what a trusted one says is kept.

import { networkHash } from '../../base/network.ts';
import { copyHead, dropTable, isNamed, type DropTable } from './copy-head.ts';
import { FIELD } from '../grammar/field-kind.ts';
import { HeadBuffer } from './head-buffer.ts';
import { HOPS_FIELDS } from '../grammar/hops.ts';
import type { RequestHead } from '../heads/request-head.ts';
import type { RequestIds } from './request-ids.ts';
import { text } from '../grammar/text.ts';

export interface ForwardingRules {
  readonly xForwarded: boolean;
  readonly forwarded: boolean;
  /** Pseudonym of this proxy; empty: no Via. */
  readonly via: string;
}

/** One client connection as the fields name it; made once per connection. */
export interface Peer {
  readonly address: string;
  /** 32 bits that tell its network from others; 0: it has no address. */
  readonly addressHash: number;
  /** Its own forwarding fields are believed. */
  readonly isTrusted: boolean;
  /** It speaks TLS with this proxy. */
  readonly isSecure: boolean;
  /** What the target is told that the client used; RFC 7239 §5.4. */
  readonly scheme: 'http' | 'https';
  /** `X-Forwarded-For` and `-Proto` lines for an untrusted peer. */
  readonly fixedFields: string;
  /**
   * Lines that tell of the certificate it has shown (RFC 9440); often empty. Not sent of a trusted
   * peer, which speaks for its own clients.
   */
  readonly certificateFields: string;
  /** What followed the fields of its last request, and what that depends on. */
  readonly lastSuffix: {
    suffix: string;
    host: string;
    minor: number;
    hops: number;
    ending: string;
  };
}

const MAPPED_IPV4 = '::ffff:';

/** Returns the peer with `remoteAddress`; a Unix socket has none and is `unknown` (RFC 7239 §6.2). */
export function describePeer({
  remoteAddress,
  isTrusted,
  isSecure,
  certificateFields = '',
}: {
  readonly remoteAddress: string | undefined;
  readonly isTrusted: boolean;
  readonly isSecure: boolean;
  readonly certificateFields?: string;
}): Peer {
  const address = plainAddress(remoteAddress);
  const scheme = isSecure ? 'https' : 'http';
  return {
    address,
    addressHash: remoteAddress === undefined ? 0 : networkHash(address),
    isTrusted,
    isSecure,
    scheme,
    fixedFields: `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${scheme}\r\n`,
    certificateFields,
    lastSuffix: { suffix: '', host: '', minor: -1, hops: 0, ending: '' },
  };
}

/** Returns the address without the prefix that marks IPv4 on a dual-stack socket. */
export function plainAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return 'unknown';
  const isMapped = remoteAddress.startsWith(MAPPED_IPV4) && remoteAddress.includes('.');
  return isMapped ? remoteAddress.slice(MAPPED_IPV4.length) : remoteAddress;
}

/** Tells whether the client used TLS: towards this proxy, or by the word of a trusted one. */
export function usesTls({ bytes, lines }: RequestHead, peer: Peer): boolean {
  const line = peer.isTrusted ? lines.find(FIELD.xForwardedProto, 0) : -1;
  if (line === -1) return peer.isSecure;
  const value = text(bytes, lines.valueStart(line), lines.valueEnd(line)).toLowerCase();
  return value === 'https' || value.startsWith('https,');
}

/** Writes request heads for targets, by one set of rules. */
export class Forwarder {
  readonly #rules: ForwardingRules;
  readonly #untrusted: DropTable;
  readonly #untrustedUpgrade: DropTable;
  readonly #trusted: DropTable;
  readonly #trustedUpgrade: DropTable;
  readonly #via: ViaFields;
  readonly #head = new HeadBuffer();

  constructor(rules: ForwardingRules) {
    this.#rules = rules;
    const claims = [
      FIELD.xTurnout,
      FIELD.lookalike,
      FIELD.claim,
      FIELD.xForwardedFor,
      FIELD.xForwardedProto,
      FIELD.xForwardedHost,
      FIELD.forwarded,
    ];
    // From a trusted peer, lists are written again with one element more.
    const lists = [
      FIELD.xTurnout,
      // A trusted proxy writes the usual name; another spelling is its client's.
      FIELD.lookalike,
      ...(rules.xForwarded ? [FIELD.xForwardedFor] : []),
      ...(rules.forwarded ? [FIELD.forwarded] : []),
    ];
    this.#untrusted = dropTable(claims);
    this.#untrustedUpgrade = dropTable(claims, [FIELD.upgrade]);
    this.#trusted = dropTable(lists);
    this.#trustedUpgrade = dropTable(lists, [FIELD.upgrade]);
    this.#via = viaFields(rules.via);
  }

  /**
   * Returns the head to send: request line and fields as they came, then ours, then `ending`
   * (last fields and the empty line). `authority` is the Host for a client that sent none; `ids`
   * has read this head.
   */
  requestHead(
    head: RequestHead,
    peer: Peer,
    authority: string,
    ending: string,
    ids: RequestIds,
  ): string {
    const to = this.#head;
    to.begin();
    const fieldsEnd = head.end - 2;
    let dropped = peer.isTrusted ? this.#trusted : this.#untrusted;
    if (head.upgrade) dropped = peer.isTrusted ? this.#trustedUpgrade : this.#untrustedUpgrade;

    if (head.minor === 1) {
      copyHead(to, head, head.start, fieldsEnd, dropped);
    } else {
      // RFC 9112 §2.3: a proxy speaks its own version.
      to.addText(`${head.method!.name} ${head.target()} HTTP/1.1\r\n`);
      copyHead(to, head, head.fieldsStart, fieldsEnd, dropped);
      if (!head.hasHostField) to.addText(`Host: ${hostOf(head) || authority}\r\n`);
    }
    if (head.upgrade) to.addText('Connection: upgrade\r\n');
    if (head.isChunked) to.addText('Transfer-Encoding: chunked\r\n');
    ids.addFields(to);
    if (peer.isTrusted) {
      to.addText(
        this.#trustedFields(head, peer) + this.#via[head.minor]! + HOPS_FIELDS[head.hops]!,
      );
      to.addText(ending);
    } else to.addText(this.#suffixFor(peer, head, ending));
    return to.take();
  }

  /**
   * All that follows the fields of an untrusted client. It is the same for most requests of a
   * connection, so the last one is kept, as one flat string.
   */
  #suffixFor(peer: Peer, head: RequestHead, ending: string): string {
    const known = peer.lastSuffix;
    const isKnown = known.minor === head.minor && known.hops === head.hops;
    if (isKnown && known.ending === ending && isHost(head, known.host)) return known.suffix;
    const hops = HOPS_FIELDS[head.hops]!;
    const rope = this.#untrustedFields(head, peer) + this.#via[head.minor]! + hops + ending;
    known.suffix = Buffer.from(rope, 'latin1').toString('latin1');
    known.host = hostOf(head);
    known.minor = head.minor;
    known.hops = head.hops;
    known.ending = ending;
    return known.suffix;
  }

  #untrustedFields(head: RequestHead, peer: Peer): string {
    const { xForwarded, forwarded } = this.#rules;
    const host = hostOf(head);
    let fields = peer.certificateFields;
    if (xForwarded) {
      fields += peer.fixedFields;
      if (host !== '') fields += `X-Forwarded-Host: ${host}\r\n`;
    }
    return forwarded ? `${fields}Forwarded: ${forwardedElement(peer, host)}\r\n` : fields;
  }

  #trustedFields(head: RequestHead, peer: Peer): string {
    const { xForwarded, forwarded } = this.#rules;
    const host = hostOf(head);
    let fields = '';
    if (xForwarded) {
      fields += `X-Forwarded-For: ${joined(head, FIELD.xForwardedFor)}${peer.address}\r\n`;
      if (!hasField(head, FIELD.xForwardedProto)) fields += `X-Forwarded-Proto: ${peer.scheme}\r\n`;
      if (host !== '' && !hasField(head, FIELD.xForwardedHost))
        fields += `X-Forwarded-Host: ${host}\r\n`;
    }
    if (forwarded) {
      const element = forwardedElement(peer, host);
      fields += `Forwarded: ${joined(head, FIELD.forwarded)}${element}\r\n`;
    }
    return fields;
  }
}

/** `Via` lines for messages that came as HTTP/1.0 and as HTTP/1.1; both empty without a pseudonym. */
export type ViaFields = readonly [string, string];

/** RFC 9110 §7.6.3: the version is the one in which the message was received. */
export function viaFields(pseudonym: string): ViaFields {
  if (pseudonym === '') return ['', ''];
  return [`Via: 1.0 ${pseudonym}\r\n`, `Via: 1.1 ${pseudonym}\r\n`];
}

function hostOf(head: RequestHead): string {
  return text(head.bytes, head.hostStart, head.hostStop);
}

function isHost(head: RequestHead, host: string): boolean {
  const { bytes, hostStart, hostStop } = head;
  if (hostStop - hostStart !== host.length) return false;
  for (let i = 0; i < host.length; i++) {
    if (bytes[hostStart + i] !== host.charCodeAt(i)) return false;
  }
  return true;
}

/** RFC 7239 §4, §6: an IPv6 address and a host with a port must be quoted. */
function forwardedElement({ address, scheme }: Peer, host: string): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  const named = host === '' ? '' : `host="${host}";`;
  return `for=${node};${named}proto=${scheme}`;
}

function hasField(head: RequestHead, kind: number): boolean {
  for (let i = 0; i < head.lines.count; i++) {
    if (head.lines.kinds[i] === kind && !isNamed(head, i)) return true;
  }
  return false;
}

/** Returns the values of all lines of `kind`, each followed by ", ". */
function joined(head: RequestHead, kind: number): string {
  const { lines } = head;
  let list = '';
  for (let i = 0; i < lines.count; i++) {
    if (lines.kinds[i] !== kind || isNamed(head, i)) continue;
    if (lines.valueStart(i) === lines.valueEnd(i)) continue;
    list += `${text(head.bytes, lines.valueStart(i), lines.valueEnd(i))}, `;
  }
  return list;
}
