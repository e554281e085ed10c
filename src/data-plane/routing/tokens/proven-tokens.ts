// Tokens whose signature was checked lately and is right: a client sends the same one with each
// request, and a check costs a fifth of a small request. Bounded: what was not seen for a while is
// checked again.

/** Tokens of one half; there are two halves, and the older one is thrown away when this is full. */
const HALF_MAX = 4_096;

export class ProvenTokens {
  /** Token → the service it is good for. */
  #young = new Map<string, string>();
  #old = new Map<string, string>();

  /** Tells whether `token` was found right for `service`. */
  has(token: string, service: string): boolean {
    if (this.#young.get(token) === service) return true;
    if (this.#old.get(token) !== service) return false;
    this.add(token, service);
    return true;
  }

  /** Remembers that `token` is right for `service`. */
  add(token: string, service: string): void {
    if (this.#young.size >= HALF_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(token, service);
  }
}
