// Which client a trusted proxy has forwarded a request for: the last address in X-Forwarded-For that
// is no trusted proxy itself. What stands before that one was written by the client, who may lie.

import { networkHash } from '../../base/network.ts';
import { isNamed } from '../../http/forward/copy-head.ts';
import { FIELD } from '../../http/grammar/field-kind.ts';
import { text } from '../../http/grammar/text.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import type { AddressRanges } from '../base/address-ranges.ts';

/** Values that are remembered; a proxy sends the same few again and again. */
const KNOWN_MAX = 1_024;
/** A longer list is not looked at: no chain of proxies is that long. */
const LIST_CHARS_MAX = 512;

export class ForwardedAddresses {
  readonly #trusted: AddressRanges;
  /** Value of the field → hash. */
  readonly #known = new Map<string, number>();

  constructor(trusted: AddressRanges) {
    this.#trusted = trusted;
  }

  /** Returns the hash of the address that `head`, of a trusted proxy, names; 0: it names none. */
  hashOf(head: RequestHead): number {
    const list = forwardedFor(head);
    if (list === '' || list.length > LIST_CHARS_MAX) return 0;
    const known = this.#known.get(list);
    if (known !== undefined) return known;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    const hash = networkHash(this.#clientIn(list));
    this.#known.set(list, hash);
    return hash;
  }

  /** Where all of them are trusted, the first one is the client. */
  #clientIn(list: string): string {
    const addresses = list.split(',').map(plain);
    return addresses.findLast((one) => !this.#trusted.has(one)) ?? addresses[0]!;
  }
}

/** Returns the values of all lines of the field as one list. */
function forwardedFor(head: RequestHead): string {
  const { bytes, lines } = head;
  let list = '';
  let line = lines.find(FIELD.xForwardedFor, 0);
  for (; line !== -1; line = lines.find(FIELD.xForwardedFor, line + 1)) {
    if (isNamed(head, line)) continue;
    const value = text(bytes, lines.valueStart(line), lines.valueEnd(line));
    list = list === '' ? value : `${list},${value}`;
  }
  return list;
}

/** Some proxies add the port, which differs from connection to connection. */
function plain(element: string): string {
  const address = element.trim();
  if (address.startsWith('[')) return address.slice(1, address.indexOf(']'));
  const colon = address.indexOf(':');
  return colon !== -1 && colon === address.lastIndexOf(':') ? address.slice(0, colon) : address;
}
