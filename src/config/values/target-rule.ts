// Where targets may lead: ranges of addresses, names, and folders of Unix sockets. Pure: reads the
// rules and compares; what a target leads to is found out elsewhere.

import { posix } from 'node:path';
import { BlockList, isIP } from 'node:net';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { isAllowedPath, UNIX_RULE as UNIX } from '../../base/socket-file.ts';
import { parseSocketPath, SOCKET_PATH_BYTES_MAX } from './address.ts';
import { parseHostRule, parseRange } from './grammar.ts';
import { plainIPv4 } from './reach.ts';

/** Returns a rule in normal form. */
export function parseTargetRule(raw: unknown): Parsed<string> {
  const expected = 'a range such as 10.0.0.0/8, a name such as *.shop.internal or unix:/run/shop';
  if (typeof raw !== 'string') return refuse(expected, raw);
  if (raw.startsWith(UNIX)) {
    const path = parseSocketPath(raw, SOCKET_PATH_BYTES_MAX);
    if (!path.ok) return path;
    const normal = posix.normalize(path.value);
    return accept(UNIX + (normal === '/' ? normal : normal.replace(/\/+$/, '')));
  }
  const range = parseRange(raw);
  if (range.ok) return range;
  const host = parseHostRule(raw);
  return host.ok ? host : refuse(expected, raw);
}

/** Rules, ready to be asked. No rules allow nothing. */
export class TargetRules {
  readonly #ranges = new BlockList();
  readonly #names: readonly string[];
  readonly #folders: readonly string[];

  /** `rules`: in normal form; what is none allows nothing. */
  constructor(rules: readonly string[]) {
    for (const rule of rules.filter((one) => parseRange(one).ok)) {
      const [address = '', prefix] = rule.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#ranges.addAddress(address, family);
      else this.#ranges.addSubnet(address, Number(prefix), family);
    }
    this.#folders = rules.filter(isFolder);
    this.#names = rules.filter((rule) => !isFolder(rule) && !parseRange(rule).ok);
  }

  /** Tells whether an IP address is in a range. */
  hasAddress(host: string): boolean {
    const plain = plainIPv4(host);
    const family = isIP(plain);
    return family !== 0 && this.#ranges.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  /** Tells whether a name is one of the rules, wherever it leads. */
  hasName(name: string): boolean {
    const host = name.toLowerCase().replace(/\.$/, '');
    if (host === '') return false;
    return this.#names.some((rule) =>
      rule.startsWith('*.')
        ? host.endsWith(rule.slice(1)) && host !== rule.slice(2)
        : host === rule,
    );
  }

  /** Tells whether a path, its links followed, is one of the rules or below one. */
  hasPath(path: string): boolean {
    return isAllowedPath(path, this.#folders);
  }
}

function isFolder(rule: string): boolean {
  return rule.startsWith(UNIX);
}
