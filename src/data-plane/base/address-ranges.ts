// A set of addresses and CIDR ranges, such as the proxies that are believed when they say for whom they
// forward a request.

import net from 'node:net';
import { plainAddress } from '../../http/forward/forwarding.ts';

export class AddressRanges {
  readonly #list = new net.BlockList();
  readonly #isEmpty: boolean;

  /** `ranges`: addresses, or CIDR ranges. */
  constructor(ranges: readonly string[]) {
    this.#isEmpty = ranges.length === 0;
    for (const range of ranges) {
      const [address = '', bits] = range.split('/');
      const family = net.isIPv6(address) ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  has(remoteAddress: string | undefined): boolean {
    if (remoteAddress === undefined || this.#isEmpty) return false;
    const address = plainAddress(remoteAddress);
    return this.#list.check(address, net.isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}
