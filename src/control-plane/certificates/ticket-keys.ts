// The keys of session tickets (RFC 5077, RFC 8446 §4.6.1): by them a client that comes back skips
// half of the handshake. All workers have the same. They live in memory alone, an upgrade hands them
// on through its channel, and they are replaced in time; then clients do one full handshake. That a
// ticket opens no listener that lets in others is the business of the workers (`sessionIdContext`).

import { randomBytes } from 'node:crypto';
import { TICKET_KEYS_LIFE_MS } from '../base/control-limits.ts';

/** What a new process gets, so that clients go on with the tickets they have. */
export interface HandedTickets {
  /** In Base64. */
  readonly keys: string;
  /** When they were made, since the epoch. */
  readonly sinceMs: number;
}

/** Name, cipher and signature, 16 bytes each: what Node takes. */
const TICKET_KEYS_BYTES = 48;

export class TicketKeys {
  readonly #nowMs: () => number;
  #keys: Uint8Array = randomBytes(TICKET_KEYS_BYTES);
  #sinceMs: number;

  /** `nowMs`: since the epoch. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  get keys(): Uint8Array {
    return this.#keys;
  }

  /** Until they should be replaced; 0: now. */
  get leftMs(): number {
    const ageMs = Math.max(0, this.#nowMs() - this.#sinceMs);
    return Math.max(0, TICKET_KEYS_LIFE_MS - ageMs);
  }

  get handed(): HandedTickets {
    return { keys: Buffer.from(this.#keys).toString('base64'), sinceMs: this.#sinceMs };
  }

  replace(): void {
    this.#keys = randomBytes(TICKET_KEYS_BYTES);
    this.#sinceMs = this.#nowMs();
  }

  /** Takes over those of the process before, unless they are old; tells whether it did. */
  inherit({ keys: text, sinceMs }: HandedTickets): boolean {
    const keys = Buffer.from(text, 'base64');
    const ageMs = this.#nowMs() - sinceMs;
    if (ageMs >= TICKET_KEYS_LIFE_MS || keys.length !== TICKET_KEYS_BYTES) return false;
    this.#keys = keys;
    this.#sinceMs = sinceMs;
    return true;
  }
}
