// Tells the cookies of this proxy from all others by their names, in the time that it takes to read
// a name, however many names there are. Allocates nothing. Knows no service and no token.

const DASH = 0x2d;
const DOT = 0x2e;
const UNDERSCORE = 0x5f;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Places of the table for each name: most look-ups of other names end at an empty one. */
const PLACES_PER_NAME = 4;
/** Dots of a session token as it is today: earlier ones, and preview tokens, have fewer. */
const TOKEN_DOTS = 5;

/** Prefixes by which browsers accept a cookie from a secure origin only (RFC 6265bis §4.1.3). */
const BROWSER_PREFIXES: readonly Uint8Array[] = ['__Host-', '__Secure-'].map((prefix) =>
  Buffer.from(prefix, 'latin1'),
);

export class OwnCookies {
  readonly #prefix: Uint8Array;
  readonly #names: readonly Uint8Array[];
  /** Names from this place on are former ones. */
  readonly #formerFrom: number;
  /** Open addressing by the hash of a name: its place in the list and 1; 0 is empty. */
  readonly #table: Uint16Array;
  readonly #nameBytesMax: number;
  /** 1 for each byte that a name begins with. */
  readonly #firstBytes = new Uint8Array(256);

  /**
   * Own is each cookie whose name is `prefix`, or begins with it and a dash, or is one of `names`;
   * and one of `formerNames` unless it holds a token of today, which is never given under these:
   * then it belongs to another proxy behind this one.
   */
  constructor(own: {
    readonly prefix: string;
    readonly names: readonly string[];
    readonly formerNames: readonly string[];
  }) {
    const names = [...new Set([...own.names, ...own.formerNames])];
    this.#prefix = Buffer.from(own.prefix, 'latin1');
    this.#names = names.map((name) => Buffer.from(name, 'latin1'));
    this.#formerFrom = new Set(own.names).size;
    this.#nameBytesMax = Math.max(...this.#names.map(({ length }) => length), 0);
    const places = 2 ** Math.ceil(Math.log2(PLACES_PER_NAME * (names.length + 1)));
    this.#table = new Uint16Array(places);
    for (const [index, name] of this.#names.entries()) {
      let place = hashOf(name, 0, name.length) & (places - 1);
      while (this.#table[place] !== 0) place = (place + 1) & (places - 1);
      this.#table[place] = index + 1;
    }
    for (const [first] of [this.#prefix, ...this.#names]) this.#firstBytes[first!] = 1;
  }

  /** Tells whether the cookie with the name `bytes[start, end)` and the value behind it is own. */
  has(bytes: Uint8Array, start: number, end: number, valueStart: number, stop: number): boolean {
    const from = start + browserPrefixLength(bytes, start, end);
    if (from === end || this.#firstBytes[bytes[from]!] === 0) return false;
    const prefixEnd = from + this.#prefix.length;
    if (prefixEnd <= end && isAt(this.#prefix, bytes, from)) {
      if (prefixEnd === end || bytes[prefixEnd] === DASH) return true;
    }
    const index = this.#indexOf(bytes, from, end);
    if (index === -1) return false;
    return index < this.#formerFrom || dotsIn(bytes, valueStart, stop) !== TOKEN_DOTS;
  }

  #indexOf(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > this.#nameBytesMax) return -1;
    const mask = this.#table.length - 1;
    let place = hashOf(bytes, start, end) & mask;
    for (let found = this.#table[place]!; found !== 0; found = this.#table[place]!) {
      const name = this.#names[found - 1]!;
      if (name.length === end - start && isAt(name, bytes, start)) return found - 1;
      place = (place + 1) & mask;
    }
    return -1;
  }
}

function browserPrefixLength(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== UNDERSCORE) return 0;
  for (let i = 0; i < BROWSER_PREFIXES.length; i++) {
    const prefix = BROWSER_PREFIXES[i]!;
    if (prefix.length <= end - start && isAt(prefix, bytes, start)) return prefix.length;
  }
  return 0;
}

/** Tells whether `name` stands at `start` in `bytes`; a loop costs less than a call into Node. */
export function isAt(name: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

/** FNV-1a, which needs no table. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let p = start; p < end; p++) hash = Math.imul(hash ^ bytes[p]!, FNV_PRIME);
  return hash ^ (hash >>> 15);
}

function dotsIn(bytes: Uint8Array, start: number, end: number): number {
  let dots = 0;
  for (let p = start; p < end; p++) if (bytes[p] === DOT) dots++;
  return dots;
}
